"""A tap on a wire with another machine at its end, and on a link that has no Ethernet header."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.capture.machine import ipv4, tcp
from tests.capture.tapping import tapping
from tests.capture.test_tap import need, nmap, run
from tests.fleet.running import network_namespace

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may make network namespaces"),
]

OURS, THEIRS = "10.66.0.1", "10.66.0.2"
HOSTS = "10.66.128.0/24"
MAC = "02:00:00:00:00:99"

SEND = """
import socket, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
wire.bind((sys.argv[1], 0))
for line in sys.stdin:
    wire.send(bytes.fromhex(line))
"""

TUNNEL = """
import fcntl, os, struct, subprocess, sys
tunnel = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tunnel, 0x400454CA, struct.pack("16sH22x", b"tun7", 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
subprocess.run(["ip", "link", "set", "tun7", "up"], check=True)
print("up", flush=True)
for line in sys.stdin:
    os.write(tunnel, bytes.fromhex(line))
"""


@pytest.fixture
def wire() -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Two networks, ours and theirs, on one wire; a prefix of decoy hosts is ours."""
    with network_namespace() as ours, network_namespace() as theirs:
        run(ours, "ip", "link", "add", "w0", "type", "veth", "peer", "name", "w1", "netns", theirs[2])
        for prefix, device, address in ((ours, "w0", OURS), (theirs, "w1", THEIRS)):
            run(prefix, "ip", "address", "add", f"{address}/16", "dev", device)
            run(prefix, "ip", "link", "set", device, "up")
        run(ours, "ip", "route", "add", "local", HOSTS, "dev", "w0")
        run(theirs, "ip", "link", "set", "w1", "address", MAC)
        yield ours, theirs


def send(prefix: tuple[str, ...], device: str, *frames: bytes) -> None:
    lines = "\n".join(frame.hex() for frame in frames)
    subprocess.run([*prefix, sys.executable, "-c", SEND, device], input=lines, text=True, check=True, timeout=30)


def test_an_arp_scan_is_one_record_with_its_sender(wire: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
    ours, theirs = wire
    with tapping(ours, "w0", HOSTS) as seen:
        said = run(theirs, need("nmap"), "-n", "-sn", "-PR", HOSTS)
    assert "256 hosts up" in said, "who asks is answered"
    [row] = seen.of("arp")
    assert (row["source"], row["mac"], row["hosts"]) == (THEIRS, MAC, 256)
    assert 256 <= row["count"] == seen.said["seen"]
    assert row["sample"][0].startswith("10.66.128.")


def test_arping_is_seen_and_requests_for_others_are_not(wire: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
    ours, theirs = wire
    with tapping(ours, "w0", HOSTS) as seen:
        for asked in ("10.66.128.7", OURS):
            run(theirs, need("arping"), "-c", "1", "-w", "3", "-I", "w1", asked)
    [row] = seen.said["facts"]
    assert (row["of"], row["address"], row["count"], row["mac"]) == ("arp", "10.66.128.7", 1, MAC)


def test_a_scan_over_a_wire_has_its_senders_hardware_address(wire: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
    ours, theirs = wire
    with tapping(ours, "w0", HOSTS) as seen:
        nmap(theirs, "-sS", "-p", "1-50", "10.66.128.0/28")
    [row] = seen.of("syn")
    assert (row["source"], row["mac"], row["hosts"], row["ports"]) == (THEIRS, MAC, 16, "1-50")
    assert row["count"] == 16 * 50


def test_a_frame_of_another_vlan_is_not_ours(wire: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
    ours, theirs = wire
    probe = ipv4(THEIRS, "10.66.128.7", 6, tcp(81, 2))
    to = bytes.fromhex(_mac(ours, "w0"))
    sender = bytes.fromhex(MAC.replace(":", ""))
    with tapping(ours, "w0", HOSTS) as seen:
        for tag in (b"", b"\x81\0\xe0\0", b"\x81\0\0\x07"):  # none, a priority, VLAN 7
            send(theirs, "w1", to + sender + tag + b"\x08\0" + probe)
        send(theirs, "w1", b"\x02\0\0\0\0\x77" + sender + b"\x08\0" + probe)  # to another machine
    assert [row["count"] for row in seen.of("syn")] == [2]


def _mac(prefix: tuple[str, ...], device: str) -> str:
    words = run(prefix, "ip", "link", "show", device).split()
    return words[words.index("link/ether") + 1].replace(":", "")


@pytest.mark.skipif(not Path("/dev/net/tun").exists(), reason="this machine makes no tunnels")
def test_a_link_without_ethernet() -> None:
    with (
        network_namespace() as prefix,
        subprocess.Popen(
            [*prefix, sys.executable, "-c", TUNNEL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as tunnel,
    ):
        assert tunnel.stdout is not None
        assert tunnel.stdin is not None
        assert tunnel.stdout.readline() == "up\n"
        with tapping(prefix, "tun7", HOSTS) as seen:
            for port in (81, 82):
                tunnel.stdin.write(ipv4(THEIRS, "10.66.128.7", 6, tcp(port, 2), ttl=9).hex() + "\n")
            tunnel.stdin.close()
    assert seen.said["linked"] is False
    [row] = seen.said["facts"]
    assert (row["of"], row["ports"], row["ttl"], "mac" in row) == ("syn", "81-82", 9, False)
