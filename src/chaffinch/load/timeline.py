"""The intervals of a whole run in bounded memory: when there are too many, neighbours are joined."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from chaffinch.load.latencies import IntervalLatencies, Percentiles
from chaffinch.load.polls import Interval, Progress

MOST: Final = 1000
"""Intervals that are kept. A run of a day at one a second has 86,400: each of 675 then stands for 128."""

Number = TypeVar("Number", int, float)


class Timeline:
    """Takes the intervals of polls as they come. Nothing is averaged away: sums add up, percentiles are the highest."""

    def __init__(self, most: int = MOST) -> None:
        self._most = max(2, most)
        self._width = 1
        self._kept: list[Interval] = []
        self.next = 0
        """What to poll from."""
        self.missed = 0
        """Intervals that were gone before they were polled for."""

    def add(self, poll: Progress) -> tuple[Interval, ...]:
        """Take the intervals that a poll brings, and return those that are new."""
        fresh = []
        for interval in poll.intervals:
            if interval.n < self.next:
                continue
            self.missed += interval.n - self.next
            self.next = interval.n + 1
            fresh.append(interval)
            self._keep(interval)
        return tuple(fresh)

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """All of the run, the oldest first."""
        return tuple(self._kept)

    def drop(self) -> int:
        """Give up what is kept, for want of memory, and go on from there; how many rows that were."""
        dropped = len(self._kept)
        self._kept, self._width = [], 1
        return dropped

    def _keep(self, interval: Interval) -> None:
        if self._kept and self._kept[-1].joined + interval.joined <= self._width:
            self._kept[-1] = join(self._kept[-1], interval)
            return
        self._kept.append(interval)
        if len(self._kept) > self._most:
            self._width *= 2
            self._kept = _pairs(self._kept)


def thinned(intervals: Iterable[Interval], most: int = MOST) -> list[Interval]:
    """The same time in at most so many intervals."""
    kept = list(intervals)
    while len(kept) > most:
        kept = _pairs(kept)
    return kept


def _pairs(intervals: Sequence[Interval]) -> list[Interval]:
    joined = [join(one, other) for one, other in zip(intervals[::2], intervals[1::2], strict=False)]
    return joined + list(intervals[-1:] if len(intervals) % 2 else ())


def join(one: Interval, other: Interval) -> Interval:
    """Two neighbours as one."""
    errors = dict(one.errors)
    for name, count in other.errors.items():
        errors[name] = errors.get(name, 0) + count
    return Interval(
        n=one.n,
        at_s=one.at_s,
        seconds=one.seconds + other.seconds,
        requests=one.requests + other.requests,
        failed=one.failed + other.failed,
        errors=errors,
        in_flight=other.in_flight,
        most_in_flight=max(one.in_flight, one.most_in_flight, other.in_flight, other.most_in_flight),
        bytes_in=one.bytes_in + other.bytes_in,
        bytes_out=one.bytes_out + other.bytes_out,
        latency_ms=IntervalLatencies(
            corrected=_highest(one.latency_ms.corrected, other.latency_ms.corrected),
            uncorrected=_highest(one.latency_ms.uncorrected, other.latency_ms.uncorrected),
        ),
        asked=None if one.asked is None or other.asked is None else one.asked + other.asked,
        joined=one.joined + other.joined,
    )


def _highest(one: Percentiles | None, other: Percentiles | None) -> Percentiles | None:
    if one is None or other is None:
        return one or other
    return Percentiles(*itertools.starmap(_higher, zip(_values(one), _values(other), strict=True)))


def _values(of: Percentiles) -> tuple[float | None, ...]:
    return (of.p50, of.p90, of.p95, of.p99, of.p999, of.max)


def _higher(one: float | None, other: float | None) -> float | None:
    return max(one, other) if one is not None and other is not None else one if other is None else other
