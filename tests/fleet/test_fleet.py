"""A fleet in its own processes: what it serves, what it survives, and how it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fleet.running import Fleet, config_file, eventually, plug_in, running


def ping(fleet: Fleet) -> bytes:
    with fleet.connect("redis") as sock:
        sock.sendall(b"PING\r\n")
        return sock.recv(64)


def reset(sock: socket.socket, where: tuple[str, int]) -> bool:
    """Whether the connection is reset, as it is made or right after."""
    try:
        sock.connect(where)
        sock.recv(1)
    except ConnectionResetError:
        return True
    return False


def recorded(fleet: Fleet, service: str) -> int:
    return sum(row["count"] for row in fleet.json("sessions") if row["service"] == service)


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("groups", ["one", "default", "split"])
def test_a_fleet_comes_up_serves_and_stops(tmp_path: Path, groups: str) -> None:
    with running(tmp_path, "--groups", groups, "--hosts", "127.78.0.0/16") as fleet:
        status = fleet.status()
        assert len(status["groups"]) == {"one": 1, "default": 2, "split": len(status["workers"])}[groups]
        assert status["hosts"] == 65536
        assert ping(fleet) == b"+PONG\r\n"
        eventually(lambda: recorded(fleet, "redis") == 1)
        session = fleet.json("sessions")[0]
        assert session["source"] == "127.0.0.1"
        assert session["address"] == fleet.address("redis")
        pids = [group["pid"] for group in status["groups"]]
        began = time.monotonic()
        assert fleet.stop() == 0
        assert time.monotonic() - began < 5
    assert all(gone(pid) for pid in pids)
    assert "no fleet runs" in fleet.call("status").stderr


WITHOUT_CAPABILITIES = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


@pytest.mark.parametrize("prefix", [(), WITHOUT_CAPABILITIES], ids=["as started", "without capabilities"])
def test_an_address_without_the_service_does_not_answer(tmp_path: Path, prefix: tuple[str, ...]) -> None:
    if prefix and os.geteuid() != 0:
        pytest.skip("only root has capabilities to do without")
    with running(tmp_path, prefix=prefix) as fleet:
        assert fleet.status()["silent"] == (os.geteuid() == 0 and not prefix)
        _, port = fleet.endpoint("redis")
        hosts = fleet.json("hosts", "--limit", "200")
        without = next(h["address"] for h in hosts if all(s["port"] != port for s in h["services"]))
        outside = "127.99.0.1"
        for address in (without, outside):
            with socket.socket() as sock:
                sock.settimeout(0.5)
                if fleet.status()["silent"]:
                    with pytest.raises(TimeoutError):
                        sock.connect((address, port))
                else:
                    assert reset(sock, (address, port))
        assert fleet.json("sessions") == []


def test_a_killed_group_comes_back_and_loses_no_flushed_event(tmp_path: Path) -> None:
    with running(tmp_path) as fleet:
        for _ in range(5):
            assert ping(fleet) == b"+PONG\r\n"
        eventually(lambda: len(fleet.events("--kind", "session.closed")) == 5)
        before = {name: fleet.group(name) for name in ("decoys", "back")}
        held = fleet.connect("redis")
        eventually(lambda: [row for row in fleet.json("sessions") if row["ended"] is None])
        os.kill(before["decoys"]["pid"], signal.SIGKILL)
        eventually(lambda: fleet.group("decoys")["restarts"] == 1 and fleet.worker("decoy-redis")["state"] == "running")
        assert ping(fleet) == b"+PONG\r\n"
        assert fleet.group("back")["pid"] == before["back"]["pid"]
        eventually(lambda: recorded(fleet, "redis") == 7)
        cut = eventually(lambda: [row for row in fleet.json("sessions") if row["reason"] == "lost"])
        assert len(cut) == 1
        assert cut[0]["source_port"] == held.getsockname()[1]
        eventually(lambda: all(row["ended"] for row in fleet.json("sessions")))
        held.close()
        os.kill(fleet.group("back")["pid"], signal.SIGKILL)
        eventually(lambda: fleet.worker("sessions")["state"] == "running" and fleet.group("back")["restarts"] == 1)
        assert ping(fleet) == b"+PONG\r\n"
        eventually(lambda: recorded(fleet, "redis") == 8)


def test_a_stop_closes_what_is_open_and_flushes_the_journal(tmp_path: Path) -> None:
    with running(tmp_path) as fleet:
        held = [fleet.connect("redis") for _ in range(20)]
        eventually(lambda: fleet.status()["sessions_open"] == 20)
        assert fleet.stop() == 0
        closed = fleet.events("--kind", "session.closed")
        assert [event["reason"] for event in closed] == ["shutdown"] * 20
        for sock in held:
            sock.close()


def test_a_group_that_is_stuck_is_killed_and_comes_back(tmp_path: Path) -> None:
    with running(tmp_path, environment={"CHAFFINCH_FLEET_SILENT_SECONDS": "2"}) as fleet:
        stuck, other = fleet.group("decoys")["pid"], fleet.group("back")["pid"]
        os.kill(stuck, signal.SIGSTOP)
        eventually(lambda: fleet.group("decoys")["restarts"] == 1 and fleet.worker("decoy-redis")["state"] == "running")
        assert gone(stuck)
        assert ping(fleet) == b"+PONG\r\n"
        assert fleet.group("back")["pid"] == other


def test_groups_end_with_their_supervisor_and_its_lock_does_not_hold(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    fleet.start()
    pids = [group["pid"] for group in fleet.status()["groups"]]
    assert fleet.process is not None
    fleet.process.kill()
    fleet.process.communicate()
    eventually(lambda: all(gone(pid) for pid in pids))
    with running(tmp_path) as again:
        assert ping(again) == b"+PONG\r\n"


def test_a_second_fleet_on_the_same_state_is_refused(tmp_path: Path) -> None:
    with running(tmp_path) as fleet:
        second = fleet.call("up", "--port-offset", str(fleet.offset + 1))
        assert second.returncode == 1
        assert f"another fleet (pid {fleet.status()['pid']}) runs on the state directory {tmp_path}" in second.stderr
        assert "Traceback" not in second.stderr
        assert ping(fleet) == b"+PONG\r\n"


def test_a_taken_port_is_named_with_its_holder(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    with socket.create_server(("127.0.0.1", 22 + fleet.offset)):
        refused = fleet.call("up", *fleet.flags)
    assert refused.returncode == 1
    assert f"{22 + fleet.offset}/tcp (ssh) is taken by" in refused.stderr
    assert f"(pid {os.getpid()})" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_state_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    refused = Fleet(file / "state").call("up")
    assert refused.returncode == 2
    assert "cannot be written" in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a read-only file system needs root")
def test_a_read_only_state_is_one_sentence(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", str(tmp_path)], check=True)
    try:
        refused = Fleet(tmp_path / "state").call("up")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert refused.returncode == 2
    assert "read-only file system" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_detach_returns_when_the_fleet_accepts(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    done = fleet.call("up", "--detach", *fleet.flags)
    try:
        assert done.returncode == 0, done.stderr
        assert "try, in another terminal" in done.stdout
        assert ping(fleet) == b"+PONG\r\n"
    finally:
        stopped = fleet.call("stop")
    assert (stopped.returncode, stopped.stdout) == (0, "stopped\n")
    assert fleet.call("stop").returncode == 1


SHAKY = """
async def run(context):
    raise RuntimeError("no luck")
"""

QUITTER = """
async def run(context):
    pass
"""

FAST_CRASHES = "[fleet]\ncrash_limit = 3\nbackoff_seconds = 0.05\nworkers = ['shaky']\n"


@pytest.mark.parametrize(("source", "said"), [(SHAKY, "no luck"), (QUITTER, "not asked to stop")])
def test_a_failing_worker_is_restarted_then_given_up_and_its_neighbours_go_on(
    tmp_path: Path, source: str, said: str
) -> None:
    environment = plug_in(tmp_path, "shaky", source, "workers")
    file = config_file(tmp_path, FAST_CRASHES)
    with running(tmp_path / "state", "--config", str(file), environment=environment) as fleet:
        eventually(lambda: fleet.worker("shaky")["state"] == "failed")
        assert fleet.worker("shaky")["restarts"] == 3
        assert said in fleet.worker("shaky")["error"]
        neighbours = [row for row in fleet.status()["workers"] if row["name"] != "shaky"]
        assert {(row["state"], row["restarts"]) for row in neighbours} == {("running", 0)}
        assert [group["restarts"] for group in fleet.status()["groups"]] == [0, 0]
        eventually(lambda: len(fleet.events("--kind", "worker.failed")) == 4)
        failures = fleet.events("--kind", "worker.failed")
        assert [failure["given_up"] for failure in failures] == [False, False, False, True]
        assert {failure["worker"] for failure in failures} == {"shaky"}


def test_a_worker_that_no_package_has_stops_the_start(tmp_path: Path) -> None:
    refused = Fleet(tmp_path / "state", environment={"CHAFFINCH_FLEET_WORKERS": "ghost"}).call("up")
    assert refused.returncode == 2
    assert "no package has a worker named 'ghost'" in refused.stderr


def test_a_datagram_service_answers_from_the_address_that_was_asked(tmp_path: Path) -> None:
    source = """
from chaffinch.decoys import service
from chaffinch.events import Command, printable
@service("parrot", udp=7172)
async def serve(session):
    asked = await session.read()
    session.record(Command(line=printable(asked)))
    session.write(session.address.encode() + b" " + asked)
"""
    environment = plug_in(tmp_path, "parrot", source)
    file = config_file(tmp_path, "[services.parrot]\narchetypes = ['printer', 'web-server']\n")
    with running(tmp_path / "state", "--config", str(file), environment=environment) as fleet:
        address, port = fleet.endpoint("parrot")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.sendto(b"who is there", (address, port))
            assert sock.recvfrom(100) == (f"{address} who is there".encode(), (address, port))
        rows = eventually(lambda: [row for row in fleet.json("sessions") if row["ended"]])
        assert [(row["service"], row["count"], row["bytes_in"]) for row in rows] == [("parrot", 1, 12)]


def test_a_second_package_for_one_service_stops_the_start(tmp_path: Path) -> None:
    environment = plug_in(tmp_path, "redis", "")
    refused = Fleet(tmp_path / "state", environment=environment).call("up")
    assert refused.returncode == 2
    assert "chaffinch.decoys.redis and plug_redis" in refused.stderr


def test_what_up_prints_in_a_pipe(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "chaffinch", "up", "--state", str(tmp_path), *fleet.flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=fleet.environment,
    )
    assert process.stdout is not None
    first = [process.stdout.readline() for _ in range(8)]
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert first[0] == "65536 decoy hosts on 127.77.0.0/16\n"
    assert sum(line.startswith("  ") for line in first) == 3
    assert out.endswith("stopped\n")
    assert "\x1b" not in "".join(first) + out
