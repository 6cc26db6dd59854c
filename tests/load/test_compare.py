"""Two runs side by side."""

import json
from typing import Any

import msgspec
import pytest

from chaffinch.errors import InputError
from chaffinch.load import compare, polls
from chaffinch.load.compare import Change, Comparison
from chaffinch.load.latencies import Corrected, Latencies
from chaffinch.load.report.stalled import Stall
from chaffinch.load.results import Result
from tests.load import running


def scaled(result: Result, times: float) -> Result:
    """The same run with other latencies."""
    of = result.latency_ms.corrected
    assert of is not None
    values = {name: value * times for name, value in msgspec.structs.asdict(of).items() if name != "count" and value}
    slower = msgspec.structs.replace(of, **values)
    return msgspec.structs.replace(result, latency_ms=Corrected(slower, slower))


def of(comparison: Comparison, measure: str) -> Change:
    return next(one for one in comparison.changes if one.measure == measure)


def test_the_same_run_is_the_same() -> None:
    found = compare.compare(running.ran(), running.ran())
    assert {one.change for one in found.changes} == {"same"}
    assert not found.is_worse
    assert found.notes == ()
    assert "1 label the same; changes up to 5% are noise" in compare.as_text(found)


def test_what_got_slower_is_worse_and_by_how_much() -> None:
    before = running.ran()
    found = compare.compare(before, scaled(before, 1.5))
    p99 = of(found, "corrected p99")
    assert p99.change == "worse"
    assert p99.relative == pytest.approx(0.5)
    assert found.is_worse
    assert of(compare.compare(scaled(before, 1.5), before), "corrected p99").change == "better"
    text = compare.as_text(found)
    assert "+50.0%  worse" in text
    assert "1.90 s" in text


@pytest.mark.parametrize(
    ("times", "noise", "expected"), [(1.04, 0.05, "same"), (1.06, 0.05, "worse"), (1.5, 0.6, "same")]
)
def test_changes_up_to_the_noise_are_none(times: float, noise: float, expected: str) -> None:
    before = running.ran()
    assert of(compare.compare(before, scaled(before, times), noise), "corrected p99").change == expected


def test_microseconds_are_noise_whatever_their_ratio() -> None:
    before = running.ran(Stall(service=0.00001, lasts=0.0))
    assert of(compare.compare(before, scaled(before, 3)), "corrected p99").change == "same"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [((1, 1000), (3, 1000), "same"), ((1, 1000), (40, 1000), "worse"), ((40, 1000), (1, 1000), "better")],
)
def test_shares_of_errors_differ_only_past_chance(
    before: tuple[int, int], after: tuple[int, int], expected: str
) -> None:
    one, other = (
        running.ran(requests=requests, failed=failed, errors={"status": failed}) for failed, requests in (before, after)
    )
    found = compare.compare(one, other)
    assert of(found, "errors").change == expected
    assert of(found, "errors status").change == expected


def test_labels_that_changed_come_first_and_the_others_are_counted() -> None:
    before = running.ran(labels={"a": running.label(100), "b": running.label(100), "old": running.label(5)})
    slow = running.label(100)
    slow["latency_ms"]["corrected"] |= {"p99": 300.0, "p50": 3.0}
    after = running.ran(labels={"a": running.label(101), "b": slow, "new": running.label(7)})
    found = compare.compare(before, after)
    assert [(one.label, one.change) for one in found.labels] == [
        ("b", "worse"), ("old", "gone"), ("new", "new"), ("a", "same"),
    ]  # fmt: skip
    text = compare.as_text(found)
    assert "old: gone" in text
    assert "1 label the same" in text
    assert "2 more labels changed; --json lists them all" in compare.as_text(found, listed=1)


def test_hostile_labels_reach_no_terminal() -> None:
    labels: dict[str, Any] = {name: running.label(5) for name in running.HOSTILE}
    text = compare.as_text(compare.compare(running.ran(labels=labels), running.ran(labels={})))
    assert all(line.isprintable() for line in text.split("\n"))


def test_what_makes_runs_differ_is_told() -> None:
    before = running.ran()
    run = msgspec.structs.replace(before.run, model="closed: 3 users", target="http://b.test")
    generator = polls.Generator(saturated=True)
    after = msgspec.structs.replace(
        before, run=run, asked=None, asked_rate=None, generator=generator, complete=False, duration_s=3.0
    )
    notes = "\n".join(compare.compare(before, after).notes)
    assert "the load models differ: constant: 100/s; at most 10 users and closed: 3 users" in notes
    assert "the targets differ" in notes
    assert "one model is closed and one is open" in notes
    assert "the generator was the limit in the second run" in notes
    assert "the second run was stopped after 3s" in notes
    assert "the runs took 10s and 3s" in notes


def test_a_run_without_requests_cannot_be_compared() -> None:
    empty = running.ran(requests=0)
    with pytest.raises(InputError, match="the second run made no request: there is nothing to compare it by"):
        compare.compare(running.ran(), empty)
    with pytest.raises(InputError, match="the noise is -1: give a share from 0 to 10"):
        compare.compare(running.ran(), running.ran(), -1)


def test_what_one_run_did_not_measure_is_new_or_gone() -> None:
    before = running.ran()
    bare = msgspec.structs.replace(before, latency_ms=Corrected(Latencies(p50=1.0, count=5), None))
    found = compare.compare(before, bare)
    assert of(found, "corrected p99").change == "gone"
    assert of(found, "uncorrected p50").change == "gone"
    assert of(compare.compare(bare, before), "corrected p99").change == "new"
    body = json.loads(found.to_json())
    assert body["changes"][0] == {
        "measure": "rate", "before": 100.0, "after": 100.0, "unit": "rate", "change": "same", "relative": 0.0,
    }  # fmt: skip
