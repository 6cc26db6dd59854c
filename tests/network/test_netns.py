"""A fleet in a network namespace of its own, scanned from another machine by real clients, and what is left of it."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chaffinch.config import Config, NetworkSettings
from chaffinch.fleet import assemble
from chaffinch.network.addresses import to_number, to_text
from chaffinch.network.netns import sysctls
from chaffinch.network.netns.blueprint import name_of
from chaffinch.network.netns.cards import likeliest
from tests.chat.running import ROOT
from tests.chat.test_token import TEXT, stored
from tests.chat.test_worker import ENABLED, pointed
from tests.fleet.running import SEED, Fleet, config_file, eventually, plug_in, running
from tests.network.lan import CARD, OWNER, PREFIX, SCANNER, Lan, lan, needs_root, run

pytestmark = [pytest.mark.root, needs_root]

MACVLAN = ("--network", "netns", "--link", "macvlan", "--device", CARD, "--hosts", PREFIX)
ROUTED = ("--network", "netns", "--hosts", PREFIX)
SCANNED = "21,22,80,6379,9999"


@pytest.fixture
def net() -> Iterator[Lan]:
    with lan() as joined:
        yield joined


def fleet_in(net: Lan, state: Path, *flags: str, **environment: str) -> Fleet:
    return Fleet(state, *flags, offset=0, prefix=net.owner, environment=environment)


@contextlib.contextmanager
def up(net: Lan, state: Path, *flags: str, **environment: str) -> Iterator[Fleet]:
    with running(state, *flags, offset=0, prefix=net.owner, environment=environment) as fleet:
        yield fleet
        assert fleet.stop() == 0


def hosts_of(fleet: Fleet, count: int) -> list[dict[str, Any]]:
    """Some decoy hosts, of which each one runs redis."""
    return list(fleet.json("hosts", "--service", "redis", "--limit", str(count)))


def planned(fleet: Fleet, host: dict[str, Any]) -> dict[int, str]:
    """What a scan has to find: the port of a service that others run keeps silent, any other port refuses."""
    its = {service["port"] for service in host["services"]}
    return {
        port: "open" if port in its else "closed" if port == 9999 else "filtered"
        for port in map(int, SCANNED.split(","))
    }


def scanned(net: Lan, kind: str, hosts: list[dict[str, Any]]) -> dict[str, dict[int, str]]:
    addresses = [host["address"] for host in hosts]
    said = net.on_scanner("nmap", "-n", "-Pn", kind, "-T4", "-oG", "-", "-p", SCANNED, *addresses)
    rows = re.findall(r"Host: (\S+) .*Ports: (.*?)(?:\t|$)", said, re.MULTILINE)
    return {
        address: {int(one.split("/")[0]): one.split("/")[1] for one in ports.split(", ")} for address, ports in rows
    }


def talk(net: Lan, fleet: Fleet) -> list[dict[str, Any]]:
    """Real clients on the scanner talk to three services; the sessions that the fleet lists of it."""
    redis, web, shell = fleet.address("redis"), fleet.address("http"), fleet.address("ssh")
    assert "PONG" in net.on_scanner("redis-cli", "-h", redis, "PING")
    net.on_scanner("curl", "-sS", "-m", "5", "-o", "/dev/null", f"http://{web}/")
    known = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes")
    refused = subprocess.run(
        [*net.scanner, "ssh", *known, f"root@{shell}"], capture_output=True, text=True, timeout=30, check=False
    )
    assert "Permission denied" in refused.stderr

    def listed() -> list[dict[str, Any]]:
        rows = [row for row in fleet.json("sessions") if row["ended"]]
        return rows if {row["service"] for row in rows} >= {"redis", "http", "ssh"} else []

    return eventually(listed)


def test_a_scan_over_macvlan_finds_what_is_planned(net: Lan, tmp_path: Path) -> None:
    with up(net, tmp_path, *MACVLAN, "--mac", "vmware") as fleet:
        found = net.on_scanner("nmap", "-n", "-sn", "10.66.7.0/28", "10.66.0.0", "10.66.255.255")
        assert set(re.findall(r"report for (\S+)", found)) == {f"10.66.7.{n}" for n in range(16)}
        assert len(re.findall(r"MAC Address: 00:0C:29:\S+ \(VMware\)", found)) == 16
        hosts = hosts_of(fleet, 3)
        wanted = {host["address"]: planned(fleet, host) for host in hosts}
        assert scanned(net, "-sS", hosts) == wanted
        assert scanned(net, "-sT", hosts) == wanted
        assert {state for row in wanted.values() for state in row.values()} == {"open", "closed", "filtered"}


def test_sessions_have_the_sources_address_and_the_real_port(net: Lan, tmp_path: Path) -> None:
    with up(net, tmp_path, *MACVLAN) as fleet:
        rows = talk(net, fleet)
        assert {row["source"] for row in rows} == {SCANNER}
        assert {(row["service"], row["port"]) for row in rows} >= {("redis", 6379), ("http", 80), ("ssh", 22)}


def test_files_come_over_ftp_whose_data_ports_are_opened_while_it_runs(net: Lan, tmp_path: Path) -> None:
    with up(net, tmp_path, *MACVLAN):
        address, login = ftp_login()
        listed = net.on_scanner("curl", "-sS", "-m", "10", "-u", login, f"ftp://{address}//etc/")
        assert "passwd" in listed
        assert "root:" in net.on_scanner("curl", "-sS", "-m", "10", "-u", login, f"ftp://{address}//etc/passwd")


def ftp_login() -> tuple[str, str]:
    """A decoy host that runs ftp, and who may log in there."""
    described = assemble.describe(Config(network=NetworkSettings(hosts=(PREFIX,), mode="netns")), SEED.encode())
    return next(
        (persona.address, f"{user.name}:{user.password}")
        for persona in (described.personas.of(to_text(number)) for number in described.plan.addresses())
        if persona.service("ftp")
        for user in persona.users
        if user.password and user.name != "root"
    )


PARROT = """
from chaffinch.decoys.registry import service
from chaffinch.events import Command

@service("parrot", udp=7172)
async def serve(session):
    data = await session.read(64)
    session.record(Command(line=data.decode()))
    session.write(data.upper())
"""

SAYS = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.settimeout(3)
    sock.connect((sys.argv[1], int(sys.argv[2])))
    sock.send(b"polly")
    print(sock.recv(64).decode())
"""


def test_datagrams_are_answered(net: Lan, tmp_path: Path) -> None:
    config = config_file(tmp_path, "[services.parrot]\n")
    environment = plug_in(tmp_path, "parrot", PARROT)
    with up(net, tmp_path / "state", *MACVLAN, "--config", str(config), **environment) as fleet:
        assert net.on_scanner(sys.executable, "-c", SAYS, fleet.address("parrot"), "7172") == "POLLY\n"


def test_every_address_answers_a_ping_and_closed_udp_ports_say_so_at_once(net: Lan, tmp_path: Path) -> None:
    with up(net, tmp_path, *MACVLAN):
        for address in ("10.66.0.1", "10.66.99.200", "10.66.255.254"):
            said = net.on_scanner("nmap", "-n", "-sn", "-PE", "--disable-arp-ping", "--reason", address)
            assert "echo-reply" in said
        said = net.on_scanner("nmap", "-n", "-Pn", "-sU", "--max-retries", "1", "-p", "53,161", "10.66.3.0/28")
        assert len(re.findall(r"^\d+/udp +closed", said, re.MULTILINE)) == 32


def test_this_machine_routes_to_a_veth(net: Lan, tmp_path: Path) -> None:
    net.on_owner("sysctl", "-qw", "net.ipv4.ip_forward=1")
    net.on_scanner("ip", "route", "replace", PREFIX, "via", OWNER)
    with up(net, tmp_path, *ROUTED) as fleet:
        assert {row["source"] for row in talk(net, fleet)} == {SCANNER}
        hosts = hosts_of(fleet, 2)
        assert scanned(net, "-sS", hosts) == {host["address"]: planned(fleet, host) for host in hosts}
        assert "PONG" in net.on_owner("redis-cli", "-h", hosts[0]["address"], "PING")
        net.on_scanner("nmap", "-n", "-sn", "-PE", "-T4", "10.66.8.0/22")
        neighbours = net.on_owner("ip", "neigh").splitlines()
        assert len(neighbours) < 8, "a scan leaves no neighbour for each address"


def test_a_veth_on_a_bridge_answers_arp(net: Lan, tmp_path: Path) -> None:
    net.on_owner("ip", "link", "add", "br0", "type", "bridge")
    net.on_owner("ip", "link", "set", CARD, "master", "br0")
    net.on_owner("ip", "link", "set", "br0", "up")
    net.on_owner("ip", "addr", "flush", "dev", CARD)
    net.on_owner("ip", "addr", "add", f"{OWNER}/24", "dev", "br0")
    before = net.standing(tmp_path)
    with up(net, tmp_path, *ROUTED, "--device", "br0", "--mac", "00:1b:21") as fleet:
        assert {row["source"] for row in talk(net, fleet)} == {SCANNER}
        found = net.on_scanner("nmap", "-n", "-sn", "10.66.7.0/29")
        assert found.count("MAC Address: 00:1B:21:") == 8
    assert net.standing(tmp_path) == before


def test_a_gateway_answers_for_sources_beyond_it(net: Lan, tmp_path: Path) -> None:
    """The scanner is the gateway, and has a network behind it."""
    net.on_scanner("ip", "addr", "add", "10.66.0.1/32", "dev", "lo")
    net.on_scanner("ip", "addr", "add", "172.20.0.9/32", "dev", "lo")
    with up(net, tmp_path, *MACVLAN, "--gateway", "10.66.0.1") as fleet:
        host = fleet.address("redis")
        for source in (SCANNER, "172.20.0.9", "10.66.0.1"):
            assert net.on_scanner(sys.executable, "-c", ASKS, source, host) == "+PONG\n"
        assert "10.66.0.1" not in {row["address"] for row in fleet.json("hosts", "--limit", "3")}


ASKS = """
import socket, sys
with socket.create_connection((sys.argv[2], 6379), 3, (sys.argv[1], 0)) as sock:
    sock.send(b"PING\\r\\n")
    print(sock.recv(64).decode().strip())
"""

WATCHES = """
import json, select, socket, sys, time
seen = {}
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
    sock.bind(("port0", 0))
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        if not select.select([sock], [], [], 0.1)[0]:
            continue
        frame = sock.recv(2048)
        kind = frame[12:14]
        source = frame[26:30] if kind == b"\\x08\\x00" else frame[28:32]
        what = str(frame[23]) if kind == b"\\x08\\x00" else "arp"
        if source[:2] == bytes((10, 66)):
            seen.setdefault(socket.inet_ntoa(source), []).append((frame[6:12].hex(":"), what))
print(json.dumps(seen))
"""


def test_each_host_has_the_card_of_its_maker_and_answers_by_it_alone(net: Lan, tmp_path: Path) -> None:
    with up(net, tmp_path, *MACVLAN, "--mac", "archetypes") as fleet:
        config = Config(network=NetworkSettings(mode="netns", hosts=(PREFIX,), mac="archetypes"))
        plan = assemble.describe(config, SEED.encode()).plan
        wanted = assemble.blueprint(config_on_lan(config), tmp_path, assemble.describe(config, SEED.encode()))
        of_maker = dict(zip(likeliest(plan.placement), wanted.cards, strict=True))
        assert len({card.mac for card in wanted.cards}) == len(of_maker) >= 5

        def card_of(address: str) -> str:
            bucket = plan.placement.mixer.bucket(to_number(address))
            ranges = likeliest(plan.placement)
            return next(of_maker[name].mac for name in ranges if any(a <= bucket < b for a, b in ranges[name]))

        watch = [*net.scanner, sys.executable, "-c", WATCHES]
        with subprocess.Popen(watch, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as ear:
            assert ear.stdout is not None
            assert ear.stdout.readline() == "ready\n"
            net.on_scanner("nmap", "-n", "-Pn", "-sS", "-sU", "-T4", "-p", "T:22,80,9999,U:53", "10.66.5.0/27")
            net.on_scanner("nmap", "-n", "-sn", "-PE", "--disable-arp-ping", "10.66.5.0/27")
            assert {row["source"] for row in talk(net, fleet)} == {SCANNER}
            seen: dict[str, list[list[str]]] = json.loads(ear.communicate("end\n", timeout=20)[0])
        assert set(seen) >= {f"10.66.5.{n}" for n in range(32)}
        assert {address: {mac for mac, _ in rows} for address, rows in seen.items()} == {
            address: {card_of(address)} for address in seen
        }
        assert len({mac for rows in seen.values() for mac, _ in rows}) >= 4
        kinds = {what for rows in seen.values() for _, what in rows}
        assert kinds == {"arp", "1", "6"}, "ICMP and TCP came by the same cards as ARP"


def config_on_lan(config: Config) -> Config:
    network = msgspec.structs.replace(config.network, link="macvlan", device=CARD)
    return msgspec.structs.replace(config, network=network)


def test_what_no_listener_gets_is_told(net: Lan, tmp_path: Path) -> None:
    with up(net, tmp_path, *MACVLAN, CHAFFINCH_CAPTURE_ENABLED="true") as fleet:
        net.on_scanner("nmap", "-n", "-Pn", "-sS", "-p", "9990-9999", "10.66.5.0/28")

        def kinds() -> set[str]:
            rows = fleet.events("--kind", "packet.probe")
            assert {row["source"] for row in rows} <= {SCANNER}
            return {row["of"] for row in rows}

        assert eventually(lambda: kinds() if {"arp", "syn"} <= kinds() else set(), 20)


SENDS = """
import socket, sys
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.settimeout(1)
        sock.bind(("10.66.0.9", 0))
        try:
            sock.connect((sys.argv[1], 7777))
            sock.send(b"out")
        except OSError as error:
            print(type(error).__name__)
"""

HEARS = """
import select, socket
with socket.create_server(("0.0.0.0", 7777)) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
    udp.bind(("0.0.0.0", 7777))
    print("ready", flush=True)
    heard = select.select([tcp, udp], [], [], 4)[0]
    print("heard" if heard else "silence", flush=True)
"""


def test_the_kernel_behaves_as_it_has_to_inside(net: Lan, tmp_path: Path) -> None:
    with up(net, tmp_path, *MACVLAN):

        def value(name: str) -> str:
            return run("ip", "netns", "exec", name_of(tmp_path), "sysctl", "-n", name).strip()

        for scope in ("all", "eth0"):
            assert value(f"net.ipv6.conf.{scope}.disable_ipv6") == "1"
            for name, wanted in sysctls.OF_A_DEVICE.items():
                assert value(f"net.ipv4.conf.{scope}.{name}") == wanted
        assert value("net.ipv4.ip_forward") == "0"
        assert value("net.ipv4.icmp_ratelimit") == "0"


def test_nothing_leaves_but_answers(net: Lan, tmp_path: Path) -> None:
    with up(net, tmp_path, *MACVLAN):
        ear = subprocess.Popen([*net.scanner, sys.executable, "-c", HEARS], stdout=subprocess.PIPE, text=True)
        assert ear.stdout is not None
        assert ear.stdout.readline() == "ready\n"
        inside = ("ip", "netns", "exec", name_of(tmp_path))
        said = run(*inside, sys.executable, "-c", SENDS, SCANNER)
        assert said.split() == ["TimeoutError", "PermissionError"]
        assert ear.communicate(timeout=20)[0] == "silence\n"


def inside(fleet: Fleet) -> dict[str, bool]:
    """Which groups are in the fleet's own namespace."""
    own = os.stat(f"/run/netns/{name_of(fleet.state)}").st_ino
    return {group["name"]: os.stat(f"/proc/{group['pid']}/ns/net").st_ino == own for group in group_rows(fleet)}


def test_split_groups_are_inside_one_by_one(net: Lan, tmp_path: Path) -> None:
    with up(net, tmp_path, *MACVLAN, "--groups", "split") as fleet:
        found = inside(fleet)
        assert found == {name: name.startswith("decoy-") for name in found}
        assert len(found) > 8


def test_only_the_group_that_faces_attackers_is_inside_and_is_there_again_after_a_crash(
    net: Lan, tmp_path: Path
) -> None:
    """The Discord bot is outside, and reaches what the owner reaches."""
    stored(tmp_path / "discord-token")
    with discord_on(net) as url, up(net, tmp_path, *MACVLAN, **(ENABLED | pointed(tmp_path, url))) as fleet:
        assert inside(fleet) == {"decoys": True, "back": False, "out": False}
        pid = fleet.group("decoys")["pid"]
        os.kill(pid, signal.SIGKILL)
        host = fleet.address("redis")
        eventually(lambda: fleet.group("decoys")["pid"] not in (0, pid), 20)
        assert inside(fleet) == {"decoys": True, "back": False, "out": False}
        assert "PONG" in net.on_scanner("redis-cli", "-h", host, "PING")
        eventually(lambda: "has connected to Gateway" in fleet.call("logs").stdout)


@contextlib.contextmanager
def discord_on(net: Lan) -> Iterator[str]:
    """The fake Discord on the owner's machine, which a decoy host does not reach; its address."""
    net.on_owner("ip", "link", "set", "lo", "up")
    command = [*net.owner, sys.executable, "-m", "tests.chat.discord", "--token", TEXT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()


def group_rows(fleet: Fleet) -> list[dict[str, Any]]:
    return list(fleet.status()["groups"])


def test_the_metrics_page_stays_on_the_owners_network_in_one_group(net: Lan, tmp_path: Path) -> None:
    with up(net, tmp_path, *MACVLAN, "--groups", "one", "--metrics-port", "9477") as fleet:
        assert inside(fleet) == {"fleet": True}

        def page() -> bool:
            fetched = subprocess.run(
                [*net.owner, "curl", "-sf", "http://127.0.0.1:9477/metrics"],
                capture_output=True,
                text=True,
                timeout=10,
                check=False,
            )
            return "chaffinch_" in fetched.stdout

        assert eventually(page)
        assert fleet.call("restart", "metrics").returncode == 0
        assert eventually(page)
        assert fleet.call("stop", "metrics").returncode == 0
        refused = subprocess.run(
            [*net.owner, "curl", "-s", "-m", "3", "http://127.0.0.1:9477/metrics"], timeout=10, check=False
        )
        assert refused.returncode == 7, "refused, not left waiting"
        assert fleet.call("start", "metrics").returncode == 0
        assert eventually(page)


@pytest.mark.parametrize(
    "flags", [MACVLAN, (*MACVLAN, "--mac", "archetypes"), ROUTED], ids=["macvlan", "macvlans", "veth"]
)
def test_nothing_is_left_after_a_stop(net: Lan, tmp_path: Path, flags: tuple[str, ...]) -> None:
    before = net.standing(tmp_path)
    with up(net, tmp_path, *flags):
        assert name_of(tmp_path) in net.standing(tmp_path)["names"]
    assert net.standing(tmp_path) == before


@pytest.mark.parametrize("flags", [MACVLAN, ROUTED], ids=["macvlan", "veth"])
def test_what_a_crash_left_is_taken_away_by_the_next_start(net: Lan, tmp_path: Path, flags: tuple[str, ...]) -> None:
    before = net.standing(tmp_path)
    fleet = killed(net, tmp_path, *flags)
    assert name_of(tmp_path) in net.standing(tmp_path)["names"]
    with up(net, tmp_path, *flags):
        if flags is ROUTED:
            net.on_scanner("ip", "route", "replace", PREFIX, "via", OWNER)
            net.on_owner("sysctl", "-qw", "net.ipv4.ip_forward=1")
        assert "PONG" in net.on_scanner("redis-cli", "-h", fleet.address("redis"), "PING")
        net.on_owner("sysctl", "-qw", "net.ipv4.ip_forward=0")
    assert net.standing(tmp_path) == before


def test_what_a_crash_left_is_found_by_doctor_and_taken_away_by_stop(net: Lan, tmp_path: Path) -> None:
    before = net.standing(tmp_path)
    fleet = killed(net, tmp_path, *ROUTED)
    said = json.loads(fleet.call("doctor", "--json").stdout)
    assert "chaffinch stop" in next(one["text"] for one in said if one["name"] == "left")
    done = fleet.call("stop")
    assert done.returncode == 0
    assert name_of(tmp_path) in done.stdout
    assert net.standing(tmp_path) == before
    assert fleet.call("stop").returncode == 1


def killed(net: Lan, state: Path, *flags: str) -> Fleet:
    """A fleet of which every process was killed at once."""
    fleet = fleet_in(net, state, *flags)
    fleet.start()
    status = fleet.status()
    for pid in (status["pid"], *(group["pid"] for group in status["groups"])):
        os.kill(pid, signal.SIGKILL)
    assert fleet.process is not None
    fleet.process.communicate(timeout=10)
    eventually(lambda: not any(os.path.exists(f"/proc/{group['pid']}") for group in status["groups"]))
    return fleet


def test_a_name_that_a_crash_of_the_machine_left_is_no_obstacle(net: Lan, tmp_path: Path) -> None:
    """After a power cut only the file may be there, if `/run` is kept: it is no namespace."""
    file = Path("/run/netns", name_of(tmp_path))
    file.parent.mkdir(exist_ok=True)
    file.touch()
    with up(net, tmp_path, *ROUTED):
        pass
    assert not file.exists()


def test_nothing_is_left_after_a_failed_start(net: Lan, tmp_path: Path) -> None:
    before = net.standing(tmp_path)
    fleet = fleet_in(net, tmp_path, *MACVLAN, CHAFFINCH_FLEET_USER="nonesuch")
    done = fleet.call("up", *fleet.flags)
    assert done.returncode == 2
    assert "no such account" in done.stderr
    assert net.standing(tmp_path) == before


@pytest.mark.parametrize("after", [0.0, 0.15, 0.3])
def test_nothing_is_left_when_it_is_interrupted_while_it_builds(net: Lan, tmp_path: Path, after: float) -> None:
    before = net.standing(tmp_path)
    fleet = fleet_in(net, tmp_path, *MACVLAN)
    with subprocess.Popen(
        [*net.owner, sys.executable, "-m", "chaffinch", "up", "--state", str(tmp_path), *fleet.flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=fleet.environment,
    ) as process:
        log = tmp_path / "fleet.log"
        eventually(log.exists, 20)
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert b"Traceback" not in said
    assert net.standing(tmp_path) == before


@pytest.mark.parametrize("what", ["detached", "in the foreground"])
@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--link", "macvlan", "--device", "nonesuch0", "--hosts", PREFIX), "there is no network device 'nonesuch0'"),
        (("--link", "ipvlan", "--device", CARD, "--hosts", "10.66.0.0/24"), "this kernel has no ipvlan"),
        (("--hosts", "10.50.0.0/24"), "this machine's own address on lan0"),
        (("--hosts", "172.16.4.0/24"), "172.16.0.0/12, which this machine reaches over lan0"),
        (("--link", "veth", "--device", CARD, "--hosts", PREFIX), "is no bridge"),
    ],
    ids=["no device", "no ipvlan", "own address", "own route", "no bridge"],
)
def test_what_cannot_be_is_refused_in_one_sentence_and_leaves_nothing(
    net: Lan, tmp_path: Path, flags: tuple[str, ...], says: str, what: str
) -> None:
    if "ipvlan" in flags and has_ipvlan():
        pytest.skip("this kernel has ipvlan")
    net.on_owner("ip", "route", "add", "172.16.0.0/12", "via", SCANNER)
    before = net.standing(tmp_path)
    fleet = fleet_in(net, tmp_path)
    done = fleet.call("up", *(["--detach"] if what == "detached" else []), "--network", "netns", *flags)
    assert done.returncode in (1, 2)
    assert says in done.stderr
    assert done.stderr.strip().count("\n") == 0
    assert net.standing(tmp_path) == before


def test_an_address_that_a_machine_of_the_network_has_is_refused(net: Lan, tmp_path: Path) -> None:
    before = net.standing(tmp_path)
    net.on_scanner("ip", "addr", "add", "10.66.2.77/32", "dev", "port0")
    done = fleet_in(net, tmp_path).call("up", *MACVLAN[:-1], "10.66.2.0/24")
    assert done.returncode == 2
    assert f"10.66.2.77 is a machine on {CARD} already ({port_mac(net)})" in done.stderr
    assert net.standing(tmp_path) == before
    with up(net, tmp_path, *MACVLAN[:-1], "10.66.2.0/26"):
        pass


def port_mac(net: Lan) -> str:
    (link,) = json.loads(net.on_scanner("ip", "-j", "link", "show", "port0"))
    return str(link["address"])


def test_a_second_fleet_on_the_same_addresses_is_refused(net: Lan, tmp_path: Path) -> None:
    with up(net, tmp_path / "first", *MACVLAN):
        done = fleet_in(net, tmp_path / "second").call("up", *MACVLAN[:-1], "10.66.9.0/24")
        assert done.returncode == 2
        assert f"of another fleet ({name_of(tmp_path / 'first')})" in done.stderr
        again = fleet_in(net, tmp_path / "first").call("up", *MACVLAN)
        assert "another fleet (pid" in again.stderr
        with up(net, tmp_path / "third", *MACVLAN[:-1], "10.67.0.0/24") as third:
            assert third.status()["hosts"] == 254


def test_without_root_it_is_refused(net: Lan, tmp_path: Path) -> None:
    code = (
        "import os; os.geteuid = lambda: 1000\nimport sys; from chaffinch.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [*net.owner, sys.executable, "-c", code, "up", *ROUTED, "--state", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "needs root" in done.stderr


def has_ipvlan() -> bool:
    done = subprocess.run(
        ["unshare", "--net", "ip", "link", "add", "i0", "link", "lo", "type", "ipvlan"],
        capture_output=True,
        text=True,
        check=False,
    )
    return "Unknown device type" not in done.stderr and "not supported" not in done.stderr


def test_an_ipvlan_answers_like_the_others_and_leaves_nothing(net: Lan, tmp_path: Path) -> None:
    if not has_ipvlan():
        pytest.skip("this kernel has no ipvlan")
    flags = ("--network", "netns", "--link", "ipvlan", "--device", CARD, "--hosts", "10.66.0.0/24")
    before = net.standing(tmp_path)
    with up(net, tmp_path, *flags) as fleet:
        assert {row["source"] for row in talk(net, fleet)} == {SCANNER}
        found = net.on_scanner("nmap", "-n", "-sn", "10.66.0.0/28", "10.66.0.255")
        assert set(re.findall(r"report for (\S+)", found)) == {f"10.66.0.{n}" for n in range(1, 16)}
        (card,) = json.loads(net.on_owner("ip", "-j", "link", "show", CARD))
        assert found.upper().count(f"MAC ADDRESS: {card['address'].upper()}") == 15, "it has its card's address"
        hosts = hosts_of(fleet, 3)
        wanted = {host["address"]: planned(fleet, host) for host in hosts}
        assert scanned(net, "-sS", hosts) == wanted
        assert scanned(net, "-sT", hosts) == wanted
    assert net.standing(tmp_path) == before
    killed(net, tmp_path, *flags)
    with up(net, tmp_path, *flags) as fleet:
        talk(net, fleet)
    assert net.standing(tmp_path) == before


ADDS = """
import sys, time
from pyroute2 import IPRoute
from chaffinch.network.netns.routes import one_by_one
began = time.monotonic()
with IPRoute() as ipr:
    one_by_one([f"10.66.{n >> 8}.{n & 255}" for n in range(1, 4096)], ipr, 1)
print(time.monotonic() - began)
"""


def test_the_addresses_of_an_ipvlan_are_added_in_seconds(net: Lan) -> None:
    """Only the adding: it is the same on any device."""
    assert float(net.on_owner(sys.executable, "-c", ADDS)) < 15
    assert net.on_owner("ip", "-o", "addr", "show", "dev", "lo").count("10.66.") == 4095


@pytest.mark.parametrize(
    ("link", "device", "state", "says"),
    [("macvlan", CARD, "ok", "veth, macvlan"), ("macvlan", "nonesuch0", "bad", "there is no network device")],
)
def test_doctor_says_whether_it_can_be(net: Lan, tmp_path: Path, link: str, device: str, state: str, says: str) -> None:
    environment = {"MODE": "netns", "HOSTS": PREFIX, "LINK": link, "DEVICE": device}
    before = net.standing(tmp_path)
    fleet = fleet_in(net, tmp_path, **{f"CHAFFINCH_NETWORK_{name}": value for name, value in environment.items()})
    done = fleet.call("doctor", "--json")
    finding = next(one for one in json.loads(done.stdout) if one["name"] == "netns")
    assert (finding["state"], done.returncode) == (state, int(state == "bad"))
    assert says in finding["text"]
    assert net.standing(tmp_path) == before


def test_the_helper_process_is_gone_and_pyroute2_with_it(net: Lan, tmp_path: Path) -> None:
    with up(net, tmp_path, *MACVLAN) as fleet:
        for pid in (fleet.status()["pid"], *(group["pid"] for group in group_rows(fleet))):
            assert "pyroute2" not in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
            lines = " ".join(Path(f"/proc/{one}/cmdline").read_text(encoding="utf-8") for one in children)
            assert "netns.builder" not in lines
