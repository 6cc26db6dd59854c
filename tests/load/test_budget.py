"""What a run takes: against the engine's own arithmetic, against a fresh interpreter, and that it only grows."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.errors import InputError
from chaffinch.load import budget
from chaffinch.load.plan import (
    Constant,
    ContainsAssert,
    Data,
    JsonExtract,
    MatchesAssert,
    Percentiles,
    Plan,
    RegexExtract,
    Scenario,
    Step,
    TimeAssert,
)

MB = 1 << 20

PAGE = Path(__file__).parents[2] / "docs" / "memory-guard.md"


def plan(*steps: Step, **more: Any) -> Plan:
    scenario = Scenario(name="s", steps=steps or (Step(name="x", path="/"),), data=more.pop("data", None))
    return Plan(**{"base_url": "http://a.test", "scenarios": (scenario,), **more})


def part(of: Plan, name: str) -> budget.Part:
    return next(one for one in budget.budget_of(of).parts if name in one.name)


# labels, threads, intervals and what `Budget::least_bytes` of crates/load/src/record/budget.rs printed for them
PRINTED = (
    (1, 1, 0, 3056096),
    (1, 2, 60, 4649568),
    (1, 4, 3600, 9012992),
    (100, 1, 0, 3420560),
    (100, 2, 600, 5440056),
    (100, 4, 3600, 10098248),
    (1000, 1, 600, 6924304),
    (1000, 2, 0, 10705240),
    (1000, 4, 60, 18700552),
    (10_000, 1, 600, 40307344),
    (10_000, 4, 3600, 119296552),
    (50_000, 1, 0, 187246672),
    (50_000, 4, 3600, 557460520),
)


@pytest.mark.parametrize(("labels", "threads", "intervals", "printed"), PRINTED)
def test_records_take_what_the_engine_says(labels: int, threads: int, intervals: int, printed: int) -> None:
    assert budget.least_records(labels, threads, intervals) == printed


FLOOR = """
import asyncio, chaffinch.cli, chaffinch._core, chaffinch.load.scenario.files, chaffinch.load.environment
import chaffinch.load.relief, chaffinch.load.budget, chaffinch.load.results, chaffinch.metrics.endpoint
from chaffinch.metrics.memory import resident_bytes
print(resident_bytes())
"""


def test_the_floor_is_that_of_a_fresh_interpreter() -> None:
    least = min(
        int(subprocess.run([sys.executable, "-c", FLOOR], capture_output=True, check=True, timeout=60).stdout)
        for _ in range(3)
    )
    assert 0.7 * budget.FLOOR < least <= budget.FLOOR


def test_the_page_has_the_figures() -> None:
    page = PAGE.read_text()
    for part, figure in (
        ("Python with what `load run` imports", f"{budget.FLOOR >> 20} MB"),
        ("the engine", f"{budget.ENGINE >> 20} MB, with TLS {(budget.ENGINE + budget.TLS) >> 20} MB"),
        ("a thread", f"{budget.THREAD >> 10} KB"),
        ("a user with its connection", f"{budget.USER + budget.CONNECTION:,}"),
        ("a user with a TLS connection", f"{budget.USER + budget.TLS_CONNECTION:,}"),
        (
            "a user of an HTTP/2 connection with 100 streams",
            f"{budget.USER + (budget.TLS_CONNECTION + 100 * budget.STREAM) // 100:,}",
        ),
        ("a label in a report", f"{budget.POLLED_LABEL >> 10} KB"),
        ("the kernel, for a connection", f"{budget.KERNEL_CONNECTION >> 10} KB, outside of the process"),
    ):
        assert f"| {part} | {figure} |" in page


def test_a_plain_run_is_small_and_its_sum_is_its_parts() -> None:
    found = budget.budget_of(plan(users=64, duration_ms=10_000))
    assert found.bytes == sum(one.bytes for one in found.parts) < 42 * MB
    assert found.kernel_bytes == 64 * budget.KERNEL_CONNECTION
    assert found.most_bytes > found.bytes
    text = budget.table(found)
    assert "64 connections" in text
    assert "records of 2 labels" in text
    assert budget.in_megabytes(found.bytes) in text


def test_labels_are_those_of_the_scenarios_unless_one_is_a_template() -> None:
    names = (Step(name="a", path="/"), Step(name="b", path="/", label="one"), Step(name="c", path="/", label="one"))
    assert budget.used_labels(plan(*names)) == 3
    assert budget.used_labels(plan(*names, Step(name="d", path="/", label="$$5"))) == 4
    assert budget.used_labels(plan(*names, Step(name="d", path="/", label="${id}"))) == 1000
    assert budget.used_labels(plan(*names, percentiles=Percentiles(labels=2))) == 2


def test_intervals_are_those_of_the_duration_at_most_as_many_as_are_kept() -> None:
    assert budget.used_intervals(plan(duration_ms=10_000)) == 11
    assert budget.used_intervals(plan(duration_ms=86_400_000)) == 600
    assert budget.used_intervals(plan(requests=10)) == 600


def test_records_never_take_more_than_their_cap() -> None:
    wide = plan(Step(name="x", path="/", label="${random}"), percentiles=Percentiles(labels=1000, bytes=16 * MB))
    assert part(wide, "records").bytes == 16 * MB
    off = plan(Step(name="x", path="/", label="${random}"), percentiles=Percentiles(enabled=False))
    assert part(off, "records").bytes == budget.least_records(1000, 1, 600)
    assert budget.width(255) == 1
    assert budget.width(256) == 2
    assert budget.width(1 << 16) == 4
    assert budget.width(1 << 32) == 8


def test_a_connection_takes_what_its_protocol_does() -> None:
    plain, secure = plan(users=100), plan(users=100, base_url="https://a.test")
    assert part(plain, "connections").bytes == 100 * budget.CONNECTION
    assert part(secure, "connections").bytes == 100 * budget.TLS_CONNECTION
    assert part(secure, "the engine").bytes == budget.ENGINE + budget.TLS
    shared = part(plan(users=105, base_url="https://a.test", http="2", streams=10), "connections")
    assert (shared.count, shared.each) == (11, budget.TLS_CONNECTION + 10 * budget.STREAM)
    assert part(plan(users=100, connections=7), "connections").count == 7
    two = plan(Step(name="x", path="/"), Step(name="y", path="https://b.test/x"), users=5)
    assert part(two, "connections").count == 10
    assert part(two, "connections").each == budget.TLS_CONNECTION


def test_a_user_keeps_what_its_scenario_looks_into() -> None:
    blind = plan(Step(name="x", path="/", asserts=(TimeAssert(5),)), users=10)
    assert part(blind, "users").each == part(blind, "users").most_bytes // 10 == budget.USER
    looks = plan(Step(name="x", path="/", asserts=(ContainsAssert("a"),)), users=10)
    assert part(looks, "users").each == budget.USER + budget.USUAL_ANSWER
    assert part(looks, "users").most_bytes > 10 * budget.MOST_BODY
    steps = (Step(name="x", path="/", extract=(JsonExtract("id", "$.id"),), cache_ttl_ms=5), Step(name="y", path="/"))
    rich = part(plan(*steps, users=10), "users")
    assert rich.each == budget.USER + budget.USUAL_ANSWER + budget.USUAL_VALUE
    assert rich.most_bytes > part(looks, "users").most_bytes + 10 * (budget.MOST_JAR + budget.MOST_CACHE)


def test_bodies_rows_and_patterns_count() -> None:
    patterns = Step(name="x", path="/", extract=(RegexExtract("a", "(.)"),), asserts=(MatchesAssert("b"),))
    assert part(plan(patterns), "patterns").bytes == 2 * budget.PATTERN
    assert part(plan(Step(name="x", path="/", body_size=MB)), "steps").bytes == budget.STEP + 3 * MB
    assert part(plan(Step(name="x", path="/", body="ä")), "steps").bytes == budget.STEP + 6
    rows = msgspec.Raw(b'[["1"],["2"]]')
    data = part(plan(data=Data(("id",), rows)), "data rows")
    assert (data.bytes, data.most_bytes) == (3 * 13, 5 * 13)


def test_a_bound_that_cannot_hold_a_run_is_refused_with_the_arithmetic() -> None:
    large = plan(users=5000, base_url="https://a.test", duration_ms=10_000)
    assert budget.refuse(large, 100 * MB).bytes < 100 * MB
    with pytest.raises(InputError) as raised:
        budget.refuse(large, 64 * MB)
    text = str(raised.value)
    assert text.startswith("--memory of 64.0 MB cannot hold this run, which takes 84.4 MB: 43.9 MB 5,000 connections")
    assert "30.0 MB Python" in text
    assert text.endswith("give 84.4 MB, or ask for less than 5,000 connections")
    assert text in " ".join(PAGE.read_text().split())
    with pytest.raises(InputError, match=r"^RAM of 100\.0 MB .* \+ 24\.4 MB the kernel's sockets; give 108\.8 MB"):
        budget.refuse(large, 100 * MB, "RAM", with_kernel=True)


def test_fewer_bytes_for_percentiles_are_advised_where_that_helps() -> None:
    wide = plan(Step(name="x", path="/", label="${random}"), percentiles=Percentiles(labels=1000, bytes=64 * MB))
    assert budget.budget_of(wide).bytes > 56 * MB
    with pytest.raises(InputError, match=r"or percentiles\.memory: \d+$") as raised:
        budget.refuse(wide, 48 * MB)
    smaller = budget.fitted(wide, 48 * MB)
    assert smaller is not None
    assert str(raised.value).endswith(str(smaller.percentiles.bytes))
    assert budget.refuse(smaller, 48 * MB).bytes <= 48 * MB
    assert budget.fitted(wide, 36 * MB) is None
    assert budget.fitted(plan(), 1 << 40) == plan()


def test_more_threads_than_the_default_has_room_for_get_what_they_need() -> None:
    found = budget.fitted(plan(threads=4), 1 << 40)
    assert found is not None
    assert found.percentiles.bytes == budget.least_records(1000, 4, 600) > Percentiles().bytes


def test_notes_say_when_the_guard_will_act_and_what_a_hostile_target_can_do() -> None:
    large = plan(users=1000, duration_ms=10_000)
    assert budget.notes(large, 1 << 40) == ()
    needed = budget.budget_of(large).bytes
    near, hostile = budget.notes(large, needed + MB)
    assert "the memory guard will give up intervals and resolution" in near
    assert hostile.endswith("of it 1,000 connections")


@given(st.integers(1, 10_000), st.integers(1, 8), st.integers(0, 5000), st.integers(0, 1 << 40))
def test_more_takes_more(labels: int, threads: int, intervals: int, values: int) -> None:
    least = budget.least_records(labels, threads, intervals)
    assert budget.least_records(labels + 1, threads, intervals) > least
    assert budget.least_records(labels, threads + 1, intervals) > least
    assert budget.least_records(labels, threads, intervals + 1) > least
    assert budget.full_records(labels, threads, intervals, values) > least


@given(st.integers(1, 20_000), st.integers(1, 64), st.sampled_from(["1.1", "2"]), st.integers(1, 1 << 30))
def test_what_is_not_refused_fits(users: int, streams: int, http: str, memory: int) -> None:
    asked = plan(users=users, streams=streams, http=http, model=Constant(5), base_url="https://a.test")
    try:
        assert budget.refuse(asked, memory).bytes <= memory
    except InputError:
        assert budget.budget_of(asked).bytes > memory
