"""The journal's own clock."""

from hypothesis import given
from hypothesis import strategies as st

from chaffinch.journal.ageing import DAY_NS, AgeClock, Reading, read_clocks

MAX_AGE = 90 * DAY_NS
START = AgeClock(Reading("a", 10 * DAY_NS, 1000 * DAY_NS), 500 * DAY_NS)


def test_within_a_boot_the_wall_clock_does_not_matter() -> None:
    for wall in (0, 1000 * DAY_NS, 10**6 * DAY_NS):
        assert START.moved_to(Reading("a", 11 * DAY_NS, wall), MAX_AGE).now_ns == 501 * DAY_NS


def test_over_a_reboot_the_wall_clock_counts_up_to_a_bound() -> None:
    assert START.moved_to(Reading("b", 0, 1003 * DAY_NS), MAX_AGE).now_ns == 503 * DAY_NS
    assert START.moved_to(Reading("b", 0, 900 * DAY_NS), MAX_AGE).now_ns == 500 * DAY_NS
    assert START.moved_to(Reading("b", 0, 9000 * DAY_NS), MAX_AGE).now_ns == 509 * DAY_NS


def test_without_a_boot_id_every_reading_is_a_reboot() -> None:
    clock = AgeClock(Reading("", 0, 0))
    assert clock.moved_to(Reading("", 10**18, DAY_NS), MAX_AGE).now_ns == DAY_NS


readings = st.builds(Reading, st.sampled_from(["", "a", "b"]), st.integers(0, 2**62), st.integers(-(2**62), 2**62))


@given(st.lists(readings))
def test_it_never_goes_back(all_readings: list[Reading]) -> None:
    clock = START
    for reading in all_readings:
        moved = clock.moved_to(reading, MAX_AGE)
        assert moved.now_ns >= clock.now_ns
        clock = moved


def test_the_machines_clocks() -> None:
    first, second = read_clocks(), read_clocks(lambda: 5)
    assert first.boot_id == second.boot_id
    assert second.boot_ns >= first.boot_ns > 0
    assert second.wall_ns == 5
