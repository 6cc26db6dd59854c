"""The kernel's program in front of the raw socket: it passes what no listener gets, and nothing else.

A packet is wanted when it came in for a decoy host and belongs to no service there: which port an address runs is
decided by the same steps and ranges as in `network.filter`.
"""

import socket
from collections.abc import Sequence

import msgspec

from chaffinch.network import bpf
from chaffinch.network.addresses import Prefix
from chaffinch.network.bpf import ADDRESS, NETWORK, Code, Instruction, unless, when

KEPT_BYTES = 160
"""What the kernel hands over of a packet: Ethernet (14), IPv4 (up to 60), then TCP (up to 60) or ICMP (8) with the
quoted headers (68); 150 at most.
"""

_PROTOCOL, _PACKET_TYPE, _VLAN_TAG = 0xFFFFF000, 0xFFFFF000 + 4, 0xFFFFF000 + 44
"""`SKF_AD_OFF` and what the kernel knows of a packet without its bytes."""

_BUCKET = 1
"""The word of scratch memory with the address's bucket."""

_IP, _ARP = 0x0800, 0x0806
_TCP, _UDP = 6, 17
_ETHERNET_AND_IPV4 = 0x0604
"""ARP's lengths of a hardware and of a protocol address."""
_FRAGMENT_PLACE, _MORE_FRAGMENTS = 0x1FFF, 0x2000
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16


class Served(msgspec.Struct, frozen=True):
    """Ports of one service from `first` to `last`, as they are listened on, and the buckets whose hosts run it."""

    first: int
    last: int
    buckets: tuple[tuple[int, int], ...]


def program(
    prefixes: Sequence[Prefix],
    steps: Sequence[tuple[str, int]],
    tcp: Sequence[Served],
    udp: Sequence[Served],
    excluded: Sequence[int] = (),
) -> tuple[Instruction, ...]:
    """The program for decoy hosts in `prefixes` but the `excluded` addresses.

    Raises `ValueError` when it is longer than the kernel takes."""
    return bpf.whole(
        [
            *_which_came_in(),
            Instruction(bpf.LD_WORD, _PROTOCOL),
            *when(bpf.JEQ, _ARP, _arp(prefixes, excluded)),
            *unless(bpf.JEQ, _IP, _drop()),
            *_ipv4(prefixes, excluded),
            Instruction(bpf.LD_MEMORY, ADDRESS),
            *bpf.bucket(steps),
            Instruction(bpf.ST, _BUCKET),
            Instruction(bpf.LDX_HEADER, NETWORK),
            Instruction(bpf.LD_BYTE, NETWORK + 9),
            *when(bpf.JEQ, _TCP, _transport(tcp, _odd_segments())),
            *when(bpf.JEQ, _UDP, _transport(udp, [])),
            *_pass(),
        ]
    )


def _which_came_in() -> Code:
    """Drop what this machine sent, what goes to another machine's hardware address, and what a VLAN's own device
    gets: no listener on our device would be asked.
    """
    return [
        Instruction(bpf.LD_WORD, _PACKET_TYPE),
        *when(bpf.JGT, socket.PACKET_MULTICAST, _drop()),
        Instruction(bpf.LD_WORD, _VLAN_TAG),
        *when(bpf.JSET, 0x0FFF, _drop()),
    ]


def _arp(prefixes: Sequence[Prefix], excluded: Sequence[int]) -> Code:
    """Requests for a decoy host's address (RFC 826)."""
    return [
        Instruction(bpf.LD_HALF, NETWORK + 4),
        *unless(bpf.JEQ, _ETHERNET_AND_IPV4, _drop()),
        Instruction(bpf.LD_HALF, NETWORK + 6),
        *unless(bpf.JEQ, 1, _drop()),
        Instruction(bpf.LD_WORD, NETWORK + 24),
        Instruction(bpf.ST, ADDRESS),
        *bpf.unless_in(prefixes, _drop()),
        *_unless_excluded(excluded),
        *_pass(),
    ]


def _ipv4(prefixes: Sequence[Prefix], excluded: Sequence[int]) -> Code:
    """Go on with first fragments to a decoy host (RFC 791), but for those of another one: that is the fleet's own."""
    of_a_host = [Instruction(bpf.LD_MEMORY, ADDRESS), *_unless_one_of(excluded, _drop())]
    return [
        Instruction(bpf.LD_WORD, NETWORK + 12),
        Instruction(bpf.ST, ADDRESS),
        *bpf.unless_in(prefixes, [Instruction(bpf.JUMP, len(of_a_host))]),
        *of_a_host,
        Instruction(bpf.LD_WORD, NETWORK + 16),
        Instruction(bpf.ST, ADDRESS),
        *bpf.unless_in(prefixes, _drop()),
        *_unless_excluded(excluded),
        Instruction(bpf.LD_HALF, NETWORK + 6),
        *when(bpf.JSET, _FRAGMENT_PLACE, _drop()),
    ]


def _odd_segments() -> Code:
    """Pass what no listener gets on any port: TCP in fragments, and flags with which no connection is opened or goes
    on (neither ACK nor RST, and SYN only together with FIN).
    """
    bare = [*unless(bpf.JSET, _SYN, _pass()), *when(bpf.JSET, _FIN, _pass())]
    return [
        Instruction(bpf.LD_HALF, NETWORK + 6),
        *when(bpf.JSET, _MORE_FRAGMENTS, _pass()),
        Instruction(bpf.AT_X_BYTE, NETWORK + 13),
        *unless(bpf.JSET, _ACK | _RST, bare),
    ]


def _transport(served: Sequence[Served], before: Code) -> Code:
    """Pass what is sent to a port that the address does not run."""
    code = [*before, Instruction(bpf.AT_X_HALF, NETWORK + 2)]
    for one in served:
        here = _unless_run(one.buckets)
        if one.first == one.last:
            code += when(bpf.JEQ, one.first, here)
        else:
            code += when(bpf.JGE, one.first, unless(bpf.JGT, one.last, here))
    return [*code, *_pass()]


def _unless_run(buckets: Sequence[tuple[int, int]]) -> Code:
    """Pass where the bucket lies in no range."""
    return [Instruction(bpf.LD_MEMORY, _BUCKET), *bpf.in_ranges(buckets, inside=_drop(), outside=_pass())]


def _unless_excluded(excluded: Sequence[int]) -> Code:
    """Drop what is for an address within a prefix that is no decoy host: a network's own, a broadcast, a router."""
    return [Instruction(bpf.LD_MEMORY, ADDRESS), *bpf.when_one_of(excluded, _drop())]


def _unless_one_of(addresses: Sequence[int], then: Code) -> Code:
    code = then
    for address in addresses:
        code = unless(bpf.JEQ, address, code)
    return code


def _pass() -> Code:
    return [Instruction(bpf.RET, KEPT_BYTES)]


def _drop() -> Code:
    return [Instruction(bpf.RET, 0)]
