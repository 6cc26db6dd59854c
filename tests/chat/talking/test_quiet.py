"""Quiet hours, over midnight and over clock changes."""

import contextlib
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.chat.talking.quiet import is_quiet, time_of_day, zone_of
from chaffinch.errors import InputError

BERLIN = "Europe/Berlin"


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("moment", "quiet"),
    [("21:59", False), ("22:00", True), ("23:59", True), ("00:00", True), ("05:59", True), ("06:00", False)],
)
def test_hours_go_over_midnight(moment: str, quiet: bool) -> None:
    assert is_quiet(at(f"2026-03-10T{moment}"), "22:00", "06:00", "UTC") is quiet


def test_hours_within_a_day_and_in_the_zone_of_the_guild() -> None:
    assert is_quiet(at("2026-07-01T11:30"), "13:00", "14:00", BERLIN)
    assert not is_quiet(at("2026-07-01T13:30"), "13:00", "14:00", BERLIN)
    assert is_quiet(at("2026-01-01T12:30"), "13:00", "14:00", BERLIN)


@pytest.mark.parametrize("hours", [("", ""), ("22:00", ""), ("", "06:00"), ("07:00", "07:00")])
def test_without_two_different_times_nothing_is_quiet(hours: tuple[str, str]) -> None:
    assert not any(is_quiet(at(f"2026-03-10T{hour:02}:00"), *hours, "UTC") for hour in range(24))


def changes(day: str, begin: str, end: str) -> list[str]:
    """When quiet begins and ends around a clock change, in UTC."""
    start = at(f"{day}T00:00", BERLIN).astimezone(UTC) - timedelta(hours=12)
    seen, before = [], is_quiet(start, begin, end, BERLIN)
    for minute in range(1, 30 * 60):
        moment = start + timedelta(minutes=minute)
        now = is_quiet(moment, begin, end, BERLIN)
        if now != before:
            seen.append(f"{moment:%d %H:%M}")
        before = now
    return seen


def test_a_time_that_the_clock_leaves_out_is_when_it_changes() -> None:
    # 2026-03-29: from 02:00 to 03:00, at 01:00 UTC.
    assert changes("2026-03-29", "02:30", "06:00") == ["29 01:00", "29 04:00"]
    assert changes("2026-03-29", "23:00", "02:30") == ["28 22:00", "29 01:00"]
    assert changes("2026-03-29", "02:10", "02:50") == []


def test_a_time_that_comes_twice_begins_and_ends_once() -> None:
    # 2026-10-25: from 03:00 back to 02:00, at 01:00 UTC.
    assert changes("2026-10-25", "02:30", "06:00") == ["25 00:30", "25 05:00"]
    assert changes("2026-10-25", "23:00", "02:30") == ["24 21:00", "25 00:30"]


@given(
    st.datetimes(at("2020-01-01").replace(tzinfo=None), at("2030-01-01").replace(tzinfo=None)),
    st.times(),
    st.times(),
    st.sampled_from(["UTC", BERLIN, "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_on_days_without_a_change_the_wall_clock_decides(wall: datetime, begin: time, end: time, zone: str) -> None:
    now = wall.replace(tzinfo=UTC)
    there = now.astimezone(ZoneInfo(zone))
    offsets = {
        (there + timedelta(hours=hours)).astimezone(UTC).astimezone(ZoneInfo(zone)).utcoffset() for hours in (-26, 26)
    }
    begin, end = begin.replace(second=0, microsecond=0), end.replace(second=0, microsecond=0)
    quiet = is_quiet(now, f"{begin:%H:%M}", f"{end:%H:%M}", zone)
    if len(offsets) == 1:
        clock = there.time()
        assert quiet == (begin <= clock < end if begin < end else begin != end and (clock >= begin or clock < end))


@pytest.mark.parametrize(
    "text", ["", "24:00", "7", "12:60", "-1:00", "12:0", "\u0661\u0662:\u0660\u0660", "12:00 ", "noon"]
)
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(InputError, match="no time of day"):
        time_of_day(text)


@pytest.mark.parametrize("name", ["", "Mars/Base", "../../etc/passwd", "Europe", "\0"])
def test_what_is_no_zone_is_said(name: str) -> None:
    with pytest.raises(InputError, match="no time zone"):
        zone_of(name)


@given(st.text(max_size=8))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    with contextlib.suppress(InputError):
        assert time_of_day(text) is not None
