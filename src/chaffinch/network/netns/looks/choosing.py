"""How both programs begin: from a packet's address to what its host's stack shows."""

import socket

from chaffinch.network.netns.looks.assembly import FRAME, Assembly
from chaffinch.network.netns.looks.wanted import Looks

PACKET, BUCKET, TTL, WINDOW = 6, 7, 8, 9
"""Registers, from `begin` on."""

ETHERNET, IP = 14, 14
"""How long a frame's header is, and so where the IPv4 header begins; every link that we make is Ethernet."""

TRANSPORT = IP + 20
"""Where TCP and ICMP begin: headers with options are left alone."""

HEADER = -24
"""In the program's memory: the 20 bytes of the IPv4 header."""

SOURCE, DESTINATION = 12, 16
PROTOCOL, FRAGMENT = 9, 6
_PLAIN, _NOT_THE_FIRST = 0x45, 0x1FFF

OF_A_FRAGMENT = 0x3FFF
"""In the field `FRAGMENT`: that more follow, or an offset."""

PASS = 0
"""`TC_ACT_OK` of linux/pkt_cls.h: the packet goes on."""

MAP_LOOKUP, STORE_BYTES, IP_CHECKSUM, TRANSPORT_CHECKSUM, LOAD_BYTES, DIFFERENCE = 1, 9, 10, 11, 26, 28
"""Helpers, by their numbers in linux/bpf.h: `map_lookup_elem`, `skb_store_bytes`, `l3_csum_replace`,
`l4_csum_replace`, `skb_load_bytes`, `csum_diff`.
"""

TCP, ICMP = socket.IPPROTO_TCP, socket.IPPROTO_ICMP


def begin(code: Assembly, looks: Looks, address: int) -> None:
    """Read the header; go on at `ours` with the stack's values, or leave alone what is of no host in a range."""
    code.alu64("mov", PACKET, "r1")
    read(code, IP, HEADER, 20)
    code.load(BUCKET, 4, FRAME, HEADER + address)
    code.swap(BUCKET, 4)
    _only_hosts(code, looks)
    for operation, constant in looks.steps:
        if operation == "shr_xor":
            code.alu("mov", 1, f"r{BUCKET}")
            code.alu("shr", 1, constant)
            code.alu("xor", BUCKET, "r1")
        else:
            code.alu(operation, BUCKET, constant)
    for number, one in enumerate(looks.ranges):
        after = f"range {number + 1}"
        code.branch(BUCKET, "<", one.start, "pass")  # they are in order
        code.branch(BUCKET, ">=", one.end, after)
        code.alu("mov", TTL, one.stack.ttl)
        code.alu("mov", WINDOW, one.stack.window)
        code.jump("ours")
        code.place(after)
    code.place("pass")
    code.leave(PASS)
    code.place("ours")


def _only_hosts(code: Assembly, looks: Looks) -> None:
    """Pass what is of no host's address, which is in `BUCKET` as yet."""
    for address in looks.excluded:
        code.alu("mov", 1, address)  # as a constant of `branch` it would have a sign
        code.branch(BUCKET, "==", "r1", "pass")
    for prefix in looks.prefixes:
        code.alu("mov", 1, f"r{BUCKET}")
        code.alu("sub", 1, prefix.first)
        code.branch(1, "<", prefix.size, "host")
    code.jump("pass")
    code.place("host")


def only_whole(code: Assembly) -> None:
    """Pass what has IPv4 options, and all fragments but a first one."""
    code.load(1, 1, FRAME, HEADER)
    code.branch(1, "!=", _PLAIN, "pass")
    code.load(1, 2, FRAME, HEADER + FRAGMENT)
    code.swap(1, 2)
    code.alu("and", 1, _NOT_THE_FIRST)
    code.branch(1, "!=", 0, "pass")


def read(code: Assembly, at: int | str, memory: int, length: int | str, otherwise: str = "pass") -> None:
    """Copy from the packet; where it ends before, go on at `otherwise`."""
    code.alu64("mov", 1, f"r{PACKET}")
    code.alu64("mov", 2, at)
    code.memory(3, memory)
    code.alu64("mov", 4, length)
    code.call(LOAD_BYTES)
    code.branch(0, "!=", 0, otherwise)


def write(code: Assembly, at: int | str, memory: int, length: int) -> None:
    """Copy into the packet. Checksums are `mend`'s."""
    code.alu64("mov", 1, f"r{PACKET}")
    code.alu64("mov", 2, at)
    code.memory(3, memory)
    code.alu64("mov", 4, length)
    code.alu64("mov", 5, 0)
    code.call(STORE_BYTES)


def mend(code: Assembly, checksum: int, before: int, after: int, size: int) -> None:
    """Make TCP's or ICMP's checksum right for `size` bytes, which lie in memory as they were and as they become."""
    code.load(3, size, FRAME, before)
    code.load(4, size, FRAME, after)
    code.alu64("mov", 1, f"r{PACKET}")
    code.alu64("mov", 2, checksum)
    code.alu64("mov", 5, size)
    code.call(TRANSPORT_CHECKSUM)
