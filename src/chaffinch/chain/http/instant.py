"""Times of messages: RFC 3339, or seconds or milliseconds since 1970; all become milliseconds.

The core reads times in files by the same rules.
"""

import datetime
import re
from typing import Final

MILLISECONDS_FROM: Final = 1e11
"""Numbers from here on are milliseconds: as seconds they would lie after the year 5138."""

MOST: Final = 9e15
"""Times lie nearer to 1970 than so many milliseconds."""

_RFC3339: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))?", re.ASCII
)

_DAYS_TO_1970: Final = datetime.date(1970, 1, 1).toordinal()
_CYCLE_YEARS: Final = 400  # after which the calendar repeats itself
_CYCLE_DAYS: Final = 146_097


def milliseconds_of(moment: str | float) -> int:
    """Milliseconds since 1970 in UTC, which a text without an offset is in. Raises `ValueError` with what is wrong."""
    return _of_text(moment) if isinstance(moment, str) else _of_number(moment)


def _of_number(number: float) -> int:
    scaled = number if abs(number) >= MILLISECONDS_FROM else number * 1000
    if not abs(scaled) < MOST:
        raise ValueError(f"the time {number:g} is out of range")
    return round(scaled)


def _of_text(text: str) -> int:
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise ValueError(f"the time {text[:40]!r} is not RFC 3339, such as 2026-05-17T09:30:00Z")
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    fraction, sign, east_hours, east_minutes = found.groups()[6:]
    offset = (int(east_hours or 0) * 60 + int(east_minutes or 0)) * (-1 if sign == "-" else 1)
    if hour > 23 or minute > 59 or second > 60 or int(east_hours or 0) > 23 or int(east_minutes or 0) > 59:
        raise ValueError(f"the time {text!r} is none: an hour, minute, second or offset is too large")
    try:
        # A year 0, which `date` does not know, is like the year 400.
        days = datetime.date(year or _CYCLE_YEARS, month, day).toordinal() - (0 if year else _CYCLE_DAYS)
    except ValueError:
        raise ValueError(f"the time {text!r} is none: there is no such day") from None
    # A leap second is the last one of its minute a second time.
    minutes = ((days - _DAYS_TO_1970) * 24 + hour) * 60 + minute - offset
    return (minutes * 60 + min(second, 59)) * 1000 + int(((fraction or "") + "000")[:3])
