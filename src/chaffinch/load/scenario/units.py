"""Durations, sizes, rates and shares as people write them. Each function raises `ValueError` with what is allowed."""

import re
from typing import Final

from chaffinch.load.scenario.faults import shown

LONGEST_MS: Final = 366 * 86_400_000
"""The longest duration: a year."""

HIGHEST_RATE: Final = 10_000_000.0
"""Requests a second that a model may ask for."""

LARGEST_SIZE: Final = 1 << 40

_UNIT_US: Final = {"us": 1, "ms": 1000, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86_400 * 10**6}
_PART: Final = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,9}))?(us|µs|ms|s|m|h|d)")
_SIZE: Final = re.compile(r"(?i)([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(|b|k|kb|kib|m|mb|mib|g|gb|gib|t|tb|tib)")
_RATE: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(?:(?:/|per\s*)(s|m|h|d)|rps)?")
_SHARE: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,12})?)\s*%")


def duration_us(text: str) -> int:
    """Microseconds of `90s`, `1m30s`, `1.5h`, `250ms`, `2d`; longest 366 days."""
    written = "".join(text.split())
    total, at = 0, 0
    while match := _PART.match(written, at):
        whole, fraction, unit = match.groups()
        each = _UNIT_US[unit.replace("µ", "u")]
        micros, rest = divmod(int(whole + (fraction or "")) * each, 10 ** len(fraction or ""))
        if rest:
            raise ValueError(f"{shown(text)} is finer than a microsecond")
        total, at = total + micros, match.end()
    if not written or at != len(written):
        raise ValueError(f"{shown(text)} is not a duration: write it like 500ms, 30s, 5m, 1h30m or 2d")
    if total > LONGEST_MS * 1000:
        raise ValueError(f"{shown(text)} is too long: at most 366d")
    return total


def duration_ms(text: str) -> int:
    """Whole milliseconds of a duration."""
    milliseconds, rest = divmod(duration_us(text), 1000)
    if rest:
        raise ValueError(f"{shown(text)} is not a whole number of milliseconds")
    return milliseconds


def size(text: str) -> int:
    """Bytes of `10KB`, `1MiB`, `4096`: powers of 1024, as everywhere in chaffinch; at most 1T."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{shown(text)} is not a size: write it like 512, 10KB or 1MiB")
    count = int(float(match[1]) * 1024 ** "bkmgt".index((match[2] or "b")[0].lower()))
    if count > LARGEST_SIZE:
        raise ValueError(f"{shown(text)} is too large: at most 1T")
    return count


def rate(text: str) -> float:
    """Requests a second of `500`, `500/s`, `30/m`; at most 10,000,000."""
    match = _RATE.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"{shown(text)} is not a rate: write requests a second, or like 500/s or 30/m")
    value = float(match[1]) * 10**6 / _UNIT_US[match[2] or "s"]
    if value > HIGHEST_RATE:
        raise ValueError(f"{shown(text)} is too high: at most {HIGHEST_RATE:,.0f}/s")
    return value


def percent(text: str) -> float:
    """The share (0 to 1) of `50`, `12.5`, `50%`."""
    match = _SHARE.fullmatch(text.strip().removesuffix("%") + "%")
    if match is None or float(match[1]) > 100:
        raise ValueError(f"{shown(text)} is not a percentage from 0 to 100")
    return float(match[1]) / 100
