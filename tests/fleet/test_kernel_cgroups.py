"""Cgroups of the fleet's own on a real kernel: version 2 with the memory controller (`tests/vm` boots one)."""

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaffinch.config import Config
from chaffinch.fleet.cgroups import SUPERVISOR, room
from tests.fleet.running import Fleet, config_file, eventually, plug_in
from tests.fleet.test_fleet import ping

MIB = 1 << 20
MOUNT = Path("/sys/fs/cgroup")


def is_counted() -> bool:
    """Whether memory is counted in cgroups that are made below the mount."""
    file = MOUNT / "cgroup.subtree_control"
    return file.exists() and "memory" in file.read_text(encoding="ascii").split()


pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0 or not is_counted(), reason="needs root, and cgroup v2 with memory"),
]

FILE = "[fleet]\nmemory = '128M'\nbackoff_seconds = 0.05\n"


@pytest.fixture
def root() -> Iterator[Path]:
    """A cgroup for a fleet alone."""
    made = MOUNT / f"chaffinch-test-{os.getpid()}"
    made.mkdir()
    try:
        yield made
        assert inside(made) == [], "the fleet left it as it was"
    finally:
        for folder, _, _ in os.walk(made, topdown=False):
            with contextlib.suppress(OSError):
                (Path(folder) / "cgroup.kill").write_text("1", encoding="ascii")
        eventually(lambda: not text(made / "cgroup.procs"))
        for folder, _, _ in os.walk(made, topdown=False):
            os.rmdir(folder)


def inside(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir() if one.is_dir())


def text(path: Path) -> str:
    return path.read_text(encoding="ascii").strip()


def fleet_in(root: Path, state: Path, *flags: str, environment: dict[str, str] | None = None) -> Fleet:
    """A fleet whose `up` is alone in that cgroup; the other commands stay outside."""
    enter = f'case " $* " in *" up "*) echo $$ > {root}/cgroup.procs;; esac; exec "$@"'
    return Fleet(state, *flags, environment=environment, prefix=("sh", "-c", enter, "sh"))


@contextlib.contextmanager
def up(root: Path, state: Path, *flags: str, environment: dict[str, str] | None = None) -> Iterator[Fleet]:
    fleet = fleet_in(root, state, *flags, environment=environment)
    fleet.start()
    try:
        yield fleet
    finally:
        if fleet.process is not None and fleet.process.poll() is None:
            fleet.stop()


def most_of(group: dict[str, Any]) -> int:
    """The limit of that group's cgroup, in whole pages as the kernel keeps it."""
    share, page = group["budget_bytes"], os.sysconf("SC_PAGE_SIZE")
    sessions = Config().decoys.sessions if group["name"] == "decoys" else 0
    return (int(share) + room(share, sessions)) // page * page


def log_of(fleet: Fleet) -> str:
    return (fleet.state / "fleet.log").read_text(encoding="utf-8")


def test_each_group_is_in_a_cgroup_with_its_limit(root: Path, tmp_path: Path) -> None:
    with up(root, tmp_path, "--config", str(config_file(tmp_path, FILE))) as fleet:
        status = fleet.status()
        assert inside(root) == sorted([SUPERVISOR, *(group["name"] for group in status["groups"])])
        assert text(root / SUPERVISOR / "cgroup.procs") == str(status["pid"])
        assert text(root / SUPERVISOR / "memory.max") == "max"
        for group in status["groups"]:
            leaf = root / group["name"]
            assert text(leaf / "cgroup.procs") == str(group["pid"])
            assert int(text(leaf / "memory.max")) == most_of(group)
            assert text(leaf / "memory.oom.group") == "1"
        assert ping(fleet) == b"+PONG\r\n"
        pid = fleet.group("back")["pid"]
        assert fleet.call("restart", "back").returncode == 0
        eventually(lambda: fleet.group("back")["pid"] not in (0, pid))
        eventually(lambda: text(root / "back" / "cgroup.procs") == str(fleet.group("back")["pid"]))
        assert fleet.stop() == 0


def test_after_a_kill_the_next_fleet_uses_the_tree_again(root: Path, tmp_path: Path) -> None:
    flags = ("--config", str(config_file(tmp_path, FILE)))
    with up(root, tmp_path, *flags) as fleet:
        assert fleet.process is not None
        pids = [group["pid"] for group in fleet.status()["groups"]]
        fleet.process.kill()
        fleet.process.communicate()
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    # What a service manager does before it starts a unit again: empty cgroups go.
    for name in inside(root):
        eventually(lambda name=name: "populated 0" in text(root / name / "cgroup.events"))
        (root / name).rmdir()
    (root / "cgroup.subtree_control").write_text("-memory", encoding="ascii")
    with up(root, tmp_path, *flags) as fleet:
        assert len(inside(root)) == 3
        assert log_of(fleet).count("cgroup.used") == 2


UNSEEN = """
import os


async def run(context):
    mark = context.state / "store" / "once"
    if mark.exists():
        await context.stopping.wait()
        return
    mark.touch()
    number = os.memfd_create("unseen")
    while True:
        os.write(number, bytes(1 << 20))
"""
"""In a file without a name: no part of RSS, PSS or RLIMIT_DATA."""


def test_the_kernel_ends_a_group_alone_and_status_says_why(root: Path, tmp_path: Path) -> None:
    environment = plug_in(tmp_path, "mule", UNSEEN, "workers")
    file = config_file(tmp_path, f"{FILE}workers = ['mule']\n")
    with up(root, tmp_path / "state", "--config", str(file), environment=environment) as fleet:
        decoys = fleet.group("decoys")["pid"]
        eventually(lambda: fleet.group("back")["restarts"] == 1, 30)
        eventually(lambda: {one["state"] for one in fleet.status()["workers"]} == {"running"}, 30)
        back = fleet.group("back")
        said = re.fullmatch(
            r"the kernel killed it for its memory: its cgroup holds at most ([0-9.]+) MB", back["error"]
        )
        assert said, back["error"]
        assert float(said[1]) == pytest.approx(most_of(back) / 1e6, abs=0.1)
        assert "the kernel killed it for its memory" in fleet.call("status").stdout
        assert (fleet.group("decoys")["pid"], fleet.group("decoys")["restarts"]) == (decoys, 0)
        assert ping(fleet) == b"+PONG\r\n"
        events = dict(line.split() for line in text(root / "back" / "memory.events").splitlines())
        assert events["oom_kill"] == "0", "its next process has a cgroup of its own"
        assert int(text(root / "back" / "memory.current")) < back["budget_bytes"]


def test_a_kill_from_elsewhere_is_not_put_down_to_memory(root: Path, tmp_path: Path) -> None:
    with up(root, tmp_path, "--config", str(config_file(tmp_path, FILE))) as fleet:
        os.kill(fleet.group("back")["pid"], signal.SIGKILL)
        eventually(lambda: fleet.group("back")["restarts"] == 1)
        assert fleet.group("back")["error"].startswith("it ended with SIGKILL")


GROWS = """
import asyncio


async def run(context):
    held = []
    while not context.stopping.is_set():
        held.append(bytearray(b"x" * (64 << 10)))
        await asyncio.sleep(0.01)
"""
BURSTS = "async def run(context):\n    held = []\n    while True:\n        held.append(bytearray(b'x' * (1 << 20)))\n"


@pytest.mark.parametrize(
    ("source", "said"), [(GROWS, "it held"), (BURSTS, "MemoryError")], ids=["little by little", "at once"]
)
def test_the_fleets_own_bounds_come_before_the_kernels(root: Path, tmp_path: Path, source: str, said: str) -> None:
    environment = plug_in(tmp_path, "mule", source, "workers")
    file = config_file(tmp_path, f"{FILE}workers = ['mule']\n")
    with up(root, tmp_path / "state", "--config", str(file), environment=environment) as fleet:
        eventually(lambda: said in fleet.group("back")["error"] + fleet.worker("mule")["error"], 60)
        assert "the kernel killed" not in log_of(fleet)
        assert fleet.group("decoys")["restarts"] == 0


def test_the_cgroups_limit_is_the_budget_where_it_is_the_least(root: Path, tmp_path: Path) -> None:
    (root / "memory.max").write_text("160M", encoding="ascii")
    with up(root, tmp_path / "first") as fleet:
        assert fleet.status()["budget_bytes"] == 160 * MIB
        assert inside(root)
    with up(root, tmp_path / "second", "--memory", "256M") as fleet:
        assert fleet.status()["budget_bytes"] == 160 * MIB
    with up(root, tmp_path / "third", "--memory", "128M") as fleet:
        assert fleet.status()["budget_bytes"] == 128 * MIB
    (root / "memory.max").write_text("32M", encoding="ascii")
    done = fleet_in(root, tmp_path / "fourth").call("up")
    assert done.returncode == 2
    assert "a budget of 33.6 MB cannot hold this fleet" in done.stderr


def test_a_limit_that_changes_is_the_budget_from_then_on(root: Path, tmp_path: Path) -> None:
    (root / "memory.max").write_text("160M", encoding="ascii")
    with up(root, tmp_path) as fleet:
        pids = [group["pid"] for group in fleet.status()["groups"]]
        (root / "memory.max").write_text("128M", encoding="ascii")
        eventually(lambda: fleet.status()["budget_bytes"] == 128 * MIB)
        for group in fleet.status()["groups"]:
            assert int(text(root / group["name"] / "memory.max")) == most_of(group)
        (root / "memory.max").write_text("60M", encoding="ascii")
        eventually(lambda: "budget.kept" in log_of(fleet))
        time.sleep(3)
        assert fleet.status()["budget_bytes"] == 128 * MIB
        assert log_of(fleet).count("budget.kept") == 1
        (root / "memory.max").write_text("max", encoding="ascii")
        eventually(lambda: fleet.status()["budget_bytes"] == 0)
        assert [group["pid"] for group in fleet.status()["groups"]] == pids


def test_a_fleet_without_a_budget_is_bounded_once_it_has_one(root: Path, tmp_path: Path) -> None:
    with up(root, tmp_path) as fleet:
        assert {text(root / group["name"] / "memory.max") for group in fleet.status()["groups"]} == {"max"}
        (root / "memory.max").write_text("160M", encoding="ascii")
        eventually(lambda: fleet.status()["budget_bytes"] == 160 * MIB)
        for group in fleet.status()["groups"]:
            assert int(text(root / group["name"] / "memory.max")) == most_of(group)


def test_a_tree_that_others_are_in_is_left_alone(root: Path, tmp_path: Path) -> None:
    holder = os.fork()
    if holder == 0:
        time.sleep(600)
        os._exit(0)
    try:
        (root / "cgroup.procs").write_text(str(holder), encoding="ascii")
        with up(root, tmp_path, "--memory", "128M") as fleet:
            assert inside(root) == []
            assert log_of(fleet).count("cgroup.") == 1
            assert "cgroup.not_used" in log_of(fleet)
    finally:
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
