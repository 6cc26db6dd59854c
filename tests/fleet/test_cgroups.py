"""Cgroups of the fleet's own, on a tree of files that stands for the kernel's."""

import os
import shutil
from pathlib import Path

import pytest

from chaffinch.fleet import allowances, cgroups
from chaffinch.fleet.cgroups import SLACK_BYTES, SUPERVISOR, Cgroups, own_directory, room

MIB = 1 << 20


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cgroup that was handed over: this process alone is in it. A directory of the kernel's goes with its files."""
    (tmp_path / "cgroup.controllers").write_text("cpu io memory pids\n")
    (tmp_path / "cgroup.procs").write_text(f"{os.getpid()}\n")
    (tmp_path / "cgroup.subtree_control").write_text("")
    monkeypatch.setattr(Path, "rmdir", shutil.rmtree)
    return tmp_path


def text(path: Path) -> str:
    return path.read_text().strip()


def test_each_group_is_bounded_by_its_share_and_what_the_kernel_holds(root: Path) -> None:
    found = Cgroups.open(root)
    assert found is not None
    assert text(root / SUPERVISOR / "cgroup.procs") == str(os.getpid())
    assert text(root / "cgroup.subtree_control") == "+memory"
    found.enter("decoys", 80 * MIB, 10_000)
    found.enter("back", 20 * MIB, 0)
    assert text(root / "decoys" / "cgroup.procs") == str(os.getpid())
    assert text(root / "decoys" / "memory.max") == str(80 * MIB + SLACK_BYTES + 10_000 * allowances.KERNEL_BYTES)
    assert text(root / "decoys" / "memory.oom.group") == "1"
    found.limit("back", 40 * MIB, 0)
    assert text(root / "back" / "memory.max") == str(40 * MIB + SLACK_BYTES)
    found.limit("back", 0, 0)
    assert text(root / "back" / "memory.max") == "max"
    found.close()
    assert sorted(one.name for one in root.iterdir() if one.is_dir()) == []
    assert text(root / "cgroup.procs") == str(os.getpid())
    assert text(root / "cgroup.subtree_control") == "-memory"


def test_a_tree_that_others_share_or_that_has_no_memory_is_left_as_it_is(root: Path) -> None:
    before = sorted(root.iterdir())
    (root / "cgroup.procs").write_text(f"1\n{os.getpid()}\n")
    assert Cgroups.open(root) is None
    (root / "cgroup.procs").write_text(f"{os.getpid()}\n")
    (root / "cgroup.controllers").write_text("cpu pids\n")
    assert Cgroups.open(root) is None
    assert Cgroups.open(root / "nothing") is None
    assert sorted(root.iterdir()) == before


def test_a_tree_that_may_not_be_written_is_undone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_text

    def busy(path: Path, data: str, encoding: str | None = None) -> int:
        if path.name == "cgroup.subtree_control" and data == "+memory":
            raise OSError(16, "Device or resource busy")
        return write(path, data, encoding)

    monkeypatch.setattr(Path, "write_text", busy)
    assert Cgroups.open(root) is None
    assert text(root / "cgroup.procs") == str(os.getpid())
    assert not (root / SUPERVISOR).exists()


def test_a_tree_that_is_read_only_is_one_line_of_the_log(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(path: Path, exist_ok: bool = False) -> None:
        raise OSError(30, "Read-only file system")

    caplog.set_level("INFO")
    monkeypatch.setattr(Path, "mkdir", refused)
    assert Cgroups.open(root) is None
    assert caplog.messages == [f"cgroup.not_used path={root} why=Read-only file system"]


def test_without_version_2_the_log_says_so(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(cgroups, "own_directory", lambda: None)
    assert Cgroups.open() is None
    assert caplog.messages == ["cgroup.not_used why=version 2 is not mounted"]


def test_where_this_process_is(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_text("4:memory:/old\n0::/system.slice/chaffinch.service\n")
    (tmp_path / "self" / "mountinfo").write_text(
        "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
        "31 1 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    )
    assert own_directory(str(tmp_path)) == Path("/sys/fs/cgroup/system.slice/chaffinch.service")
    assert own_directory(str(tmp_path / "nothing")) is None


def test_no_more_sessions_count_than_fit_the_share() -> None:
    fitting = 80 * MIB // allowances.SESSION_BYTES
    assert room(80 * MIB, 80_000) == SLACK_BYTES + fitting * allowances.KERNEL_BYTES
    assert room(80 * MIB, 100) == SLACK_BYTES + 100 * allowances.KERNEL_BYTES


def events(root: Path, name: str, oom: int, oom_kill: int) -> None:
    (root / name / "memory.events").write_text(f"low 0\nhigh 0\nmax 9\noom {oom}\noom_kill {oom_kill}\n")


def test_whom_the_kernel_killed_for_memory_is_told_apart(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Cgroups.open(root)
    assert found is not None
    assert found.ended("back") == "", "it never entered"

    def ended(oom: int, oom_kill: int) -> str:
        found.enter("back", 20 * MIB, 0)
        events(root, "back", oom, oom_kill)
        return found.ended("back")

    assert ended(0, 0) == ""
    assert not (root / "back").exists(), "the next one begins with nothing"
    own = f"the kernel killed it for its memory: its cgroup holds at most {(20 * MIB + SLACK_BYTES) / 1e6:.1f} MB"
    assert ended(1, 2) == own
    assert ended(0, 1) == "the kernel killed it for its memory: more was not to be had", "a limit above, or the machine"
    remove = Path.rmdir

    def busy(path: Path) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(Path, "rmdir", busy)
    assert ended(1, 1) == own
    assert ended(1, 1) == "", "what was told of the last process is not told of the next"
    assert ended(2, 2) == own
    monkeypatch.setattr(Path, "rmdir", remove)
    found.enter("back", 0, 0)
    events(root, "back", 2, 3)
    assert found.ended("back") == "the kernel killed it for its memory: more was not to be had"
    assert ended(0, 1) == "the kernel killed it for its memory: more was not to be had", "counted from nothing again"
