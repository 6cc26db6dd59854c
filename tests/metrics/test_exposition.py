"""The page: read back by a strict parser."""

import functools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.metrics import memory
from chaffinch.metrics.exposition import render
from chaffinch.metrics.registry import Registry
from chaffinch.metrics.snapshot import Latency, Snapshot, SnapshotError, merge
from tests.metrics.openmetrics import parse


def test_an_empty_page_is_its_end() -> None:
    assert render(Snapshot()) == b"# EOF\n"


def test_counters_gauges_and_latencies() -> None:
    registry = Registry("decoys")
    registry.counter_from("sessions_opened", lambda: 12, service="ssh")
    registry.gauge("sessions_open", lambda: 3, service="ssh")
    latency = registry.latency("request_seconds", "service")
    for milliseconds in range(1, 1001):
        latency.record(milliseconds * 1_000_000, "http")
    memory.export(registry)
    page = parse(render(registry.snapshot()))
    opened = page["chaffinch_sessions_opened"]
    assert (opened.kind, opened.samples) == ("counter", {("_total", (("service", "ssh"),)): 12.0})
    assert opened.help == "Connections that became a session."
    assert page["chaffinch_sessions_open"].samples == {("", (("group", "decoys"), ("service", "ssh"))): 3.0}
    assert page["chaffinch_process_resident_memory_bytes"].unit == "bytes"
    seconds = page["chaffinch_request_seconds"]
    assert (seconds.kind, seconds.unit) == ("summary", "seconds")
    assert seconds.samples["_count", (("service", "http"),)] == 1000
    assert seconds.samples["_sum", (("service", "http"),)] == pytest.approx(500.5)
    assert seconds.samples["", (("quantile", "0.99"), ("service", "http"))] == pytest.approx(0.99, rel=0.0079)
    assert page["chaffinch_metrics_folded_records"].samples == {("_total", (("metric", "request_seconds"),)): 0.0}


def test_labels_are_escaped_and_odd_numbers_have_their_names() -> None:
    nasty = 'back\\slash "quoted"\nnext line \u202e \ud800'
    registry = Registry()
    registry.counter("requests", "path").add(nasty)
    registry.latency("request_seconds", "path").record(5, 'a "label"\n')
    for name, value in (("nan", math.nan), ("high", math.inf), ("low", -math.inf), ("tiny", 1e-9)):
        registry.gauge(name, functools.partial(float, value))
    page = parse(render(registry.snapshot()))
    (key,) = page["chaffinch_requests"].samples
    assert key == ("_total", (("path", nasty.replace("\ud800", "?")),))
    assert ("_count", (("path", 'a "label"\n'),)) in page["chaffinch_request_seconds"].samples
    numbers = [page[f"chaffinch_{name}"].samples["", ()] for name in ("nan", "high", "low", "tiny")]
    assert math.isnan(numbers[0])
    assert numbers[1:] == [math.inf, -math.inf, 1e-9]


@given(st.text(max_size=40), st.floats())
def test_any_text_and_number_comes_back(text: str, value: float) -> None:
    registry = Registry()
    registry.gauge("x", lambda: value, path=text)
    ((_, labels), got) = next(iter(parse(render(registry.snapshot()))["chaffinch_x"].samples.items()))
    assert labels == (("path", text),)
    assert got == value or math.isnan(value)


def test_what_groups_folded_shows_once_for_both_kinds() -> None:
    groups = []
    for group in ("decoys", "back"):
        registry = Registry(group)
        counter = registry.counter("requests", "path", most_labels=1)
        latency = registry.latency("request_seconds", "path", most_labels=1)
        for path in ("/a", "/b", "/c"):
            counter.add(path)
            latency.record(1000, path)
        groups.append(registry.snapshot())
    page = parse(render(merge(groups)))
    folded = page["chaffinch_metrics_folded_records"].samples
    assert folded == {("_total", (("metric", "requests"),)): 4.0, ("_total", (("metric", "request_seconds"),)): 4.0}
    assert page["chaffinch_metrics_folded_labels"].samples == {("", (("metric", "request_seconds"),)): 2.0}
    assert len(page["chaffinch_metrics_histogram_bytes"].samples) == 2
    assert ("_count", (("path", "__other__"),)) in page["chaffinch_request_seconds"].samples


def test_damaged_histograms_are_one_clear_error() -> None:
    with pytest.raises(SnapshotError, match="latency x_seconds: "):
        render(Snapshot(latencies=(Latency("x_seconds", "", b""),)))
