"""What a fleet's hosts look like from outside: to nmap, to a real TCP at the other end, and in what is recorded."""

import contextlib
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chaffinch.cli.logs import NAME as LOG_NAME
from chaffinch.config import Config, NetworkSettings
from chaffinch.fleet import assemble
from chaffinch.network.addresses import to_text
from chaffinch.network.netns.blueprint import name_of
from tests.fleet.running import SEED, eventually
from tests.network.lan import PREFIX, SCANNER, Lan, lan, needs_root
from tests.network.test_netns import MACVLAN, ROUTED, fleet_in, up

pytestmark = [pytest.mark.root, needs_root]

CLOSED = "9"


def hosts() -> dict[str, str]:
    """A host of each family that has a web server."""
    plan = assemble.describe(Config(network=NetworkSettings(mode="netns", hosts=(PREFIX,))), SEED.encode()).plan
    found: dict[str, str] = {}
    for number in plan.addresses():
        if plan.serves(to_text(number), 80):
            found.setdefault(plan.placement.slot(number).make.system.family, to_text(number))
        if len(found) == 3:
            return found
    raise AssertionError(f"only {', '.join(found)} hosts have a web server")


def scanned(net: Lan, address: str) -> tuple[str, list[str]]:
    """nmap's fingerprint of a host, and the makers of the systems that it takes it for, best first."""
    said = net.on_scanner("nmap", "-n", "-Pn", "-O", "--osscan-guess", "-p", f"80,{CLOSED}", "-oX", "-", address)
    found: Any = ET.fromstring(said).find("host/os")
    makers = [one.find("osclass").get("osfamily") for one in found.iter("osmatch")]
    return found.find("osfingerprint").get("fingerprint").replace("\nOS:", ""), makers


WINDOWS_FACTS = (
    "TI=I%CI=I%II=I%SS=S%TS=U)",
    "OPS(O1=M5B4NW8NNS%O2=M5B4NW8NNS%O3=M5B4NW8%O4=M5B4NW8NNS%O5=M5B4NW8NNS%O6=M5B4NNS)",
    "WIN(W1=FFFF%W2=FFFF%W3=FFFF%W4=FFFF%W5=FFFF%",
    "ECN(R=Y%DF=Y%T=80%W=FFFF%O=M5B4NW8NNS%CC=N%Q=)",
    "T1(R=Y%DF=Y%T=80%S=O%A=S+%F=AS%RD=0%Q=)",
    "T2(R=Y%DF=Y%T=80%W=0%S=Z%A=S%F=AR%O=%RD=0%Q=)",
    "T3(R=Y%DF=Y%T=80%W=0%S=Z%A=O%F=AR%O=%RD=0%Q=)",
    "T4(R=Y%DF=Y%T=80%W=0%S=A%A=O%F=R%O=%RD=0%Q=)",
    "T5(R=Y%DF=Y%T=80%W=0%S=Z%A=S+%F=AR%O=%RD=0%Q=)",
    "T6(R=Y%DF=Y%T=80%W=0%S=A%A=O%F=R%O=%RD=0%Q=)",
    "T7(R=Y%DF=Y%T=80%W=0%S=Z%A=S+%F=AR%O=%RD=0%Q=)",
    "U1(R=Y%DF=N%T=80%IPL=164%UN=0%RIPL=G%RID=G%RIPCK=G%RUCK=G%RUD=G)",
    "IE(R=Y%DFI=N%T=80%CD=Z)",
)
"""What nmap measures of Windows 10 1709 to 1909, in the words of its fingerprints."""

LINUX_FACTS = ("TI=Z%", "O1=M5B4ST11NW7%", "CC=Y%", "T1(R=Y%DF=Y%T=40%", "T4(R=Y%DF=Y%T=40%W=0%S=A%A=Z%F=R%")


@pytest.mark.parametrize("mac", ["", "archetypes"])
def test_nmap_takes_each_host_for_what_it_is(tmp_path: Path, mac: str) -> None:
    flags = ("--mac", mac) if mac else ()
    with lan() as net, up(net, tmp_path, *MACVLAN, *flags) as fleet:
        assert fleet.status()["stack"] == "packet"
        chosen = hosts()
        with ThreadPoolExecutor() as pool:
            found = dict(zip(chosen, pool.map(lambda one: scanned(net, one), chosen.values()), strict=True))
        fingerprint, families = found["windows"]
        assert [fact for fact in WINDOWS_FACTS if fact not in fingerprint] == []
        assert families[0] == "Windows"
        assert "Linux" not in families
        for family in ("linux", "embedded"):
            fingerprint, families = found[family]
            assert families[0] == "Linux"
            assert "%T=80%" not in fingerprint
            if family == "linux":
                assert [fact for fact in LINUX_FACTS if fact not in fingerprint] == []


SERVES = """
import hashlib, socket
with socket.create_server(("0.0.0.0", 7777)) as server:
    print("ready", flush=True)
    for _ in range(2):
        sock, _ = server.accept()
        with sock:
            sock.settimeout(30)
            came = hashlib.sha256()
            left = int.from_bytes(sock.recv(4, socket.MSG_WAITALL))
            while left:
                data = sock.recv(min(left, 65536))
                came.update(data)
                left -= len(data)
            sock.sendall(came.digest() + bytes(range(256)) * 40_000)
"""

SENDS = """
import hashlib, os, socket, sys
TIMESTAMPS, SACK, SCALE, ECN = 1, 2, 4, 8  # tcpi_options, linux/tcp.h
sent = os.urandom(10 << 20)
with socket.create_connection((sys.argv[1], 7777), 5) as sock:
    sock.settimeout(30)
    sock.sendall(len(sent).to_bytes(4) + sent)
    assert sock.recv(32, socket.MSG_WAITALL) == hashlib.sha256(sent).digest()
    came = b""
    while data := sock.recv(1 << 20):
        came += data
    agreed = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 16)[5]
assert came == bytes(range(256)) * 40_000
assert agreed & SACK and agreed & SCALE
print("timestamps" if agreed & TIMESTAMPS else "none", "ecn" if agreed & ECN else "none")
"""


@contextlib.contextmanager
def served(state: Path) -> Iterator[None]:
    """A server of another port in the fleet's network, which all hosts have."""
    inside = ("ip", "netns", "exec", name_of(state))
    with subprocess.Popen([*inside, sys.executable, "-c", SERVES], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            yield
        finally:
            server.kill()


def test_ten_megabytes_go_either_way_over_what_both_ends_agreed_to(tmp_path: Path) -> None:
    """The client asks for timestamps, SACK, scaling and ECN; the kernel inside has to be of one mind with it."""
    with lan() as net, up(net, tmp_path, *MACVLAN):
        net.on_scanner("sysctl", "-qw", "net.ipv4.tcp_ecn=1")
        with served(tmp_path):
            for family, agreed in (("windows", "none none\n"), ("linux", "timestamps ecn\n")):
                assert net.on_scanner(sys.executable, "-c", SENDS, hosts()[family]) == agreed


def test_answers_longer_than_a_packet_arrive(tmp_path: Path) -> None:
    with lan() as net, up(net, tmp_path, *MACVLAN):
        for address in hosts().values():
            said = net.on_scanner("ping", "-n", "-c", "1", "-W", "5", "-s", "4000", address)
            assert "4008 bytes from" in said


def test_the_syn_is_recorded_as_the_source_sent_it(tmp_path: Path) -> None:
    with lan() as net, up(net, tmp_path, *MACVLAN) as fleet:
        for address in hosts().values():
            net.on_scanner("curl", "-sS", "-m", "5", "-o", "/dev/null", f"http://{address}/")

        def opened() -> list[dict[str, Any]]:
            rows = [row for row in fleet.events("--kind", "session.opened") if row["source"] == SCANNER]
            return rows if len(rows) == 3 else []

        looks = [row["syn"] for row in eventually(opened, 20)]
        assert {tuple(look["options"]) for look in looks} == {("mss", "sok", "ts", "nop", "ws")}


def test_a_routed_link_has_the_looks_too(tmp_path: Path) -> None:
    with lan() as net, up(net, tmp_path, *ROUTED):
        address = hosts()["windows"]
        said = net.on_owner("nmap", "-n", "-Pn", "-sS", "--reason", "-p", f"80,{CLOSED}", "-oX", "-", address)
        ports = ET.fromstring(said).iter("state")
        assert {(one.get("reason"), one.get("reason_ttl")) for one in ports if one.get("reason") != "user-set"} >= {
            ("syn-ack", "128"),
            ("reset", "128"),
        }


def test_odd_probes_are_answered_as_planned_and_told(tmp_path: Path) -> None:
    """The host runs 80, others run 6379, nobody runs 9."""
    with lan() as net, up(net, tmp_path, *MACVLAN, CHAFFINCH_CAPTURE_ENABLED="true") as fleet:
        found = hosts()
        ports = ("-p", f"80,6379,{CLOSED}")
        for kind in ("-sN", "-sF", "-sX"):
            said = net.on_scanner("nmap", "-n", "-Pn", kind, *ports, found["windows"], found["linux"])
            windows, linux = (
                re.findall(r"^\d+/tcp +(\S+)", part, re.MULTILINE) for part in said.split("report for")[1:]
            )
            assert windows == ["closed", "closed", "open|filtered"]
            assert linux[:2] == ["closed", "open|filtered"]

        def told() -> set[str]:
            rows = fleet.events("--kind", "packet.probe")
            return {row["of"] for row in rows if row["source"] == SCANNER}

        assert eventually(lambda: {"null", "fin", "xmas"} <= told(), 20)


REFUSES = """
from chaffinch.network.netns.looks import kernel

def _call(command, about):
    raise OSError(38, "Function not implemented")

kernel._call = _call
"""


def test_where_the_kernel_takes_no_programs_the_listeners_look_is_left(tmp_path: Path) -> None:
    """A kernel without bpf(2): the fleet starts, and says what it lacks."""
    (tmp_path / "sitecustomize.py").write_text(REFUSES, encoding="utf-8")
    state = tmp_path / "state"
    with lan() as net, up(net, state, *MACVLAN, PYTHONPATH=str(tmp_path)) as fleet:
        assert fleet.status()["stack"] == "listener"
        said = "the kernel takes no programs for packets (bpf, cls_bpf): Function not implemented"
        assert f"namespace.no_looks why={said}" in (state / LOG_NAME).read_text(encoding="utf-8")
        ports = net.on_scanner("nmap", "-n", "-Pn", "-sS", "-oX", "-", "-p", f"80,{CLOSED}", hosts()["windows"])
        states = ET.fromstring(ports).iter("state")
        assert {(one.get("reason"), one.get("reason_ttl")) for one in states} == {("syn-ack", "128"), ("reset", "64")}


@pytest.mark.parametrize(("site", "state"), [("", "ok"), (REFUSES, "note")])
def test_doctor_says_whether_packets_have_looks(tmp_path: Path, site: str, state: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(site, encoding="utf-8")
    said = {"MODE": "netns", "HOSTS": PREFIX}
    environment = {f"CHAFFINCH_NETWORK_{name}": value for name, value in said.items()}
    with lan() as net:
        done = fleet_in(net, tmp_path / "state", PYTHONPATH=str(tmp_path), **environment).call("doctor", "--json")
    finding = next(one for one in json.loads(done.stdout) if one["name"] == "packets")
    assert finding["state"] == state
    assert ("Function not implemented" in finding["text"]) == bool(site)
