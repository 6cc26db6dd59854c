"""What a worker does to its own process: contained, said in `status`, and no matter of the other groups."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chaffinch.journal.layout import Layout
from tests.fleet.running import Fleet, config_file, eventually, plug_in, running
from tests.fleet.test_deeds import since
from tests.fleet.test_fleet import gone, ping

ONCE = """
import asyncio, os, signal, socket, sys, threading
from pathlib import Path


async def run(context):
    mark = context.state / "store" / "once"
    if not mark.exists():
        mark.touch()
        await harm(context)
    await context.stopping.wait()


def channel():
    for number in map(int, os.listdir("/proc/self/fd")):
        try:
            one = socket.socket(fileno=os.dup(number))
        except OSError:
            continue
        if one.type == socket.SOCK_SEQPACKET:
            return one, number
"""
"""The first time it does harm, the next time it does not: the group has to be whole again."""

SILENT = 2
FILE = f"[fleet]\nsilent_seconds = {SILENT}\nworkers = ['mule']\nbackoff_seconds = 0.05\n"


@contextmanager
def fleet_with(folder: Path, source: str, *flags: str, more: str = "") -> Iterator[Fleet]:
    environment = plug_in(folder, "mule", source, "workers")
    with running(
        folder / "state", "--config", str(config_file(folder, FILE + more)), *flags, environment=environment
    ) as one:
        yield one


INSIDE = {
    "SystemExit(3)": "async def harm(context):\n    sys.exit(3)",
    "KeyboardInterrupt()": "async def harm(context):\n    raise KeyboardInterrupt",
    "Rage()": "class Rage(BaseException): pass\nasync def harm(context):\n    raise Rage",
    "not asked to stop": "async def harm(context):\n    raise asyncio.CancelledError",
    "MemoryError": "async def harm(context):\n    raise MemoryError",
    "RecursionError": "async def harm(context):\n    await harm(context)",
}


@pytest.mark.parametrize("said", INSIDE)
def test_what_a_worker_raises_is_its_own(tmp_path: Path, said: str) -> None:
    with fleet_with(tmp_path, ONCE + INSIDE[said]) as fleet:
        neighbours, pids = since(fleet, "mule"), [group["pid"] for group in fleet.status()["groups"]]
        eventually(lambda: fleet.worker("mule")["restarts"] == 1 and fleet.worker("mule")["state"] == "running")
        assert said in fleet.worker("mule")["error"]
        assert since(fleet, "mule") == neighbours
        assert [group["pid"] for group in fleet.status()["groups"]] == pids
        assert fleet.group("back")["error"] == ""


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import sys\nsys.exit(3)", "SystemExit(3)"),
        ("import nothing_of_that_name", "No module named 'nothing_of_that_name'"),
        ("async def run(context)\n    pass", "SyntaxError"),
        ("run = None", "not callable"),
        ("", "has no attribute 'run'"),
    ],
)
def test_a_worker_that_crashes_at_import_is_given_up(tmp_path: Path, source: str, said: str) -> None:
    with fleet_with(tmp_path, source, more="crash_limit = 2\n") as fleet:
        eventually(lambda: fleet.worker("mule")["state"] == "failed")
        assert said in fleet.worker("mule")["error"]
        assert {one["state"] for one in fleet.status()["workers"] if one["name"] != "mule"} == {"running"}
        assert [group["restarts"] for group in fleet.status()["groups"]] == [0, 0]


OF_THE_PROCESS = {
    "ends it with 0": ("os._exit(0)", "it ended with exit 0"),
    "kills it": ("os.kill(os.getpid(), signal.SIGKILL)", "it ended with SIGKILL"),
    "crashes it": ("import ctypes; ctypes.string_at(0)", "it ended with SIGSEGV"),
    "aborts it": ("os.abort()", "it ended with SIGABRT (at plug_mule.py:"),
    "spins": ("while True: pass", f"it said nothing for {SILENT} s (at plug_mule.py:"),
    "waits for a lock": ("lock = threading.Lock(); lock.acquire(); lock.acquire()", f"nothing for {SILENT} s (at "),
    "stops it": ("os.kill(os.getpid(), signal.SIGSTOP)", f"it said nothing for {SILENT} s"),
    "says garbage": (r"channel()[0].send(b'\xc1 garbage')", "it said what cannot be understood"),
    "says nothing": ("channel()[0].send(b'')", "it ended with exit 0"),
    "says too much": ("channel()[0].send(bytes(300_000))", "it said what cannot be understood"),
    "closes its channel": ("os.close(channel()[1])", "it ended with exit 0"),
    "exits in a task": (
        "asyncio.get_running_loop().call_soon(sys.exit, 4); await asyncio.sleep(5)", "it ended with exit 1"
    ),
}  # fmt: skip


@pytest.mark.parametrize("deed", OF_THE_PROCESS)
def test_a_group_that_a_worker_ends_comes_back_and_says_why(tmp_path: Path, deed: str) -> None:
    harm, said = OF_THE_PROCESS[deed]
    with fleet_with(tmp_path, f"{ONCE}\n\nasync def harm(context):\n    {harm}\n") as fleet:
        others = {one["name"]: one["since"] for one in fleet.status()["workers"] if one["group"] == "decoys"}
        pid = fleet.group("decoys")["pid"]

        def is_whole() -> bool:
            assert ping(fleet) == b"+PONG\r\n"
            states = {one["state"] for one in fleet.status()["workers"]}
            return fleet.group("back")["restarts"] == 1 and states == {"running"}

        eventually(is_whole, 20)
        assert said in fleet.group("back")["error"]
        assert said[:20] in fleet.call("status").stdout
        assert {one["name"]: one["since"] for one in fleet.status()["workers"] if one["group"] == "decoys"} == others
        assert (fleet.group("decoys")["pid"], fleet.group("decoys")["error"]) == (pid, "")
        assert fleet.stop() == 0


def test_a_group_begins_while_somebody_holds_the_journals_lock(tmp_path: Path) -> None:
    with running(tmp_path) as fleet, Layout(fleet.state / "journal").lock("segments"):
        os.kill(fleet.group("decoys")["pid"], signal.SIGKILL)
        eventually(lambda: fleet.group("decoys")["restarts"] == 1)
        assert ping(fleet) == b"+PONG\r\n"


def test_a_group_that_only_slept_is_not_blamed(tmp_path: Path) -> None:
    with running(tmp_path, environment={"CHAFFINCH_FLEET_SILENT_SECONDS": "4"}) as fleet:
        pid = fleet.group("back")["pid"]
        os.kill(pid, signal.SIGUSR2)
        eventually(lambda: fleet.group("back")["cpu_seconds"] > 0)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: fleet.group("back")["restarts"] == 1)
        assert fleet.group("back")["error"].startswith("it ended with SIGKILL")


FORKS = """
import os, signal, time


async def run(context):
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        (context.state / "store" / f"child-{os.getpid()}").touch()
        time.sleep(600)
    await context.stopping.wait()
"""


@pytest.mark.parametrize("ends", ["stop", "the group is killed", "the supervisor is killed"])
def test_a_child_that_a_worker_forked_does_not_outlive_its_group(tmp_path: Path, ends: str) -> None:
    with fleet_with(tmp_path, FORKS) as fleet:
        store = tmp_path / "state" / "store"
        child = int(eventually(lambda: list(store.glob("child-*")))[0].name.partition("-")[2])
        assert not gone(child)
        if ends == "stop":
            assert fleet.stop() == 0
        elif ends == "the group is killed":
            os.kill(fleet.group("back")["pid"], signal.SIGKILL)
        else:
            assert fleet.process is not None
            fleet.process.kill()
            fleet.process.communicate()
        eventually(lambda: gone(child))
    again = Fleet(tmp_path / "state", offset=fleet.offset)
    with running(again.state, offset=fleet.offset) as again:
        assert ping(again) == b"+PONG\r\n"


CLOSES = """
import asyncio, os


async def run(context):
    mark = context.state / "store" / "once"
    if not mark.exists():
        mark.touch()
        for number in os.listdir("/proc/self/fd"):
            try:
                target = os.readlink(f"/proc/self/fd/{number}")
            except OSError:
                continue
            if "/journal/" in target:
                os.close(int(number))
    await context.stopping.wait()
"""


def test_a_worker_that_closes_the_journal(tmp_path: Path) -> None:
    with fleet_with(tmp_path, CLOSES) as fleet:
        eventually((tmp_path / "state" / "store" / "once").exists)
        for _ in range(5):
            assert ping(fleet) == b"+PONG\r\n"
        eventually(lambda: len(fleet.json("sessions")) == 5, 20)
        eventually(lambda: all(row["ended"] for row in fleet.json("sessions")))
        assert fleet.status()["journal_lost"] == 0
        seqs = [event["seq"] for event in fleet.events()]
        assert len(seqs) == len(set(seqs))


def test_what_a_group_left_is_in_the_log(tmp_path: Path) -> None:
    with fleet_with(tmp_path, f"{ONCE}\n\nasync def harm(context):\n    while True: pass\n") as fleet:
        eventually(lambda: fleet.group("back")["restarts"] == 1, 20)
        log = (tmp_path / "state" / "fleet.log").read_text(encoding="utf-8")
        assert "group.last_words group=back" in log
        assert 'plug_mule.py", line' in log
