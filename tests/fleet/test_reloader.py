"""When a reload is refused, how it is told, and what goes on beside it."""

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chaffinch.config import Config, NetworkSettings
from chaffinch.errors import InputError
from chaffinch.fleet import assemble, budget, openings
from chaffinch.fleet.reloader import Reloader
from tests.fleet.reloading import Reloadable, answers, free_port, page, reloadable
from tests.fleet.running import eventually, plug_in
from tests.fleet.test_notify import Manager
from tests.fleet.test_rehearsal import parts_of

SLOW = """
import asyncio


async def run(context):
    await context.stopping.wait()
    await asyncio.sleep(1.5)
"""

NO_MODULE = "this is no Python\n"

WITH_MULE = "[fleet]\nworkers = ['mule']\n"


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Reloadable]:
    with reloadable(tmp_path) as one:
        yield one


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Reloadable]:
    """A fleet of which a reload takes a while: one of its workers takes its time to end."""
    with reloadable(tmp_path, WITH_MULE, environment=plug_in(tmp_path, "mule", SLOW, "workers")) as one:
        yield one


def reloading(fleet: Reloadable) -> "subprocess.Popen[str]":
    """A reload that goes on, and has begun."""
    log = fleet.state / "fleet.log"
    before = log.read_bytes().count(b"reload.began")
    one = subprocess.Popen(
        [sys.executable, "-m", "chaffinch", "reload", "--state", str(fleet.state)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=fleet.environment,
    )
    eventually(lambda: log.read_bytes().count(b"reload.began") > before)
    return one


def test_what_is_refused_changes_nothing(fleet: Reloadable) -> None:
    before = fleet.since(), fleet.pids(), fleet.effective(), fleet.status()["hosts"]
    for text, sentence in (
        ("[fleet]\nmemry = '1M'\n", "line 7: [fleet] has no key 'memry'; did you mean 'memory'?"),
        ("[fleet]\nmemory = 'lots'\n", "fleet.memory is wrong: 'lots' is not a size"),
        ("[[[", "is not TOML"),
        ("[fleet]\nmemory = '32M'\n", "a budget of 33.6 MB cannot hold this fleet, which takes at least"),
        ("[services.nothing]\nport = 3\n", "no module has a service named 'nothing'"),
        ("[fleet]\nworkers = ['nobody']\n", "no package has a worker named 'nobody'"),
        (
            "[fleet.groups]\nfront = ['decoy-shh']\n",
            "line 7: fleet.groups: this fleet has no worker called 'decoy-shh'",
        ),
        ("[fleet]\nuser = 'daemon'\n", "fleet.user cannot change while the fleet runs: put it back, or restart"),
    ):
        fleet.write(text)
        done = fleet.call("reload")
        assert (done.returncode, done.stdout) == (2, ""), text
        assert sentence in done.stderr
        assert done.stderr.count("\n") == 1
    for network, sentence in (
        ("hosts = ['10.0.0.0/8']", "10.0.0.0/8 is not on loopback"),
        ("hosts = ['127.0.0.0/33']", "127.0.0.0/33"),
        ("device = 'eth9'", "network.device cannot change while the fleet runs"),
    ):
        fleet.write(network=network)
        done = fleet.call("reload", "--json")
        assert (done.returncode, done.stdout) == (2, ""), network
        assert sentence in done.stderr
    fleet.file.unlink()
    done = fleet.call("reload")
    assert done.returncode == 2
    assert "cannot be read" in done.stderr
    assert (fleet.since(), fleet.pids(), fleet.effective(), fleet.status()["hosts"]) == before
    assert b"reload.began" not in (fleet.state / "fleet.log").read_bytes()


def test_a_port_that_is_taken_leaves_all_as_it_was(fleet: Reloadable) -> None:
    before = fleet.since(), fleet.pids(), fleet.effective()
    address, port = fleet.endpoint("ftp")
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port + 700))
        holder.listen()
        fleet.write(offset=fleet.offset + 700)
        done = fleet.call("reload")
        assert (done.returncode, done.stdout) == (1, "")
        assert f"{port + 700}/tcp (ftp) is taken by " in done.stderr
        fleet.write(metrics=port + 700)
        done = fleet.call("reload")
        assert done.returncode == 1
        assert f"the metrics page cannot move to 127.0.0.1 port {port + 700}" in done.stderr
    assert (fleet.since(), fleet.pids(), fleet.effective()) == before
    assert answers(address, port).startswith(b"220")
    # Nothing that was tried is left: the other ports of the failed attempt are free.
    with socket.socket() as one:
        one.bind(("127.0.0.1", fleet.endpoint("ssh")[1] + 700))


def test_a_name_for_the_metrics_page_is_looked_up_by_who_binds_it(fleet: Reloadable) -> None:
    before, port = fleet.effective(), free_port()
    text = f"[metrics]\nhost = 'nowhere.invalid'\nport = {port}\n[network]\nport_offset = {fleet.offset}\n"
    fleet.file.write_text(text, encoding="utf-8")
    done = fleet.call("reload")
    assert done.returncode == 1
    assert "metrics does not start: " in done.stderr
    assert f"the metrics page cannot listen on nowhere.invalid port {port}: " in done.stderr
    assert "the fleet runs on with the configuration that it had" in done.stderr
    assert fleet.effective() == before
    fleet.file.write_text(text.replace("nowhere.invalid", "localhost"), encoding="utf-8")
    assert fleet.call("reload").returncode == 0
    assert "chaffinch_" in page(port)


def test_a_division_that_cannot_be_is_refused_before_anything_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(network=NetworkSettings(port_offset=10000))
    processes: Any = SimpleNamespace(parts=parts_of(tmp_path), groups={}, division=None, is_stopping=lambda: False)
    draft = assemble.draft(config, b"test")
    origin: Any = SimpleNamespace(load=lambda: config, draft=lambda _: draft)

    def refused(*_: object) -> None:
        raise InputError("no room")

    monkeypatch.setattr(budget, "divide", refused)
    monkeypatch.setattr(openings, "opened", lambda *_: pytest.fail("it was opened"))
    one = Reloader(processes, origin, lambda: None)
    with pytest.raises(InputError, match="no room"):
        one.begin()
    assert not one.is_busy


def test_a_plug_in_that_cannot_be_imported_does_not_end_the_fleet(tmp_path: Path) -> None:
    with reloadable(tmp_path, environment=plug_in(tmp_path, "gopher", NO_MODULE)) as fleet:
        before = fleet.since(), fleet.pids()
        fleet.write("[services.gopher]\nport = 7070\n")
        done = fleet.call("reload")
        assert done.returncode == 2
        assert "cannot be brought in (SyntaxError" in done.stderr
        assert (fleet.since(), fleet.pids()) == before


def test_one_at_a_time_and_deeds_wait(slow: Reloadable) -> None:
    slow.write(f"{WITH_MULE}[store]\nmax_age_days = 3\n")
    with reloading(slow) as first:
        done = slow.call("reload")
        assert (done.returncode, done.stderr) == (1, "chaffinch: a reload goes on already; ask again when it is done\n")
        done = slow.call("stop", "decoy-ssh")
        assert (done.returncode, done.stderr) == (1, "chaffinch: a reload goes on; ask again when it is done\n")
        assert slow.status()["hosts"], "who looks is answered meanwhile"
        said, _ = first.communicate(timeout=30)
    assert first.returncode == 0
    assert "mule: restarted" in said
    assert slow.call("stop", "decoy-ssh").returncode == 0


def test_who_asked_may_go_and_the_reload_goes_on(slow: Reloadable) -> None:
    slow.write(f"{WITH_MULE}[store]\nmax_age_days = 3\n")
    with reloading(slow) as one:
        one.kill()
    eventually(lambda: slow.effective()["store"]["max_age_days"] == 3)
    assert slow.states() == {"running"}


@pytest.mark.parametrize("by", ["stop", "SIGTERM"])
def test_a_stop_ends_a_reload(slow: Reloadable, by: str) -> None:
    assert slow.process is not None
    slow.write(f"{WITH_MULE}[store]\nmax_age_days = 3\n", offset=slow.offset + 1)
    port = slow.endpoint("ftp")[1]
    with reloading(slow) as one:
        if by == "stop":
            assert slow.call("stop").returncode == 0
        else:
            slow.process.send_signal(signal.SIGTERM)
        slow.process.communicate(timeout=20)
        assert slow.process.returncode == 0
        _, error = one.communicate(timeout=20)
    assert one.returncode == 1
    assert error.count("\n") == 1
    assert "max_age_days" in str(slow.effective()["store"])
    assert slow.effective()["store"]["max_age_days"] == 90
    for offset in (0, 1):
        with socket.socket() as free, contextlib.closing(free):
            free.bind(("127.0.0.1", port + offset))


def test_a_fleet_that_is_not_there() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "chaffinch", "reload", "--state", "/nowhere"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "no fleet runs on the state directory" in done.stderr


def test_what_the_command_prints_as_json(fleet: Reloadable) -> None:
    fleet.write("[fleet]\nmemory = '300M'\n", metrics=free_port())
    assert fleet.json("reload") == {
        "number": 1,
        "done": True,
        "settings": ["fleet.memory", "metrics.port"],
        "told": ["fleet.memory"],
        "workers": [{"name": "metrics", "did": "restarted"}],
        "error": "",
    }
    same = fleet.json("reload")
    assert (same["number"], same["settings"], same["workers"]) == (2, [], [])


def test_the_environment_and_flags_of_the_start_still_win(tmp_path: Path) -> None:
    fleet = Reloadable(tmp_path, {"CHAFFINCH_FLEET_MEMORY": "300M"})
    fleet.flags = ("--config", str(fleet.file), "--groups", "one")
    fleet.start()
    try:
        assert fleet.reload("[fleet]\nmemory = '400M'\ngroups = 'split'\n") == [
            "nothing to do: the configuration is as it was"
        ]
        assert list(fleet.pids()) == ["fleet"]
    finally:
        assert fleet.stop() == 0


def test_a_detached_fleet_reads_a_relative_file_again(tmp_path: Path) -> None:
    fleet = Reloadable(tmp_path)
    up = subprocess.run(
        [sys.executable, "-m", "chaffinch", "up", "--detach", "--config", fleet.file.name, "--state", str(fleet.state)],
        cwd=tmp_path, env=fleet.environment, check=True, capture_output=True,
    )  # fmt: skip
    assert b"decoy hosts" in up.stdout
    try:
        assert fleet.reload("[services.ssh]\nenabled = false\n") == ["decoy-ssh: stopped"]
    finally:
        assert fleet.call("stop").returncode == 0


def test_a_service_manager_hears_of_it(tmp_path: Path) -> None:
    with Manager(str(tmp_path / "notify")) as manager:
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        with reloadable(tmp_path, environment=environment) as fleet:
            eventually(lambda: any("READY=1" in one for one in manager.hear()))
            for text, code in (("[decoys]\nsessions = 99\n", 0), ("[decoys]\nsessions = 1\n", 2)):
                heard = len(manager.hear())
                fleet.write(text)
                assert fleet.call("reload").returncode == code
                eventually(lambda heard=heard: any("READY=1" in one for one in manager.hear()[heard:]))
                began = manager.heard[heard].splitlines()
                assert began[0] == "RELOADING=1"
                assert began[1].startswith("MONOTONIC_USEC=")
                assert sum("RELOADING" in one for one in manager.heard[heard:]) == 1
