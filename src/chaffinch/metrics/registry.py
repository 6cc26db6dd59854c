"""What one process counts and measures. Workers get the registry through their context; there is no global one.

Every label set is bounded: what comes after the bound is counted under `__other__`, and that is counted too.
"""

from collections.abc import Callable, Mapping
from typing import Final, Literal

from chaffinch import _core
from chaffinch.metrics.snapshot import Family, Labels, Latency, Sample, Snapshot, SnapshotError, merge

__all__ = ["Counter", "Latencies", "Registry", "Snapshot", "SnapshotError", "merge"]

OTHER: Final = _core.Histograms.OTHER

MOST_LABELS: Final = 64
"""Label sets that one counter or latency tells apart, unless it is registered with another bound."""

LATENCY_BYTES: Final = 512 << 10
"""What the histograms of one latency may take at most; a fresh one takes 44 KB."""

MOST_READERS: Final = 1024
"""Values read at each snapshot, over all names. Code registers them, so more are a fault of ours."""


class Counter:
    """A number that only grows, for each combination of its labels' values."""

    def __init__(self, labels: tuple[str, ...], most: int) -> None:
        self.labels = labels
        self.folded = 0
        self._most = most
        self._counts: dict[tuple[str, ...], int] = {} if labels else {(): 0}

    def add(self, *values: str, amount: int = 1) -> None:
        """Count `amount` under these values, one for each label."""
        counts = self._counts
        if values in counts:
            counts[values] += amount
            return
        if len(values) != len(self.labels):
            raise ValueError(f"{len(values)} values for the labels {self.labels}")
        if len(counts) >= self._most:
            self.folded += amount
            values = (OTHER,) * len(values)
        counts[values] = counts.get(values, 0) + amount

    def samples(self) -> tuple[Sample, ...]:
        counts = self._counts
        return tuple(
            Sample(tuple(sorted(zip(self.labels, values, strict=True))), counts[values]) for values in sorted(counts)
        )


class Latencies:
    """Histograms of one latency, for each value of its label (or one, if it has none)."""

    def __init__(self, label: str, most: int, cap_bytes: int) -> None:
        self.label = label
        self.histograms = _core.Histograms(cap_bytes, most)
        self._record = self.histograms.record
        self._numbers: dict[str, int] = {}

    def record(self, ns: int, value: str = "") -> None:
        """Record a latency in nanoseconds under this value of the label."""
        number = self._numbers.get(value)
        if number is None:
            number = self.histograms.label(value)
            if number:  # names that fold are not kept: there may be any number of them
                self._numbers[value] = number
        self._record(number, ns)


class _Read:
    """A number read when a snapshot is taken. What earlier readers of the same counter reached stays counted."""

    def __init__(self, read: Callable[[], int | float], before: float = 0) -> None:
        self.read = read
        self.before = before

    def value(self) -> int | float:
        return self.before + self.read()


class Registry:
    """The metrics of one process; `group` labels its gauges. Names are those of `catalogue.METRICS`."""

    def __init__(self, group: str = "") -> None:
        self._own: Labels = (("group", group),) if group else ()
        self._counters: dict[str, Counter] = {}
        self._latencies: dict[str, Latencies] = {}
        self._counter_readers: dict[tuple[str, Labels], _Read] = {}
        self._gauge_readers: dict[tuple[str, Labels], _Read] = {}
        self._gauge_tables: dict[str, Callable[[], Mapping[str, int | float]]] = {}

    def counter(self, name: str, *labels: str, most_labels: int = MOST_LABELS) -> Counter:
        """The counter of that name, made when first asked for: a worker that starts again counts on."""
        if name not in self._counters:
            self._counters[name] = Counter(labels, most_labels)
        counter = self._counters[name]
        if counter.labels != labels:
            raise ValueError(f"counter {name} has the labels {counter.labels}, not {labels}")
        return counter

    def counter_from(self, name: str, read: Callable[[], int | float], **labels: str) -> None:
        """A counter that somebody else keeps. Registered again, it goes on from what the last reader reached."""
        key = self._reader_key(name, labels, ())
        last = self._counter_readers.get(key)
        self._counter_readers[key] = _Read(read, last.value() if last else 0)

    def gauge(self, name: str, read: Callable[[], int | float], **labels: str) -> None:
        """A number that goes up and down, read at each snapshot. Registered again, the last reader counts."""
        self._gauge_readers[self._reader_key(name, labels, self._own)] = _Read(read)

    def gauges(self, source: str, read: Callable[[], Mapping[str, int | float]]) -> None:
        """Several gauges that one reading gives, by name. `source` names the reading."""
        self._gauge_tables[source] = read

    def latency(
        self, name: str, label: str = "", *, most_labels: int = MOST_LABELS, cap_bytes: int = LATENCY_BYTES
    ) -> Latencies:
        """The latency of that name (it ends in `_seconds`; values are in nanoseconds), made when first asked for."""
        if not name.endswith("_seconds"):
            raise ValueError(f"latency {name} must end in _seconds: that is the unit in which it is shown")
        if name not in self._latencies:
            self._latencies[name] = Latencies(label, most_labels, cap_bytes)
        return self._latencies[name]

    def snapshot(self) -> Snapshot:
        """Everything as it stands now."""
        parts = [
            *(Snapshot(families=(Family(name, "counter", one.samples()),)) for name, one in self._counters.items()),
            *(self._read(name, "counter", labels, one) for (name, labels), one in self._counter_readers.items()),
            *(self._read(name, "gauge", labels, one) for (name, labels), one in self._gauge_readers.items()),
            Snapshot(families=self._tables()),
            Snapshot(families=self._about_itself(), latencies=self._latency_parts()),
        ]
        return merge(parts)

    def snapshot_bytes(self) -> bytes:
        """A snapshot, as it is sent to the supervisor."""
        return self.snapshot().to_bytes()

    def _reader_key(self, name: str, labels: Mapping[str, str], own: Labels) -> tuple[str, Labels]:
        key = (name, tuple(sorted((*labels.items(), *own))))
        known = self._counter_readers.keys() | self._gauge_readers.keys()
        if key not in known and len(known) >= MOST_READERS:
            raise ValueError(f"{name}: {MOST_READERS} values are read already")
        return key

    @staticmethod
    def _read(name: str, kind: Literal["counter", "gauge"], labels: Labels, one: _Read) -> Snapshot:
        return Snapshot(families=(Family(name, kind, (Sample(labels, one.value()),)),))

    def _tables(self) -> tuple[Family, ...]:
        return tuple(
            Family(name, "gauge", (Sample(self._own, value),))
            for read in self._gauge_tables.values()
            for name, value in read().items()
        )

    def _latency_parts(self) -> tuple[Latency, ...]:
        return tuple(Latency(name, one.label, one.histograms.to_bytes()) for name, one in self._latencies.items())

    def _about_itself(self) -> tuple[Family, ...]:
        """What the registry says about its own bounds. What latencies folded is in their histograms."""
        folded = tuple(Sample((("metric", name),), one.folded) for name, one in self._counters.items() if one.labels)
        held = tuple(
            Sample(tuple(sorted((*self._own, ("metric", name)))), one.histograms.memory_bytes)
            for name, one in self._latencies.items()
        )
        return Family("metrics_folded_records", "counter", folded), Family("metrics_histogram_bytes", "gauge", held)
