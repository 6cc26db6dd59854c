"""Bounds that follow from a budget: they fit, the owner's own stay, and a larger budget never lowers any."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch import config as configuration
from chaffinch.config import Config
from chaffinch.decoys import bounds
from chaffinch.decoys.fitting import FITTED, STEPS, fitted, value
from chaffinch.decoys.registry import BUILT_IN
from chaffinch.decoys.worker import PREFIX
from chaffinch.errors import InputError
from chaffinch.fleet import budget, workers

MIB = 1 << 20
LOWEST = {path: min(step[path] for step in STEPS if path in step) for path in FITTED}

Given = dict[str, int]
some_given = st.dictionaries(st.sampled_from(FITTED), st.integers(1 << 20, 1 << 28), max_size=3).map(
    lambda found: {path: (number if path.endswith("bytes") else number >> 14) for path, number in found.items()}
)
"""What an owner may write: some of these settings, with some numbers."""

services_of = st.sets(st.sampled_from(BUILT_IN), min_size=1)


def written(found: Given) -> Config:
    return configuration.load(None, dict(found), {})


def values(config: Config) -> Given:
    return {path: value(config, path) for path in FITTED}


@settings(deadline=None)
@given(st.sampled_from(["one", "default", "split"]), st.integers(40 * MIB, 900 * MIB), st.booleans())
def test_what_a_budget_takes_fits_or_every_bound_is_at_its_lowest(how: str, memory: int, captures: bool) -> None:
    opted = (workers.CAPTURE,) if captures else ()
    groups = workers.arrange(workers.table(BUILT_IN, opted=opted), how)
    try:
        division = budget.divide(memory, groups)
    except InputError:
        return
    for part in division.parts:
        rows = groups[part.name]
        services = [row.name.removeprefix(PREFIX) for row in rows if row.name.startswith(PREFIX)]
        config = fitted(Config(), part.share_bytes - part.idle_bytes, services, captures=workers.CAPTURE in rows)
        needed = part.idle_bytes + bounds.left(config, services, captures=workers.CAPTURE in rows)
        lowest = {path: number for path, number in LOWEST.items() if services or path.startswith("journal.")}
        assert needed <= part.share_bytes or values(config).items() >= lowest.items()


def test_from_103_mib_on_the_default_groups_hold_whatever_comes() -> None:
    groups = workers.arrange(workers.table(BUILT_IN), "default")
    for memory, fits in ((102, False), (103, True), (128, True), (1024, True)):
        part = next(one for one in budget.divide(memory * MIB, groups).parts if one.name == workers.DECOYS)
        config = fitted(Config(), part.share_bytes - part.idle_bytes, BUILT_IN)
        assert (part.idle_bytes + bounds.left(config) <= part.share_bytes) == fits, memory


@settings(deadline=None)
@given(some_given, st.integers(-50 * MIB, 400 * MIB), services_of, st.booleans())
def test_what_was_given_stays_and_the_rest_only_goes_down(
    found: Given, room: int, services: set[str], captures: bool
) -> None:
    config = written(found)
    config = msgspec.structs.replace(config, capture=msgspec.structs.replace(config.capture, windows=700))
    lowered = fitted(config, room, services, captures=captures)
    for path, number in values(lowered).items():
        before = value(config, path)
        if path in found:
            assert number == found[path] == before
        else:
            assert min(before, LOWEST[path]) <= number <= before
    left = bounds.left(lowered, services, captures=captures)
    free = [path for path in FITTED if path not in found]
    assert left <= room or all(value(lowered, path) == min(LOWEST[path], value(config, path)) for path in free)
    if bounds.left(config, services, captures=captures) <= room:
        assert lowered == config, "what fits is not touched"
    same: dict[str, Any] = {name: getattr(config, name) for name in ("fleet", "network", "capture", "store")}
    assert {name: getattr(lowered, name) for name in same} == same


@settings(deadline=None)
@given(some_given, st.integers(0, 300 * MIB), st.integers(0, 300 * MIB), services_of)
def test_with_more_room_no_bound_is_lower(found: Given, room: int, more: int, services: set[str]) -> None:
    config = written(found)
    little, much = (values(fitted(config, size, services)) for size in (room, room + more))
    assert all(much[path] >= little[path] for path in FITTED)


def test_what_frees_nothing_is_not_lowered() -> None:
    """A process of `capture` alone has no sessions."""
    lowered = values(fitted(Config(), 1 * MIB, (), captures=True))
    before = values(Config())
    assert {path for path in FITTED if lowered[path] < before[path]} == {"journal.queue_events", "journal.queue_bytes"}


@settings(max_examples=30, deadline=None)
@given(st.integers(60 * MIB, 160 * MIB))
def test_little_is_left_unused(room: int) -> None:
    """Bounds are as high as fits, to about a thousandth of what a step can give."""
    left = bounds.left(fitted(Config(), room, BUILT_IN))
    assert room - left < (bounds.left(Config()) - left) / 1024 + MIB // 4


def test_one_step_goes_as_far_as_it_can_before_the_next_one_begins() -> None:
    at, before = 0, values(Config())
    for room in range(180 * MIB, 30 * MIB, -MIB // 4):
        now = values(fitted(Config(), room, BUILT_IN))
        lowered = {path for path in FITTED if now[path] < before[path]}
        if not lowered <= STEPS[at].keys():
            assert all(now[path] == floor for path, floor in STEPS[at].items())
            at += 1
        assert lowered <= {*STEPS[at - 1], *STEPS[at]}, room
        before = now
    assert at == len(STEPS) - 1
