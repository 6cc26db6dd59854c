"""What a tap sees of what real programs send, in a network of its own; that the kernel decides as the program says."""

import errno
import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from chaffinch.capture.tap import open_tap, program_for
from chaffinch.errors import RunError
from chaffinch.network import filter as packet_filter
from chaffinch.network.addresses import to_text
from tests.capture.machine import Frame, decide, icmp, ipv4, tcp, udp
from tests.capture.sending import send
from tests.capture.tapping import plan_of, tapping
from tests.fleet.running import network_namespace

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may open a packet socket")
PLAN = plan_of()
HOST = next(a for a in map(to_text, PLAN.addresses()) if PLAN.serves(a, 22) and not PLAN.serves(a, 21))
SSH = 22 + PLAN.port_offset
ETHERNET = bytes(12) + b"\x08\0"


def need(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


@pytest.fixture(scope="module")
def network() -> Iterator[tuple[str, ...]]:
    with network_namespace() as prefix:
        yield prefix


def run(prefix: tuple[str, ...], *command: str) -> str:
    done = subprocess.run([*prefix, *command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def nmap(prefix: tuple[str, ...], *arguments: str) -> str:
    need("nmap")
    return run(prefix, "nmap", "-n", "-Pn", "--max-retries", "0", *arguments)


@pytest.mark.root
@needs_root
@pytest.mark.parametrize(
    ("scan", "kind", "flags"),
    [
        ("-sS", "syn", "S"),
        ("-sF", "fin", "F"),
        ("-sN", "null", ""),
        ("-sX", "xmas", "FPU"),
        ("-sA", "ack", "A"),
        ("-sM", "tcp", "FA"),
    ],
)
def test_nmaps_scans_of_tcp_are_told_apart(network: tuple[str, ...], scan: str, kind: str, flags: str) -> None:
    with tapping(network) as seen:
        nmap(network, scan, "-p", "1-100,443", HOST)
    [row] = seen.of(kind)
    assert (row["ports"], row["ports_count"]) == ("1-100,443", 101)
    assert (row["source"], row["address"], row["hosts"]) == ("127.0.0.1", HOST, 1)
    assert row.get("flags", "") == flags
    assert seen.told == seen.said["seen"]
    assert seen.said["dropped"] == seen.said["malformed"] == 0
    if kind == "syn":  # what nmap's SYN looks like, on purpose: 1024 or a multiple, and MSS alone
        assert row["syn"]["options"] == ["mss"]
        assert row["syn"]["window"] % 1024 == 0


@pytest.mark.root
@needs_root
def test_nmaps_other_probes_are_told_apart(network: tuple[str, ...]) -> None:
    with tapping(network) as seen:
        nmap(network, "-sU", "-p", "53,161,500-502", HOST)
        nmap(network, "-sO", "-p", "47,50,51", HOST)
        nmap(network, "-sS", "-f", "-p", "8080", HOST)
    [row] = seen.of("udp")
    assert (row["ports"], row["ports_count"]) == ("53,161,500-502", 5)
    [row] = seen.of("ip")
    assert row["types"] == "47,50-51"
    [row] = seen.of("fragment")
    assert (row["ports"], row["count"]) == ("8080", 1)
    assert seen.kinds() == {"udp", "ip", "fragment"}


@pytest.mark.root
@needs_root
def test_a_ping_counts_once_and_shows_its_ttl(network: tuple[str, ...]) -> None:
    need("ping")
    with tapping(network) as seen:
        run(network, "ping", "-c", "3", "-i", "0.05", "-t", "77", HOST)
    [row] = seen.said["facts"]
    assert (row["of"], row["types"], row["count"], row["ttl"]) == ("echo", "8", 3, 77)
    assert "mac" not in row


@pytest.mark.root
@needs_root
def test_a_client_of_a_service_is_not_seen(network: tuple[str, ...]) -> None:
    server = (
        f"import socket; s = socket.create_server(('0.0.0.0', {SSH})); c = socket.create_connection(('{HOST}', {SSH}));"
        "p, _ = s.accept(); c.sendall(bytes(9)); p.recv(9); p.close(); c.recv(1); c.close()"
    )
    with tapping(network) as seen:
        run(network, sys.executable, "-c", server)
        nmap(network, "-sS", "-p", str(SSH), HOST)
        nmap(network, "-sX", "-p", str(SSH), HOST)
    assert seen.kinds() == {"xmas"}, "no connection has these flags, on whichever port"


@pytest.mark.root
@needs_root
def test_the_kernel_decides_as_the_program_says(network: tuple[str, ...]) -> None:
    program, draw = program_for(PLAN), random.Random(7)
    listens = [port.listen for port in PLAN.ports]
    hosts = [to_text(draw.randrange(PLAN.prefixes[0].first, PLAN.prefixes[0].last)) for _ in range(40)]
    packets = []
    for number in range(1500):
        port = draw.choice([*listens, draw.randrange(65536), 40000])
        protocol, body = draw.choice(
            [
                (6, tcp(port, draw.choice((2, 2, 1, 0, 41, 16, 4, 18)))),
                (17, udp(port)),
                (1, icmp(number % 20)),
                (47, b""),
            ]
        )
        packets.append(
            ipv4(
                draw.choice(("10.0.0.9", "10.0.0.9", "127.77.0.5")),
                draw.choice((*hosts, "127.78.0.1")),
                protocol,
                body,
                fragment=draw.choice((0, 0, 0, 0x2000, 0x4000, 3)),
                options=draw.choice((b"", b"", b"\x01\x01\x01\x00")),
            )
        )
    wanted = [packet for packet in packets if decide(program, Frame(packet))]
    script = (
        "import socket, sys; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0); s.bind(('lo', 0))\n"
        f"for line in sys.stdin: s.send(bytes.fromhex('{ETHERNET.hex()}' + line))"
    )
    with tapping(network) as seen:
        subprocess.run(
            [*network, sys.executable, "-c", script],
            input="\n".join(packet.hex() for packet in packets), text=True, check=True, timeout=60,
        )  # fmt: skip
    assert 300 < len(wanted) < 1500
    # the machine answers some of what it is asked (RFC 792, 9293), and the answers to 10.0.0.9 go nowhere
    assert seen.said["frames"] == [packet.hex() for packet in wanted]
    assert seen.said["malformed"] == 0


@pytest.mark.root
@needs_root
@pytest.mark.parametrize("sources", [3, 100_000])
def test_a_flood_is_counted_to_the_last_packet(network: tuple[str, ...], sources: int) -> None:
    with tapping(network, share=0.25) as seen:
        sent, _ = send(network, HOST, 300_000, sources)
    assert sent == seen.told + seen.said["dropped"]
    assert seen.told == seen.said["seen"] > 1000
    assert len(seen.said["facts"]) <= 256 + 12
    folded = sum(row["count"] for row in seen.said["facts"] if row["source"] == "many")
    assert folded == seen.said["folded"]
    assert bool(folded) == (sources > 256)


@pytest.mark.root
@needs_root
def test_without_the_privilege_one_sentence_says_what_to_do(network: tuple[str, ...]) -> None:
    need("setpriv")
    code = (
        "from tests.capture.tapping import plan_of; from chaffinch.capture.tap import open_tap\n"
        "try: open_tap(plan_of(), 65536)\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    said = run((*network, "setpriv", "--bounding-set", "-net_raw"), sys.executable, "-c", code)
    assert said.startswith("RunError capture.enabled needs a packet socket, which this user may not open: start the")


def test_a_unit_that_keeps_packet_sockets_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """`RestrictAddressFamilies=` of systemd.exec(5) answers so, whatever the user may."""
    make = socket.socket

    def restricted(family: int, *rest: int) -> socket.socket:
        if family == socket.AF_PACKET:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        return make(family, *rest)

    plan = plan_of()
    monkeypatch.setattr(socket, "socket", restricted)
    with pytest.raises(RunError, match="write the unit anew with `chaffinch init --systemd`") as one:
        open_tap(plan, 65536)
    assert "the kernel has none (CONFIG_PACKET)" in str(one.value)


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(RunError, match="there is no network device 'nowhere0'; name one with --device"):
        open_tap(plan_of("nowhere0"), 65536)


@pytest.mark.root
@needs_root
def test_another_plan_is_let_in_from_one_packet_to_the_next(network: tuple[str, ...]) -> None:
    code = """
import socket, sys
from chaffinch.capture.tap import open_tap
from tests.capture.machine import icmp, ipv4
from tests.capture.tapping import plan_of
tap = open_tap(plan_of(), 65536)
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
wire.bind(("lo", 0))
for hosts in ("127.77.0.0/16", "127.99.0.0/24"):
    tap.admit(plan_of(hosts=hosts))
    for host in ("127.77.3.9", "127.99.0.9"):
        wire.send(bytes(12) + b"\\x08\\0" + ipv4("10.0.0.9", host, 1, icmp(8)))
print([".".join(map(str, data[30:34])) for data, _ in tap.ring.read(9)])
"""
    assert run(network, sys.executable, "-c", code) == "['127.77.3.9', '127.99.0.9']\n"


@pytest.mark.root
@needs_root
def test_a_tap_that_takes_no_filter_is_not_taken_for_shut(monkeypatch: pytest.MonkeyPatch) -> None:
    tap = open_tap(PLAN, 65536)
    try:
        monkeypatch.setattr(packet_filter, "attach", lambda *_: False)
        with pytest.raises(RunError, match="which this user may not open"):
            tap.shut()
    finally:
        tap.close()
