"""Reads the ring in bounded turns: a flood leaves the processor to others, and the kernel counts what it drops."""

import time

from chaffinch.capture.packet import parse
from chaffinch.capture.ring import Ring
from chaffinch.capture.windows import Windows

TURN_PACKETS = 256
"""Packets read before the loop serves others: about a millisecond."""

LOOK_SECONDS = 0.05
"""How often a ring is looked into that was empty: there is no socket to wait for."""


class Reader:
    """Puts every packet of a ring into a window, with `share` of one processor at most."""

    def __init__(self, ring: Ring, windows: Windows, share: float) -> None:
        self.seen = 0
        self.malformed = 0
        self._ring = ring
        self._windows = windows
        self._rest = 1 / share - 1

    def turn(self) -> float:
        """Read what a turn may, and say how many seconds to leave to others."""
        began = time.perf_counter()
        is_full = self._read(TURN_PACKETS) == TURN_PACKETS
        return (time.perf_counter() - began) * self._rest if is_full else LOOK_SECONDS

    def drain(self) -> None:
        """Read what the ring holds, once round at most."""
        self._read(self._ring.frames)

    def _read(self, most: int) -> int:
        count = 0
        for data, at in self._ring.read(most):
            count += 1
            self.seen += 1
            packet = parse(data, linked=self._ring.linked)
            if packet is None:
                self.malformed += 1
            else:
                self._windows.add(packet, data, at)
        return count
