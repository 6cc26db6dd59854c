"""What a fleet must live through: lost terminals, no descriptors left, suspension, crash loops, a full disk."""

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fleet.running import Fleet, config_file, eventually, plug_in, running
from tests.fleet.test_fleet import SHAKY, ping

FEW_DESCRIPTORS = ("prlimit", "--nofile=400:400")


def test_a_lost_terminal_ends_it_in_order(tmp_path: Path) -> None:
    with running(tmp_path) as fleet:
        held = [fleet.connect("redis") for _ in range(5)]
        eventually(lambda: fleet.status()["sessions_open"] == 5)
        pids = [fleet.status()["pid"], *(group["pid"] for group in fleet.status()["groups"])]
        for pid in reversed(pids):  # a terminal that closes says it to each of them
            os.kill(pid, signal.SIGHUP)
        assert fleet.process is not None
        fleet.process.communicate(timeout=20)
        assert fleet.process.returncode == 0
        closed = fleet.events("--kind", "session.closed")
        assert [event["reason"] for event in closed] == ["shutdown"] * 5
        for sock in held:
            sock.close()


def test_a_view_that_is_gone_does_not_end_the_fleet(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    often = "from chaffinch.cli import live, main; live.LINE_SECONDS = 1; main()"
    command = f"{sys.executable} -c '{often}' up --state {tmp_path} {' '.join(fleet.flags)} 2>/dev/null | head -1"
    process = subprocess.Popen(["sh", "-c", command], env=fleet.environment, stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: fleet.call("status").returncode == 0, 20)
        time.sleep(3)  # past the next line that it would print
        assert ping(fleet) == b"+PONG\r\n"
    finally:
        fleet.call("stop")
        process.wait(timeout=20)


def test_descriptors_that_run_out_come_back_and_every_session_is_recorded(tmp_path: Path) -> None:
    with running(tmp_path, prefix=FEW_DESCRIPTORS) as fleet:
        where = {name: fleet.endpoint(name) for name in ("redis", "http", "smtp", "ftp")}
        pid = fleet.group("decoys")["pid"]
        held: list[socket.socket] = []
        made = 0
        for _ in range(150):
            for address in where.values():
                with contextlib.suppress(OSError):
                    held.append(socket.create_connection(address, timeout=3))
                    made += 1
        assert made == 600
        assert ping(fleet) == b"+PONG\r\n"
        for sock in held:
            sock.close()
        eventually(lambda: fleet.status()["sessions_open"] == 0, 20)
        assert fleet.group("decoys")["pid"] == pid
        eventually(lambda: sum(row["count"] for row in fleet.json("sessions")) == made + 1, 20)
        assert all(row["ended"] for row in fleet.json("sessions"))
        assert fleet.status()["journal_lost"] == 0


def test_a_suspended_fleet_goes_on_where_it_was(tmp_path: Path) -> None:
    with running(tmp_path, environment={"CHAFFINCH_FLEET_SILENT_SECONDS": "2"}) as fleet:
        status = fleet.status()
        pids = [status["pid"], *(group["pid"] for group in status["groups"])]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(3)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        time.sleep(1.5)
        assert [group["restarts"] for group in fleet.status()["groups"]] == [0, 0]
        assert ping(fleet) == b"+PONG\r\n"


def test_a_worker_given_up_stays_so_in_a_group_of_its_own(tmp_path: Path) -> None:
    environment = plug_in(tmp_path, "shaky", SHAKY, "workers")
    file = config_file(tmp_path, "[fleet]\ncrash_limit = 2\nbackoff_seconds = 0.05\nworkers = ['shaky']\n")
    with running(tmp_path / "state", "--groups", "split", "--config", str(file), environment=environment) as fleet:
        eventually(lambda: fleet.worker("shaky")["state"] == "failed")
        time.sleep(1)
        assert fleet.worker("shaky")["state"] == "failed"
        assert "no luck" in fleet.worker("shaky")["error"]
        assert fleet.group("shaky")["restarts"] == 0


def test_what_only_the_owner_may_read(tmp_path: Path) -> None:
    with running(tmp_path, environment={"CHAFFINCH_FLEET_SEED": ""}):
        for name in ("seed", "effective.json", "fleet.log", "fleet.lock", "control.sock"):
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600, name


@pytest.mark.parametrize("damage", [b"", b"12", b"not hex"])
def test_a_damaged_seed_is_named_and_not_used(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "seed").write_bytes(damage)
    fleet = Fleet(tmp_path, environment={"CHAFFINCH_FLEET_SEED": ""})
    refused = fleet.call("hosts", "--limit", "1")
    assert refused.returncode == 1
    assert f"the fleet's seed in {tmp_path / 'seed'} cannot be read" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_detached_mistakes_have_their_exit_codes(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    assert fleet.call("up", "--detach", "--hosts", "127.91.0.0/33").returncode == 2
    with socket.create_server(("127.0.0.1", 22 + fleet.offset)):
        taken = fleet.call("up", "--detach", *fleet.flags)
    assert taken.returncode == 1
    assert "(ssh) is taken by" in taken.stderr
    assert taken.stderr.count("\n") == 1


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk is a mount, which needs root")
def test_a_full_disk_is_counted_and_passes(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)], check=True)
    try:
        with running(tmp_path / "state") as fleet:
            assert ping(fleet) == b"+PONG\r\n"
            eventually(lambda: len(fleet.events("--kind", "session.closed")) == 1)
            filler = tmp_path / "filler"
            with contextlib.suppress(OSError), filler.open("wb") as file:
                while True:
                    file.write(bytes(4096))
                    file.flush()
            for _ in range(3):
                assert ping(fleet) == b"+PONG\r\n"
            eventually(lambda: fleet.status()["journal_full"])
            assert "is FULL: events wait in memory" in fleet.call("status").stdout
            filler.unlink()
            eventually(lambda: len(fleet.events("--kind", "session.closed")) == 4)
            eventually(lambda: not fleet.status()["journal_full"])
            assert fleet.status()["journal_lost"] == 0
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_the_control_socket_is_for_the_owner(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    with running(tmp_path) as fleet:
        with socket.socket(socket.AF_UNIX) as sock:
            child = os.fork()
            if child == 0:
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
                code = 0
                try:
                    sock.connect(str(tmp_path / "control.sock"))
                except PermissionError:
                    code = 7
                os._exit(code)
            _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7
        assert fleet.status()["hosts"] == 65536
