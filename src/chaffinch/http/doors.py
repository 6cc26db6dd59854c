"""All connections of one server: how many there may be, and an end to those that are silent for too long."""

import asyncio
import email.utils
import logging
from typing import TYPE_CHECKING

from chaffinch.http.limits import BOUNDS, LINGERING, Bounds
from chaffinch.http.phase import Phase
from chaffinch.metrics.registry import Counter

if TYPE_CHECKING:
    from chaffinch.http.protocol import Connection

log = logging.getLogger("chaffinch.http")


class Doors:
    """What connections have in common. What is ended or turned away is counted by its reason."""

    def __init__(self, most: int, refused: Counter, bounds: Bounds = BOUNDS) -> None:
        self.most = most
        self.refused = refused
        self.bounds = bounds
        self.open: set[Connection] = set()
        self.stopping = False
        """Each connection closes after the answer that it is giving."""
        self.date = _date()
        """The time, as answers have it; kept by `watch`."""

    @property
    def taken(self) -> int:
        """Connections that are open and not leaving."""
        return sum(one.phase is not Phase.LEAVING for one in self.open)

    @property
    def lingers(self) -> bool:
        """Whether one more connection may stay for a while after its last answer."""
        return len(self.open) - self.taken < LINGERING and not self.stopping

    async def watch(self) -> None:
        """End what is too slow, until cancelled.

        A round that comes late is passed over, though never two in a row: where this process slept, what its peers
        sent meanwhile waits to be read, and they are not to blame.
        """
        loop = asyncio.get_running_loop()
        late = False
        while True:
            due = loop.time() + self.bounds.sweep_seconds
            await asyncio.sleep(self.bounds.sweep_seconds)
            self.date = _date()
            now = loop.time()
            late = not late and now - due > self.bounds.sweep_seconds
            if late:
                continue
            for connection in list(self.open):
                try:
                    connection.sweep(now)
                except Exception:  # the boundary of a connection: the others are watched on
                    log.exception("http.connection_failed")
                    self.refused.add("failed")
                    connection.abort()


class Unread:
    """What a peer has not taken of its answers, and since when that has not changed."""

    def __init__(self) -> None:
        self._bytes = 0
        self._since = 0.0

    def seconds(self, waiting: int, now: float) -> float:
        """How long the peer has taken nothing, as far as is seen here; `waiting` bytes are to be sent."""
        if not waiting or waiting != self._bytes:
            self._bytes, self._since = waiting, now
        return now - self._since


def _date() -> str:
    return email.utils.formatdate(usegmt=True)
