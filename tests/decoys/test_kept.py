"""What sources left: within its bound, by last use, for its time, and counted when it goes too early."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chaffinch.decoys.kept import SHRUNK, Kept
from chaffinch.decoys.overlay import Change, Overlays


class Left:
    """A value that knows whether it was emptied."""

    def __init__(self) -> None:
        self.is_empty = False

    def leave(self) -> None:
        self.is_empty = True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def kept(total: int = 100, ttl: float = 60.0) -> tuple[Kept[str, Left], Clock]:
    clock = Clock()
    return Kept(total, ttl, Left.leave, clock), clock


def test_what_was_used_longest_ago_goes_first_and_is_counted() -> None:
    found, _ = kept()
    values = {name: Left() for name in "abc"}
    for name in "ab":
        found.put(name, values[name], 50)
    assert found.find("a") is values["a"]
    found.put("c", values["c"], 50)
    assert [value.is_empty for value in values.values()] == [False, True, False]
    assert (found.held, found.forgotten) == (100, 1)


def test_what_grows_counts_anew_and_the_last_one_stays_however_large() -> None:
    found, _ = kept()
    value = Left()
    found.put("a", value, 40)
    found.put("a", value, 400)
    assert (found.held, found.find("a")) == (400, value)
    found.put("a", value, 30)
    assert found.held == 30


def test_it_goes_after_its_time_from_its_last_use_and_is_not_counted() -> None:
    found, clock = kept()
    old, used = Left(), Left()
    found.put("old", old, 10)
    found.put("used", used, 10)
    clock.now = 30.0
    found.find("used")
    clock.now = 60.0
    assert found.find("old") is None
    assert found.find("used") is used
    assert (old.is_empty, found.held, found.forgotten) == (True, 10, 0)


def test_another_total_holds_at_once_even_while_memory_is_short() -> None:
    """A reload gives it another one, and neither shrinking nor growing has to come first."""
    found, _ = kept(1000)
    for number in range(10):
        found.put(str(number), Left(), 100)
    found.total_bytes = 500
    found.put("0", Left(), 100)
    assert found.held == 500
    found.shrink()
    found.total_bytes = 800
    for number in range(10):
        found.put(str(number), Left(), 100)
    assert found.held == 800 // SHRUNK
    found.grow()
    for number in range(10):
        found.put(str(number), Left(), 100)
    assert found.held == 800


def test_a_reload_of_the_overlays_bound_holds_at_once() -> None:
    overlays = Overlays(1 << 20, 8 << 20)
    for number in range(8):
        overlays.of("127.77.0.1", f"10.0.0.{number}").put("/tmp/x", Change("file", data=bytes(900_000)))
    overlays.total_bytes = 2 << 20
    assert 1 << 20 < overlays.held <= 2 << 20
    assert overlays.forgotten == 6
    for number in range(8):
        overlays.of("127.77.0.1", f"10.0.0.{number}").put("/tmp/x", Change("file", data=bytes(900_000)))
    assert overlays.held <= 2 << 20


Step = st.tuples(
    st.sampled_from(["put", "find", "shrink", "grow", "wait"]), st.sampled_from("abcdef"), st.integers(0, 60)
)


@given(st.lists(Step, max_size=60))
def test_the_sum_is_that_of_what_is_there_and_within_the_bound(steps: list[tuple[str, str, int]]) -> None:
    found, clock = kept()
    there: dict[str, Any] = {}
    shrunk = False
    for what, key, number in steps:
        if what == "put":
            there[key] = (Left(), number)
            found.put(key, *there[key])
        elif what == "find":
            value = found.find(key)
            assert value is None or value is there[key][0]
        elif what == "wait":
            clock.now += number
        else:
            shrunk = what == "shrink"
            getattr(found, what)()
        there = {name: one for name, one in there.items() if not one[0].is_empty}
        assert found.held == sum(counted for _, counted in there.values())
        assert what not in ("put", "shrink") or len(there) == 1 or found.held <= (100 // SHRUNK if shrunk else 100)
