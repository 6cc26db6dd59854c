"""The worker in a fleet: what is sent is told, nothing else suffers, and the socket is the supervisor's alone."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.capture.sending import send
from tests.capture.test_tap import need, run
from tests.fleet.running import Fleet, eventually, network_namespace, running

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may open a packet socket"),
]

ON = {"CHAFFINCH_CAPTURE_ENABLED": "true"}
HOST = "127.77.3.9"


@pytest.fixture
def network() -> Iterator[tuple[str, ...]]:
    with network_namespace() as prefix:
        yield prefix


def probes(fleet: Fleet) -> list[dict[str, Any]]:
    return fleet.events("--kind", "packet.probe")


def accounted(fleet: Fleet) -> int:
    """Packets that the journal tells of, in records or as dropped."""
    return sum(row["count"] for kind in ("packet.probe", "packet.dropped") for row in fleet.events("--kind", kind))


@pytest.mark.parametrize("groups", ["one", "default", "split"])
def test_a_scan_is_told_in_every_arrangement(tmp_path: Path, network: tuple[str, ...], groups: str) -> None:
    need("nmap")
    with running(tmp_path, "--groups", groups, environment=ON, prefix=network) as fleet:
        assert fleet.worker("capture")["group"] == {"one": "fleet", "default": "decoys", "split": "capture"}[groups]
        run(network, "nmap", "-n", "-Pn", "-sS", "--max-retries", "0", "-p", "1-1000", HOST)
        row = eventually(lambda: probes(fleet))[0]
        assert (row["of"], row["count"], row["ports"], row["source"]) == ("syn", 1000, "1-1000", "127.0.0.1")
        assert row["address"] == HOST
        holders = {pid for pid in family(fleet) if packet_sockets(pid)}
        assert holders == {fleet.status()["pid"]}, "a group has packets, and no socket that could send some"
        assert fleet.json("sessions") == []
    assert fleet.process is not None
    assert fleet.process.returncode == 0


def family(fleet: Fleet) -> list[int]:
    """The supervisor's process and those of the groups."""
    status = fleet.status()
    return [status["pid"], *(group["pid"] for group in status["groups"])]


def packet_sockets(pid: int) -> list[str]:
    """What of a process's descriptors is a packet socket."""
    rows = Path(f"/proc/{pid}/net/packet").read_text(encoding="ascii").splitlines()[1:]
    inodes = {f"socket:[{row.split()[-1]}]" for row in rows}
    assert inodes
    links = []
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed just now
            links.append(os.readlink(one))
    return [link for link in links if link in inodes]


def test_clients_of_services_are_sessions_and_no_probes(tmp_path: Path, network: tuple[str, ...]) -> None:
    need("curl")
    with running(tmp_path, environment=ON, prefix=network) as fleet:
        host, port = fleet.endpoint("http")
        run(network, "curl", "-s", "-o", os.devnull, f"http://{host}:{port}/")
        host, port = fleet.endpoint("ftp")
        run(network, "curl", "-s", f"ftp://{host}:{port}/", "--user", "anonymous:a@b.example", "-o", os.devnull)
        assert eventually(lambda: len(fleet.json("sessions")) == 2)
        assert probes(fleet) == [], "a data connection is part of its session"
        run(network, "bash", "-c", f"echo > /dev/tcp/{host}/7 || true")
        assert [row["ports"] for row in eventually(lambda: probes(fleet))] == ["7"]


def test_a_flood_is_accounted_for_and_decoys_answer_all_the_time(tmp_path: Path, network: tuple[str, ...]) -> None:
    with running(tmp_path, environment=ON, prefix=network) as fleet:
        host, port = fleet.endpoint("redis")
        told: list[tuple[int, float]] = []
        flood = threading.Thread(target=lambda: told.append(send(network, HOST, 600_000, sources=5000)))
        flood.start()
        times = [float(run(network, sys.executable, "-c", ASK, host, str(port)).strip()) for _ in range(20)]
        flood.join()
        sent, _ = told[0]
        eventually(lambda: accounted(fleet) == sent, 15)
        assert sorted(times)[len(times) // 2] < 0.2, times
        assert max(times) < 1.5, times
        rows = probes(fleet)
        assert len(rows) < 270 * 8, "a few events for each source and window"
        assert any(row["source"] == "many" for row in rows)
        assert fleet.worker("capture")["restarts"] == 0
    assert accounted(fleet) == sent


ASK = """
import socket, sys, time
began = time.monotonic()
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5) as client:
    client.sendall(b"PING\\r\\n")
    assert client.recv(64)
print(time.monotonic() - began)
"""


def test_nmap_sent_as_many_as_the_journal_tells_of(tmp_path: Path, network: tuple[str, ...]) -> None:
    need("nmap")
    with running(tmp_path, environment=ON, prefix=network) as fleet:
        closed = ("-p", "1-11000", "--min-rate", "8000", "--max-retries", "1", HOST)
        said = [run(network, "nmap", "-n", "-Pn", "-v", scan, *closed) for scan in ("-sS", "-sX", "-sU")]
        sent = sum(int(re.findall(r"Raw packets sent: (\d+)", text)[0]) for text in said)
        assert sent >= 33_000
        eventually(lambda: accounted(fleet) == sent, 15)
        rows = probes(fleet)
        assert {row["of"] for row in rows} == {"syn", "xmas", "udp"}
        assert len(rows) < 40, "a few a kind and window"
        assert max(row["ports_count"] for row in rows) > 3_000


def test_what_came_while_it_was_stopped_is_told_with_its_time(tmp_path: Path, network: tuple[str, ...]) -> None:
    with running(tmp_path, environment=ON, prefix=network) as fleet:
        began = time.time_ns()
        send(network, HOST, 30)
        eventually(lambda: accounted(fleet) == 30)
        assert fleet.call("stop", "capture").returncode == 0
        send(network, HOST, 300)
        ended = time.time_ns()
        time.sleep(1.5)
        assert fleet.call("start", "capture").returncode == 0
        eventually(lambda: accounted(fleet) == 330)
        assert fleet.call("restart", "capture").returncode == 0
        send(network, HOST, 60)
        eventually(lambda: accounted(fleet) == 390)
        backlog = [row for row in probes(fleet) if row["count"] == 100]
        assert len(backlog) == 3
        assert all(began < row["first"] <= row["last"] < ended for row in backlog)


def test_a_killed_group_reads_on(tmp_path: Path, network: tuple[str, ...]) -> None:
    """What its windows held is lost with it: what is sent after is not."""
    with running(tmp_path, environment=ON, prefix=network) as fleet:
        pid = fleet.group("decoys")["pid"]
        os.kill(pid, signal.SIGKILL)
        send(network, HOST, 300)
        eventually(lambda: fleet.group("decoys")["pid"] not in (0, pid))
        eventually(lambda: accounted(fleet) == 300)
        assert [row["source"] for row in probes(fleet)]


def test_a_fleet_that_stops_tells_what_it_holds(tmp_path: Path, network: tuple[str, ...]) -> None:
    with running(tmp_path, environment=ON, prefix=network) as fleet:
        send(network, HOST, 3000)
        fleet.stop()
    assert accounted(fleet) == 3000


def test_without_the_privilege_the_fleet_does_not_start(tmp_path: Path, network: tuple[str, ...]) -> None:
    need("setpriv")
    fleet = Fleet(tmp_path, environment=ON, prefix=(*network, "setpriv", "--bounding-set", "-net_raw"))
    done = fleet.call("up", *fleet.flags)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "capture.enabled needs a packet socket, which this user may not open: start the fleet as root" in done.stderr
    doctor = fleet.call("doctor")
    assert doctor.returncode == 1
    assert "capture" in next(line for line in doctor.stdout.splitlines() if line.startswith("bad"))
    assert (
        subprocess.run([*network, "cat", "/proc/net/packet"], capture_output=True, text=True, check=True).stdout.count(
            "\n"
        )
        == 1
    )


def test_doctor_says_that_it_can_be_opened(tmp_path: Path, network: tuple[str, ...]) -> None:
    fleet = Fleet(tmp_path, environment=ON, prefix=network)
    rows = {row["name"]: row for row in fleet.json("doctor")}
    assert (rows["capture"]["state"], rows["capture"]["text"]) == ("ok", "a packet socket can be opened on lo")
    rows = {row["name"]: row for row in Fleet(tmp_path, prefix=network).json("doctor")}
    assert "capture" not in rows
