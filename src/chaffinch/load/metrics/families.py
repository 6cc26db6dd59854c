"""What metrics say of a run and of the process around it, by name: the families of `chaffinch_load_...`."""

from collections.abc import Collection, Iterable, Iterator
from typing import Final

import msgspec

from chaffinch.load.latencies import Corrected, Latencies
from chaffinch.load.metrics.exposition import Family, Number, Sample, family
from chaffinch.load.metrics.labels import Shown
from chaffinch.load.metrics.reading import NO_HISTOGRAMS, Reading, Under, by_class
from chaffinch.metrics.snapshot import Labels, Snapshot

QUANTILES: Final = (("0.5", "p50"), ("0.9", "p90"), ("0.95", "p95"), ("0.99", "p99"), ("0.999", "p999"), ("1", "max"))


class RunName(msgspec.Struct, frozen=True):
    """What tells the series of one run from those of another."""

    run: str
    tenant: str = ""

    @property
    def labels(self) -> Labels:
        return (("run", self.run), ("tenant", self.tenant))


def gauges(reading: Reading | None, users: int) -> list[Family]:
    """How it goes now; all 0 between runs."""
    now = reading or Reading()
    held, generator = now.histograms if reading else NO_HISTOGRAMS, now.generator
    values: dict[str, Number] = {
        "load_in_flight": now.in_flight,
        "load_users": users,
        "load_saturated": int(generator.saturated),
        "load_histograms": held.labels,
        "load_histograms_bytes": held.bytes,
        "load_histograms_cap_bytes": held.cap_bytes,
        "load_histograms_error_ratio": held.error_percent / 100,
        "load_percentiles_on": int(held.percentiles),
        "load_sampling_ratio": held.sampling,
        "load_folded_labels": now.folded.labels,
    }
    found = [family(name, "gauge", [Sample((), value)]) for name, value in values.items()]
    busy = [Sample((("thread", str(number)),), share) for number, share in enumerate(generator.cpu_share)]
    return [*found, family("load_cpu_ratio", "gauge", busy)]


def of_run(reading: Reading, run: RunName, shown: Shown, about: Labels = ()) -> list[Family]:
    """What has the name of the run, and goes with it. `about` are further labels of its `load_run_info`."""
    requests, errors, iterations, latencies = [], [], [], []
    for name, label in shown.pick(reading.labels).items():
        at = (*run.labels, ("label", name))
        for status, count in by_class(label.requests, label.statuses).items():
            if count:
                requests.append(Sample((*at, ("status", status)), count, "_total"))
        errors += [Sample((*at, ("error", error)), count, "_total") for error, count in sorted(label.errors.items())]
        if label.iterations:
            iterations.append(Sample(at, label.iterations, "_total"))
        latencies += _both(label.latency_ms, at)
    phases = [
        one for phase, found in reading.phases_ms.items() for one in summary(found, (*run.labels, ("phase", phase)))
    ]
    under = reading.latency_under
    distribution = [
        *histogram(under, reading.latency_ms.corrected, under.corrected, (*run.labels, ("counted", "corrected"))),
        *histogram(under, reading.latency_ms.uncorrected, under.uncorrected, (*run.labels, ("counted", "uncorrected"))),
    ]
    return [
        family("load_run_info", "gauge", [Sample((*run.labels, *about), 1)]),
        family("load_run_elapsed_seconds", "gauge", [Sample(run.labels, reading.elapsed_s)]),
        family("load_latency_seconds", "latency", _both(reading.latency_ms, run.labels)),
        family("load_latency_distribution_seconds", "histogram", distribution),
        family("load_phase_seconds", "latency", phases),
        family("load_label_requests", "counter", requests),
        family("load_label_errors", "counter", errors),
        family("load_label_iterations", "counter", iterations),
        family("load_label_latency_seconds", "latency", latencies),
    ]


def _both(latencies: Corrected, labels: Labels) -> list[Sample]:
    return [
        *summary(latencies.corrected, (*labels, ("counted", "corrected"))),
        *summary(latencies.uncorrected, (*labels, ("counted", "uncorrected"))),
    ]


def summary(latencies: Latencies | None, labels: Labels) -> Iterator[Sample]:
    """Latencies in seconds: quantiles (1 is the highest), how many there were, their sum."""
    if latencies is None:
        return
    for quantile, field in QUANTILES:
        value: float | None = getattr(latencies, field)
        if value is not None:
            yield Sample((*labels, ("quantile", quantile)), value / 1000)
    yield Sample(labels, latencies.count, "_count")
    yield Sample(labels, latencies.count * (latencies.mean or 0.0) / 1000, "_sum")


def histogram(under: Under, of: Latencies | None, counts: Collection[int], labels: Labels) -> Iterator[Sample]:
    """Latencies by bounds in seconds, how many there were, their sum."""
    if of is None:
        return
    for bound, count in zip(under.bounds_ms, counts, strict=True):
        yield Sample((*labels, ("le", repr(bound / 1000))), count, "_bucket")
    yield Sample((*labels, ("le", "+Inf")), of.count, "_bucket")
    yield Sample(labels, of.count, "_count")
    yield Sample(labels, of.count * (of.mean or 0.0) / 1000, "_sum")


def from_snapshot(snapshot: Snapshot) -> list[Family]:
    """The counters and gauges of a registry."""
    suffix = {"counter": "_total", "gauge": ""}
    return [
        family(one.name, one.kind, [Sample(at.labels, at.value, suffix[one.kind]) for at in one.samples])
        for one in snapshot.families
    ]


def single(name: str, value: Number, labels: Labels = ()) -> Family:
    """A gauge of ours with one value."""
    return family(name, "gauge", [Sample(labels, value)])


def states(name: str, now: str, all_of_them: Iterable[str]) -> Family:
    """A gauge that is 1 for the state that is, and 0 for all others."""
    return family(name, "gauge", [Sample((("state", one),), int(one == now)) for one in all_of_them])
