"""Labels that have series of their own are bounded, and no counter of theirs falls."""

from pathlib import Path

import pytest

from chaffinch.load.metrics.families import of_run
from chaffinch.load.metrics.labels import MOST_SHOWN, Shown
from chaffinch.load.metrics.reading import decode
from chaffinch.load.polls import OTHER
from tests.load.metrics.pages import ONE, label, page, poll_of
from tests.load.serve.running import values
from tests.load.serve.target import scenario, target


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
    assert len(requests) <= MOST_SHOWN + 1
    assert said.count("\n") < MOST_SHOWN * 20


def test_the_guide_says_the_bound() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "load-serve.md").read_text(encoding="utf-8")
    assert f"{MOST_SHOWN} labels" in guide
