"""A run as metrics: what is summed, what is shown, what it is called elsewhere. Readings are those of the engine."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from chaffinch import _core
from chaffinch.load import aliases, load_text, metrics, results
from chaffinch.load.loaded import Node
from chaffinch.load.metrics import Label, Reading, RunName, Sample, Shown, Sums, by_class, decode, of_run, render
from chaffinch.load.results import OTHER, Corrected, Latencies
from chaffinch.metrics.catalogue import METRICS, PREFIX
from tests.load.serve.running import values
from tests.load.serve.target import Target, scenario, target
from tests.metrics.openmetrics import parse

STEPS = (
    "      - {name: a, request: {path: /}, assertions: [{type: statusCode, expected: 200}]}\n"
    "      - {name: b, request: {path: /missing}}\n"
)
ONE = RunName("1", "web")


@pytest.fixture(scope="module")
def poll() -> Iterator[bytes]:
    """What the engine says at the end of a run of 20 iterations, every second request of which fails."""
    with target() as site:
        yield poll_of(site, scenario(site, requests=40, steps=STEPS))


def poll_of(site: Target, text: str) -> bytes:
    run = _core.LoadRun(load_text(text, "a test").plan.to_json())
    run.start()
    while not run.wait(0.1):
        pass
    return run.poll()


@pytest.fixture
def reading(poll: bytes) -> Reading:
    return decode(poll)


def page(*families: metrics.Family) -> str:
    made = render(families)
    parse(made)
    return made.decode()


def test_every_field_that_is_read_is_one_that_the_engine_writes(poll: bytes) -> None:
    written = msgspec.json.decode(poll)

    def missing(struct: type[msgspec.Struct], found: dict[str, object]) -> set[str]:
        return {field.encode_name for field in msgspec.structs.fields(struct)} - found.keys()

    assert missing(Reading, written) == set()
    assert missing(metrics.Under, written["latency_under"]) == set()
    assert missing(results.Folded, written["folded"]) == set()
    assert missing(results.Histograms, written["histograms"]) == set()
    assert missing(results.Generator, written["generator"]) == set()
    assert missing(Label, written["labels"]["page/a"]) == set()


def test_what_a_run_counted_stays_when_it_has_ended(reading: Reading) -> None:
    sums = Sums()
    during = page(*sums.families(reading))
    assert values(during, "chaffinch_load_requests_total")['status="2xx"'] == 20
    sums.add(reading)
    assert page(*sums.families(None)) == during
    assert values(page(*sums.families(reading)), "chaffinch_load_iterations_total") == {"": 40.0}


def test_requests_of_a_label_are_told_by_class_of_status(reading: Reading) -> None:
    said = page(*of_run(reading, ONE, Shown()))
    at = 'run="1",tenant="web",'
    assert values(said, "chaffinch_load_label_requests_total") == {
        f'{at}label="page/a",status="2xx"': 20.0,
        f'{at}label="page/b",status="4xx"': 20.0,
    }
    assert values(said, "chaffinch_load_label_errors_total") == {f'{at}label="page/b",error="status"': 20.0}
    assert values(said, "chaffinch_load_label_iterations_total") == {f'{at}label="page"': 20.0}


def test_latencies_are_in_seconds_in_both_ways_of_counting(reading: Reading) -> None:
    said = values(page(*of_run(reading, ONE, Shown())), "chaffinch_load_latency_seconds")
    both = reading.latency_ms
    assert both.corrected is not None
    assert both.corrected.p99 is not None
    at = 'run="1",tenant="web",counted='
    assert said[f'{at}"corrected",quantile="0.99"'] == pytest.approx(both.corrected.p99 / 1000)
    assert said[f'{at}"uncorrected",quantile="1"'] <= said[f'{at}"corrected",quantile="1"']
    total = values(page(*of_run(reading, ONE, Shown())), "chaffinch_load_latency_seconds_sum")
    assert total[f'{at}"corrected"'] == pytest.approx(40 * (both.corrected.mean or 0) / 1000)


def test_latencies_are_counted_by_bounds_that_can_be_added_up(reading: Reading) -> None:
    said = page(*of_run(reading, ONE, Shown()))
    buckets = values(said, "chaffinch_load_latency_distribution_seconds_bucket")
    at = 'run="1",tenant="web",counted="uncorrected",le='
    counts = [count for name, count in buckets.items() if name.startswith(at)]
    assert counts == sorted(counts)
    assert buckets[f'{at}"+Inf"'] == buckets[f'{at}"10.0"'] == 40
    slowest = reading.latency_ms.uncorrected
    assert slowest is not None
    assert slowest.max is not None
    for bound in (0.0001, 0.001, 0.01):
        assert (buckets[f'{at}"{bound}"'] == 40) == (slowest.max / 1000 <= bound)
    sums = Sums()
    sums.add(reading)
    twice = aliased(reading, sums)
    assert values(twice, "rust_loadtest_request_duration_seconds_bucket")['le="+Inf"'] == 80
    assert values(twice, "rust_loadtest_request_duration_seconds_count") == {"": 80.0}
    assert values(twice, "rust_loadtest_request_duration_seconds_bucket")['le="10.0"'] == 80


def test_every_name_is_in_the_catalogue_with_its_labels(reading: Reading) -> None:
    known = {PREFIX + metric.name: metric for metric in METRICS}
    about = (("name", "a"), ("model", "constant"))
    families = [*Sums().families(reading), *metrics.gauges(reading, 3), *of_run(reading, ONE, Shown(), about)]
    for family in families:
        metric = known[family.name]
        assert family.type == {"latency": "summary"}.get(metric.kind, metric.kind)
        for sample in family.samples:
            assert {name for name, _ in sample.labels} - {"quantile", "le"} == set(metric.labels), family.name


def test_between_runs_gauges_are_0() -> None:
    said = page(*metrics.gauges(None, 0))
    assert set(values(said, "chaffinch_load_in_flight").values()) == {0.0}
    assert set(values(said, "chaffinch_load_saturated").values()) == {0.0}
    assert set(values(said, "chaffinch_load_histograms_error_ratio").values()) == {0.0}


def test_a_status_that_is_none_and_no_answer_count_as_none() -> None:
    found = by_class(10, {"200": 3, "204": 1, "503": 2, "999": 1})
    assert found == {"1xx": 0, "2xx": 4, "3xx": 0, "4xx": 0, "5xx": 2, "none": 4}
    assert by_class(0, {"200": 3})["none"] == 0  # counted a moment later than the status


def label(requests: int, mean: float | None = None) -> Label:
    latencies = None if mean is None else Latencies(count=requests, mean=mean, p99=5.0)
    return Label(requests=requests, statuses={"200": requests}, latency_ms=Corrected(latencies, latencies))


def test_labels_past_the_bound_are_summed_up() -> None:
    labels = {f"s/{number}": label(number, 2.0) for number in range(1, 11)} | {OTHER: label(100, 13.0)}
    picked = Shown(3).pick(labels)
    assert set(picked) == {"s/8", "s/9", "s/10", OTHER}
    assert picked[OTHER].requests == 100 + sum(range(1, 8)) == picked[OTHER].statuses["200"]
    corrected = picked[OTHER].latency_ms.corrected
    assert corrected is not None
    assert corrected.mean == pytest.approx((100 * 13 + 28 * 2) / 128)
    assert corrected.p99 is None


def test_no_counter_falls_when_other_labels_come_to_the_front() -> None:
    shown = Shown(2)
    assert set(shown.pick({"a": label(9), "b": label(1)})) == {"a", "b"}
    later = {"a": label(9), "b": label(1), "c": label(1000)}
    assert set(shown.pick(later)) == {"a", "b", OTHER}
    assert shown.pick(later)[OTHER].requests == 1000


def test_a_percentile_of_other_is_shown_where_nothing_else_is_in_it() -> None:
    picked = Shown(2).pick({"a": label(1, 1.0), OTHER: label(5, 1.0)})
    assert picked[OTHER].latency_ms.corrected is not None
    assert picked[OTHER].latency_ms.corrected.p99 == 5.0


def test_series_are_bounded_however_many_labels_there_are() -> None:
    with target() as site:
        steps = "".join(f"      - {{name: s{number}, request: {{path: /}}}}\n" for number in range(250))
        reading = decode(poll_of(site, scenario(site, requests=1000, steps=steps)))
    assert len(reading.labels) == 251
    said = page(*of_run(reading, ONE, Shown()))
    requests = values(said, "chaffinch_load_label_requests_total")
    assert sum(requests.values()) == reading.requests
    assert len(requests) <= metrics.MOST_SHOWN + 1
    assert said.count("\n") < metrics.MOST_SHOWN * 20


def test_names_from_a_target_cannot_break_the_page() -> None:
    hostile = 'a"b\\c\nd} 1\n# EOF\n\ud800\u202e'
    made = Reading(labels={hostile: label(1, 1.0)})
    families = parse(render(of_run(made, RunName(hostile, hostile), Shown())))
    names = {dict(at)["label"] for _, at in families["chaffinch_load_label_requests"].samples}
    assert names == {hostile.replace("\ud800", "?")}


def test_numbers_are_written_as_the_format_has_them() -> None:
    samples = tuple(
        Sample((("n", str(number)),), number) for number in (0, 1.5, 1e-9, 1e20, float("inf"), float("nan"))
    )
    lines = render([metrics.Family("a_b", "gauge", samples)]).decode().splitlines()[1:-1]
    assert [line.split()[-1] for line in lines] == ["0", "1.5", "1e-09", "1e+20", "+Inf", "NaN"]


# The names of the load tester that users come from.

NAMES = (
    *("requests_total", "requests_status_codes_total", "concurrent_requests", "request_duration_seconds"),
    *("request_errors_by_category", "scenario_executions_total", "scenario_duration_seconds"),
    *("scenario_steps_total", "scenario_step_duration_seconds", "scenario_step_status_codes_total"),
    *("scenario_assertions_total", "scenario_requests_total", "scenario_throughput_rps"),
    *("concurrent_scenarios", "connection_pool_max_idle_per_host", "connection_pool_idle_timeout_seconds"),
    *("connection_pool_requests_total", "connection_pool_likely_reused_total"),
    *("connection_pool_likely_new_total", "connection_pool_reuse_rate_percent", "process_memory_rss_bytes"),
    *("process_memory_virtual_bytes", "histogram_count", "histogram_memory_estimate_bytes"),
    *("percentile_tracking_active", "percentile_sampling_rate_percent"),
    *("memory_warning_threshold_exceeded_total", "memory_critical_threshold_exceeded_total"),
    *("histogram_labels_evicted_total", "workers_configured_total", "cluster_node_info"),
)  # fmt: skip


def aliased(reading: Reading | None, sums: Sums | None = None) -> str:
    plan = load_text('version: "1.0"\nscenarios: [{name: a, steps: [{request: {path: "http://a/"}}]}]\n', "a").plan
    around = aliases.Around(node=Node("n1", "east", "web"), users_configured=10, plan=plan)
    return page(*aliases.families("rust_loadtest", sums or Sums(), reading, Shown(), around))


def test_every_name_that_dashboards_use_is_there(reading: Reading) -> None:
    said = aliased(reading)
    found = {line.partition("{")[0].partition(" ")[0] for line in said.splitlines() if not line.startswith("#")}
    for name in NAMES:
        assert found & {f"rust_loadtest_{name}{suffix}" for suffix in ("", "_total", "_bucket")}, name


def test_aliases_count_what_ours_count(reading: Reading) -> None:
    said = aliased(reading)
    assert values(said, "rust_loadtest_requests_total") == {"": 40.0}
    assert values(said, "rust_loadtest_requests_status_codes_total") == {
        'status_code="200"': 20.0,
        'status_code="404"': 20.0,
    }
    errors = values(said, "rust_loadtest_request_errors_by_category_total")
    assert set(errors) == {f'category="{name}"' for name in aliases.CATEGORIES}
    assert errors['category="client"'] == 20
    assert values(said, "rust_loadtest_scenario_executions_total") == {
        'scenario="page",status="failed"': 20.0,
        'scenario="page",status="success"': 0.0,
    }
    assert values(said, "rust_loadtest_scenario_assertions_total") == {
        'scenario="page",step="a",result="failed"': 0.0,
        'scenario="page",step="a",result="passed"': 20.0,
    }
    assert values(said, "rust_loadtest_scenario_steps_total")['scenario="page",step="b",status="failed"'] == 20


def test_reuse_of_connections_is_counted_not_guessed(reading: Reading) -> None:
    said = aliased(reading)
    new = values(said, "rust_loadtest_connection_pool_likely_new_total")[""]
    assert new == 1
    assert values(said, "rust_loadtest_connection_pool_likely_reused_total")[""] == 40 - new
    assert values(said, "rust_loadtest_connection_pool_reuse_rate_percent")[""] == pytest.approx(100 * (40 - new) / 40)


def test_between_runs_scenarios_have_no_aliases_and_totals_stay(reading: Reading) -> None:
    sums = Sums()
    sums.add(reading)
    said = aliased(None, sums)
    assert "rust_loadtest_scenario" not in said
    assert values(said, "rust_loadtest_requests_total") == {"": 40.0}


def test_a_scenario_of_one_step_is_executed_once_a_request() -> None:
    with target() as site:
        reading = decode(poll_of(site, scenario(site, requests=10)))
    assert values(aliased(reading), "rust_loadtest_scenario_executions_total")['scenario="page",status="success"'] == 10


def test_a_page_of_many_labels_is_made_quickly() -> None:
    labels = {f"s/{number}": label(number, 1.0) for number in range(10_000)}
    began = time.perf_counter()
    render(of_run(Reading(labels=labels), ONE, Shown()))
    assert time.perf_counter() - began < 1.0


def test_the_guide_says_the_bound() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "load-serve.md").read_text(encoding="utf-8")
    assert f"{metrics.MOST_SHOWN} labels" in guide
