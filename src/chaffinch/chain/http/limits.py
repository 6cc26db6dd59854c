"""The bounds of what a peer can make the server hold or do, and the rate of each token.

Bounds that an operator may want otherwise are settings; these follow from the protocol.
"""

import time
from collections.abc import Callable
from typing import Final

import msgspec

from chaffinch.chain.http.problem import RefusalError, retry_after

HEAD_BYTES: Final = 16 << 10
"""Request line and headers together."""


class Bounds(msgspec.Struct, frozen=True):
    """How long a peer may take, in seconds."""

    head_seconds: float = 10.0
    """From a connection's opening, or a request's first byte, to the end of its headers."""
    idle_seconds: float = 30.0
    """Between an answer and the next request."""
    quiet_seconds: float = 10.0
    """How long a body may pause."""
    body_seconds: float = 600.0
    """How long a body may take in all."""
    write_seconds: float = 20.0
    """How long a peer may take nothing of an answer."""
    linger_seconds: float = 2.0
    """How long a peer that is answered before its request was whole is still read, so that it sees its answer."""
    sweep_seconds: float = 1.0
    """How often all this is looked at: so much later a connection may end."""


BOUNDS: Final = Bounds()

LINGER_BYTES: Final = 1 << 20
"""What is read of such a peer at most."""

LINGERING: Final = 64
"""Such peers at once; a further one is closed at once."""

JSON_BYTES: Final = 256 << 10
"""A body that is one JSON value."""

LINE_BYTES: Final = 1 << 20
"""A line of an NDJSON body."""

BATCH_MESSAGES: Final = 512
"""Messages that are learned, and made durable, together."""

BATCH_BYTES: Final = 1 << 20
"""Bytes of lines that are held before they are learned."""

NAMED_BAD: Final = 20
"""Bad lines that an answer names."""

MOST_BAD: Final = 10_000
"""Bad lines that one request may have, with `?skip_bad=1`: each costs time, and teaches nothing."""

TURN_LINES: Final = 128
"""After so many lines of one body everybody else has a turn."""

PATIENCE_SECONDS: Final = 30.0
"""How long a body that is learned in part waits for room in the queue: its peer is not read meanwhile."""


class Rates:
    """Requests a second of each token: a bucket that a second fills. The tokens file bounds how many there are."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_second
        self._most = max(1.0, per_second)
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> None:
        """Count one request of the token. Raises `RefusalError` 429 when it has had its share; 0 sets no limit."""
        if not self._rate:
            return
        now = self._clock()
        held, since = self._buckets.get(name, (self._most, now))
        held = min(self._most, held + (now - since) * self._rate)
        if held < 1:
            self._buckets[name] = held, now
            wait = (1 - held) / self._rate
            detail = f"this token may make {self._rate:g} requests a second: wait as Retry-After says"
            raise RefusalError(429, "rate", detail, retry_after(wait))
        self._buckets[name] = held - 1, now
