"""Frames with IPv4 packets, written and read byte by byte, and whether their checksums are right."""

import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

from chaffinch.events import Syn
from chaffinch.network import syn

SOURCE = "10.50.0.2"
TCP, ICMP = socket.IPPROTO_TCP, socket.IPPROTO_ICMP
_ETHERNET = bytes(12) + b"\x08\x00"


class Packet(NamedTuple):
    """What an IPv4 packet says, and its TCP segment or ICMP message with the checksum as it came."""

    ttl: int
    service: int
    identification: int
    body: bytes

    @property
    def flags(self) -> int:
        return self.body[13]

    @property
    def sequence(self) -> int:
        return int.from_bytes(self.body[4:8])

    @property
    def acknowledged(self) -> int:
        return int.from_bytes(self.body[8:12])

    @property
    def window(self) -> int:
        return int.from_bytes(self.body[14:16])

    @property
    def options(self) -> bytes:
        return self.body[20 : (self.body[12] >> 4) * 4]


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _pseudo(source: str, target: str, length: int) -> bytes:
    return socket.inet_aton(source) + socket.inet_aton(target) + struct.pack("!HH", TCP, length)


def frame(
    source: str, target: str, protocol: int, body: bytes, *,
    ttl: int = 64, service: int = 0, identification: int = 0, fragment: int = 0x4000,
) -> bytes:  # fmt: skip
    """`fragment` are the flags and the offset, in units of 8 bytes."""
    head = struct.pack("!BBHHHBBH", 0x45, service, 20 + len(body), identification, fragment, ttl, protocol, 0)
    head += socket.inet_aton(source) + socket.inet_aton(target)
    return _ETHERNET + head[:10] + checksum(head).to_bytes(2) + head[12:] + body


def segment(
    source: str, target: str, flags: int, options: bytes = b"", *,
    sequence: int = 7, acknowledged: int = 0, window: int = 1024, data: bytes = b"", ttl: int = 64,
) -> bytes:  # fmt: skip
    """A frame with a TCP segment; options are filled up to a multiple of four with their end."""
    options += bytes(-len(options) % 4)
    offset = (20 + len(options)) // 4
    body = struct.pack("!HHIIHHHH", 40000, 80, sequence, acknowledged, offset << 12 | flags, window, 0, 0)
    body += options + data
    right = checksum(_pseudo(source, target, len(body)) + body)
    return frame(source, target, TCP, body[:16] + right.to_bytes(2) + body[18:], ttl=ttl)


def message(source: str, target: str, kind: int, code: int, data: bytes = b"", *, service: int = 0) -> bytes:
    """A frame with an ICMP message."""
    body = bytes((kind, code, 0, 0)) + data
    return frame(source, target, ICMP, body[:2] + checksum(body).to_bytes(2) + body[4:], service=service)


def read(frame: bytes) -> Packet:
    """The packet. Fails where a checksum is wrong."""
    packet = frame[14:]
    assert checksum(packet[:20]) == 0, "the header's checksum"
    body = packet[20:]
    source, target = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
    whole = _pseudo(source, target, len(body)) + body if packet[9] == TCP else body
    assert checksum(whole) == 0, "the checksum of what it carries"
    return Packet(packet[8], packet[1], int.from_bytes(packet[4:6]), body)


def look(frame: bytes) -> Syn:
    found = syn.parse(frame[14:])
    assert found is not None
    return found


def options(*said: tuple[int, bytes] | int) -> bytes:
    """Kinds without a value as numbers, the others with theirs."""
    return b"".join(bytes([one]) if isinstance(one, int) else bytes((one[0], 2 + len(one[1]))) + one[1] for one in said)


def kinds(data: bytes) -> Sequence[int]:
    """The kinds of well-formed options, in order."""
    found, at = [], 0
    while at < len(data):
        found.append(data[at])
        at += 1 if data[at] < 2 else data[at + 1]
    return found
