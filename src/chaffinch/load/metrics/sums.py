"""What all runs of the process counted together."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from chaffinch.load.error_classes import CLASSES
from chaffinch.load.latencies import Latencies
from chaffinch.load.metrics.exposition import Family, Number, Sample, family
from chaffinch.load.metrics.reading import Reading, Under, by_class
from chaffinch.metrics.snapshot import Labels


class Whole(msgspec.Struct, frozen=True):
    """Sums over all runs that no metric of ours has in this form."""

    requests: int = 0
    connects: int = 0
    """Connections that were made."""
    folded_labels: int = 0
    categories: dict[str, int] = {}
    statuses: dict[str, int] = {}
    latencies: Latencies | None = None
    """Uncorrected; without percentiles where they are of several runs."""
    under: Under = Under()


class Sums:
    """What all runs of the process counted together: it only grows."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, Labels], Number] = {}
        self._whole = Whole()

    def add(self, reading: Reading) -> None:
        """Keep what a run counted that has ended."""
        self._kept = self._with(reading)
        self._whole = self.with_running(reading)

    def copy(self) -> "Sums":
        """The same, which stays as it is now: what a sum holds is replaced, never changed."""
        made = Sums()
        made._kept, made._whole = self._kept, self._whole
        return made

    def families(self, now: Reading | None) -> list[Family]:
        """The counters, with those of the run that goes on."""
        by_name: dict[str, list[Sample]] = {}
        for (name, labels), value in sorted(self._with(now or Reading()).items()):
            by_name.setdefault(name, []).append(Sample(labels, value, "_total"))
        return [family(name, "counter", samples) for name, samples in by_name.items()]

    def with_running(self, now: Reading | None) -> Whole:
        """The same in the form of other names."""
        reading, kept = now or Reading(), self._whole
        connect = reading.phases_ms.get("connect")
        return Whole(
            requests=kept.requests + reading.requests,
            connects=kept.connects + (connect.count if connect else 0),
            folded_labels=kept.folded_labels + reading.folded.labels,
            categories=added(kept.categories, reading.categories),
            statuses=added(kept.statuses, reading.statuses),
            latencies=mixed([kept.latencies, reading.latency_ms.uncorrected]),
            under=_summed(kept.under, reading.latency_under),
        )

    def _with(self, reading: Reading) -> dict[tuple[str, Labels], Number]:
        whole = dict(self._kept)
        for key, value in _counted(reading):
            whole[key] = whole.get(key, 0) + value
        return whole


def _counted(reading: Reading) -> Iterator[tuple[tuple[str, Labels], Number]]:
    """What one run counts for the process."""
    for status, count in by_class(reading.requests, reading.statuses).items():
        yield ("load_requests", (("status", status),)), count
    for error, count in (dict.fromkeys(CLASSES, 0) | reading.errors).items():  # all there from the beginning
        yield ("load_errors", (("error", error),)), count
    failed = reading.errors.get("assertion", 0)
    for outcome, count in (("held", reading.assertions_held), ("failed", failed)):
        yield ("load_assertions", (("outcome", outcome),)), count
    generator = reading.generator
    for cause, count in (("late", generator.late), ("starved", generator.starved), ("bound", generator.bound)):
        yield ("load_delayed", (("cause", cause),)), count
    plain: dict[str, Number] = {
        "load_iterations": reading.iterations,
        "load_asked": reading.asked or 0,
        "load_unsent": reading.unsent,
        "load_unanswered": reading.unanswered,
        "load_cached": reading.cached,
        "load_sent_again": generator.again,
        "load_unasked": generator.unasked,
        "load_received_bytes": reading.bytes_in,
        "load_sent_bytes": reading.bytes_out,
        "load_folded_requests": reading.folded.requests,
        "load_folded_records": reading.folded.records,
    }
    yield from (((name, ()), value) for name, value in plain.items())


def added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """The sums by key."""
    return {key: one.get(key, 0) + other.get(key, 0) for key in one.keys() | other.keys()}


def mixed(of: Iterable[Latencies | None]) -> Latencies | None:
    """Latencies together: percentiles cannot be summed, so there are count and mean. None if there are none."""
    held = [one for one in of if one is not None and one.count]
    count = sum(one.count for one in held)
    return Latencies(count=count, mean=sum(one.count * (one.mean or 0.0) for one in held) / count) if held else None


def _summed(one: Under, other: Under) -> Under:
    if not one.bounds_ms or not other.bounds_ms:
        return one if one.bounds_ms else other
    pairs = zip(one.uncorrected, other.uncorrected, strict=True)
    return Under(one.bounds_ms, uncorrected=tuple(mine + theirs for mine, theirs in pairs))
