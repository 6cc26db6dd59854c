"""The memory guard, with readings and times as no machine would give them, and with those of this process."""

import asyncio
import logging
import mmap
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.errors import InputError
from chaffinch.metrics import memory
from chaffinch.metrics.guard import LEVELS, Action, Guard, Kind, Thresholds, Transition, Watch, bound
from chaffinch.metrics.registry import Registry

LIMIT = memory.Limit(1000, "--memory")
"""Readings below are thousandths of the bound: 700 is back, 800 a warning, 900 critical."""


class Owner:
    """Who gives things up, and remembers in which order it did."""

    def __init__(self) -> None:
        self.did: list[str] = []

    def action(self, name: str, *, lasts: bool = False, **more: Any) -> Action:
        undo = None if lasts else self.doing(f"un{name}")
        return Action(name, self.doing(name), undo, **more)

    def doing(self, what: str, gave: object = None) -> Callable[[], object]:
        def do() -> object:
            self.did.append(what)
            return gave

        return do


def fails() -> None:
    raise RuntimeError("broken")


def kinds(transitions: list[Transition]) -> list[str]:
    return [f"{one.kind} {one.action or one.level}" for one in transitions]


def test_a_warning_takes_the_next_action_each_time_that_the_reading_stays() -> None:
    owner = Owner()
    guard = Guard(LIMIT, [owner.action("a"), owner.action("b"), owner.action("c")])
    assert kinds(guard.look(0, 799)) == []
    assert kinds(guard.look(1, 800)) == ["level warning"]
    assert kinds(guard.look(2.9, 850)) == []
    assert kinds(guard.look(3, 850)) == ["taken a"]
    assert kinds(guard.look(4.9, 850)) == []
    assert kinds(guard.look(5, 899)) == ["taken b"]
    assert kinds(guard.look(6, 790)) == []
    assert kinds(guard.look(8, 810)) == []  # below in between: it has to stay above again
    assert kinds(guard.look(10, 810)) == ["taken c"]
    assert kinds(guard.look(12, 810)) == ["exhausted warning"]
    assert kinds(guard.look(99, 810)) == []
    assert owner.did == ["a", "b", "c"]
    assert guard.in_force == ("a", "b", "c")


def test_critical_takes_one_at_each_look() -> None:
    owner = Owner()
    guard = Guard(LIMIT, [owner.action("a"), owner.action("b"), owner.action("c")])
    assert kinds(guard.look(0, 950)) == ["level critical", "taken a"]
    assert kinds(guard.look(0, 920)) == ["taken b"]
    assert kinds(guard.look(0.1, 880)) == []
    assert guard.level == "critical"
    assert kinds(guard.look(0.2, 780)) == ["level warning"]
    assert kinds(guard.look(0.3, 650)) == ["level normal"]


def test_an_action_with_a_lag_is_waited_for_even_when_it_is_critical() -> None:
    owner = Owner()
    guard = Guard(LIMIT, [owner.action("a", lag_s=0.05), owner.action("b")])
    guard.look(0, 999)
    assert kinds(guard.look(0.04, 1200)) == []
    assert kinds(guard.look(0.05, 1200)) == ["taken b"]
    guard = Guard(LIMIT, [owner.action("a", lag_s=5), owner.action("b")])
    guard.look(0, 850)
    assert kinds(guard.look(2, 850)) == ["taken a"]
    assert kinds(guard.look(6.9, 850)) == []
    assert kinds(guard.look(7, 850)) == ["taken b"]


def test_what_was_undone_has_no_lag() -> None:
    guard = Guard(LIMIT, [Owner().action("a", lag_s=5)])
    guard.look(0, 950)
    guard.look(1, 0)
    assert kinds(guard.look(11, 0)) == ["undone a"]
    assert kinds(guard.look(11, 950)) == ["level critical", "taken a"]


def test_a_warning_stops_before_what_is_for_critical_alone() -> None:
    owner = Owner()
    guard = Guard(LIMIT, [owner.action("a"), owner.action("b", only_critical=True), owner.action("c")])
    for now in range(20):
        guard.look(now, 850)
    assert owner.did == ["a"]
    assert not guard.is_exhausted
    guard.look(20, 900)
    assert owner.did == ["a", "b"]


def test_a_last_resort_waits_for_its_share() -> None:
    owner = Owner()
    guard = Guard(LIMIT, [owner.action("a"), owner.action("stop", at_share=0.97)])
    assert kinds(guard.look(0, 969)) == ["level critical", "taken a"]
    assert kinds(guard.look(50, 969)) == []
    assert kinds(guard.look(51, 970)) == ["taken stop"]


def test_what_returns_is_undone_in_reverse_one_at_a_time() -> None:
    owner = Owner()
    guard = Guard(LIMIT, [owner.action("a"), owner.action("b", lasts=True), owner.action("c")])
    for _ in range(3):
        guard.look(0, 950)
    assert kinds(guard.look(1, 750)) == ["level warning"]
    assert kinds(guard.look(50, 750)) == []  # not back yet
    assert kinds(guard.look(60, 699)) == ["level normal"]
    assert kinds(guard.look(69.9, 699)) == []
    assert kinds(guard.look(70, 600)) == ["undone c"]
    assert kinds(guard.look(79.9, 600)) == []
    assert kinds(guard.look(80, 600)) == ["stays b"]
    assert kinds(guard.look(85, 700)) == []  # calm is over
    assert kinds(guard.look(90, 600)) == []
    assert kinds(guard.look(100, 600)) == ["undone a"]
    assert kinds(guard.look(999, 600)) == []
    assert owner.did == ["a", "b", "c", "unc", "una"]
    assert guard.in_force == ("b",)


def test_undoing_too_early_makes_it_more_patient_and_time_forgives() -> None:
    owner = Owner()
    guard = Guard(LIMIT, [owner.action("a")], Thresholds(settle_s=0, calm_s=10, longest_calm_s=35))
    now, waited = 0.0, []
    for _ in range(4):
        assert "taken a" in kinds(guard.look(now, 950))
        guard.look(now, 0)
        begun = now
        while not guard.look(now, 0):
            now += 0.5
        waited.append(now - begun)
    assert waited == [10, 20, 35, 35]
    now += 36
    guard.look(now, 950)
    guard.look(now, 0)
    assert kinds(guard.look(now + 10, 0)) == ["undone a"]


def test_an_action_that_fails_or_gives_nothing_makes_way_for_the_next() -> None:
    owner = Owner()
    nothing = Action("nothing", owner.doing("nothing", gave=False))
    actions = [Action("bad", fails, fails), nothing, owner.action("good"), Action("worse", owner.doing("worse"), fails)]
    guard = Guard(LIMIT, actions)
    assert kinds(guard.look(0, 950)) == ["level critical", "failed bad", "nothing nothing", "taken good"]
    assert kinds(guard.look(1, 950)) == ["taken worse"]  # what failed is not tried again
    assert kinds(guard.look(2, 950)) == ["exhausted critical"]
    guard.look(3, 100)
    assert not guard.is_exhausted
    failed = guard.look(13, 100)
    assert kinds(failed) == ["failed worse"]
    assert str(failed[0].error) == "broken"
    assert kinds(guard.look(23, 100)) == ["undone good"]
    assert guard.in_force == ("worse",)
    assert "failed bad" in kinds(guard.look(24, 950))  # memory had returned: it is tried again


def test_another_bound_holds_from_the_next_look_on() -> None:
    guard = Guard(LIMIT, [])
    assert kinds(guard.look(0, 850)) == ["level warning"]
    guard.limit_to(memory.Limit(2000, "RAM"))
    assert kinds(guard.look(1, 850)) == ["level normal"]
    with pytest.raises(InputError, match="a memory bound of 0 bytes"):
        guard.limit_to(memory.Limit(0, "--memory"))


@pytest.mark.parametrize(
    ("shares", "says"),
    [
        ({"warning": 0.95}, "warning 95% and critical 90% are in disorder"),
        ({"warning": 0.0}, "over 0%"),
        ({"critical": 1.01}, "at most 100%"),
        ({"back": 0.8}, "returned under 80%, but the warning comes at 80%"),
        ({"settle_s": -1}, "times are 0 or more"),
        ({"calm_s": 700}, "the longest calm is not below"),
    ],
)
def test_thresholds_in_disorder_are_refused(shares: dict[str, float], says: str) -> None:
    with pytest.raises(InputError, match=says):
        Thresholds(**shares)


STEPS = st.lists(st.tuples(st.sampled_from([0, 0.01, 0.3, 1, 2, 5, 11, 40]), st.integers(0, 1300)), max_size=120)
PLANS = st.lists(
    st.tuples(st.sampled_from(["works", "lasts", "fails", "nothing"]), st.sampled_from([0, 0.5]), st.booleans()),
    max_size=5,
)


def built(plan: list[tuple[str, float, bool]]) -> list[Action]:
    actions = []
    for number, (kind, lag, critical) in enumerate(plan):
        do = fails if kind == "fails" else (lambda gave=kind != "nothing": gave)
        undo = None if kind == "lasts" else (lambda: None)
        actions.append(Action(str(number), do, undo, lag, critical))
    return actions


@given(PLANS, STEPS)
def test_whatever_the_readings_order_is_kept(
    plan: list[tuple[str, float, bool]], steps: list[tuple[float, int]]
) -> None:
    guard = Guard(LIMIT, built(plan))
    taken: list[int] = []
    now = calm_since = acted_at = 0.0
    lag = 0.0
    for wait, rss in steps:
        now += wait
        calm_since = calm_since if rss < 700 else now
        for one in guard.look(now, rss):
            if one.kind in ("taken", "failed", "nothing", "exhausted"):
                assert rss >= 800 or one.kind == "failed"
            if one.kind == "taken":
                assert not taken or int(one.action) > taken[-1]
                assert now - acted_at >= lag or not taken
                assert rss >= 900 or not plan[int(one.action)][2]
                taken.append(int(one.action))
                acted_at, lag = now, plan[int(one.action)][1]
            if one.kind in ("undone", "stays"):
                assert rss < 700
                assert now - max(calm_since, acted_at) >= 10
                assert taken.pop() == int(one.action)
                assert (one.kind == "stays") == (plan[int(one.action)][0] == "lasts")
                acted_at, lag = now, 0.0
    assert {str(number) for number in taken} <= set(guard.in_force)


@given(STEPS)
def test_nothing_flaps(steps: list[tuple[float, int]]) -> None:
    guard = Guard(LIMIT, [Action("a", lambda: None, lambda: None)])
    now, last, early, wanted = 0.0, None, 0, 10.0
    for wait, rss in steps:
        now += wait
        for one in guard.look(now, rss):
            if one.kind == "undone":
                assert last is not None
                assert now - last >= wanted
                last = now
            elif one.kind == "taken":
                early = early + 1 if last is not None and now - last < wanted else 0
                wanted = min(640.0, 10.0 * 2**early)
                last = now


@given(st.lists(st.integers(-5, 5), max_size=40))
def test_a_clock_that_goes_back_is_not_believed(waits: list[int]) -> None:
    guard = Guard(LIMIT, [Action("a", lambda: None, lambda: None)])
    guard.look(0, 0)
    now = latest = 0
    for wait in waits:
        now += wait
        latest = max(latest, now)
        for one in guard.look(now, 950):
            assert one.now == latest


# With the process


def test_the_bound_is_the_least() -> None:
    found = memory.limit()
    assert bound() == found
    assert bound(64 << 20) == memory.Limit(64 << 20, "--memory")
    assert bound(1 << 62) == found
    assert bound(1 << 20, "memory.limit").source == "memory.limit"


def watch(guard: Guard, readings: list[int], registry: Registry | None = None) -> Watch:
    left = iter(readings)
    return Watch(guard, registry, read=lambda: next(left), clock=lambda: 0.0)


def test_critical_actions_follow_at_once_with_a_new_reading_each() -> None:
    owner = Owner()
    guard = Guard(LIMIT, [owner.action("a"), owner.action("b"), owner.action("c")])
    one = watch(guard, [950, 930, 890])
    assert one.next_s == 0.25
    assert kinds(one.poll()) == ["level critical", "taken a", "taken b"]
    assert owner.did == ["a", "b"]
    assert one.next_s == 0.05


def test_a_warning_is_looked_at_once() -> None:
    owner = Owner()
    guard = Guard(LIMIT, [owner.action("a"), owner.action("b")], Thresholds(settle_s=0))
    assert kinds(watch(guard, [850]).poll()) == ["level warning", "taken a"]


def test_what_happens_is_logged_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "chaffinch.metrics")
    registry = Registry("front")
    clock = iter([0.0, 0.0, 0.0, 1.0, 11.0, 21.0])
    readings = iter([950, 950, 850, 500, 500, 500])
    guard = Guard(LIMIT, [Action("bad", fails), Action("a", lambda: None, lambda: None), Action("b", lambda: None)])
    one = Watch(guard, registry, read=lambda: next(readings), clock=lambda: next(clock))
    one.poll()
    assert shown(registry, "memory_guard_state") == {(("group", "front"),): 2}
    in_force = shown(registry, "memory_guard_in_force")
    assert in_force[("action", "a"), ("group", "front")] == in_force[("action", "b"), ("group", "front")] == 1
    assert in_force[("action", "bad"), ("group", "front")] == 0
    for _ in range(3):
        one.poll()
    assert [record.getMessage() for record in caplog.records] == [
        "memory.critical rss_bytes=950 bound_bytes=1000 bound_by=--memory",
        "memory.action_failed action=bad rss_bytes=950 bound_bytes=1000 level=critical",
        "memory.action_taken action=a rss_bytes=950 bound_bytes=1000 level=critical",
        "memory.action_taken action=b rss_bytes=950 bound_bytes=1000 level=critical",
        "memory.normal rss_bytes=500 bound_bytes=1000 bound_by=--memory",
        "memory.action_stays action=b rss_bytes=500 bound_bytes=1000 level=normal",
        "memory.action_undone action=a rss_bytes=500 bound_bytes=1000 level=normal",
    ]
    assert "RuntimeError: broken" in caplog.text
    assert shown(registry, "memory_guard_actions") == {
        (("action", "bad"), ("outcome", "failed")): 1,
        (("action", "a"), ("outcome", "taken")): 1,
        (("action", "a"), ("outcome", "undone")): 1,
        (("action", "b"), ("outcome", "taken")): 1,
        (("action", "b"), ("outcome", "stays")): 1,
    }
    assert shown(registry, "memory_guard_threshold_exceeded") == {
        (("threshold", "warning"),): 1,
        (("threshold", "critical"),): 1,
    }


def shown(registry: Registry, name: str) -> dict[Any, float]:
    families = registry.snapshot().families
    return {one.labels: one.value for family in families if family.name == name for one in family.samples}


def test_the_page_lists_the_metrics_and_the_levels() -> None:
    registry = Registry()
    Watch(Guard(LIMIT, [Action("a", fails)]), registry)
    page = (Path(__file__).parents[2] / "docs" / "memory-guard.md").read_text()
    rows = dict(re.findall(r"^\| `(memory_guard_\w+)` \| (\w+) \|", page, re.MULTILINE))
    families = [one for one in registry.snapshot().families if one.name.startswith("memory_guard")]
    assert rows == {one.name: one.kind for one in families}
    for level, shown in LEVELS.items():
        assert f"| {level} | {shown} |" in page
    for kind in get_args(Kind):
        assert kind in ("level", "exhausted") or f"`{kind}`" in page


def test_falling_from_critical_to_warning_is_no_new_warning() -> None:
    registry = Registry()
    one = watch(Guard(LIMIT, []), [850, 950, 750, 850, 650, 950], registry)
    for _ in range(6):
        one.poll()
    assert shown(registry, "memory_guard_threshold_exceeded") == {
        (("threshold", "warning"),): 2,
        (("threshold", "critical"),): 2,
    }


def test_a_reading_that_fails_is_counted_and_the_next_one_counts(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[int | OSError] = [OSError("no proc"), OSError("no proc"), 950]

    def read() -> int:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    one = Watch(Guard(LIMIT, []), read=read)
    assert one.poll() == one.poll() == []
    assert one.unread == 2
    assert caplog.text.count("memory.unread") == 1
    assert kinds(one.poll()) == ["level critical", "exhausted critical"]


def test_a_process_gives_up_what_it_holds_and_gets_it_back() -> None:
    held: list[mmap.mmap] = []
    # Enough to fall from 95 % below 79 % without it, whatever this process holds from other tests.
    count = 32 + (memory.resident_bytes() >> 20) // 4

    def hold() -> None:
        # From the kernel and back to it: an allocator would keep it.
        part = mmap.mmap(-1, count << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        filling = os.urandom(1 << 20)
        for _ in range(count):
            part.write(filling)
        held.append(part)

    def drop() -> None:
        held.pop().close()

    async def scenario() -> None:
        hold()
        limit = memory.Limit(int(memory.resident_bytes() / 0.95), "test")
        thresholds = Thresholds(back=0.79, settle_s=0.05, calm_s=0.1)
        guard = Guard(limit, [Action("drop", drop, lambda: undone.append("drop"))], thresholds)
        task = asyncio.create_task(Watch(guard, every_s=0.01).run(), name="guard")
        async with asyncio.timeout(10):
            while not undone:
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert held == []
        assert guard.level == "normal"

    undone: list[str] = []
    asyncio.run(scenario())


def test_a_bound_that_changes_holds_from_the_next_reading_on(caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry()
    limits = [
        memory.Limit(1000, "/cg/a"),
        memory.Limit(1000, "/cg/a"),
        memory.Limit(500, "/cg/b"),
        memory.Limit(0, "/cg"),
    ]
    asked: list[float] = []
    clock = [0.0]

    def limit() -> memory.Limit:
        asked.append(clock[0])
        return limits[min(len(asked), len(limits)) - 1]

    owner = Owner()
    guard = Guard(memory.Limit(1000, "/cg/a"), [owner.action("a")])
    watch = Watch(guard, registry, read=lambda: 480, limit=limit, clock=lambda: clock[0])
    told = []
    for clock[0] in (0.0, 0.25, 0.5, 1.0, 1.75):
        told += kinds(watch.poll())
    assert told == []
    assert asked == [0.0, 1.0]  # once a second
    clock[0] = 2.0
    assert kinds(watch.poll()) == ["bound normal", "level critical", "taken a", "exhausted critical"]
    assert (guard.limit, guard.critical_bytes) == (memory.Limit(500, "/cg/b"), 450)
    assert "memory.bound_changed bound_bytes=500 bound_by=/cg/b before_bytes=1000 before_by=/cg/a" in caplog.text
    clock[0] = 3.0
    watch.poll()
    assert guard.limit.bytes == 1  # a group that may hold nothing
    assert registry.snapshot().total("memory_guard_bound_changes") == watch.bound_changes == 2


def test_a_bound_that_cannot_be_read_is_counted_and_the_old_one_holds() -> None:
    def gone() -> memory.Limit:
        raise ProcessLookupError

    watch = Watch(Guard(LIMIT, []), read=lambda: 1, limit=gone)
    watch.poll()
    assert (watch.unread, watch.guard.limit) == (1, LIMIT)
