"""One packet's headers: what was probed, by whom, on which decoy host. Never its payload.

Layouts: RFC 791 (IPv4), 9293 (TCP), 768 (UDP), 792 (ICMP), 826 (ARP), IEEE 802.1Q (tags). The kernel's filter lets
nothing else in (`capture.filter`); the parser believes none of it and reads within its bounds.
"""

import struct

import msgspec

from chaffinch.events import Syn
from chaffinch.network import syn
from chaffinch.network.addresses import to_text

SYN, FIN, NULL, XMAS, ACK, TCP = "syn", "fin", "null", "xmas", "ack", "tcp"
FRAGMENT, UDP, ECHO, ICMP, IP, ARP = "fragment", "udp", "echo", "icmp", "ip", "arp"
KINDS = (SYN, FIN, NULL, XMAS, ACK, TCP, FRAGMENT, UDP, ECHO, ICMP, IP, ARP)
"""What a packet asks: TCP by its flags (`tcp`: any others; `fragment`: a TCP header in pieces), `echo` and all other
ICMP, `ip` for any other protocol, `arp`.
"""
WITH_PORTS = frozenset((SYN, FIN, NULL, XMAS, ACK, TCP, FRAGMENT, UDP))
"""Whose number is a port. That of `echo` and `icmp` is a type, that of `ip` a protocol; `arp` has none."""

_BY_FLAGS = {0x02: SYN, 0x01: FIN, 0x00: NULL, 0x29: XMAS, 0x10: ACK}
_KIND = tuple(_BY_FLAGS.get(flags & 0x3F, TCP) for flags in range(256))
"""The kind of a segment by the byte of its flags: the two of ECN say nothing about it."""
_FLAG_LETTERS = "FSRPAUEC"
_ICMP_PROTOCOL, _TCP_PROTOCOL, _UDP_PROTOCOL = 1, 6, 17
_ECHO_REQUEST = 8
_ERRORS = frozenset((3, 4, 5, 11, 12))
"""ICMP types that quote the header of the packet that they are about, and 8 bytes behind it."""
_TAGS = (0x8100, 0x88A8)
_IPV4, _ARP = 0x0800, 0x0806
_ETHERNET_BYTES = 14
_FRAGMENT_PLACE, _MORE_FRAGMENTS = 0x1FFF, 0x2000

_ip = struct.Struct("!BxHxxHBBxxII").unpack_from
"""Version and header length, total length, flags and fragment's place, TTL, protocol, source, destination."""
_port = struct.Struct("!H").unpack_from
_arp = struct.Struct("!HHBBH6sI6xI").unpack_from


class Packet(msgspec.Struct, frozen=True, gc=False):
    """What one packet asked. Addresses are numbers; `network` is where its network header begins, `mac` the sender's
    hardware address where the link has one.
    """

    kind: str
    source: int
    address: int
    number: int = 0
    ttl: int = 0
    flags: int = 0
    network: int = 0
    mac: bytes = b""


def parse(data: bytes | bytearray | memoryview, *, linked: bool) -> Packet | None:
    """What the packet asks, or None for bytes that are no whole header of a kind above.

    `linked`: the bytes begin with an Ethernet header; else with the network header.
    """
    if not linked:
        return _network(data, 0, b"")
    if len(data) < _ETHERNET_BYTES:
        return None
    at = _ETHERNET_BYTES
    while _port(data, at - 2)[0] in _TAGS:
        at += 4
        if len(data) < at:
            return None
    if _port(data, at - 2)[0] not in (_IPV4, _ARP):
        return None
    return _network(data, at, bytes(data[6:12]))


def _network(data: bytes | bytearray | memoryview, at: int, mac: bytes) -> Packet | None:
    if len(data) < at + 20:
        return None
    if data[at] >> 4 == 4:
        return _ipv4(data, at, mac)
    return _arp_request(data, at, mac)


def _arp_request(data: bytes | bytearray | memoryview, at: int, mac: bytes) -> Packet | None:
    """Its sender is who says so inside it: a frame may be another machine's."""
    if len(data) < at + 28:
        return None
    _, protocol, hardware_bytes, protocol_bytes, operation, sender, source, address = _arp(data, at)
    if (protocol, hardware_bytes, protocol_bytes, operation) != (_IPV4, 6, 4, 1):
        return None
    return Packet(ARP, source, address, network=at, mac=sender)


def _ipv4(data: bytes | bytearray | memoryview, at: int, mac: bytes) -> Packet | None:
    first, total, fragment, ttl, protocol, source, address = _ip(data, at)
    header = (first & 15) * 4
    body, left = at + header, min(len(data) - at, total) - header
    if header < 20 or left < 0 or fragment & _FRAGMENT_PLACE:
        return None
    asked = _transport(data, body, left, protocol, fragment & _MORE_FRAGMENTS)
    if asked is None:
        return None
    kind, number, flags = asked
    return Packet(kind, source, address, number, ttl, flags, at, mac)


def _transport(
    data: bytes | bytearray | memoryview, at: int, left: int, protocol: int, goes_on: int
) -> tuple[str, int, int] | None:
    """Kind, number and flags of what lies `left` bytes long behind the IPv4 header."""
    if protocol == _TCP_PROTOCOL and goes_on:
        return (FRAGMENT, _port(data, at + 2)[0], 0) if left >= 4 else None
    if protocol == _TCP_PROTOCOL:
        return (_KIND[data[at + 13]], _port(data, at + 2)[0], data[at + 13]) if left >= 20 else None
    if protocol == _UDP_PROTOCOL:
        return (UDP, _port(data, at + 2)[0], 0) if left >= 8 else None
    if protocol == _ICMP_PROTOCOL:
        return (ECHO if data[at] == _ECHO_REQUEST else ICMP, data[at], 0) if left >= 4 else None
    return IP, protocol, 0


def flags_text(packet: Packet) -> str:
    """TCP flags as letters in the order of their bits, lowest first: `S`, `FPU`."""
    return "".join(letter for bit, letter in enumerate(_FLAG_LETTERS) if packet.flags >> bit & 1)


def mac_text(packet: Packet) -> str:
    """The hardware address as `02:00:5e:10:00:01`; empty where there is none, as on loopback."""
    return packet.mac.hex(":") if any(packet.mac) else ""


def syn_look(packet: Packet, data: bytes | bytearray | memoryview) -> Syn | None:
    """The look of the SYN that `packet` was parsed from, as it is recorded of sessions."""
    return syn.parse(bytes(data[packet.network :])) if packet.kind == SYN else None


def quoted(packet: Packet, data: bytes | bytearray | memoryview) -> str:
    """What an ICMP error is about, as `udp 127.77.0.1:53 > 10.0.0.9:4444`; empty where it quotes nothing whole."""
    if packet.kind != ICMP or packet.number not in _ERRORS:
        return ""
    at = packet.network + (data[packet.network] & 15) * 4 + 8
    if len(data) < at + 20 or data[at] >> 4 != 4:
        return ""
    first, _, fragment, _, protocol, source, address = _ip(data, at)
    body = at + (first & 15) * 4
    if (
        protocol not in (_TCP_PROTOCOL, _UDP_PROTOCOL)
        or fragment & _FRAGMENT_PLACE
        or first & 15 < 5
        or len(data) < body + 4
    ):
        return f"protocol {protocol} {to_text(source)} > {to_text(address)}"
    name = "tcp" if protocol == _TCP_PROTOCOL else "udp"
    source_port, port = _port(data, body)[0], _port(data, body + 2)[0]
    return f"{name} {to_text(source)}:{source_port} > {to_text(address)}:{port}"
