"""`load plan`: what is said to fit fits, and one more does not."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.errors import InputError
from chaffinch.load import budget, capacity, records
from chaffinch.load.capacity import Fit, Measured, Transport, plan_for, plan_of
from chaffinch.load.plan import Closed, Constant, Plan

MB, GB = 1 << 20, 1 << 30


def takes(fit: Fit) -> int:
    return fit.process_bytes + fit.kernel_bytes


def test_nothing_given_bounds_everything() -> None:
    fit = plan_for(2 * GB)
    assert fit.fits
    assert fit.usable_bytes == int(2 * GB * 0.8)
    assert [one.name for one in fit.bounds] == ["users", "labels", "intervals", "rate"]
    assert fit.bound("users") > 100_000
    assert fit.bound("labels") > 10_000
    assert fit.bound("rate") == 0
    with pytest.raises(KeyError):
        fit.bound("weather")


@pytest.mark.parametrize("transport", ["plain", "tls", "http2"])
@pytest.mark.parametrize("ram", [512 * MB, 2 * GB])
def test_the_most_of_each_fits_and_one_more_does_not(transport: Transport, ram: int) -> None:
    fit = plan_for(ram, transport=transport)
    users = fit.bound("users")
    assert takes(plan_for(ram, concurrency=users, transport=transport)) <= fit.usable_bytes
    assert takes(plan_for(ram, concurrency=users + 1, transport=transport)) > fit.usable_bytes
    labels = fit.bound("labels")
    assert plan_for(ram, labels=labels, transport=transport).fits
    assert not plan_for(ram, labels=labels + 1, transport=transport).fits


def test_the_given_values_fit_together_and_say_what_they_mean() -> None:
    fit = plan_for(512 * MB, 50_000, 5000, 5000, 86_400)
    assert fit.fits
    assert [one.name for one in fit.bounds] == ["intervals"]
    text = capacity.as_text(fit)
    assert "50,000 requests/s over 5,000 users hold while an answer takes 100.0 ms on average" in text
    assert "It fits into 80% of 512.0 MB, 409.6 MB." in text
    assert "records of 5,000 labels" in text


def test_what_does_not_fit_is_bounded_by_what_would() -> None:
    fit = plan_for(128 * MB, concurrency=20_000, labels=1000, transport="tls")
    assert not fit.fits
    assert "too much; the bounds below say what would" in capacity.as_text(fit)
    assert 0 < fit.bound("users") < 20_000
    assert plan_for(128 * MB, concurrency=fit.bound("users"), labels=1000, transport="tls").fits
    assert fit.bound("labels") == 0
    assert "Labels: not even one fits beside the rest." in fit.sentences


def test_a_duration_takes_no_memory() -> None:
    hour, day = (plan_for(GB, 1000, 10, 100, seconds) for seconds in (3600, 86_400))
    assert day.process_bytes - hour.process_bytes < 64 << 10  # wider counters
    assert plan_for(GB, 1000, 10, 100, 5).process_bytes < hour.process_bytes  # fewer intervals


def test_fewer_values_take_narrower_counters() -> None:
    short, long = (plan_for(GB, 1000, 1000, 100, seconds) for seconds in (60, 6000))
    assert short.process_bytes < long.process_bytes < plan_for(GB, None, 1000, 100, 6000).process_bytes


def test_a_rate_over_one_thread_takes_more_threads() -> None:
    assert plan_of(plan_for(GB, 250_000).asked).threads == 3
    assert plan_of(plan_for(GB, 250_000, threads=2).asked).threads == 2


def test_the_plan_that_is_computed_is_one_that_can_be_run() -> None:
    fit = plan_for(GB, 5000, 200, 300, 60, transport="http2")
    planned = plan_of(fit.asked, "https://a.test")
    assert planned.model == Constant(5000)
    assert (planned.users, planned.percentiles.labels, planned.http) == (300, 200, "2")
    assert (planned.duration_ms, planned.percentiles.intervals) == (60_000, 60)
    assert records.used_labels(planned) == 200
    assert budget.budget_of(planned, to_cap=True).bytes == fit.process_bytes
    assert budget.refuse(planned, fit.process_bytes).bytes <= fit.process_bytes
    assert budget.fitted(planned, fit.process_bytes) == planned  # its records get all that was planned
    assert plan_of(plan_for(GB).asked).model == Closed()


def test_json_has_every_figure() -> None:
    said = json.loads(capacity.as_json(plan_for(GB, 1000)))
    assert said["fits"] is True
    assert said["asked"]["rate"] == 1000
    assert {one["name"] for one in said["bounds"]} == {"users", "labels", "intervals"}
    assert sum(one["usual_bytes"] for one in said["parts"]) == said["process_bytes"]


def test_a_check_compares_the_peak_with_what_was_computed() -> None:
    fit = plan_for(GB, 1000, 10, 100, 3600)
    asked: list[Plan] = []
    notes: tuple[str, ...]

    def run(planned: Plan) -> Measured:
        asked.append(planned)
        return Measured(peak, 10_000, 10.0, labels, notes)

    peak, labels, notes = fit.process_bytes, 10, ()
    proof = capacity.check(fit, "http://127.0.0.1:8080", run)
    assert proof.holds
    assert "took" in proof.sentence
    assert proof.sentence.endswith("that were computed.")
    assert "within" in proof.sentence
    assert (asked[0].base_url, asked[0].duration_ms, asked[0].users) == ("http://127.0.0.1:8080", 10_000, 100)
    assert asked[0].percentiles.intervals == 600
    peak += 1
    proof = capacity.check(fit, "http://127.0.0.1:8080", run, 2)
    assert not proof.holds
    there, computed = re.findall(r"took ([\d.]+) MB at its peak, over the ([\d.]+) MB that", proof.sentence)[0]
    assert float(there) > float(computed)
    assert asked[1].duration_ms == 2000


def test_a_check_says_what_it_did_not_come_to() -> None:
    fit = plan_for(GB, 10, 1000, 100, 3600)
    notes = ("Note: this process may open 1,024 files.",)
    proof = capacity.check(fit, "http://127.0.0.1:8080", lambda _plan: Measured(1, 50, 5.0, 50, notes))
    assert proof.holds
    assert proof.sentence.endswith(
        "It came to 50 of 1,000 labels: a longer one proves more. Note: this process may open 1,024 files."
    )


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"rate": 0}, "rate: 0 is outside of 0.001 to 10,000,000.0"),
        ({"labels": 0}, "labels: 0 is outside of 1 to 16,777,216"),
        ({"concurrency": 1_000_001}, "concurrency: 1,000,001 is outside of 1 to 1,000,000"),
        ({"duration_s": 0.0}, "duration: 0.0 is outside"),
        ({"rate": float("nan")}, "rate: nan"),
        ({"ram": 0}, "ram: 0 is outside"),
    ],
)
def test_values_that_no_run_can_have_are_refused(values: dict[str, float], says: str) -> None:
    with pytest.raises(InputError) as raised:
        plan_for(**{"ram": GB, **values})  # type: ignore[arg-type]
    assert says in str(raised.value)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 1 << 36),
    st.none() | st.floats(0.01, 1e6),
    st.none() | st.integers(1, 100_000),
    st.none() | st.integers(1, 100_000),
    st.none() | st.floats(0.01, 1e6),
    st.sampled_from(["plain", "tls", "http2"]),
)
def test_bounds_are_what_fits(
    ram: int,
    rate: float | None,
    labels: int | None,
    users: int | None,
    seconds: float | None,
    transport: Transport,
) -> None:
    fit = plan_for(ram, rate, labels, users, seconds, transport=transport)
    assert fit.fits == (takes(fit) <= fit.usable_bytes)
    for one in fit.bounds:
        if one.name == "users" and one.most:
            assert plan_for(ram, rate, labels, one.most, seconds, transport=transport).fits
        if one.name == "labels" and one.most:
            assert plan_for(ram, rate, one.most, users, seconds, transport=transport).fits
    assert all(text.endswith(".") for text in fit.sentences)
    assert capacity.as_text(fit)
