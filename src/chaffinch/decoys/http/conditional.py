"""Conditional and partial requests, decided as nginx decides them."""

import re
import time

_QUANTITY = rb"[qQ]=(?!0(?:\.0{0,3})?(?:[, ]|$))(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)(?=[, ]|$)"
_GZIP = re.compile(rb"(?:^|[, ])gzip *(?:,|$|; *(?:$|" + _QUANTITY + rb"))", re.I)
_DATES = (
    re.compile(r"\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d)"),
    re.compile(r"\w+, (\d\d)-(\w{3})-(\d\d) (\d\d):(\d\d):(\d\d)"),
    re.compile(r"\w{3} (\w{3}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})"),
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def format_date(seconds: int) -> str:
    """Seconds since the epoch as RFC 9110 writes a date; `strftime` would ask the locale."""
    year, month, day, hour, minute, second, weekday, _, _ = time.gmtime(seconds)
    return f"{_DAYS[weekday]}, {day:02d} {_MONTHS[month - 1]} {year} {hour:02d}:{minute:02d}:{second:02d} GMT"


def parse_date(value: bytes) -> int:
    """Seconds since the epoch of a date in one of the forms of RFC 9110, or -1; what follows it does not matter."""
    text = value.decode("latin-1")
    for form, pattern in enumerate(_DATES):
        found = pattern.match(text)
        if found is None:
            continue
        parts = found.groups()
        if form == 2:
            parts = (parts[1], parts[0], parts[5], *parts[2:5])
        day, name, year, hour, minute, second = parts
        if name not in _MONTHS:
            return -1
        full_year = int(year) + (0 if form != 1 else 1900 if int(year) >= 70 else 2000)
        days = _days(full_year, _MONTHS.index(name) + 1, int(day))
        return days * 86400 + int(hour) * 3600 + int(minute) * 60 + int(second)
    return -1


def _days(year: int, month: int, day: int) -> int:
    """Days since the epoch, from years that end with February; `calendar` would bring `datetime` and `locale`."""
    year, month = (year - 1, month + 9) if month < 3 else (year, month - 3)
    return year * 365 + year // 4 - year // 100 + year // 400 + (month * 153 + 2) // 5 + day - 719_469


def precondition(fields: dict[bytes, bytes], etag: bytes, modified: int) -> int:
    """200, or the 304 or 412 that the request's `If-...` fields ask for."""
    if b"if-unmodified-since" in fields and parse_date(fields[b"if-unmodified-since"]) < modified:
        return 412
    if b"if-match" in fields and not _has_tag(fields[b"if-match"], etag, weak=False):
        return 412
    if b"if-modified-since" not in fields and b"if-none-match" not in fields:
        return 200
    if b"if-modified-since" in fields and parse_date(fields[b"if-modified-since"]) != modified:
        return 200
    if b"if-none-match" in fields and not _has_tag(fields[b"if-none-match"], etag, weak=True):
        return 200
    return 304


def _has_tag(listed: bytes, etag: bytes, *, weak: bool) -> bool:
    if listed == b"*":
        return True
    return any(
        (tag.removeprefix(b"W/") if weak else tag) == etag
        for tag in (part.strip(b" \t") for part in listed.split(b","))
    )


def wants_gzip(fields: dict[bytes, bytes], version: int) -> bool:
    """Whether nginx would compress for this client: from HTTP/1.1 on, not through a proxy."""
    return (
        b"accept-encoding" in fields
        and version > 1000
        and b"via" not in fields
        and _GZIP.search(fields[b"accept-encoding"]) is not None
    )


def ranges(fields: dict[bytes, bytes], size: int, etag: bytes, modified: int) -> list[tuple[int, int]] | None:
    """The parts asked for as (first, past the last): None for the whole, an empty list when none can be satisfied."""
    asked = fields.get(b"range", b"")
    if len(asked) < 7 or asked[:6].lower() != b"bytes=":
        return None
    guard = fields.get(b"if-range")
    if guard is not None:
        matches = guard == etag if guard[-1:] == b'"' and len(guard) > 1 else parse_date(guard) == modified
        if not matches:
            return None
    found: list[tuple[int, int]] = []
    total = 0
    for spec in asked[6:].split(b","):
        bounds = _bounds(spec.strip(b" "), size)
        if bounds is None:
            return []
        first, past = bounds
        if first < past:
            found.append(bounds)
            total += past - first
        elif first == 0:
            return None
    return None if total > size else found


_SPEC = re.compile(rb"(\d{1,18}) *- *(\d{1,18})?|-(\d{1,18})")


def _bounds(spec: bytes, size: int) -> tuple[int, int] | None:
    found = _SPEC.fullmatch(spec)
    if found is None:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        return max(0, size - int(suffix)), size
    return int(first), size if last is None else min(int(last) + 1, size)
