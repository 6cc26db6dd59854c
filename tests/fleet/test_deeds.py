"""`chaffinch start`, `stop` and `restart` of one worker or group: what they name, and nothing else."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chaffinch.fleet.deeds import Deeds
from tests.fleet.running import Fleet, config_file, eventually, plug_in, running

STUBBORN = """
import asyncio


async def run(context):
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
"""

SLOW = """
import asyncio


async def run(context):
    await context.stopping.wait()
    await asyncio.sleep(3600)
"""

ONCE = """
import os
from pathlib import Path


async def run(context):
    if not Path(os.environ["PLUG_LUCK"]).exists():
        raise ValueError("no luck")
    await context.stopping.wait()
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with running(tmp_path) as one:
        yield one


def did(fleet: Fleet, *words: str) -> str:
    done = fleet.call(*words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def serves(fleet: Fleet, service: str) -> bool:
    """Whether the service takes a connection; one that is refused is refused at once."""
    try:
        fleet.connect(service, 2).close()
    except ConnectionRefusedError:
        return False
    return True


def since(fleet: Fleet, *without: str) -> dict[str, float]:
    """Since when each worker runs."""
    return {one["name"]: one["since"] for one in fleet.status()["workers"] if one["name"] not in without}


def pids(fleet: Fleet) -> dict[str, int]:
    return {one["name"]: one["pid"] for one in fleet.status()["groups"]}


def test_a_stopped_worker_refuses_and_its_neighbours_go_on(fleet: Fleet) -> None:
    neighbours = since(fleet, "decoy-redis")
    processes = pids(fleet)
    with fleet.connect("memcached") as session:
        assert did(fleet, "stop", "decoy-redis") == "decoy-redis: stopped"
        assert not serves(fleet, "redis")
        session.sendall(b"version\r\n")
        assert session.recv(100).startswith(b"VERSION")
    assert since(fleet, "decoy-redis") == neighbours
    assert did(fleet, "start", "decoy-redis") == "decoy-redis: started"
    assert serves(fleet, "redis")
    assert (since(fleet, "decoy-redis"), pids(fleet)) == (neighbours, processes)
    assert fleet.worker("decoy-redis")["restarts"] == 0
    assert 0.01 < fleet.group("decoys")["cpu_seconds"] < 60


def test_it_stays_stopped_when_its_group_begins_anew(fleet: Fleet) -> None:
    did(fleet, "stop", "decoy-redis")
    before = pids(fleet)
    assert "decoy-redis" not in did(fleet, "restart", "decoys")
    after = pids(fleet)
    assert after["decoys"] != before["decoys"]
    assert after["back"] == before["back"]
    assert fleet.group("decoys")["restarts"] == 0, "what was asked for is no failure"
    os.kill(after["decoys"], signal.SIGKILL)
    eventually(lambda: fleet.group("decoys")["restarts"] == 1 and fleet.worker("decoy-ftp")["state"] == "running")
    assert fleet.worker("decoy-redis")["state"] == "stopped"
    assert not serves(fleet, "redis")
    assert serves(fleet, "ftp")
    did(fleet, "start", "decoys")
    assert serves(fleet, "redis")


def test_a_group_ends_with_its_last_worker_and_comes_back(fleet: Fleet) -> None:
    back = fleet.group("back")["pid"]
    said = did(fleet, "stop", "back")
    assert said.endswith(": stopped")
    assert {"retention", "sessions", "metrics"} == set(said.removesuffix(": stopped").split(", "))
    eventually(lambda: fleet.group("back")["state"] == "stopped" and fleet.group("back")["pid"] == 0)
    with pytest.raises(ProcessLookupError):
        os.kill(back, 0)
    assert serves(fleet, "ssh")
    assert did(fleet, "start", "metrics") == "metrics: started"
    states = {one["name"]: one["state"] for one in fleet.status()["workers"] if one["group"] == "back"}
    assert states == {"retention": "stopped", "sessions": "stopped", "metrics": "running"}
    did(fleet, "start", "back")
    assert {one["state"] for one in fleet.status()["workers"]} == {"running"}


def test_a_restart_keeps_what_waits_at_the_door(fleet: Fleet) -> None:
    neighbours = since(fleet, "decoy-http")
    seen = fleet.status()["sessions_seen"]
    answered = 0
    with subprocess.Popen(
        [sys.executable, "-m", "chaffinch", "restart", "decoy-http", "--state", str(fleet.state)]
    ) as one:
        while one.poll() is None or answered < 20:
            with fleet.connect("http") as session:
                session.sendall(b"GET / HTTP/1.0\r\n\r\n")
                assert session.recv(100).startswith(b"HTTP/1.")
                answered += 1
    assert one.returncode == 0
    assert since(fleet, "decoy-http") == neighbours
    eventually(lambda: fleet.status()["sessions_seen"] == seen + answered)


def test_names_that_nothing_has(fleet: Fleet) -> None:
    done = fleet.call("stop", "decoy-reddis")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no worker or group of this fleet is called 'decoy-reddis'; did you mean 'decoy-redis'?" in done.stderr
    assert done.stderr.count("\n") == 1
    assert fleet.call("restart").returncode == 2
    did(fleet, "stop", "metrics")
    did(fleet, "stop", "metrics")
    assert fleet.worker("metrics")["state"] == "stopped"


@pytest.mark.parametrize(
    ("source", "state", "error"),
    [(STUBBORN, "failed", "it did not end when it was asked to, nor when it was cancelled"), (SLOW, "stopped", "")],
)
def test_a_worker_that_does_not_end_is_contained(tmp_path: Path, source: str, state: str, error: str) -> None:
    environment = plug_in(tmp_path, "mule", source, "workers")
    file = config_file(tmp_path, "[fleet]\ndrain_seconds = 1\nworkers = ['mule']\n")
    with running(tmp_path / "state", "--config", str(file), environment=environment) as fleet:
        neighbours = since(fleet, "mule")
        with contextlib.suppress(subprocess.TimeoutExpired):
            fleet.call("stop", "mule", timeout=4)
        eventually(lambda: fleet.worker("mule")["state"] == state)
        assert error in fleet.worker("mule")["error"]
        assert since(fleet, "mule") == neighbours
        did(fleet, "restart", "back")
        assert fleet.worker("mule")["state"] == "stopped"
        did(fleet, "start", "mule")


def test_who_was_given_up_is_started_by_hand(tmp_path: Path) -> None:
    luck = tmp_path / "luck"
    environment = plug_in(tmp_path, "shaky", ONCE, "workers") | {"PLUG_LUCK": str(luck)}
    file = config_file(tmp_path, "[fleet]\ncrash_limit = 2\nbackoff_seconds = 0.05\nworkers = ['shaky']\n")
    with running(tmp_path / "state", "--config", str(file), environment=environment) as fleet:
        eventually(lambda: fleet.worker("shaky")["state"] == "failed")
        luck.touch()
        assert did(fleet, "start", "shaky") == "shaky: started"


def test_a_fleet_that_stops_takes_no_more_deeds(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    done = fleet.call("start", "decoy-ssh")
    assert done.returncode == 1
    assert "no fleet runs on the state directory" in done.stderr


@pytest.mark.parametrize("pid", [0, 77])
def test_a_service_listens_before_its_worker_begins(pid: int) -> None:
    """A worker that finds a listener which does not listen gives it up."""
    order: list[str] = []
    door = SimpleNamespace(
        plan=SimpleNamespace(service="http"),
        listen=lambda _: order.append("listens"),
        refuse=lambda: order.append("refuses"),
    )
    group: Any = SimpleNamespace(
        name="decoys",
        workers=(SimpleNamespace(name="decoy-http"),),
        off={"decoy-http"},
        is_off=False,
        pid=pid,
        draining_since=None,
    )
    processes: Any = SimpleNamespace(
        groups={"decoys": group},
        parts=SimpleNamespace(listeners=(door,), plan=SimpleNamespace(backlog=8)),
        is_stopping=lambda: False,
        again=lambda _: order.append("begins"),
        say=lambda *_: order.append("begins"),
    )
    assert Deeds(processes).act("start", "decoy-http") == ("decoy-http",)
    assert order == ["listens", "begins"]
