"""The kernel's program in front of the raw socket: it passes what no listener gets, and nothing else.

A packet is wanted when it came in for a decoy host and belongs to no service there: which port an address runs is
decided by the same steps and ranges as in `network.filter`. Opcodes and ancillary offsets: Linux
`Documentation/networking/filter.rst` and `include/uapi/linux/filter.h`.
"""

import socket
from collections.abc import Sequence

import msgspec

from chaffinch.network.addresses import Prefix
from chaffinch.network.filter import MOST_INSTRUCTIONS, Instruction

KEPT_BYTES = 160
"""What the kernel hands over of a packet: Ethernet (14), IPv4 (up to 60), then TCP (up to 60) or ICMP (8) with the
quoted headers (68); 150 at most.
"""

_LD_WORD, _LD_HALF, _LD_BYTE, _LD_MEM, _ST = 0x20, 0x28, 0x30, 0x60, 0x02
_LDX_HEADER = 0xB1
"""X = 4 * (byte & 15): the length of an IPv4 header."""
_AT_X_HALF, _AT_X_BYTE = 0x48, 0x50
_TAX, _XOR_X, _JUMP, _JEQ, _JGT, _JGE, _JSET, _RET = 0x07, 0xAC, 0x05, 0x15, 0x25, 0x35, 0x45, 0x06
_AND = 0x54
_ALU = {"add": 0x04, "mul": 0x24, "and": _AND, "shr": 0x74, "xor": 0xA4}

_NETWORK = 0xFFF00000
"""`SKF_NET_OFF`: where the network header begins, whatever the link puts before it."""
_PROTOCOL, _PACKET_TYPE, _VLAN_TAG = 0xFFFFF000, 0xFFFFF000 + 4, 0xFFFFF000 + 44
"""`SKF_AD_OFF` and what the kernel knows of a packet without its bytes."""

_ADDRESS, _BUCKET = 0, 1
"""What the two words of scratch memory hold."""

_IP, _ARP = 0x0800, 0x0806
_TCP, _UDP = 6, 17
_ETHERNET_AND_IPV4 = 0x0604
"""ARP's lengths of a hardware and of a protocol address."""
_FIRST_FRAGMENT, _MORE_FRAGMENTS = 0x1FFF, 0x2000
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16

Code = list[Instruction]


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
    code = [
        *_which_came_in(),
        Instruction(_LD_WORD, _PROTOCOL),
        *_when(_JEQ, _ARP, _arp(prefixes, excluded)),
        *_unless(_JEQ, _IP, _drop()),
        *_ipv4(prefixes, excluded),
        *_bucket(steps),
        Instruction(_LDX_HEADER, _NETWORK),
        Instruction(_LD_BYTE, _NETWORK + 9),
        *_when(_JEQ, _TCP, _transport(tcp, _odd_segments())),
        *_when(_JEQ, _UDP, _transport(udp, [])),
        *_pass(),
    ]
    if len(code) > MOST_INSTRUCTIONS:
        raise ValueError(f"{len(code)} instructions are more than the kernel's {MOST_INSTRUCTIONS}")
    return tuple(code)


def _which_came_in() -> Code:
    """Drop what this machine sent, what goes to another machine's hardware address, and what a VLAN's own device
    gets: no listener on our device would be asked.
    """
    return [
        Instruction(_LD_WORD, _PACKET_TYPE),
        *_when(_JGT, socket.PACKET_MULTICAST, _drop()),
        Instruction(_LD_WORD, _VLAN_TAG),
        *_when(_JSET, 0x0FFF, _drop()),
    ]


def _arp(prefixes: Sequence[Prefix], excluded: Sequence[int]) -> Code:
    """Requests for a decoy host's address (RFC 826)."""
    return [
        Instruction(_LD_HALF, _NETWORK + 4),
        *_unless(_JEQ, _ETHERNET_AND_IPV4, _drop()),
        Instruction(_LD_HALF, _NETWORK + 6),
        *_unless(_JEQ, 1, _drop()),
        Instruction(_LD_WORD, _NETWORK + 24),
        Instruction(_ST, _ADDRESS),
        *_unless_in(prefixes, _drop()),
        *_unless_excluded(excluded),
        *_pass(),
    ]


def _ipv4(prefixes: Sequence[Prefix], excluded: Sequence[int]) -> Code:
    """Go on with first fragments to a decoy host (RFC 791), but for those of another one: that is the fleet's own."""
    of_a_host = [Instruction(_LD_MEM, _ADDRESS), *_unless_one_of(excluded, _drop())]
    return [
        Instruction(_LD_WORD, _NETWORK + 12),
        Instruction(_ST, _ADDRESS),
        *_unless_in(prefixes, [Instruction(_JUMP, len(of_a_host))]),
        *of_a_host,
        Instruction(_LD_WORD, _NETWORK + 16),
        Instruction(_ST, _ADDRESS),
        *_unless_in(prefixes, _drop()),
        *_unless_excluded(excluded),
        Instruction(_LD_HALF, _NETWORK + 6),
        *_when(_JSET, _FIRST_FRAGMENT, _drop()),
    ]


def _bucket(steps: Sequence[tuple[str, int]]) -> Code:
    code = [Instruction(_LD_MEM, _ADDRESS)]
    for operation, constant in steps:
        if operation == "shr_xor":
            code += [Instruction(_TAX, 0), Instruction(_ALU["shr"], constant), Instruction(_XOR_X, 0)]
        else:
            code.append(Instruction(_ALU[operation], constant))
    return [*code, Instruction(_ST, _BUCKET)]


def _odd_segments() -> Code:
    """Pass what no listener gets on any port: TCP in fragments, and flags with which no connection is opened or goes
    on (neither ACK nor RST, and SYN only together with FIN).
    """
    bare = [*_unless(_JSET, _SYN, _pass()), *_when(_JSET, _FIN, _pass())]
    return [
        Instruction(_LD_HALF, _NETWORK + 6),
        *_when(_JSET, _MORE_FRAGMENTS, _pass()),
        Instruction(_AT_X_BYTE, _NETWORK + 13),
        *_unless(_JSET, _ACK | _RST, bare),
    ]


def _transport(served: Sequence[Served], before: Code) -> Code:
    """Pass what is sent to a port that the address does not run."""
    code = [*before, Instruction(_AT_X_HALF, _NETWORK + 2)]
    for one in served:
        here = _unless_run(one.buckets)
        if one.first == one.last:
            code += _when(_JEQ, one.first, here)
        else:
            code += _when(_JGE, one.first, _unless(_JGT, one.last, here))
    return [*code, *_pass()]


def _unless_run(buckets: Sequence[tuple[int, int]]) -> Code:
    """Pass where the bucket lies in no range. They are sorted, so that below one's start means in none."""
    code = [Instruction(_LD_MEM, _BUCKET)]
    for low, high in buckets:
        code += [*_unless(_JGE, low, _pass()), *_unless(_JGE, high, _drop())]
    return [*code, *_pass()]


def _unless_in(prefixes: Sequence[Prefix], otherwise: Code) -> Code:
    """Do `otherwise` where the address is in no prefix."""
    code = otherwise
    for prefix in reversed(prefixes):
        test = [Instruction(_LD_MEM, _ADDRESS), Instruction(_AND, prefix.mask)]
        code = [*test, *_unless(_JEQ, prefix.first, code)]
    return code


def _unless_excluded(excluded: Sequence[int]) -> Code:
    """Drop what is for an address within a prefix that is no decoy host: a network's own, a broadcast, a router."""
    code = [Instruction(_LD_MEM, _ADDRESS)]
    for address in excluded:
        code += _when(_JEQ, address, _drop())
    return code


def _unless_one_of(addresses: Sequence[int], then: Code) -> Code:
    code = then
    for address in addresses:
        code = _unless(_JEQ, address, code)
    return code


def _when(test: int, operand: int, then: Code) -> Code:
    """Do `then` where the test holds; go on behind it where it does not, or where it does not return."""
    if len(then) <= 255:
        return [Instruction(test, operand, 0, len(then)), *then]
    return [Instruction(test, operand, 1, 0), Instruction(_JUMP, len(then)), *then]  # conditional jumps are short


def _unless(test: int, operand: int, then: Code) -> Code:
    if len(then) <= 255:
        return [Instruction(test, operand, len(then), 0), *then]
    return [Instruction(test, operand, 0, 1), Instruction(_JUMP, len(then)), *then]


def _pass() -> Code:
    return [Instruction(_RET, KEPT_BYTES)]


def _drop() -> Code:
    return [Instruction(_RET, 0)]
