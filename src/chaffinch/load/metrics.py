"""A run as metrics, in OpenMetrics or the older text format: what it counts, its latencies, the state of its generator.

What is counted over the life of the process stays when a run ends (`Sums`); what has the name of a run goes with it.
Every label set is bounded: `Shown` picks the labels of a run that have series of their own, all others are summed up.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, TypeAlias

import msgspec

from chaffinch.load import results
from chaffinch.load.error_classes import CLASSES
from chaffinch.load.results import OTHER, Corrected, Latencies
from chaffinch.metrics.catalogue import PREFIX, Kind, describe
from chaffinch.metrics.snapshot import Labels, Snapshot

OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"

MOST_SHOWN: Final = 100
"""Labels of a run that have series of their own, besides `__other__`."""

STATUS_CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")
NO_ANSWER: Final = "none"
"""Stands for a status: the request had no answer."""

QUANTILES: Final = (("0.5", "p50"), ("0.9", "p90"), ("0.95", "p95"), ("0.99", "p99"), ("0.999", "p999"), ("1", "max"))

NO_HISTOGRAMS: Final = results.Histograms(resolution=0, percentiles=False, sampling=0.0)

Number: TypeAlias = int | float
Type: TypeAlias = Literal["counter", "gauge", "summary", "histogram"]


class Label(results.Label, frozen=True):
    """What a poll says of one label, with what results leave out."""

    cached: int = 0
    assertions_held: int = 0


class Under(msgspec.Struct, frozen=True):
    """How many latencies lie at or under each bound."""

    bounds_ms: tuple[float, ...] = ()
    corrected: tuple[int, ...] = ()
    uncorrected: tuple[int, ...] = ()


class Reading(msgspec.Struct, frozen=True):
    """A poll of the engine, as far as metrics show it."""

    elapsed_s: float = 0.0
    requests: int = 0
    failed: int = 0
    errors: dict[str, int] = {}
    categories: dict[str, int] = {}
    statuses: dict[str, int] = {}
    bytes_in: int = 0
    bytes_out: int = 0
    iterations: int = 0
    cached: int = 0
    assertions_held: int = 0
    in_flight: int = 0
    asked: int | None = None
    unsent: int = 0
    unanswered: int = 0
    latency_ms: Corrected = Corrected()
    latency_under: Under = Under()
    phases_ms: dict[str, Latencies | None] = {}
    labels: dict[str, Label] = {}
    folded: results.Folded = results.Folded()
    histograms: results.Histograms = results.Histograms()
    generator: results.Generator = results.Generator()


_reading: Final = msgspec.json.Decoder(Reading)


def decode(poll: bytes) -> Reading:
    """A poll's JSON."""
    return _reading.decode(poll)


class Sample(msgspec.Struct, frozen=True):
    """One line of a page. `suffix` is what stands behind the family's name."""

    labels: Labels
    value: Number
    suffix: str = ""


class Family(msgspec.Struct, frozen=True):
    """All samples of one name. The name of a counter's samples ends in `_total`, its own does not."""

    name: str
    type: Type
    samples: tuple[Sample, ...]
    help: str = ""
    unit: str = ""


class RunName(msgspec.Struct, frozen=True):
    """What tells the series of one run from those of another."""

    run: str
    tenant: str = ""

    @property
    def labels(self) -> Labels:
        return (("run", self.run), ("tenant", self.tenant))


class Shown:
    """The labels of one run that have series of their own: whoever got room keeps it, so that no counter falls back."""

    def __init__(self, most: int = MOST_SHOWN) -> None:
        self._most = most
        self._shown: set[str] = set()

    def pick(self, labels: Mapping[str, Label]) -> dict[str, Label]:
        """Those that are shown, and the sum of all others. While there is room, those with most requests join them."""
        own = [name for name in labels if name != OTHER]
        if len(self._shown) < self._most:
            fresh = sorted(
                (name for name in own if name not in self._shown), key=lambda name: (-_size(labels[name]), name)
            )
            self._shown.update(fresh[: self._most - len(self._shown)])
        picked = {name: labels[name] for name in own if name in self._shown}
        rest = [labels[name] for name in own if name not in self._shown]
        if OTHER in labels:
            rest.append(labels[OTHER])
        if rest:
            picked[OTHER] = rest[0] if len(rest) == 1 else _together(rest)
        return picked


def _size(label: Label) -> int:
    return label.requests + label.iterations


def _together(labels: Sequence[Label]) -> Label:
    """The sum of labels. Percentiles cannot be summed: of latencies there are count and mean."""
    errors: dict[str, int] = {}
    statuses: dict[str, int] = {}
    for one in labels:
        for counts, more in ((errors, one.errors), (statuses, one.statuses)):
            for key, count in more.items():
                counts[key] = counts.get(key, 0) + count
    return Label(
        requests=sum(one.requests for one in labels),
        failed=sum(one.failed for one in labels),
        iterations=sum(one.iterations for one in labels),
        cached=sum(one.cached for one in labels),
        assertions_held=sum(one.assertions_held for one in labels),
        errors=errors,
        statuses=statuses,
        bytes_in=sum(one.bytes_in for one in labels),
        bytes_out=sum(one.bytes_out for one in labels),
        latency_ms=Corrected(
            _mixed([one.latency_ms.corrected for one in labels]),
            _mixed([one.latency_ms.uncorrected for one in labels]),
        ),
    )


def added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """The sums by key."""
    return {key: one.get(key, 0) + other.get(key, 0) for key in one.keys() | other.keys()}


def _mixed(of: Iterable[Latencies | None]) -> Latencies | None:
    held = [one for one in of if one is not None and one.count]
    count = sum(one.count for one in held)
    return Latencies(count=count, mean=sum(one.count * (one.mean or 0.0) for one in held) / count) if held else None


def _summed(one: Under, other: Under) -> Under:
    if not one.bounds_ms or not other.bounds_ms:
        return one if one.bounds_ms else other
    pairs = zip(one.uncorrected, other.uncorrected, strict=True)
    return Under(one.bounds_ms, uncorrected=tuple(mine + theirs for mine, theirs in pairs))


def by_class(requests: int, statuses: Mapping[str, int]) -> dict[str, int]:
    """Requests by the class of their status; those without an answer are `none`."""
    found = dict.fromkeys((*STATUS_CLASSES, NO_ANSWER), 0)
    for status, count in statuses.items():
        group = f"{status[:1]}xx"
        found[group if group in found else NO_ANSWER] += count
    found[NO_ANSWER] += max(0, requests - sum(statuses.values()))
    return found


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
        return [_family(name, "counter", samples) for name, samples in by_name.items()]

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
            latencies=_mixed([kept.latencies, reading.latency_ms.uncorrected]),
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
        "load_received_bytes": reading.bytes_in,
        "load_sent_bytes": reading.bytes_out,
        "load_folded_requests": reading.folded.requests,
        "load_folded_records": reading.folded.records,
    }
    yield from (((name, ()), value) for name, value in plain.items())


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
    found = [_family(name, "gauge", [Sample((), value)]) for name, value in values.items()]
    busy = [Sample((("thread", str(number)),), share) for number, share in enumerate(generator.cpu_share)]
    return [*found, _family("load_cpu_ratio", "gauge", busy)]


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
        _family("load_run_info", "gauge", [Sample((*run.labels, *about), 1)]),
        _family("load_run_elapsed_seconds", "gauge", [Sample(run.labels, reading.elapsed_s)]),
        _family("load_latency_seconds", "latency", _both(reading.latency_ms, run.labels)),
        _family("load_latency_distribution_seconds", "histogram", distribution),
        _family("load_phase_seconds", "latency", phases),
        _family("load_label_requests", "counter", requests),
        _family("load_label_errors", "counter", errors),
        _family("load_label_iterations", "counter", iterations),
        _family("load_label_latency_seconds", "latency", latencies),
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
        _family(one.name, one.kind, [Sample(at.labels, at.value, suffix[one.kind]) for at in one.samples])
        for one in snapshot.families
    ]


def single(name: str, value: Number, labels: Labels = ()) -> Family:
    """A gauge of ours with one value."""
    return _family(name, "gauge", [Sample(labels, value)])


def states(name: str, now: str, all_of_them: Iterable[str]) -> Family:
    """A gauge that is 1 for the state that is, and 0 for all others."""
    return _family(name, "gauge", [Sample((("state", one),), int(one == now)) for one in all_of_them])


_TYPES: Final[Mapping[Kind, Type]] = {
    "counter": "counter",
    "gauge": "gauge",
    "latency": "summary",
    "histogram": "histogram",
}


def _family(name: str, kind: Kind, samples: Collection[Sample]) -> Family:
    metric = describe(name, kind)
    return Family(PREFIX + name, _TYPES[kind], tuple(samples), metric.help, metric.unit)


def render(families: Iterable[Family], *, text: bool = False) -> bytes:
    """The page: OpenMetrics 1.0, or the text format 0.0.4 that came before it."""
    lines: list[str] = []
    for family in sorted(families, key=lambda one: one.name):
        if not family.samples:
            continue
        # The older format calls a counter by the name of its samples, and knows no units.
        name = family.name + ("_total" if text and family.type == "counter" else "")
        lines.append(f"# TYPE {name} {family.type}")
        if family.unit and not text:
            lines.append(f"# UNIT {name} {family.unit}")
        if family.help:
            lines.append(f"# HELP {name} {_escaped(family.help)}")
        lines += [_line(family.name + one.suffix, one) for one in family.samples]
    return "\n".join([*lines, *(() if text else ("# EOF",)), ""]).encode()


def _line(name: str, sample: Sample) -> str:
    inside = ",".join(f'{label}="{_escaped(value)}"' for label, value in sample.labels)
    value = sample.value
    shown = repr(value) if math.isfinite(value) else "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return f"{name}{{{inside}}} {shown}" if inside else f"{name} {shown}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"').encode("utf-8", "replace").decode()
