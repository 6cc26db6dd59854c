"""The bounds of what bodies of this API may have, and the rate of each token.

Bounds that an operator may want otherwise are settings; `chaffinch.http.limits` has those of any connection.
"""

import time
from collections.abc import Callable
from typing import Final

from chaffinch.http.problem import RefusalError, retry_after

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
