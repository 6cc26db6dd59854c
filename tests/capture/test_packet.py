"""A packet's headers are read within their bounds, whatever the bytes are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.capture import packet as packets
from chaffinch.capture.packet import KINDS, Packet, parse
from chaffinch.events import Syn
from chaffinch.network.addresses import to_number, to_text
from tests.capture.machine import arp, icmp, ipv4, tcp, udp

MAC = b"\x02\0\0\0\0\x01"
ETHERNET = b"\xff" * 6 + MAC
SOURCE, HOST = "10.0.0.9", "127.77.3.9"
MSS = b"\x02\x04\x05\xb4"


def parsed(data: bytes) -> Packet:
    packet = parse(data, linked=False)
    assert packet is not None
    return packet


@pytest.mark.parametrize(
    ("flags", "kind", "letters"),
    [
        (0x02, "syn", "S"),
        (0xC2, "syn", "SEC"),
        (0x01, "fin", "F"),
        (0x00, "null", ""),
        (0x29, "xmas", "FPU"),
        (0x10, "ack", "A"),
        (0x11, "tcp", "FA"),
        (0x12, "tcp", "SA"),
    ],
)
def test_a_segment_is_told_by_its_flags(flags: int, kind: str, letters: str) -> None:
    packet = parsed(ipv4(SOURCE, HOST, 6, tcp(8080, flags), ttl=57))
    assert (packet.kind, packet.number, packet.ttl) == (kind, 8080, 57)
    assert (to_text(packet.source), to_text(packet.address)) == (SOURCE, HOST)
    assert packets.flags_text(packet) == letters


@pytest.mark.parametrize(
    ("data", "kind", "number"),
    [
        (ipv4(SOURCE, HOST, 17, udp(161, b"payload")), "udp", 161),
        (ipv4(SOURCE, HOST, 17, udp(161), fragment=0x2000), "udp", 161),
        (ipv4(SOURCE, HOST, 1, icmp(8)), "echo", 8),
        (ipv4(SOURCE, HOST, 1, icmp(13)), "icmp", 13),
        (ipv4(SOURCE, HOST, 47, b""), "ip", 47),
        (ipv4(SOURCE, HOST, 6, tcp(22, 2)[:8], fragment=0x2000), "fragment", 22),
        (ipv4(SOURCE, HOST, 6, tcp(22, 2), options=b"\x94\x04\0\0"), "syn", 22),
        (arp(SOURCE, HOST), "arp", 0),
    ],
)
def test_every_kind(data: bytes, kind: str, number: int) -> None:
    packet = parsed(data)
    assert (packet.kind, packet.number, packet.address) == (kind, number, to_number(HOST))


@pytest.mark.parametrize("tags", [b"", b"\x81\0\x20\x07", b"\x88\xa8\0\x01\x81\0\0\x02"])
def test_a_frame_with_and_without_tags(tags: bytes) -> None:
    packet = parse(ETHERNET + tags + b"\x08\0" + ipv4(SOURCE, HOST, 6, tcp(22, 2)), linked=True)
    assert packet is not None
    assert (packet.kind, packet.number, packets.mac_text(packet)) == ("syn", 22, "02:00:00:00:00:01")


def test_an_arp_request_is_by_who_says_so_in_it() -> None:
    packet = parse(ETHERNET + b"\x08\x06" + arp(SOURCE, HOST, mac=b"\x02\0\0\0\0\x09"), linked=True)
    assert packet is not None
    assert (to_text(packet.source), packets.mac_text(packet)) == (SOURCE, "02:00:00:00:00:09")


def test_loopback_has_no_hardware_address() -> None:
    packet = parse(bytes(12) + b"\x08\0" + ipv4(SOURCE, HOST, 1, icmp(8)), linked=True)
    assert packet is not None
    assert packets.mac_text(packet) == ""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        ipv4(SOURCE, HOST, 6, tcp(22, 2)[:19]),
        ipv4(SOURCE, HOST, 6, tcp(22, 2)[:3], fragment=0x2000),
        ipv4(SOURCE, HOST, 17, udp(53)[:7]),
        ipv4(SOURCE, HOST, 1, b"\x08\0\0"),
        ipv4(SOURCE, HOST, 6, tcp(22, 2), fragment=5),
        b"\x44" + ipv4(SOURCE, HOST, 6, tcp(22, 2))[1:],
        ipv4(SOURCE, HOST, 6, tcp(22, 2))[:2] + b"\0\x05" + ipv4(SOURCE, HOST, 6, tcp(22, 2))[4:],
        arp(SOURCE, HOST, operation=2),
        arp(SOURCE, HOST)[:27],
        b"\x60" + bytes(60),
    ],
)
def test_what_is_no_whole_header_is_nothing(data: bytes) -> None:
    assert parse(data, linked=False) is None
    assert parse(ETHERNET + b"\x08\0" + data, linked=True) is None


def test_a_header_longer_than_the_packet_says_is_nothing() -> None:
    data = bytearray(ipv4(SOURCE, HOST, 6, tcp(22, 2)))
    data[0] = 0x4F
    assert parse(data, linked=False) is None


def test_the_look_of_a_syn() -> None:
    data = ipv4(SOURCE, HOST, 6, tcp(22, 2, MSS), ttl=40)
    assert packets.syn_look(parsed(data), data) == Syn(ttl=40, window=1024, mss=1460, options=("mss",))
    assert packets.syn_look(parsed(ipv4(SOURCE, HOST, 6, tcp(22, 1))), data) is None


@pytest.mark.parametrize(
    ("about", "said"),
    [
        (ipv4(HOST, SOURCE, 17, udp(53)), f"udp {HOST}:40000 > {SOURCE}:53"),
        (ipv4(HOST, SOURCE, 6, tcp(443, 2)[:8]), f"tcp {HOST}:40000 > {SOURCE}:443"),
        (ipv4(HOST, SOURCE, 47, bytes(8)), f"protocol 47 {HOST} > {SOURCE}"),
        (ipv4(HOST, SOURCE, 6, tcp(443, 2)[:3]), f"protocol 6 {HOST} > {SOURCE}"),
        (ipv4(HOST, SOURCE, 17, udp(53))[:19], ""),
        (b"\x60" + bytes(40), ""),
    ],
)
def test_what_an_error_is_about(about: bytes, said: str) -> None:
    data = ipv4(SOURCE, HOST, 1, icmp(3, about))
    assert packets.quoted(parsed(data), data) == said
    for kind in (8, 13):  # an echo quotes nothing, whatever it carries
        data = ipv4(SOURCE, HOST, 1, icmp(kind, about))
        assert packets.quoted(parsed(data), data) == ""


transports = st.one_of(
    st.binary(max_size=60),
    st.builds(
        tcp, st.integers(0, 65535), st.integers(0, 255), st.binary(max_size=40).map(lambda b: b[: len(b) // 4 * 4])
    ),
    st.builds(icmp, st.integers(0, 255), st.binary(max_size=80)),
)
near_packets = st.builds(
    lambda body, protocol, fragment, cut: ipv4(SOURCE, HOST, protocol, body, fragment=fragment)[:cut],
    transports,
    st.sampled_from((1, 6, 17, 47)),
    st.sampled_from((0, 0x2000, 0x4000, 1)),
    st.integers(0, 160),
)


@given(
    st.one_of(st.binary(max_size=160), near_packets, near_packets.map(lambda data: ETHERNET + b"\x08\0" + data)),
    st.booleans(),
)
@settings(max_examples=1000, deadline=None)
def test_any_bytes_are_a_packet_or_nothing(data: bytes, linked: bool) -> None:
    packet = parse(memoryview(data), linked=linked)
    if packet is None:
        return
    assert packet.kind in KINDS
    assert 0 <= packet.number <= 65535
    assert len(packets.quoted(packet, data)) < 80
    assert len(packets.mac_text(packet)) in (0, 17)
    look = packets.syn_look(packet, data)
    assert look is None or packet.kind == "syn"
