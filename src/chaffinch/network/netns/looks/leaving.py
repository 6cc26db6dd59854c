"""The program for what leaves: a host's packets look as its system's do, also those that the kernel sends by itself.

What Windows does is read from nmap's collection of fingerprints (nmap-os-db, Windows 10 1709 to 1909): in all packets
its TTL and an identification that counts up, for each bucket of hosts; in a SYN-ACK its window, and the scale before
SACK; in a reset that answers a segment with ACK a number where Linux has 0; in answers to ping the code 0, whatever was
asked.
"""

from chaffinch.network.netns.looks.assembly import FRAME, Assembly
from chaffinch.network.netns.looks.choosing import (
    BUCKET,
    DIFFERENCE,
    FRAGMENT,
    HEADER,
    ICMP,
    IP,
    IP_CHECKSUM,
    MAP_LOOKUP,
    OF_A_FRAGMENT,
    PACKET,
    PROTOCOL,
    SOURCE,
    TCP,
    TRANSPORT,
    TTL,
    WINDOW,
    begin,
    mend,
    only_whole,
    read,
    write,
)
from chaffinch.network.netns.looks.wanted import Looks
from chaffinch.network.stacks import ETHERNET_MSS

_NEW, _KEY, _SEGMENT, _OPTIONS, _TURNED, _VALUE = -48, -52, -76, -84, -92, -96
"""In the program's memory: the new IPv4 header, the bucket, the TCP header, its options after the MSS, the same in the
other order, and what a field becomes.
"""

_SERVICE, _IDENTIFICATION, _TTL, _HEADER_CHECKSUM = 1, 4, 8, 10
_SEQUENCE, _ACKNOWLEDGED, _OFFSET, _FLAGS, _WINDOW, _CHECKSUM = 4, 8, 12, 13, 14, 16
_ECHO_REPLY, _ICMP_CHECKSUM = 0, 2
_RST, _SYN_ACK, _OF_INTEREST = 0x04, 0x12, 0x17

_SEGMENTS = 164
"""Where `struct __sk_buff` says how many segments the device will make of the packet, or 0."""

_TWELVE_OPTION_BYTES = 0x80
_SACK, _SCALE = 0x01010402, 0x010303
"""Two fillers and "SACK permitted"; a filler and the window scale without its value."""


def leaving(looks: Looks, counters: int) -> bytes:
    """`counters` is the descriptor of an array of 32-bit numbers, one a bucket."""
    code = Assembly()
    begin(code, looks, SOURCE)
    _header(code, counters)
    only_whole(code)
    code.load(1, 1, FRAME, HEADER + PROTOCOL)
    code.branch(1, "==", ICMP, "echo")
    code.branch(1, "!=", TCP, "pass")
    read(code, TRANSPORT, _SEGMENT, 20)
    code.load(1, 1, FRAME, _SEGMENT + _FLAGS)
    code.alu("and", 1, _OF_INTEREST)
    code.branch(1, "==", _RST, "reset")
    code.branch(1, "!=", _SYN_ACK, "pass")
    _window(code)
    _order(code)
    code.place("reset")
    mend(code, TRANSPORT + _CHECKSUM, _SEGMENT + _ACKNOWLEDGED, _SEGMENT + _SEQUENCE, 4)
    write(code, TRANSPORT + _ACKNOWLEDGED, _SEGMENT + _SEQUENCE, 4)
    code.jump("pass")
    code.place("echo")
    _echo(code)
    return code.packed()


def _header(code: Assembly, counters: int) -> None:
    """TTL, identification, and for ICMP the type of service, in one go.

    A fragment keeps its number, which all of its datagram have: the kernel cuts before the device sees them.
    """
    for word in range(0, 20, 4):
        code.load(1, 4, FRAME, HEADER + word)
        code.store(4, FRAME, _NEW + word, "r1")
    code.store(1, FRAME, _NEW + _TTL, f"r{TTL}")
    code.load(1, 2, FRAME, HEADER + FRAGMENT)
    code.swap(1, 2)
    code.alu("and", 1, OF_A_FRAGMENT)
    code.branch(1, "!=", 0, "numbered")
    _number(code, counters)
    code.place("numbered")
    code.load(1, 1, FRAME, HEADER + PROTOCOL)
    code.branch(1, "!=", ICMP, "header")
    code.store(1, FRAME, _NEW + _SERVICE, 0)
    code.place("header")
    write(code, IP, _NEW, 20)
    code.memory(1, HEADER)
    code.alu64("mov", 2, 20)
    code.memory(3, _NEW)
    code.alu64("mov", 4, 20)
    code.alu64("mov", 5, 0)
    code.call(DIFFERENCE)
    code.alu64("mov", 4, "r0")
    code.alu64("mov", 1, f"r{PACKET}")
    code.alu64("mov", 2, IP + _HEADER_CHECKSUM)
    code.alu64("mov", 3, 0)
    code.alu64("mov", 5, 0)
    code.call(IP_CHECKSUM)


def _number(code: Assembly, counters: int) -> None:
    """The identification that is next. Two processors may give one number twice."""
    code.store(4, FRAME, _KEY, f"r{BUCKET}")
    code.map(1, counters)
    code.memory(2, _KEY)
    code.call(MAP_LOOKUP)
    code.branch(0, "==", 0, "pass")
    code.load(1, 4, 0, 0)
    code.load(2, 4, PACKET, _SEGMENTS)
    code.branch(2, "!=", 0, "segments")
    code.alu("mov", 2, 1)
    code.place("segments")
    code.alu("add", 2, "r1")
    code.store(4, 0, 0, "r2")
    code.alu("add", 1, f"r{BUCKET}")  # so that not all hosts begin at 0
    code.swap(1, 2)
    code.store(2, FRAME, _NEW + _IDENTIFICATION, "r1")


def _window(code: Assembly) -> None:
    """Where the kernel rounded its own window down to whole segments, the system's. A window that is smaller for want
    of memory stays what it is.
    """
    code.load(1, 2, FRAME, _SEGMENT + _WINDOW)
    code.swap(1, 2)
    code.alu("add", 1, ETHERNET_MSS)
    code.branch(1, "<", f"r{WINDOW}", "order")
    code.alu("mov", 1, f"r{WINDOW}")
    code.swap(1, 2)
    code.store(2, FRAME, _VALUE, "r1")
    mend(code, TRANSPORT + _CHECKSUM, _SEGMENT + _WINDOW, _VALUE, 2)
    write(code, TRANSPORT + _WINDOW, _VALUE, 2)


def _order(code: Assembly) -> None:
    """Let MSS, SACK, scale become MSS, scale, SACK. Words that change places leave the checksum as it is."""
    code.place("order")
    code.load(1, 1, FRAME, _SEGMENT + _OFFSET)
    code.branch(1, "!=", _TWELVE_OPTION_BYTES, "pass")
    read(code, TRANSPORT + 24, _OPTIONS, 8)
    code.load(1, 4, FRAME, _OPTIONS)
    code.store(4, FRAME, _TURNED + 4, "r1")
    code.swap(1, 4)
    code.branch(1, "!=", _SACK, "pass")
    code.load(1, 4, FRAME, _OPTIONS + 4)
    code.store(4, FRAME, _TURNED, "r1")
    code.swap(1, 4)
    code.alu("shr", 1, 8)
    code.branch(1, "!=", _SCALE, "pass")
    write(code, TRANSPORT + 24, _TURNED, 8)
    code.jump("pass")


def _echo(code: Assembly) -> None:
    read(code, TRANSPORT, _SEGMENT, 2)
    code.load(1, 1, FRAME, _SEGMENT)
    code.branch(1, "!=", _ECHO_REPLY, "pass")
    code.store(4, FRAME, _VALUE, 0)
    mend(code, TRANSPORT + _ICMP_CHECKSUM, _SEGMENT, _VALUE, 2)
    write(code, TRANSPORT, _VALUE, 2)
    code.jump("pass")
