"""What a run takes: against the engine's own arithmetic, against a fresh interpreter, and that it only grows."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch import _core
from chaffinch.errors import InputError
from chaffinch.load import budget, records
from chaffinch.load.plan import (
    USUAL_RECORDS,
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
    least_records,
)

MB = 1 << 20

PAGE = Path(__file__).parents[2] / "docs" / "memory-guard.md"


def plan(*steps: Step, **more: Any) -> Plan:
    scenario = Scenario(name="s", steps=steps or (Step(name="x", path="/"),), data=more.pop("data", None))
    return Plan(**{"base_url": "http://a.test", "scenarios": (scenario,), **more})


def part(of: Plan, name: str) -> budget.Part:
    return next(one for one in budget.budget_of(of).parts if name in one.name)


@pytest.mark.parametrize(
    ("labels", "threads", "intervals"), [(1, 1, 0), (100, 2, 600), (1000, 4, 60), (10_000, 1, 600)]
)
def test_records_need_what_the_engine_says(labels: int, threads: int, intervals: int) -> None:
    least = least_records(labels, threads, intervals)

    def of(count: int | None) -> Plan:
        own = Percentiles(labels=labels, intervals=intervals, bytes=count)
        return plan(threads=threads, base_url="http://127.0.0.1:1", duration_ms=1, percentiles=own)

    _core.LoadRun(of(least).to_json())
    _core.LoadRun(of(None).to_json())
    with pytest.raises(_core.LoadError, match=f"at least {least}"):
        _core.LoadRun(of(least - 1).to_json())


FLOOR = """
import chaffinch.cli, chaffinch.cli.load as load
load.command.get_command(None, "run")
import chaffinch.load.scenario.files, chaffinch.load.report.html
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
        ("the engine", f"{budget.ENGINE >> 20} MB, with TLS {(budget.ENGINE + budget.TLS) / MB:.1f} MB"),
        ("a thread", f"{budget.THREAD >> 10} KB"),
        ("a user with its connection", f"{budget.USER + budget.CONNECTION:,}"),
        ("a user with a TLS connection", f"{budget.USER + budget.TLS_CONNECTION:,}"),
        (
            "a user of an HTTP/2 connection with 100 streams",
            f"{budget.USER + (budget.TLS_CONNECTION + budget.HTTP2_CONNECTION + 100 * budget.STREAM) // 100:,}",
        ),
        ("a label at the end", f"{budget.POLLED_LABEL >> 10} KB"),
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
    assert records.used_labels(plan(*names)) == 3
    assert records.used_labels(plan(*names, Step(name="d", path="/", label="$$5"))) == 4
    assert records.used_labels(plan(*names, Step(name="d", path="/", label="${id}"))) == 1000
    assert records.used_labels(plan(*names, percentiles=Percentiles(labels=2))) == 2


def test_intervals_are_those_of_the_duration_at_most_as_many_as_are_kept() -> None:
    assert records.used_intervals(plan(duration_ms=10_000)) == 11
    assert records.used_intervals(plan(duration_ms=86_400_000)) == 600
    assert records.used_intervals(plan(requests=10)) == 600


def test_records_never_take_more_than_their_cap() -> None:
    wide = plan(Step(name="x", path="/", label="${random}"), percentiles=Percentiles(labels=1000, bytes=16 * MB))
    found = part(wide, "records")
    assert found.bytes < found.most_bytes == 16 * MB
    assert budget.budget_of(wide, to_cap=True).bytes - budget.budget_of(wide).bytes == found.most_bytes - found.bytes
    least = least_records(1000, 1, 600)
    tight = part(records.capped(wide, least), "records")
    assert tight.bytes < found.bytes
    assert tight.most_bytes == least
    off = plan(Step(name="x", path="/", label="${random}"), percentiles=Percentiles(enabled=False))
    assert part(off, "records").most_bytes == least
    assert records.width(255) == 1
    assert records.width(256) == 2
    assert records.width(1 << 16) == 4
    assert records.width(1 << 32) == 8


def test_a_connection_takes_what_its_protocol_does() -> None:
    plain, secure = plan(users=100), plan(users=100, base_url="https://a.test")
    assert part(plain, "connections").bytes == 100 * budget.CONNECTION
    assert part(secure, "connections").bytes == 100 * budget.TLS_CONNECTION
    assert part(secure, "the engine").bytes == budget.ENGINE + budget.TLS
    shared = part(plan(users=105, base_url="https://a.test", http="2", streams=10), "connections")
    assert (shared.count, shared.each) == (11, budget.TLS_CONNECTION + budget.HTTP2_CONNECTION + 10 * budget.STREAM)
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
    assert text.startswith("--memory of 64.0 MB cannot hold this run, which takes 75.7 MB: 43.9 MB 5,000 connections")
    assert "24.0 MB Python" in text
    assert text.endswith("give 75.7 MB, or ask for fewer than 5,000 connections")
    assert text in " ".join(PAGE.read_text().split())
    with pytest.raises(InputError, match=r"^RAM of 100\.0 MB .* \+ 24\.4 MB the kernel's sockets; give 100\.1 MB"):
        budget.refuse(large, 100 * MB, "RAM", with_kernel=True)
    with pytest.raises(InputError, match=r"give [\d.]+ MB$"):  # nothing else would help
        budget.refuse(plan(), 20 * MB)


def test_what_is_asked_for_rounds_up_and_what_there_is_rounds_down() -> None:
    large = plan(users=5000)
    needed = budget.refuse(large, 1 << 40).bytes
    budget.refuse(large, needed)
    with pytest.raises(InputError) as raised:
        budget.refuse(large, needed - 1)
    there, asked = re.findall(r"of ([\d.]+) MB cannot hold this run, which takes ([\d.]+) MB", str(raised.value))[0]
    assert float(there) * MB <= needed - 1 < float(asked) * MB


@pytest.mark.parametrize(
    ("given", "asked", "there"),
    [
        (42 * MB, "42.0 MB", "42.0 MB"),
        (42 * MB + 1, "42.1 MB", "42.0 MB"),
        (42 * MB - 1, "42.0 MB", "41.9 MB"),
        (3 << 30, "3.0 GB", "3.0 GB"),
        ((3 << 30) + 1, "3.1 GB", "3.0 GB"),
    ],
)
def test_sizes_are_rounded_to_the_side_on_which_they_hold(given: int, asked: str, there: str) -> None:
    assert (budget.at_least(given), budget.at_most(given)) == (asked, there)


def test_records_are_fitted_to_what_the_bound_leaves() -> None:
    wide = plan(Step(name="x", path="/", label="${random}"), percentiles=Percentiles(labels=1000))
    least = least_records(1000, 1, 600)
    for memory in (36 * MB, 40 * MB, 48 * MB):
        found = budget.fitted(wide, memory)
        assert found is not None
        assert found.percentiles.bytes is not None
        assert least <= found.percentiles.bytes <= USUAL_RECORDS
        assert budget.budget_of(found).bytes <= budget.refuse(wide, memory).bytes + 2 * MB <= memory + 2 * MB
    assert budget.fitted(wide, 30 * MB) is None
    roomy = budget.fitted(wide, 1 << 40)
    assert roomy is not None
    assert roomy.percentiles.bytes == USUAL_RECORDS


def test_records_whose_owner_gives_them_too_little_are_refused_with_the_arithmetic() -> None:
    small = plan(threads=4, percentiles=Percentiles(labels=1000, bytes=4 * MB))
    with pytest.raises(InputError) as raised:
        budget.refuse(small, 1 << 40)
    least = least_records(1000, 4, 600)
    assert str(raised.value) == (
        "percentiles.memory of 4.0 MB cannot hold the records of 1,000 labels on 4 threads with 600 intervals, which "
        f"need {budget.at_least(least)}: give {least}, leave it out, or ask for fewer of them"
    )
    budget.refuse(records.capped(small, least), 1 << 40)


def test_records_that_get_less_than_their_owner_gives_them_are_told() -> None:
    wide = plan(Step(name="x", path="/", label="${random}"), percentiles=Percentiles(labels=1000, bytes=64 * MB))
    found = budget.fitted(wide, 48 * MB)
    assert found is not None
    (told,) = budget.lowered(wide, found, 48 * MB, "--memory")
    assert re.fullmatch(r"percentiles.memory is [\d.]+ MB instead of 64.0 MB: --memory of 48.0 MB leaves no more", told)
    assert budget.lowered(wide, wide, 1 << 40, "--memory") == ()


@pytest.mark.parametrize(("threads", "labels"), [(4, 1000), (1, 10_000)])
def test_more_threads_and_labels_than_the_default_has_room_for_get_what_they_need(threads: int, labels: int) -> None:
    asked = plan(threads=threads, percentiles=Percentiles(labels=labels))
    found = budget.fitted(asked, 1 << 40)
    assert found is not None
    assert found.percentiles.bytes == least_records(labels, threads, 600) > USUAL_RECORDS


def test_ten_thousand_labels_fit_into_64_megabytes() -> None:
    step = Step(name="x", path="/", label="${random}")
    wide = plan(step, percentiles=Percentiles(labels=10_000), duration_ms=60_000)
    assert budget.refuse(wide, 64 * MB).bytes <= 64 * MB


def test_notes_say_when_the_guard_will_act_and_what_a_hostile_target_can_do() -> None:
    large = plan(users=1000, duration_ms=10_000)
    assert budget.notes(large, 1 << 40) == ()
    needed = budget.budget_of(large).bytes
    near, hostile = budget.notes(large, needed + MB)
    assert "the memory guard may give up intervals and resolution" in near
    assert hostile.endswith("of it 1,000 connections")


@given(st.integers(1, 10_000), st.integers(1, 8), st.integers(0, 5000), st.integers(0, 1 << 40))
def test_more_takes_more(labels: int, threads: int, intervals: int, values: int) -> None:
    least = least_records(labels, threads, intervals)
    assert least_records(labels + 1, threads, intervals) > least
    assert least_records(labels, threads + 1, intervals) > least
    assert least_records(labels, threads, intervals + 1) > least
    assert records.full_records(labels, threads, intervals, values) > least


@given(st.integers(1, 20_000), st.integers(1, 64), st.sampled_from(["1.1", "2"]), st.integers(1, 1 << 30))
def test_what_is_not_refused_fits(users: int, streams: int, http: str, memory: int) -> None:
    asked = plan(users=users, streams=streams, http=http, model=Constant(5), base_url="https://a.test")
    try:
        assert budget.refuse(asked, memory).bytes <= memory
    except InputError:
        assert budget.budget_of(records.capped(asked, records.least_of(asked))).bytes > memory
        assert budget.fitted(asked, memory) is None
