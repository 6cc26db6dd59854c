"""Capture switched on, off and over by a reload: what was sent is told, and only the supervisor ever has a socket."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from chaffinch.fleet import control
from tests.capture.sending import send
from tests.capture.test_tap import need
from tests.capture.test_worker import HOST, accounted, family, packet_sockets, probes
from tests.fleet.reloading import Reloadable
from tests.fleet.running import eventually, network_namespace, plug_in
from tests.fleet.test_reloader import SLOW
from tests.fleet.test_rollout import UNLUCKY

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may open a packet socket"),
]

Network = tuple[str, ...]

ON = "[capture]\nenabled = true\n"
SPLIT = "[fleet]\ngroups = 'split'\n"


@pytest.fixture
def network() -> Iterator[Network]:
    with network_namespace() as prefix:
        yield prefix


@contextlib.contextmanager
def up(
    network: Network, folder: Path, text: str = "", environment: dict[str, str] | None = None, prefix: Network = ()
) -> Iterator[Reloadable]:
    fleet = Reloadable(folder, environment, prefix=(*network, *prefix))
    fleet.write(text)
    fleet.start()
    try:
        yield fleet
    finally:
        assert fleet.stop() == 0


def sockets(network: Network) -> int:
    """How many packet sockets there are, also those that only a mapping keeps."""
    said = subprocess.run([*network, "cat", "/proc/net/packet"], capture_output=True, text=True, check=True)
    return said.stdout.count("\n") - 1


def open_sockets(pid: int) -> int:
    return sum(os.readlink(one).startswith("socket:") for one in Path(f"/proc/{pid}/fd").iterdir())


def holders(fleet: Reloadable) -> set[int]:
    return {pid for pid in family(fleet) if packet_sockets(pid)}


def test_on_and_off_concern_the_group_that_reads_it_alone(tmp_path: Path, network: Network) -> None:
    with up(network, tmp_path) as fleet:
        decoys = {name for name in fleet.since() if name.startswith("decoy-")}
        back, pid = fleet.since(*decoys), fleet.pids()["back"]
        assert sockets(network) == 0
        assert set(fleet.reload(ON)) == {"capture: started", *(f"{name}: restarted" for name in decoys)}
        assert (sockets(network), holders(fleet)) == (1, {fleet.status()["pid"]})
        send(network, HOST, 300)
        eventually(lambda: accounted(fleet) == 300)
        assert fleet.reload(f"{ON}windows = 64\nwindow_seconds = 1\nshare = 0.5\n") == ["capture: restarted"]
        send(network, HOST, 60)
        assert set(fleet.reload()) == {"capture: stopped", *(f"{name}: restarted" for name in decoys)}
        assert accounted(fleet) == 360, "what was sent before is told, also what still waited"
        assert sockets(network) == 0
        assert "capture" not in fleet.since()
        assert (fleet.since(*decoys), fleet.pids()["back"]) == (back, pid)
        assert {group["restarts"] for group in fleet.status()["groups"]} == {0}


def test_a_group_that_is_due_while_a_reload_begins_gets_none_of_its_sockets(tmp_path: Path, network: Network) -> None:
    """Its process is forked in that turn of the supervisor's loop in which the request is heard."""
    late = "[fleet]\nbackoff_seconds = 1\n"
    with up(network, tmp_path, late) as fleet:
        back = fleet.pids()["back"]
        os.kill(back, signal.SIGKILL)
        eventually(lambda: b"group.ended group=back" in (fleet.state / "fleet.log").read_bytes())
        fleet.file.unlink()
        os.mkfifo(fleet.file)
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(fleet.state / control.NAME))
            caller.sendall(msgspec.json.encode(control.Ask("reload")) + b"\n")
            time.sleep(1)  # the group becomes due while the supervisor reads
            fleet.write(late + ON, offset=fleet.offset + 700)
            assert b'"number":1' in caller.recv(65536)
        eventually(lambda: control.read(control.ask(fleet.state, "reloading"), control.Reloading).done)
        assert holders(fleet) == {fleet.status()["pid"]}
        held, back = open_sockets(fleet.pids()["back"]), fleet.pids()["back"]
        os.kill(back, signal.SIGKILL)
        eventually(lambda: fleet.pids()["back"] not in (0, back) and fleet.states() == {"running"})
        assert held == open_sockets(fleet.pids()["back"])


def test_in_split_no_decoy_begins_anew(tmp_path: Path, network: Network) -> None:
    with up(network, tmp_path, SPLIT) as fleet:
        before, processes = fleet.since(), fleet.pids()
        assert fleet.reload(SPLIT + ON) == ["capture: started"]
        send(network, HOST, 300)
        eventually(lambda: accounted(fleet) == 300)
        assert (fleet.since("capture"), sockets(network)) == (before, 1)
        assert fleet.reload(f"{SPLIT}{ON}buffer_bytes = '64K'\n") == ["capture: restarted"]
        send(network, HOST, 60)
        eventually(lambda: accounted(fleet) == 360)
        assert (fleet.since("capture"), sockets(network)) == (before, 1)
        assert fleet.reload(SPLIT) == ["capture: stopped"]
        assert (fleet.since(), fleet.pids(), sockets(network)) == (before, processes, 0)


def test_a_group_that_comes_with_it_spares_every_decoy(tmp_path: Path, network: Network) -> None:
    with up(network, tmp_path) as fleet:
        before, processes = fleet.since(), fleet.pids()
        assert fleet.reload(f"[fleet.groups]\npackets = ['capture']\n{ON}") == [
            "fleet.groups: taken over",
            "capture: started",
        ]
        send(network, HOST, 300)
        eventually(lambda: accounted(fleet) == 300)
        assert fleet.since("capture") == before
        assert fleet.reload() == ["fleet.groups: taken over", "capture: stopped"]
        assert (fleet.since(), fleet.pids(), sockets(network)) == (before, processes, 0)


def test_nothing_is_lost_while_the_ring_becomes_another(tmp_path: Path, network: Network) -> None:
    with up(network, tmp_path, ON) as fleet:
        told: list[tuple[int, float]] = []
        flood = threading.Thread(target=lambda: told.append(send(network, HOST, 400_000, sources=3)))
        flood.start()
        for size in ("2M", "64K", "1M"):
            fleet.reload(f"{ON}buffer_bytes = '{size}'\n")
        flood.join()
        sent, seconds = told[0]
        assert seconds > 0.5
        eventually(lambda: accounted(fleet) >= sent, 15)
        assert accounted(fleet) < sent + sent // 100, "a few are told twice"
        assert sockets(network) == 1


def test_what_nobody_read_of_a_ring_is_counted(tmp_path: Path, network: Network) -> None:
    with up(network, tmp_path, ON) as fleet:
        assert fleet.call("stop", "capture").returncode == 0
        send(network, HOST, 300)
        assert "capture: stopped as before" in fleet.reload(f"{ON}buffer_bytes = '2M'\n")
        send(network, HOST, 30)
        assert fleet.call("start", "capture").returncode == 0
        eventually(lambda: accounted(fleet) == 330)
        assert sum(row["count"] for row in fleet.events("--kind", "packet.dropped")) == 300
        assert fleet.call("stop", "capture").returncode == 0
        send(network, HOST, 30)
        fleet.reload()
        assert b"capture.dropped count=30" in (fleet.state / "fleet.log").read_bytes()


@pytest.mark.parametrize(("old", "new"), [("", ON), (ON, ""), (ON, f"{ON}buffer_bytes = '2M'\n")])
def test_taken_back_it_is_as_it_was(tmp_path: Path, network: Network, old: str, new: str) -> None:
    with up(network, tmp_path, old, plug_in(tmp_path, "shaky", UNLUCKY, "workers")) as fleet:
        send(network, HOST, 300)
        fleet.write(f"[fleet]\nworkers = ['shaky']\n{new}")
        done = fleet.call("reload")
        assert done.returncode == 1
        assert "shaky does not start" in done.stderr
        assert ("capture" in fleet.since(), sockets(network)) == (bool(old), int(bool(old)))
        if old:
            assert holders(fleet) == {fleet.status()["pid"]}
            send(network, HOST, 60)
            eventually(lambda: accounted(fleet) == 360)


def test_a_process_that_dies_meanwhile_has_neither_socket(tmp_path: Path, network: Network) -> None:
    mule = "[fleet]\nworkers = ['mule']\n"
    with up(network, tmp_path, mule + ON, plug_in(tmp_path, "mule", SLOW, "workers")) as fleet:
        fleet.write(f"{mule}{ON}buffer_bytes = '2M'\n[store]\nmax_age_days = 3\n")
        back = fleet.pids()["back"]
        done = threading.Thread(target=lambda: fleet.call("reload"))
        done.start()
        eventually(lambda: b"reload.began" in (fleet.state / "fleet.log").read_bytes())
        os.kill(back, signal.SIGKILL)
        done.join()
        eventually(lambda: fleet.states() == {"running"})
        assert (sockets(network), holders(fleet)) == (1, {fleet.status()["pid"]})
        send(network, HOST, 300)
        eventually(lambda: accounted(fleet) == 300)


def test_without_the_privilege_it_is_refused_and_nothing_changes(tmp_path: Path, network: Network) -> None:
    need("setpriv")
    with up(network, tmp_path, prefix=("setpriv", "--bounding-set", "-net_raw")) as fleet:
        before = fleet.since(), fleet.pids(), fleet.effective()
        fleet.write(ON)
        done = fleet.call("reload")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert "capture.enabled needs a packet socket, which this user may not open: start the fleet as root" in (
            done.stderr
        )
        assert (fleet.since(), fleet.pids(), fleet.effective(), sockets(network)) == (*before, 0)
        assert probes(fleet) == []
