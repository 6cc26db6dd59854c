"""A reload of a fleet in a network namespace of its own, seen from another machine; the namespace stays what it was."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaffinch.network.netns.blueprint import name_of
from tests.fleet.reloading import Reloadable
from tests.fleet.running import eventually, plug_in
from tests.fleet.test_rollout import GOPHER, UNLUCKY
from tests.network.lan import CARD, OWNER, PREFIX, SCANNER, Lan, lan, needs_root, run
from tests.network.test_netns import PARROT, SAYS

pytestmark = [pytest.mark.root, needs_root]

MACVLAN = f"mode = 'netns'\nlink = 'macvlan'\ndevice = '{CARD}'\nhosts = ['{PREFIX}']"
ROUTED = f"mode = 'netns'\nhosts = ['{PREFIX}']"

ASKS = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2) as one:
        if len(sys.argv) > 3:
            one.sendall(sys.argv[3].encode() + b"\\r\\n")
        print(one.recv(60))
except OSError as error:
    print(type(error).__name__)
"""


SENDS = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.bind(("10.66.0.9", int(sys.argv[1])))
    try:
        sock.sendto(b"out", (sys.argv[2], 7))
        print("sent")
    except PermissionError:
        print("kept in")
"""


class Placed(Reloadable):
    """One with a `[network]` that every file it is given begins with."""

    def __init__(self, net: Lan, folder: Path, network: str, environment: dict[str, str] | None = None) -> None:
        self.network = network
        super().__init__(folder, environment, offset=0, prefix=net.owner)

    def write(self, text: str = "", *, network: str = "", metrics: int = 0, offset: int = 0) -> None:
        super().write(text, network=network or self.network, metrics=metrics, offset=offset)

    def refuses(self, text: str = "", *, network: str = "", metrics: int = 0, code: int = 2) -> str:
        """Why a file is refused: one sentence, and nothing of the fleet or of its namespace is another."""
        before = self.since(), self.pids(), self.effective(), self.inside()
        self.write(text, network=network, metrics=metrics)
        done = self.call("reload")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1), done
        assert (self.since(), self.pids(), self.effective(), self.inside()) == before
        return done.stderr

    def on_hosts(self, *command: str) -> str:
        """Run that in the fleet's own network, as root of the machine may."""
        return run("ip", "netns", "exec", name_of(self.state), *command)

    def inside(self) -> tuple[str, ...]:
        """What the namespace is made of."""
        asked = (("-o", "link"), ("addr",), ("route", "show", "table", "all"), ("rule",))
        return tuple(self.on_hosts("ip", *one) for one in asked)

    def lets_out(self, port: int) -> str:
        """Whether a datagram from a port that nobody has leaves: `sent`, or `kept in`."""
        return self.on_hosts(sys.executable, "-c", SENDS, str(port), SCANNER).strip()


@pytest.fixture
def net() -> Iterator[Lan]:
    with lan() as joined:
        yield joined


@contextlib.contextmanager
def placed(
    net: Lan, folder: Path, text: str = "", network: str = MACVLAN, environment: dict[str, str] | None = None
) -> Iterator[Placed]:
    """One that is up inside the block, and of which nothing is left after it."""
    fleet = Placed(net, folder, network, environment)
    before = net.standing(fleet.state)
    fleet.write(text)
    fleet.start()
    try:
        yield fleet
        assert fleet.stop() == 0
    finally:
        if fleet.process is not None and fleet.process.poll() is None:
            fleet.stop()
    assert net.standing(fleet.state) == before


def says(net: Lan, address: str, port: int, sends: str = "") -> str:
    """What the scanner hears there: the first bytes, or the kind of error."""
    return net.on_scanner(sys.executable, "-c", ASKS, address, str(port), *([sends] if sends else []))


@pytest.mark.parametrize("network", [MACVLAN, ROUTED], ids=["macvlan", "veth"])
def test_a_service_comes_changes_its_port_and_goes(net: Lan, tmp_path: Path, network: str) -> None:
    if network is ROUTED:
        net.on_owner("sysctl", "-qw", "net.ipv4.ip_forward=1")
        net.on_scanner("ip", "route", "replace", PREFIX, "via", OWNER)
    with placed(net, tmp_path, network=network, environment=plug_in(tmp_path, "gopher", GOPHER)) as fleet:
        before, processes, inside = fleet.since(), fleet.pids(), fleet.inside()
        assert fleet.reload("[services.gopher]\n") == ["decoy-gopher: started"]
        address, port = fleet.endpoint("gopher")
        assert (says(net, address, port), port) == ("b'3gopher\\r\\n'\n", 7070)
        assert fleet.reload("[services.gopher]\nport = 71\n") == ["decoy-gopher: restarted"]
        assert says(net, address, 71) == "b'3gopher\\r\\n'\n"
        assert says(net, address, 7070) == "ConnectionRefusedError\n"
        assert fleet.reload() == ["decoy-gopher: stopped"]
        assert says(net, address, 71) == "ConnectionRefusedError\n"
        assert "PONG" in says(net, fleet.address("redis"), 6379, "PING")
        assert {row["source"] for row in eventually(lambda: fleet.json("sessions"))} == {SCANNER}
        assert (fleet.since(), fleet.pids(), fleet.inside()) == (before, processes, inside)


def test_a_service_goes_and_a_session_of_another_goes_on(net: Lan, tmp_path: Path) -> None:
    with placed(net, tmp_path) as fleet:
        ftp, redis = fleet.address("ftp"), fleet.address("redis")
        before, processes = fleet.since("decoy-ftp"), fleet.pids()
        assert "220" in says(net, ftp, 21)
        with subprocess.Popen(
            [*net.scanner, "redis-cli", "-h", redis], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            client.stdin.write("PING\n")
            client.stdin.flush()
            assert client.stdout.readline() == "PONG\n"
            assert fleet.reload("[services.ftp]\nenabled = false\n") == ["decoy-ftp: stopped"]
            assert says(net, ftp, 21) == "ConnectionRefusedError\n"
            assert fleet.reload() == ["decoy-ftp: started"]
            assert "220" in says(net, ftp, 21)
            client.stdin.write("PING\n")
            client.stdin.flush()
            assert client.stdout.readline() == "PONG\n"
            client.stdin.close()
        assert len([row for row in fleet.json("sessions") if row["service"] == "redis"]) == 1
        assert (fleet.since("decoy-ftp"), fleet.pids()) == (before, processes)


@pytest.mark.parametrize("groups", ["one", "default", "split"])
def test_other_ports_and_other_bounds_in_every_arrangement(net: Lan, tmp_path: Path, groups: str) -> None:
    text = f"[fleet]\ngroups = '{groups}'\n"
    with placed(net, tmp_path, text) as fleet:
        before, processes = fleet.since(), fleet.pids()
        back = {name: since for name, since in before.items() if not name.startswith("decoy-")}
        redis, http = fleet.address("redis"), fleet.address("http")
        said = fleet.reload(f"{text}[decoys]\nsessions = 99\n", offset=1000)
        assert {line.split(": ")[0] for line in said} == before.keys() - back.keys()
        assert "PONG" in says(net, redis, 7379, "PING")
        assert "HTTP/1" in says(net, http, 1080, "GET / HTTP/1.0\r\n")
        assert says(net, redis, 6379, "PING") == "ConnectionRefusedError\n"
        assert fleet.reload(text) == said
        assert "PONG" in says(net, redis, 6379, "PING")
        after = fleet.since()
        assert {name: after[name] for name in back} == back
        assert fleet.pids() == processes


def test_a_group_that_begins_anew_is_inside_again(net: Lan, tmp_path: Path) -> None:
    with placed(net, tmp_path) as fleet:
        processes, outside = fleet.pids(), net.standing(fleet.state)
        assert len(fleet.reload("[journal]\nflush_ms = 20\n")) == len(fleet.since())
        assert not set(fleet.pids().values()) & set(processes.values())
        own = Path("/run/netns", name_of(fleet.state)).stat().st_ino
        where = {name: Path(f"/proc/{pid}/ns/net").stat().st_ino == own for name, pid in fleet.pids().items()}
        assert where == {"decoys": True, "back": False}
        assert "PONG" in says(net, fleet.address("redis"), 6379, "PING")
        assert net.standing(fleet.state) == outside


def test_what_cannot_be_changes_nothing_and_tears_nothing_down(net: Lan, tmp_path: Path) -> None:
    with placed(net, tmp_path) as fleet:
        outside = net.standing(fleet.state)
        for network, sentence in (
            (
                MACVLAN.replace("10.66.0.0/16", "10.66.0.0/24"),
                "cannot change while the fleet runs in a network of its own: ",
            ),
            (MACVLAN.replace("'10.66.0.0/16'", "'10.66.0.0/16', '10.67.0.0/24'"), "network.hosts cannot change"),
            (f"{MACVLAN}\ngateway = '10.66.0.1'", "network.gateway cannot change"),
            (f"{MACVLAN}\nmac = 'vmware'", "network.mac cannot change"),
            (MACVLAN.replace("macvlan", "veth"), "network.link cannot change"),
            ("hosts = ['127.77.0.0/16']", "network.mode"),
        ):
            assert sentence in fleet.refuses(network=network)
        both = MACVLAN.replace("10.66.0.0/16", "10.66.0.0/24").replace("macvlan", "veth")
        assert fleet.refuses("[fleet]\ngroups = 'one'\n", network=both).startswith(
            "chaffinch: network.link cannot change while the fleet runs, and fleet.groups, network.hosts cannot change"
        )
        assert "fleet.groups cannot change" in fleet.refuses("[fleet]\ngroups = 'one'\n")
        assert "has no key 'hostts'" in fleet.refuses(network=f"{MACVLAN}\nhostts = []")
        assert "is not TOML" in fleet.refuses("[[[")
        assert "no module has a service named 'nothing'" in fleet.refuses("[services.nothing]\nport = 3\n")
        assert net.standing(fleet.state) == outside
        assert "PONG" in says(net, fleet.address("redis"), 6379, "PING")
        assert fleet.reload() == ["nothing to do: the configuration is as it was"]


def test_datagrams_of_a_service_that_a_reload_brings_are_answered_while_it_is_there(net: Lan, tmp_path: Path) -> None:
    with placed(net, tmp_path, environment=plug_in(tmp_path, "parrot", PARROT)) as fleet:
        before, processes, inside = fleet.since(), fleet.pids(), fleet.inside()
        assert fleet.lets_out(7172) == "kept in"
        assert fleet.reload("[services.parrot]\n") == ["decoy-parrot: started"]
        address = fleet.address("parrot")
        assert net.on_scanner(sys.executable, "-c", SAYS, address, "7172") == "POLLY\n"
        assert fleet.reload("[services.parrot]\nport = 7180\n") == ["decoy-parrot: restarted"]
        assert net.on_scanner(sys.executable, "-c", SAYS, address, "7180") == "POLLY\n"
        assert fleet.lets_out(7172) == "kept in"
        assert fleet.reload() == ["decoy-parrot: stopped"]
        assert fleet.lets_out(7180) == "kept in"
        assert (fleet.since(), fleet.pids(), fleet.inside()) == (before, processes, inside)


def test_where_it_is_taken_back_no_more_datagrams_leave_than_before(net: Lan, tmp_path: Path) -> None:
    plug_in(tmp_path, "shaky", UNLUCKY, "workers")
    with placed(net, tmp_path, environment=plug_in(tmp_path, "parrot", PARROT)) as fleet:
        fleet.write("[fleet]\nworkers = ['shaky']\n[services.parrot]\n")
        done = fleet.call("reload")
        assert done.returncode == 1
        assert "shaky does not start" in done.stderr
        assert fleet.lets_out(7172) == "kept in"
        assert "decoy-parrot" not in fleet.since()
        assert fleet.reload("[services.parrot]\n") == ["decoy-parrot: started"]
        assert net.on_scanner(sys.executable, "-c", SAYS, fleet.address("parrot"), "7172") == "POLLY\n"


LOSES_ITS_RULES = """
from pyroute2.nftables.main import NFTables
with NFTables(nfgen_family=2) as nft:
    nft.table("del", name="chaffinch")
"""

BINDS = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.bind(("0.0.0.0", 7172))
"""


def test_without_a_way_out_a_service_is_refused_and_its_port_is_free(net: Lan, tmp_path: Path) -> None:
    with placed(net, tmp_path, environment=plug_in(tmp_path, "parrot", PARROT)) as fleet:
        assert fleet.lets_out(7172) == "kept in"
        fleet.on_hosts(sys.executable, "-c", LOSES_ITS_RULES)
        said = fleet.refuses("[services.parrot]\n", code=1)
        assert "which datagrams of services need, cannot be changed (No such file or directory); restart" in said
        fleet.on_hosts(sys.executable, "-c", BINDS)


def test_a_namespace_without_its_name_reloads_as_well(net: Lan, tmp_path: Path) -> None:
    with placed(net, tmp_path, environment=plug_in(tmp_path, "parrot", PARROT)) as fleet:
        run("ip", "netns", "delete", name_of(fleet.state))
        assert fleet.reload("[services.parrot]\n") == ["decoy-parrot: started"]
        assert net.on_scanner(sys.executable, "-c", SAYS, fleet.address("parrot"), "7172") == "POLLY\n"


def test_a_group_that_meets_attackers_from_now_on_is_inside(net: Lan, tmp_path: Path) -> None:
    groups = "[fleet.groups]\npages = ['*et*']\n"
    with placed(net, tmp_path, f"{groups}[services.telnet]\nenabled = false\n") as fleet:
        own = Path("/run/netns", name_of(fleet.state)).stat().st_ino
        assert Path(f"/proc/{fleet.pids()['pages']}/ns/net").stat().st_ino != own
        assert "shares the group 'pages' with decoys" in fleet.refuses(groups, metrics=9477)
        assert "decoy-telnet: started" in fleet.reload(groups)
        assert Path(f"/proc/{fleet.pids()['pages']}/ns/net").stat().st_ino == own


def test_a_metrics_page_among_decoys_is_bound_when_the_fleet_starts_alone(net: Lan, tmp_path: Path) -> None:
    text = "[fleet]\ngroups = 'one'\n"
    with placed(net, tmp_path, text) as fleet:
        assert "shares the group 'fleet' with decoys" in fleet.refuses(text, metrics=9477)
        assert fleet.reload(f"{text}[decoys]\nsessions = 99\n")


CAPTURE = "[capture]\nenabled = true\nwindow_seconds = 1\n"


def test_what_no_listener_gets_is_told_from_a_reload_on(net: Lan, tmp_path: Path) -> None:
    """Ports that FTP takes for data are told apart by what the namespace says of them, not the machine."""
    net.on_owner("sysctl", "-qw", "net.ipv4.ip_local_port_range=2000 3000")
    with placed(net, tmp_path) as fleet:
        ftp = fleet.address("ftp")

        def told(port: int) -> bool:
            says(net, ftp, port)
            return any(str(port) in row["ports"] for row in fleet.events("--kind", "packet.probe", "--address", ftp))

        assert "capture: started" in fleet.reload(CAPTURE)
        assert says(net, ftp, 40000) == "ConnectionRefusedError\n"
        eventually(lambda: told(2500))
        assert "decoy-telnet: stopped" in fleet.reload(f"{CAPTURE}[services.telnet]\nenabled = false\n")
        assert says(net, ftp, 40001) == "ConnectionRefusedError\n"
        eventually(lambda: told(2501))
        rows = fleet.events("--kind", "packet.probe")
        assert not [row["ports"] for row in rows if "4000" in row["ports"]]
        assert {row["source"] for row in rows} == {SCANNER}


def test_capture_takes_one_device_after_a_reload_too(net: Lan, tmp_path: Path) -> None:
    with placed(net, tmp_path, network=f"{MACVLAN}\nmac = 'archetypes'") as fleet:
        assert "capture.enabled takes one device, and network.mac is 'archetypes'" in fleet.refuses(CAPTURE)
        assert fleet.reload("[services.telnet]\nenabled = false\n") == ["decoy-telnet: stopped"]
        assert "PONG" in says(net, fleet.address("redis"), 6379, "PING")
