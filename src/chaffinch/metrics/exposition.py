"""A snapshot as text for Prometheus and whoever else reads OpenMetrics 1.0."""

import math
from collections.abc import Iterator
from typing import Final, Literal

from chaffinch.metrics.catalogue import PREFIX, Kind, Metric, describe
from chaffinch.metrics.snapshot import Family, Labels, Latency, Sample, Snapshot, histograms, labelled

CONTENT_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"

QUANTILES: Final = (0.5, 0.9, 0.95, 0.99, 0.999)

TYPES: Final[dict[Kind, Literal["counter", "gauge", "summary", "histogram"]]] = {
    "counter": "counter",
    "gauge": "gauge",
    "latency": "summary",
    "histogram": "histogram",
}


def render(snapshot: Snapshot) -> bytes:
    """The page. Latencies are summaries in seconds. Raises `SnapshotError` for damaged histograms."""
    families = {family.name: list(_values(family)) for family in snapshot.families}
    kinds: dict[str, Kind] = {family.name: family.kind for family in snapshot.families}
    for latency in snapshot.latencies:
        kinds[latency.name] = "latency"
        families[latency.name] = list(_summary(latency, families, kinds))
    lines: list[str] = []
    for name in sorted(families):
        if families[name]:
            lines += _head(describe(name, kinds[name]))
            lines += families[name]
    return "\n".join([*lines, "# EOF", ""]).encode()


def _head(metric: Metric) -> Iterator[str]:
    name = PREFIX + metric.name
    yield f"# TYPE {name} {TYPES[metric.kind]}"
    if metric.unit:
        yield f"# UNIT {name} {metric.unit}"
    if metric.help:
        yield f"# HELP {name} {escaped(metric.help)}"


def _values(family: Family) -> Iterator[str]:
    name = PREFIX + family.name + ("_total" if family.kind == "counter" else "")
    for sample in family.samples:
        yield line(name, sample.labels, sample.value)


def _summary(latency: Latency, families: dict[str, list[str]], kinds: dict[str, Kind]) -> Iterator[str]:
    """The lines of one latency. What it folded joins the families that count such."""
    name = PREFIX + latency.name
    held = histograms(latency.name, [latency.histograms])
    for number, value in labelled(held):
        labels = ((latency.label, value),) if latency.label else ()
        for quantile, ns in zip(QUANTILES, held.quantiles(number, QUANTILES), strict=True):
            yield line(name, (*labels, ("quantile", str(quantile))), ns / 1e9)
        totals = held.totals(number)
        yield line(name + "_count", labels, totals.count)
        yield line(name + "_sum", labels, totals.sum / 1e9)
    metric = (("metric", latency.name),)
    for folded in (
        Family("metrics_folded_records", "counter", (Sample(metric, held.folded_records),)),
        Family("metrics_folded_labels", "gauge", (Sample(metric, held.folded_labels),)),
    ):
        families.setdefault(folded.name, []).extend(_values(folded))
        kinds[folded.name] = folded.kind


def line(name: str, labels: Labels, value: float) -> str:
    """One sample."""
    inside = ",".join(f'{label}="{escaped(text)}"' for label, text in labels)
    return f"{name}{{{inside}}} {_number(value)}" if inside else f"{name} {_number(value)}"


def _number(value: float) -> str:
    if isinstance(value, int) or math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


def escaped(text: str) -> str:
    """Text as it stands between quotes, or behind a name."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"').encode("utf-8", "replace").decode()
