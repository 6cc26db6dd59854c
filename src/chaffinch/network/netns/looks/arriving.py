"""The program for what comes in: a host whose system does not offer timestamps or ECN is not asked for them, and what
only its system would answer is answered (`refusing`).

The kernel sends in a SYN-ACK what the SYN asked for, so the SYN is what has to change. Its timestamps get the kind
`HIDDEN_TIMESTAMPS`, which the kernel passes over, and `network.syn` reads as what they were: the recorded SYN stays
the source's.
"""

from chaffinch.network.netns.looks.assembly import FRAME, Assembly
from chaffinch.network.netns.looks.choosing import (
    DESTINATION,
    HEADER,
    PACKET,
    PROTOCOL,
    TCP,
    TRANSPORT,
    begin,
    mend,
    only_whole,
    read,
    write,
)
from chaffinch.network.netns.looks.refusing import refuse_odd
from chaffinch.network.netns.looks.wanted import Looks
from chaffinch.network.syn import HIDDEN_TIMESTAMPS, TIMESTAMPS, TIMESTAMPS_LENGTH

_SEGMENT, _OPTION, _BEFORE, _AFTER = -44, -48, -52, -56
"""In the program's memory: the TCP header, an option's first two bytes, and what a change is from and to."""

_AT, _END, _LENGTH = 7, 8, 9
"""Registers, once the bucket has said what it had to: where in the packet an option begins, where options end, and how
long it is.
"""

_OFFSET_AND_FLAGS, _FLAGS, _CHECKSUM = 12, 13, 16
_SYN, _SYN_ACK, _NOT_ECN = 0x02, 0x12, 0xFF3F


_PACKET_TYPE, _TO_THIS_MACHINE = 4, 0
"""Where `struct __sk_buff` says whom the frame is for, and `PACKET_HOST` of linux/if_packet.h: neither broadcast, nor
for another card.
"""


def arriving(looks: Looks) -> bytes:
    code = Assembly()
    begin(code, looks, DESTINATION)
    code.load(1, 4, PACKET, _PACKET_TYPE)
    code.branch(1, "!=", _TO_THIS_MACHINE, "pass")
    only_whole(code)
    code.load(1, 1, FRAME, HEADER + PROTOCOL)
    code.branch(1, "!=", TCP, "pass")
    read(code, TRANSPORT, _SEGMENT, 20)
    refuse_odd(code, looks, _SEGMENT)
    code.load(1, 1, FRAME, _SEGMENT + _FLAGS)
    code.alu("and", 1, _SYN_ACK)
    code.branch(1, "!=", _SYN, "pass")
    _without_ecn(code)
    _options(code)
    return code.packed()


def _without_ecn(code: Assembly) -> None:
    """Clear ECE and CWR (RFC 3168, section 6.1.1)."""
    code.load(1, 2, FRAME, _SEGMENT + _OFFSET_AND_FLAGS)
    code.swap(1, 2)
    code.alu("and", 1, _NOT_ECN)
    code.swap(1, 2)
    code.store(2, FRAME, _AFTER, "r1")
    mend(code, TRANSPORT + _CHECKSUM, _SEGMENT + _OFFSET_AND_FLAGS, _AFTER, 2)
    write(code, TRANSPORT + _OFFSET_AND_FLAGS, _AFTER, 2)


def _options(code: Assembly) -> None:
    """Look at each option. Every turn goes on by a byte or more, which the kernel wants to see."""
    code.load(_END, 1, FRAME, _SEGMENT + _OFFSET_AND_FLAGS)
    code.alu("shr", _END, 4)
    code.alu("shl", _END, 2)
    code.alu64("add", _END, TRANSPORT)
    code.alu64("mov", _AT, TRANSPORT + 20)
    code.place("option")
    code.branch(_AT, ">=", f"r{_END}", "pass")
    read(code, f"r{_AT}", _OPTION, 2)  # the last byte alone can be no option with a value
    code.load(1, 1, FRAME, _OPTION)
    code.branch(1, "==", 0, "pass")
    code.branch(1, "!=", 1, "has a length")
    code.alu64("add", _AT, 1)
    code.jump("option")
    code.place("has a length")
    code.load(_LENGTH, 1, FRAME, _OPTION + 1)
    code.branch(_LENGTH, "<", 2, "pass")
    code.branch(1, "!=", TIMESTAMPS, "next")
    code.branch(_LENGTH, "!=", TIMESTAMPS_LENGTH, "next")
    _hide(code)
    code.place("next")
    code.alu64("add", _AT, f"r{_LENGTH}")
    code.jump("option")


def _hide(code: Assembly) -> None:
    """Change the kind. The checksum adds 16-bit words, of which it is the first or the second byte."""
    code.store(4, FRAME, _BEFORE, 0)
    code.store(4, FRAME, _AFTER, 0)
    code.alu64("mov", 1, f"r{_AT}")
    code.alu("and", 1, 1)
    code.branch(1, "!=", TRANSPORT & 1, "second byte")
    code.store(1, FRAME, _BEFORE, TIMESTAMPS)
    code.store(1, FRAME, _AFTER, HIDDEN_TIMESTAMPS)
    code.jump("mend")
    code.place("second byte")
    code.store(1, FRAME, _BEFORE + 1, TIMESTAMPS)
    code.store(1, FRAME, _AFTER + 1, HIDDEN_TIMESTAMPS)
    code.place("mend")
    mend(code, TRANSPORT + _CHECKSUM, _BEFORE, _AFTER, 2)
    code.store(1, FRAME, _AFTER, HIDDEN_TIMESTAMPS)
    write(code, f"r{_AT}", _AFTER, 1)
