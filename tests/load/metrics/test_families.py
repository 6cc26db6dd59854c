"""What metrics say of a run: their names, labels and units."""

import time

import pytest

from chaffinch.load.metrics.exposition import render
from chaffinch.load.metrics.families import gauges, of_run
from chaffinch.load.metrics.labels import Shown
from chaffinch.load.metrics.reading import Reading
from chaffinch.load.metrics.sums import Sums
from chaffinch.metrics.catalogue import METRICS, PREFIX
from tests.load.metrics.pages import ONE, label, page
from tests.load.serve.running import values


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


def test_every_name_is_in_the_catalogue_with_its_labels(reading: Reading) -> None:
    known = {PREFIX + metric.name: metric for metric in METRICS}
    about = (("name", "a"), ("model", "constant"))
    families = [*Sums().families(reading), *gauges(reading, 3), *of_run(reading, ONE, Shown(), about)]
    for family in families:
        metric = known[family.name]
        assert family.type == {"latency": "summary"}.get(metric.kind, metric.kind)
        for sample in family.samples:
            assert {name for name, _ in sample.labels} - {"quantile", "le"} == set(metric.labels), family.name


def test_between_runs_gauges_are_0() -> None:
    said = page(*gauges(None, 0))
    assert set(values(said, "chaffinch_load_in_flight").values()) == {0.0}
    assert set(values(said, "chaffinch_load_saturated").values()) == {0.0}
    assert set(values(said, "chaffinch_load_histograms_error_ratio").values()) == {0.0}


def test_a_page_of_many_labels_is_made_quickly() -> None:
    labels = {f"s/{number}": label(number, 1.0) for number in range(10_000)}
    began = time.perf_counter()
    render(of_run(Reading(labels=labels), ONE, Shown()))
    assert time.perf_counter() - began < 1.0
