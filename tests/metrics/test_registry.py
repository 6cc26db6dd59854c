"""The registry: what it counts, what it folds, and what two of them say together."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.metrics.registry import OTHER, Registry
from chaffinch.metrics.snapshot import Latency, Sample, Snapshot, SnapshotError, histograms, merge


def samples(snapshot: Snapshot, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    return {one.labels: one.value for family in snapshot.families if family.name == name for one in family.samples}


def test_counters_count_under_their_labels() -> None:
    registry = Registry()
    counter = registry.counter("answers", "service", "status")
    counter.add("http", "200")
    counter.add("http", "200", amount=2)
    counter.add("http", "404")
    registry.counter("plain").add()
    snapshot = registry.snapshot()
    assert samples(snapshot, "answers") == {
        (("service", "http"), ("status", "200")): 3,
        (("service", "http"), ("status", "404")): 1,
    }
    assert snapshot.total("answers") == 4
    assert snapshot.total("plain") == 1
    assert snapshot.total("unknown") == 0


def test_a_counter_has_one_set_of_labels() -> None:
    registry = Registry()
    counter = registry.counter("answers", "service")
    assert registry.counter("answers", "service") is counter
    with pytest.raises(ValueError, match="answers has the labels"):
        registry.counter("answers", "status")
    with pytest.raises(ValueError, match="2 values"):
        counter.add("http", "200")


def test_label_sets_past_the_bound_fold_and_are_counted() -> None:
    registry = Registry()
    counter = registry.counter("requests", "path", most_labels=3)
    latency = registry.latency("request_seconds", "path", most_labels=3)
    for number in range(100):
        counter.add(f"/{number}")
        latency.record(1000, f"/{number}")
    snapshot = Snapshot.from_bytes(registry.snapshot_bytes())
    assert samples(snapshot, "requests")[("path", OTHER),] == 97
    assert len(samples(snapshot, "requests")) == 4
    assert samples(snapshot, "metrics_folded_records") == {(("metric", "requests"),): 97}
    held = histograms("request_seconds", [snapshot.latencies[0].histograms])
    assert (held.folded_records, len(held.labels()), held.totals(0).count) == (97, 3, 97)


def test_a_counter_read_from_elsewhere_goes_on_when_its_worker_starts_again() -> None:
    registry = Registry()
    registry.counter_from("sessions_opened", lambda: 7, service="ssh")
    registry.counter_from("sessions_opened", lambda: 2, service="ftp")
    registry.counter_from("sessions_opened", lambda: 1, service="ssh")
    assert samples(registry.snapshot(), "sessions_opened") == {(("service", "ftp"),): 2, (("service", "ssh"),): 8}


def test_gauges_are_labelled_with_their_group() -> None:
    registry = Registry("decoys")
    registry.gauge("sessions_open", lambda: 4, service="ssh")
    registry.gauge("sessions_open", lambda: 5, service="ssh")
    registry.gauges("memory", lambda: {"process_resident_memory_bytes": 12.0})
    snapshot = registry.snapshot()
    assert samples(snapshot, "sessions_open") == {(("group", "decoys"), ("service", "ssh")): 5}
    assert samples(snapshot, "process_resident_memory_bytes") == {(("group", "decoys"),): 12.0}


def test_what_is_read_is_bounded() -> None:
    registry = Registry()
    for number in range(1024):
        registry.gauge(f"gauge_{number}", lambda: 0)
    registry.gauge("gauge_3", lambda: 1)
    with pytest.raises(ValueError, match="1024 values are read already"):
        registry.gauge("one_more", lambda: 0)


def test_a_latency_is_named_after_its_unit() -> None:
    with pytest.raises(ValueError, match="must end in _seconds"):
        Registry().latency("request_time")


def test_two_registries_merged_are_as_one_that_counted_everything() -> None:
    one, two, both = Registry(), Registry(), Registry()
    for number in range(2000):
        for registry in (one if number % 3 else two, both):
            registry.counter("requests", "service").add(f"s{number % 4}")
            registry.latency("request_seconds", "service").record(number * 977, f"s{number % 4}")
    merged = merge([Snapshot.from_bytes(registry.snapshot_bytes()) for registry in (one, two)])
    assert samples(merged, "requests") == samples(both.snapshot(), "requests")
    got, expected = (histograms("", [one.latencies[0].histograms]) for one in (merged, both.snapshot()))
    shares = [share / 50 for share in range(51)]
    for label, name in expected.labels():
        mine = got.label(name)
        assert got.quantiles(mine, shares) == expected.quantiles(label, shares)
        assert got.totals(mine).sum == expected.totals(label).sum


def test_merging_one_or_none_changes_nothing() -> None:
    registry = Registry("back")
    registry.counter("requests", "service").add("http")
    registry.latency("request_seconds").record(5)
    snapshot = registry.snapshot()
    assert merge([snapshot]) == snapshot
    assert merge([]) == Snapshot()


@pytest.mark.parametrize("data", [b"", b"\x00", b"{}", Registry().snapshot_bytes()[:-3], b"\x81\xa4type\xa1x"])
def test_bytes_that_are_no_snapshot_are_one_clear_error(data: bytes) -> None:
    with pytest.raises(SnapshotError, match=rf"these {len(data)} bytes are not a metrics snapshot"):
        Snapshot.from_bytes(data)


@given(st.data())
def test_changed_bytes_are_a_snapshot_or_one_clear_error(data: st.DataObject) -> None:
    registry = Registry("decoys")
    registry.counter("requests", "path").add("/é")
    registry.latency("request_seconds").record(1000)
    changed = bytearray(registry.snapshot_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(SnapshotError):
        merge([Snapshot.from_bytes(bytes(changed))] * 2)


def test_damaged_histograms_are_one_clear_error() -> None:
    damaged = Snapshot(latencies=(Latency("request_seconds", "", b"CFHS\x01 and then nothing"),))
    with pytest.raises(SnapshotError, match="latency request_seconds: histogram snapshot is damaged"):
        merge([damaged, damaged])


def test_a_sample_is_small_on_the_wire() -> None:
    registry = Registry("decoys")
    for number in range(60):
        registry.counter_from("sessions_opened", lambda: 10**6, service=f"service-{number}")
    assert len(registry.snapshot_bytes()) < 60 * 40
    assert Sample((), 1).value == 1
