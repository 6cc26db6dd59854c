"""Latencies as polls and results have them: percentiles in milliseconds, in both ways of counting. A data table."""

from typing import Final

import msgspec

PERCENTILES: Final = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p999": 99.9}
"""The percentiles that are kept, by field."""


class Percentiles(msgspec.Struct, frozen=True, gc=False):
    """Latencies in milliseconds; null where there was none."""

    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    p999: float | None = None
    max: float | None = None


class Latencies(Percentiles, frozen=True, gc=False):
    """Latencies in milliseconds, and of how many requests."""

    mean: float | None = None
    count: int = 0
    """Requests that these are of: fewer than there were when latencies are sampled."""


class Corrected(msgspec.Struct, frozen=True):
    """Latencies in both ways of counting."""

    corrected: Latencies | None = None
    """From when a request should have begun, so that waiting for its turn counts."""
    uncorrected: Latencies | None = None
    """From when it was sent."""


class IntervalLatencies(msgspec.Struct, frozen=True):
    """Percentiles of one interval in both ways of counting."""

    corrected: Percentiles | None = None
    uncorrected: Percentiles | None = None


class Phases(msgspec.Struct, frozen=True):
    """Parts of the way of a request."""

    connect: Latencies | None = None
    """Of connections: until TCP was there."""
    tls: Latencies | None = None
    """Of connections: the handshake."""
    first_byte: Latencies | None = None
    """Of requests: from the first byte sent to the first byte of the answer."""
    iteration: Latencies | None = None
    """Of users' passes through a scenario of several steps, think times included."""
