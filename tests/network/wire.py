"""What a port of this machine sends over the loopback device, packet by packet."""

import socket
import struct
import time
from typing import NamedTuple, Self

from chaffinch.events import Syn
from chaffinch.network import syn

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
_OUTGOING = 4  # packet(7): the loopback device shows each packet as it leaves and as it comes
_IP = 0x0800


class Segment(NamedTuple):
    """One TCP segment: the address that it came from, its flags, and its headers in the same terms as a SYN's."""

    source: str
    flags: int
    look: Syn
    length: int


class Wire:
    """Segments that leave `port`, from now on. Needs root."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_IP))
        self._socket.bind(("lo", _IP))
        self._socket.settimeout(0.2)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def next(self, flags: int, seconds: float = 3.0) -> Segment:
        """The next segment with all of these flags. Raises `TimeoutError`."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                packet, (_, _, kind, *_) = self._socket.recvfrom(65535)
            except TimeoutError:
                continue
            segment = None if kind == _OUTGOING else _segment(packet, self.port)
            if segment is not None and segment.flags & flags == flags:
                return segment
        raise TimeoutError(f"no segment with the flags {flags:#x} left port {self.port}")


def _segment(packet: bytes, port: int) -> Segment | None:
    start = (packet[0] & 0x0F) * 4
    look = syn.parse(packet)
    if packet[9] != socket.IPPROTO_TCP or look is None or struct.unpack_from("!H", packet, start)[0] != port:
        return None
    whole = int.from_bytes(packet[2:4], "big")
    length = whole - start - (packet[start + 12] >> 4) * 4
    return Segment(socket.inet_ntoa(packet[12:16]), packet[start + 13], look, length)
