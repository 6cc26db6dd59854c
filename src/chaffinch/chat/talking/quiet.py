"""Quiet hours: a time of day from which, until another, only commands are answered, in the guild's zone. Pure."""

import re
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from chaffinch.errors import InputError, SettingError

if TYPE_CHECKING:
    from chaffinch.config import BotSettings

_TIME: Final = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


def time_of_day(text: str) -> time:
    """`HH:MM` as a time. Raises `InputError`."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise InputError(f"{text!r} is no time of day: write hours and minutes, such as 22:30")
    return time(int(match[1]), int(match[2]))


def zone_of(name: str) -> tzinfo:
    """A time zone by its name in the tz database. Raises `InputError`."""
    if name.upper() == "UTC":  # also where the machine has no tz database
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(
            f"{name!r} is no time zone that this machine knows: write one such as Europe/Berlin "
            "(where none is known, install the system's tzdata)"
        ) from None


def refuse_unknown_zone(settings: "BotSettings") -> None:
    """Raises `SettingError` for a `bot.timezone` that is none: found out at the start, not at night."""
    try:
        zone_of(settings.timezone)
    except InputError as error:
        raise SettingError("bot.timezone", f"bot.timezone cannot be used: {error}") from None


def is_quiet(now: datetime, begin: str, end: str, zone: str) -> bool:
    """Whether `now`, a time with a zone, is between two times of day, over midnight if the second is the earlier one.

    Not if one of them is missing, or if they are the same. A time that a clock change leaves out is when the clock
    changes; of one that comes twice the first begins and ends the quiet. So each night is quiet from one moment to one
    other, whatever the clock does. Raises `InputError` for what is no time or no zone.
    """
    if not begin or not end:
        return False
    first, last, there = time_of_day(begin), time_of_day(end), zone_of(zone)
    if first == last:
        return False
    today = now.astimezone(there).date()
    for days in (-1, 0, 1):
        day = today + timedelta(days)
        over = day + timedelta(int(last < first))
        if _moment(datetime.combine(day, first), there) <= now < _moment(datetime.combine(over, last), there):
            return True
    return False


def _moment(wall: datetime, zone: tzinfo) -> datetime:
    """When a clock on the wall first shows this, or has gone past it."""
    there = wall.replace(tzinfo=zone)
    moment = there.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == wall:
        return moment
    # In a gap. The two readings of it lie on either side of the change, and the clock jumps past `wall` between them.
    early, late = there.replace(fold=1).astimezone(UTC), moment
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        if middle.astimezone(zone).replace(tzinfo=None) >= wall:
            late = middle
        else:
            early = middle
    return late.replace(microsecond=0)
