"""The metric names of the load tester that users come from, under their `METRIC_NAMESPACE`: dashboards run unchanged.

Names that say `scenario` go with their run; the others count over the life of the process.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from chaffinch.load.loaded import Node
from chaffinch.load.metrics.exposition import Family, Number, Sample, Type
from chaffinch.load.metrics.families import histogram, summary
from chaffinch.load.metrics.labels import Shown
from chaffinch.load.metrics.reading import NO_HISTOGRAMS, Label, Reading
from chaffinch.load.metrics.sums import Sums
from chaffinch.load.plan import Plan
from chaffinch.metrics.snapshot import Labels

CATEGORIES: Final = ("client", "server", "network", "timeout", "tls", "other")


class Around(msgspec.Struct, frozen=True):
    """What a poll does not say."""

    node: Node
    users_configured: int = 0
    plan: Plan | None = None
    rss_bytes: int = 0
    virtual_bytes: int = 0
    over_warning: int = 0
    """How often memory came over the warning threshold."""
    over_critical: int = 0


def families(namespace: str, sums: Sums, now: Reading | None, shown: Shown, around: Around) -> list[Family]:
    """Every alias, but for those of scenarios while nothing runs."""
    found: list[Family] = []
    for name, kind, samples in (*_process(sums, now, around), *(_run(now, shown) if now is not None else ())):
        suffix = "_total" if kind == "counter" else ""
        lines = tuple(msgspec.structs.replace(one, suffix=one.suffix or suffix) for one in samples)
        if lines:
            found.append(Family(f"{namespace}_{name}", kind, lines, HELP.get(name, "")))
    return found


Rows = Iterator[tuple[str, Type, list[Sample]]]


def _one(value: Number, labels: Labels = ()) -> list[Sample]:
    return [Sample(labels, value)]


def _process(sums: Sums, now: Reading | None, around: Around) -> Rows:
    """What is there whether a test runs or not."""
    whole, reading = sums.with_running(now), now or Reading()
    yield "requests", "counter", _one(whole.requests)
    yield "requests_status_codes", "counter", _each(whole.statuses, "status_code")
    errors = dict.fromkeys(CATEGORIES, 0) | whole.categories
    # It counts, but has no `_total` where users have it, which a counter of OpenMetrics must have.
    yield "request_errors_by_category", "unknown", _each(errors, "category")
    durations = list(histogram(whole.under, whole.latencies, whole.under.uncorrected, ()))
    yield "request_duration_seconds", "histogram", durations
    yield "concurrent_requests", "gauge", _one(reading.in_flight)
    yield "process_memory_rss_bytes", "gauge", _one(around.rss_bytes)
    yield "process_memory_virtual_bytes", "gauge", _one(around.virtual_bytes)
    held = reading.histograms if now else NO_HISTOGRAMS
    yield "histogram_count", "gauge", _one(held.labels)
    yield "histogram_memory_estimate_bytes", "gauge", _one(held.bytes)
    yield "percentile_tracking_active", "gauge", _one(int(held.percentiles))
    yield "percentile_sampling_rate_percent", "gauge", _one(100 * held.sampling)
    yield "memory_warning_threshold_exceeded", "counter", _one(around.over_warning)
    yield "memory_critical_threshold_exceeded", "counter", _one(around.over_critical)
    yield "histogram_labels_evicted", "counter", _one(whole.folded_labels)
    yield "workers_configured_total", "gauge", _one(around.users_configured)
    labels = (("node_id", around.node.name), ("region", around.node.region), ("tenant", around.node.tenant))
    yield "cluster_node_info", "gauge", _one(1, labels)
    yield "connection_pool_requests", "counter", _one(whole.requests)
    new = min(whole.requests, whole.connects)
    yield "connection_pool_likely_new", "counter", _one(new)
    yield "connection_pool_likely_reused", "counter", _one(whole.requests - new)
    share = 100 * (whole.requests - new) / whole.requests if whole.requests else 0.0
    yield "connection_pool_reuse_rate_percent", "gauge", _one(share)
    if around.plan is not None:
        yield "connection_pool_max_idle_per_host", "gauge", _one(around.plan.idle_per_host)
        yield "connection_pool_idle_timeout_seconds", "gauge", _one(around.plan.idle_ms / 1000)


def _run(now: Reading, shown: Shown) -> Rows:
    """What is of the run that goes on."""
    picked = shown.pick(now.labels)
    # Where every scenario has one step, an iteration is a request, and is not measured besides.
    took = now.phases_ms.get("iteration") or now.latency_ms.uncorrected
    yield "scenario_duration_seconds", "summary", list(summary(took, ()))
    yield "concurrent_scenarios", "gauge", _one(now.in_flight)
    # A step may be counted under any name; a label without requests counts iterations.
    steps = {name: label for name, label in picked.items() if label.requests}
    yield (
        "scenario_steps",
        "counter",
        [
            Sample((*_step(name), ("status", status)), count)
            for name, label in steps.items()
            for status, count in (("success", label.requests - label.failed), ("failed", label.failed))
        ],
    )
    yield (
        "scenario_step_duration_seconds",
        "summary",
        [one for name, label in steps.items() for one in summary(label.latency_ms.uncorrected, _step(name))],
    )
    yield (
        "scenario_step_status_codes",
        "counter",
        [
            Sample((*_step(name), ("status_code", status)), count)
            for name, label in steps.items()
            for status, count in sorted(label.statuses.items())
        ],
    )
    yield (
        "scenario_assertions",
        "counter",
        [
            Sample((*_step(name), ("result", result)), count)
            for name, label in steps.items()
            for result, count in (("passed", label.assertions_held), ("failed", label.errors.get("assertion", 0)))
            if label.assertions_held or label.errors.get("assertion")
        ],
    )
    yield from _scenarios(picked, now.elapsed_s)


def _scenarios(picked: Mapping[str, Label], elapsed_s: float) -> Rows:
    """By scenario: the sums of its steps."""
    requests: dict[str, int] = {}
    failed: dict[str, int] = {}
    for name, label in picked.items():
        scenario = name.partition("/")[0]
        requests[scenario] = requests.get(scenario, 0) + label.requests
        failed[scenario] = failed.get(scenario, 0) + label.failed
    yield "scenario_requests", "counter", _each(requests, "scenario")
    rates = {name: count / elapsed_s if elapsed_s > 0 else 0.0 for name, count in requests.items()}
    yield "scenario_throughput_rps", "gauge", _each(rates, "scenario")
    samples = []
    for scenario, count_of_requests in requests.items():
        # A scenario of one step has no label of its own: each of its requests is an iteration.
        own = picked.get(scenario)
        passed = own.iterations if own is not None and own.iterations else count_of_requests
        bad = min(failed[scenario], passed)
        for status, count in (("success", passed - bad), ("failed", bad)):
            samples.append(Sample((("scenario", scenario), ("status", status)), count))
    yield "scenario_executions", "counter", samples


def _step(name: str) -> Labels:
    scenario, _, step = name.partition("/")
    return (("scenario", scenario), ("step", step or name))


def _each(values: Mapping[str, Number], label: str) -> list[Sample]:
    return [Sample(((label, name),), value) for name, value in sorted(values.items())]


HELP: Final[Mapping[str, str]] = {
    "requests": "Requests answered or failed.",
    "requests_status_codes": "Answers by status.",
    "request_errors_by_category": "Failed requests by category.",
    "concurrent_requests": "Requests that are under way.",
    "request_duration_seconds": "From a request's sending to its last byte.",
    "scenario_executions": "Iterations that have begun, and of them those with a failed step.",
    "scenario_duration_seconds": "Iterations of all scenarios, think times included; requests where all have one step.",
    "scenario_steps": "Steps answered or failed.",
    "scenario_step_duration_seconds": "From a step's sending to its last byte.",
    "scenario_step_status_codes": "Answers of steps by status.",
    "scenario_assertions": "Assertions that held or failed.",
    "scenario_requests": "Requests of a scenario.",
    "scenario_throughput_rps": "Requests a second since the test began.",
    "concurrent_scenarios": "Requests of scenarios that are under way.",
    "connection_pool_max_idle_per_host": "Idle connections that are kept.",
    "connection_pool_idle_timeout_seconds": "How long they are kept.",
    "connection_pool_requests": "Requests.",
    "connection_pool_likely_reused": "Requests on a connection that was there, counted.",
    "connection_pool_likely_new": "Connections that were made, counted.",
    "connection_pool_reuse_rate_percent": "The share of requests on a connection that was there.",
    "process_memory_rss_bytes": "RSS of the process.",
    "process_memory_virtual_bytes": "Memory that the process maps.",
    "histogram_count": "Histograms, one a label.",
    "histogram_memory_estimate_bytes": "What they take, counted.",
    "percentile_tracking_active": "1 while percentiles of labels are recorded.",
    "percentile_sampling_rate_percent": "The share of requests that is recorded.",
    "memory_warning_threshold_exceeded": "How often memory came over the warning threshold.",
    "memory_critical_threshold_exceeded": "How often memory came over the critical threshold.",
    "histogram_labels_evicted": "Labels counted under __other__ for want of room, estimated.",
    "workers_configured_total": "Users of the load.",
    "cluster_node_info": "Who sends.",
}
