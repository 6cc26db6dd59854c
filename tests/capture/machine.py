"""The kernel's classic filter machine, as far as `capture.filter` uses it, and headers for it to decide about.

Written from `Documentation/networking/filter.rst`; what it decides is compared with the kernel in `test_tap.py`.
"""

import socket
import struct
from collections.abc import Sequence

from chaffinch.network.bpf import Instruction

ARP, IPV4 = 0x0806, 0x0800
NETWORK, ANCILLARY = 0xFFF00000, 0xFFFFF000


class Frame:
    """A packet as the kernel knows it: bytes from the network header on, and what lies beside them."""

    def __init__(self, data: bytes, protocol: int = IPV4, kind: int = socket.PACKET_HOST, vlan: int = 0) -> None:
        self.data = data
        self.beside = {0: protocol, 4: kind, 44: vlan}

    def load(self, at: int, size: int) -> int | None:
        """A number of `size` bytes; None past the end, which ends the program with 0."""
        if at >= ANCILLARY:
            return self.beside[at - ANCILLARY]
        at -= NETWORK
        return int.from_bytes(self.data[at : at + size]) if 0 <= at <= len(self.data) - size else None


def decide(program: Sequence[Instruction], frame: Frame) -> int:
    """How many bytes of the packet the program keeps."""
    a: int | None = 0
    x, at, memory = 0, 0, [0] * 16
    while True:
        step = program[at]
        at += 1
        k = step.operand
        match step.code:
            case 0x06:
                return k
            case 0x05:
                at += k
            case 0x15 | 0x25 | 0x35 | 0x45:
                assert a is not None
                taken = {0x15: a == k, 0x25: a > k, 0x35: a >= k, 0x45: bool(a & k)}[step.code]
                at += step.if_true if taken else step.if_false
            case 0x02:
                assert a is not None
                memory[k] = a
            case 0x07:
                assert a is not None
                x = a
            case 0xB1:
                byte = frame.load(k, 1)
                if byte is None:
                    return 0
                x = 4 * (byte & 15)
            case 0x20 | 0x28 | 0x30 | 0x48 | 0x50:
                a = frame.load(k + (x if step.code >= 0x40 else 0), {0: 4, 8: 2, 16: 1}[step.code & 0x18])
                if a is None:
                    return 0
            case 0x60:
                a = memory[k]
            case _:
                assert a is not None
                a = arithmetic(step.code, a, k, x) & 0xFFFFFFFF


def arithmetic(code: int, a: int, k: int, x: int) -> int:
    return {0x04: a + k, 0x24: a * k, 0x54: a & k, 0x74: a >> min(k, 32), 0xA4: a ^ k, 0xAC: a ^ x}[code]


def address(text: str) -> bytes:
    return socket.inet_aton(text)


def ipv4(
    source: str, to: str, protocol: int, body: bytes, *, fragment: int = 0, options: bytes = b"", ttl: int = 64
) -> bytes:
    """An IPv4 packet. `fragment`: flags and place, as they stand in the header."""
    header_bytes = 20 + len(options)
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x40 | header_bytes // 4, 0, header_bytes + len(body), 1, fragment, ttl, protocol, 0,
        address(source), address(to),
    )  # fmt: skip
    return head + options + body


def tcp(port: int, flags: int, options: bytes = b"") -> bytes:
    return struct.pack("!HHIIBBHHH", 40000, port, 1, 0, (20 + len(options)) // 4 << 4, flags, 1024, 0, 0) + options


def udp(port: int, body: bytes = b"") -> bytes:
    return struct.pack("!HHHH", 40000, port, 8 + len(body), 0) + body


def icmp(kind: int, quoted: bytes = b"") -> bytes:
    return struct.pack("!BBHI", kind, 0, 0, 0) + quoted


def arp(source: str, to: str, operation: int = 1, mac: bytes = b"\x02\0\0\0\0\x01") -> bytes:
    return struct.pack("!HHBBH6s4s6x4s", 1, IPV4, 6, 4, operation, mac, address(source), address(to))
