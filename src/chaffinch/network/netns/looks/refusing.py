"""What Windows does with a segment to an open port that begins nothing and belongs to nothing: it resets.

No flags at all, FIN, or SYN together with FIN; Linux leaves it unanswered (RFC 9293, section 3.10.7.2).
What is damaged, or too long for its checksum to be tried here, stays unanswered, too.
The packet itself becomes the answer, and goes back by the device that it came from.
"""

import sys

from chaffinch.network.netns.looks.assembly import FRAME, Assembly
from chaffinch.network.netns.looks.choosing import (
    BUCKET,
    DESTINATION,
    DIFFERENCE,
    FRAGMENT,
    HEADER,
    IP,
    IP_CHECKSUM,
    OF_A_FRAGMENT,
    PACKET,
    SOURCE,
    TCP,
    TRANSPORT,
    TRANSPORT_CHECKSUM,
    read,
    write,
)
from chaffinch.network.netns.looks.wanted import Looks

_REDIRECT, _CHANGE_TAIL = 23, 38
"""Helpers, by their numbers in linux/bpf.h: `redirect`, `skb_change_tail`."""

_DEVICE = 40
"""Where `struct __sk_buff` has the number of the device."""

_IP, _TCP, _PSEUDO, _MACS = -76, -96, -108, -120
"""In the program's memory: the answer's headers, the pseudo header of TCP's checksum (RFC 9293, section 3.1) right
before the TCP header, and the two MAC addresses.
"""

_FRAME_LENGTH = 0
"""Where it has the frame's length."""

_SEGMENT_PSEUDO, _SEGMENT, _MOST = -260, -248, 128
"""In the program's memory: what the checksum of the segment is of. A longer one is left alone."""

_LENGTH = 8
"""The register with the segment's length, once `begin` has said what it had to."""

_TARGET_PORT, _SEQUENCE, _OFFSET, _FLAGS = 2, 4, 12, 13
_SYN_FIN, _SYN, _RST_ACK = 0x03, 0x02, 0x14
_HEADERS = 40


def refuse_odd(code: Assembly, looks: Looks, segment: int) -> None:
    """Answer if the TCP header, in memory at `segment`, is such a one and the host runs the port; else go on."""
    if not looks.ports:
        return  # the kernel refuses a program with a part that nothing leads to
    code.load(1, 1, FRAME, segment + _FLAGS)
    code.alu64("mov", 2, "r1")
    code.alu("and", 1, _RST_ACK)
    code.branch(1, "!=", 0, "no odd one")
    code.alu("and", 2, _SYN_FIN)
    code.branch(2, "==", _SYN, "no odd one")
    code.load(1, 2, FRAME, segment + _TARGET_PORT)
    code.swap(1, 2)
    for port in looks.ports:
        after = f"after port {port.port}"
        code.branch(1, "!=", port.port, after)
        for number, (start, end) in enumerate(port.ranges):
            beyond = f"port {port.port} beyond {number}"
            code.branch(BUCKET, "<", start, "pass")  # they are in order
            code.branch(BUCKET, ">=", end, beyond)
            code.jump("reset")
            code.place(beyond)
        code.jump("pass")
        code.place(after)
    code.jump("pass")
    code.place("reset")
    _only_right(code, segment)
    _write_headers(code, segment)
    _send_back(code)
    code.place("no odd one")


def _only_right(code: Assembly, segment: int) -> None:
    """Pass what no system would take: a fragment, lengths that lie, a wrong checksum."""
    code.load(1, 2, FRAME, HEADER + FRAGMENT)
    code.swap(1, 2)
    code.alu("and", 1, OF_A_FRAGMENT)
    code.branch(1, "!=", 0, "pass")
    code.load(_LENGTH, 2, FRAME, HEADER + 2)
    code.swap(_LENGTH, 2)
    code.load(1, 4, PACKET, _FRAME_LENGTH)
    code.alu("sub", 1, IP)
    code.branch(1, "<", f"r{_LENGTH}", "pass")
    code.branch(_LENGTH, "<", _HEADERS, "pass")
    code.alu64("sub", _LENGTH, 20)
    code.load(1, 1, FRAME, segment + _OFFSET)
    code.alu("shr", 1, 4)
    code.alu("shl", 1, 2)
    code.branch(1, "<", 20, "pass")
    code.branch(_LENGTH, "<", "r1", "pass")
    code.branch(_LENGTH, ">=", _MOST + 1, "pass")
    _sums_to_nothing(code, HEADER, 20)
    for at in range(0, _MOST, 4):
        code.store(4, FRAME, _SEGMENT + at, 0)
    read(code, TRANSPORT, _SEGMENT, f"r{_LENGTH}")
    for at in (0, 4):
        code.load(1, 4, FRAME, HEADER + SOURCE + at)
        code.store(4, FRAME, _SEGMENT_PSEUDO + at, "r1")
    _put(code, _SEGMENT_PSEUDO + 8, TCP)
    code.alu64("mov", 1, f"r{_LENGTH}")
    code.swap(1, 2)
    code.store(2, FRAME, _SEGMENT_PSEUDO + 10, "r1")
    _sums_to_nothing(code, _SEGMENT_PSEUDO, 12 + _MOST)


def _sums_to_nothing(code: Assembly, memory: int, length: int) -> None:
    """Pass where a checksum (RFC 1071) over what it is in is wrong."""
    _difference(code, memory, length)
    for _ in range(2):  # some kernels fold the sum to 16 bits, some leave that to us
        code.alu("mov", 1, "r0")
        code.alu("shr", 1, 16)
        code.alu("and", 0, 0xFFFF)
        code.alu("add", 0, "r1")
    code.branch(0, "!=", 0xFFFF, "pass")


def _write_headers(code: Assembly, segment: int) -> None:
    for at, word in ((_IP, 0x4500), (_IP + 2, _HEADERS), (_IP + 4, 0), (_IP + 6, 0x4000), (_IP + 8, 128 << 8 | TCP)):
        _put(code, at, word)
    for at, word in ((_IP + 10, 0), (_PSEUDO + 8, TCP), (_PSEUDO + 10, 20)):
        _put(code, at, word)
    for here, there in ((SOURCE, DESTINATION), (DESTINATION, SOURCE)):
        code.load(1, 4, FRAME, HEADER + there)
        code.store(4, FRAME, _IP + here, "r1")
        code.store(4, FRAME, _PSEUDO + here - SOURCE, "r1")
    for here, there in ((0, 2), (2, 0)):
        code.load(1, 2, FRAME, segment + there)
        code.store(2, FRAME, _TCP + here, "r1")
    _acknowledge(code, segment)
    code.store(4, FRAME, _TCP + _SEQUENCE, 0)
    _put(code, _TCP + _OFFSET, 0x5000 | _RST_ACK)
    for at in (14, 16, 18):  # window, checksum, urgent pointer
        _put(code, _TCP + at, 0)


def _acknowledge(code: Assembly, segment: int) -> None:
    """All that the segment took of the numbers: its data, and one for SYN and FIN each."""
    code.load(1, 4, FRAME, segment + _SEQUENCE)
    code.swap(1, 4)
    code.load(2, 1, FRAME, segment + _FLAGS)
    code.alu("and", 2, 1)
    code.alu("add", 1, "r2")
    code.load(2, 1, FRAME, segment + _FLAGS)
    code.alu("shr", 2, 1)
    code.alu("and", 2, 1)
    code.alu("add", 1, "r2")
    code.load(2, 2, FRAME, HEADER + 2)
    code.swap(2, 2)
    code.alu("sub", 2, 20)
    code.alu("add", 1, "r2")
    code.load(2, 1, FRAME, segment + _OFFSET)
    code.alu("shr", 2, 4)
    code.alu("shl", 2, 2)
    code.alu("sub", 1, "r2")
    code.swap(1, 4)
    code.store(4, FRAME, _TCP + 8, "r1")


def _send_back(code: Assembly) -> None:
    read(code, 6, _MACS, 6)
    read(code, 0, _MACS + 6, 6)
    code.alu64("mov", 1, f"r{PACKET}")
    code.alu64("mov", 2, IP + _HEADERS)
    code.alu64("mov", 3, 0)
    code.call(_CHANGE_TAIL)
    code.branch(0, "!=", 0, "pass")
    write(code, 0, _MACS, 12)
    write(code, IP, _IP, 20)
    write(code, TRANSPORT, _TCP, 20)
    _sum(code, IP + 10, IP_CHECKSUM, _IP, 20)
    _sum(code, TRANSPORT + 16, TRANSPORT_CHECKSUM, _PSEUDO, 32)
    code.load(1, 4, PACKET, _DEVICE)
    code.alu64("mov", 2, 0)
    code.call(_REDIRECT)
    code.end()


def _sum(code: Assembly, at: int, helper: int, memory: int, length: int) -> None:
    """A checksum that is 0 so far, from the sum of what it is of."""
    _difference(code, memory, length)
    code.alu64("mov", 4, "r0")
    code.alu64("mov", 1, f"r{PACKET}")
    code.alu64("mov", 2, at)
    code.alu64("mov", 3, 0)
    code.alu64("mov", 5, 0)
    code.call(helper)


def _difference(code: Assembly, memory: int, length: int) -> None:
    """The sum of what is in memory, in register 0."""
    code.alu64("mov", 1, 0)
    code.alu64("mov", 2, 0)
    code.memory(3, memory)
    code.alu64("mov", 4, length)
    code.alu64("mov", 5, 0)
    code.call(DIFFERENCE)


def _put(code: Assembly, at: int, word: int) -> None:
    """A 16-bit constant in the network's order."""
    code.store(2, FRAME, at, int.from_bytes(word.to_bytes(2), sys.byteorder))
