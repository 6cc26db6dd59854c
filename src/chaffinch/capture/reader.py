"""Reads the ring in bounded turns: a flood leaves the processor to others, and the kernel counts what it drops."""

import time

from chaffinch.capture.packet import parse
from chaffinch.capture.ring import Ring
from chaffinch.capture.windows import Windows

TURN_PACKETS = 256
"""Packets read before the loop serves others: about a millisecond."""

SOONEST_SECONDS, LATEST_SECONDS = 0.01, 0.1
"""When a ring is looked into again that was not full: there is no socket to wait for. Each time that it was empty the
wait doubles.
"""


class Reader:
    """Puts every packet of a ring into a window, with `share` of one processor at most."""

    def __init__(self, ring: Ring, windows: Windows, share: float) -> None:
        self.seen = 0
        self.malformed = 0
        self._ring = ring
        self._windows = windows
        self._rest = 1 / share - 1
        self._wait = SOONEST_SECONDS

    def turn(self) -> float:
        """Read what a turn may, and say how many seconds to leave to others."""
        began = time.perf_counter()
        count = self._read(TURN_PACKETS)
        if count == TURN_PACKETS:
            return (time.perf_counter() - began) * self._rest
        self._wait = SOONEST_SECONDS if count else min(2 * self._wait, LATEST_SECONDS)
        return self._wait

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
