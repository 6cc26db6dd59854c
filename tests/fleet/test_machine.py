"""What a machine may run out of under a running fleet: processes, descriptors, /tmp, the state directory itself."""

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fleet.running import Fleet, eventually, running
from tests.fleet.test_deeds import since
from tests.fleet.test_fleet import ping

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting and making cgroups needs root")


@contextlib.contextmanager
def pids_group() -> Iterator[Path]:
    """A cgroup that counts processes, of version 2 or 1."""
    above = next(
        (one for one in map(Path, ("/sys/fs/cgroup/pids", "/sys/fs/cgroup")) if (one / "cgroup.procs").exists()), None
    )
    if above is None:
        pytest.skip("there is no cgroup file system here")
    with contextlib.suppress(OSError):
        (above / "cgroup.subtree_control").write_text("+pids", encoding="ascii")
    folder = above / f"chaffinch-test-{os.getpid()}-{time.monotonic_ns()}"
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this machine lets nobody make cgroups")
    try:
        if not (folder / "pids.max").exists():
            pytest.skip("no cgroup here counts processes")
        yield folder
    finally:
        eventually(lambda: not (folder / "cgroup.procs").read_text(encoding="ascii"))
        folder.rmdir()


def tasks(folder: Path) -> int:
    return int((folder / "pids.current").read_text(encoding="ascii"))


@pytest.mark.root
@needs_root
def test_a_fork_that_fails_is_tried_again(tmp_path: Path) -> None:
    with pids_group() as folder, running(tmp_path) as fleet:
        others = since(fleet)
        for pid in (fleet.status()["pid"], *(one["pid"] for one in fleet.status()["groups"])):
            (folder / "cgroup.procs").write_text(str(pid), encoding="ascii")
        (folder / "pids.max").write_text("1", encoding="ascii")
        os.kill(fleet.group("back")["pid"], signal.SIGKILL)
        eventually(lambda: "could not be made (Resource temporarily unavailable)" in fleet.group("back")["error"])
        assert fleet.group("back")["state"] == "waiting"
        assert ping(fleet) == b"+PONG\r\n"
        (folder / "pids.max").write_text("max", encoding="ascii")
        eventually(lambda: fleet.worker("sessions")["state"] == "running")
        decoys = {name for name in others if name.startswith("decoy-")}
        assert {one: since(fleet)[one] for one in decoys} == {one: others[one] for one in decoys}
        eventually(lambda: len(fleet.json("sessions")) == 1)


@pytest.mark.root
@needs_root
def test_a_group_that_gets_no_thread_ends_and_comes_back(tmp_path: Path) -> None:
    with pids_group() as folder, running(tmp_path) as fleet:
        for pid in (fleet.status()["pid"], *(one["pid"] for one in fleet.status()["groups"])):
            (folder / "cgroup.procs").write_text(str(pid), encoding="ascii")
        assert ping(fleet) == b"+PONG\r\n"
        eventually(lambda: fleet.status()["events"] > 0)
        before = tasks(folder)
        os.kill(fleet.group("decoys")["pid"], signal.SIGKILL)
        (folder / "pids.max").write_text("2", encoding="ascii")
        time.sleep(2)
        assert tasks(folder) <= before
        (folder / "pids.max").write_text("max", encoding="ascii")
        eventually(lambda: {one["state"] for one in fleet.status()["workers"]} == {"running"}, 20)
        assert ping(fleet) == b"+PONG\r\n"
        eventually(lambda: len(fleet.json("sessions")) == 2)
        assert fleet.stop() == 0


def test_a_supervisor_without_descriptors_goes_on(tmp_path: Path) -> None:
    with running(tmp_path) as fleet:
        supervisor, pid = fleet.status()["pid"], fleet.group("back")["pid"]
        most = resource.prlimit(supervisor, resource.RLIMIT_NOFILE)
        resource.prlimit(supervisor, resource.RLIMIT_NOFILE, (3, most[1]))
        os.kill(pid, signal.SIGKILL)
        with ThreadPoolExecutor() as aside:
            asked = aside.submit(fleet.call, "status")
            time.sleep(1)
            busy = ticks(supervisor)
            time.sleep(1)
            assert ticks(supervisor) - busy < 50, "it does not spin while a caller waits"
            time.sleep(1)
            assert ping(fleet) == b"+PONG\r\n"
            assert asked.result().returncode == 1
        resource.prlimit(supervisor, resource.RLIMIT_NOFILE, most)
        eventually(lambda: fleet.worker("sessions")["state"] == "running")
        assert "Too many open files" in fleet.group("back")["error"]
        eventually(lambda: len(fleet.json("sessions")) == 1)


def ticks(pid: int) -> int:
    """Processor time of a process, in hundredths of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@pytest.mark.root
@needs_root
def test_a_full_directory_for_temporary_files_is_no_matter(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(full)], check=True)
    try:
        with contextlib.suppress(OSError), (full / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        environment = {name: str(full) for name in ("TMPDIR", "TMP", "TEMP", "SQLITE_TMPDIR")}
        with running(tmp_path / "state", environment=environment) as fleet:
            for _ in range(5):
                assert ping(fleet) == b"+PONG\r\n"
            eventually(lambda: len(fleet.json("sessions")) == 5)
            assert len(fleet.events("--kind", "session.closed")) == 5
            assert fleet.status()["journal_lost"] == 0
            assert fleet.stop() == 0
    finally:
        subprocess.run(["umount", str(full)], check=True)


def test_a_state_directory_that_is_removed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(state) as fleet:
        assert ping(fleet) == b"+PONG\r\n"
        where = fleet.endpoint("redis")
        shutil.rmtree(state)
        with socket.create_connection(where, timeout=5) as sock:
            sock.sendall(b"PING\r\n")
            assert sock.recv(64) == b"+PONG\r\n"
        assert "no fleet runs" in fleet.call("status").stderr
        refused = fleet.call("up", *fleet.flags)
        assert refused.returncode == 1
        assert "(ssh) is taken by" in refused.stderr
        assert fleet.process is not None
        fleet.process.send_signal(signal.SIGTERM)
        _, said = fleet.process.communicate(timeout=20)
        assert fleet.process.returncode == 1, "events were lost, and it says so"
        assert "journal.not_drained events=" in said
        assert "the drain deadline has passed" not in said
    with running(state, offset=fleet.offset) as again:
        assert ping(again) == b"+PONG\r\n"
        eventually(lambda: len(again.json("sessions")) == 1)


def test_what_a_crash_left_is_replaced(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    fleet.start()
    assert fleet.process is not None
    groups = [one["pid"] for one in fleet.status()["groups"]]
    for pid in (fleet.process.pid, *groups):
        os.kill(pid, signal.SIGKILL)
    fleet.process.communicate()
    assert (tmp_path / "control.sock").is_socket()
    assert "no fleet runs" in fleet.call("status").stderr
    assert "no fleet runs" in fleet.call("stop").stderr
    with running(tmp_path, offset=fleet.offset) as again:
        assert ping(again) == b"+PONG\r\n"
        assert again.stop() == 0
    assert not (tmp_path / "control.sock").exists()


def test_a_state_directory_of_many_letters(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        deep = Path(name, *["directory" * 4] * 6)
        with running(deep) as fleet:
            assert ping(fleet) == b"+PONG\r\n"
            second = fleet.call("up", "--port-offset", str(fleet.offset + 1))
            assert second.returncode == 1
            assert "another fleet (pid" in second.stderr
