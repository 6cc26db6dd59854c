"""How figures, names and load models read to people: in the terminal, in reports, in comparisons. All of it ASCII."""

from typing import Final, Literal

from chaffinch.load import plan

Unit = Literal["ms", "rate", "share", "bytes", "count"]
"""What a number is of: a latency in milliseconds, so many a second, a part of 1, bytes, things."""

NOTHING: Final = "-"
"""What stands where nothing was measured."""

LONGEST: Final = 1e12
"""Seconds: what a file says to be longer is as long."""

_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def latency(milliseconds: float | None) -> str:
    """A latency in three digits with its unit: `85.3 us`, `1.24 ms`, `2.01 s`, `3m20s`."""
    if milliseconds is None:
        return NOTHING
    milliseconds = min(milliseconds, 1000 * LONGEST)
    if milliseconds >= 100_000:
        return span(milliseconds / 1000)
    for unit, times in (("s", 0.001), ("ms", 1.0), ("us", 1000.0)):
        value = milliseconds * times
        if value >= 0.9995:
            return f"{_three(value)} {unit}"
    return f"{_three(milliseconds * 1000)} us" if milliseconds > 0 else "0 ms"


def _three(value: float) -> str:
    """A number in three digits, or more where it is whole."""
    if value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def rate(each_second: float | None) -> str:
    """So many a second: `49,998/s`, `12.5/s`."""
    return NOTHING if each_second is None else f"{_short(each_second)}/s"


def _short(value: float) -> str:
    if value >= 1e15:
        return f"{value:.3g}"
    if value >= 99.95 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def share(part: float, whole: float) -> str:
    """A percentage that is 0% only for nothing and 100% only for all: `0.12%`, `<0.01%`, `>99.99%`."""
    if whole <= 0:
        return NOTHING
    percent = 100 * part / whole
    if 0 < percent < 0.01:
        return "<0.01%"
    if 99.99 < percent < 100:
        return ">99.99%"
    if percent in {0, 100}:
        return f"{percent:.0f}%"
    return f"{percent:.2f}%" if percent < 10 or percent > 99 else f"{percent:.1f}%"


def size(count: float) -> str:
    """Bytes as `12.3 MB`: powers of 1024, as settings read them."""
    value, unit = float(count), "B"
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if value < 1024 or unit == "TB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def measured(value: float | None, unit: Unit) -> str:
    """A figure of that unit."""
    if value is None:
        return NOTHING
    match unit:
        case "ms":
            return latency(value)
        case "rate":
            return rate(value)
        case "share":
            return share(value, 1)
        case "bytes":
            return size(value)
        case "count":
            return f"{value:,.0f}"


def span(seconds: float) -> str:
    """How long: `0.5s`, `42s`, `3m10s`, `5h02m`, `3d04h`."""
    seconds = min(max(0.0, seconds), LONGEST)
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02d}h"


def counted(count: int, thing: str, things: str = "") -> str:
    """A number of things: `1 label`, `2,000 labels`."""
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"


def plain(text: str, limit: int = 200) -> str:
    """A text on one line in which nothing drives a terminal or turns text around, cut to `limit` characters."""
    cut = text if len(text) <= limit else text[: max(0, limit - 3)] + "..."
    if cut.isprintable():
        return cut
    return "".join(one if one.isprintable() else _escaped(one) for one in cut)


def _escaped(character: str) -> str:
    code = ord(character)
    return _ESCAPES.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def model(of: plan.Model, users: int) -> str:
    """A load model in words."""
    match of:
        case plan.Closed():
            return f"closed: {counted(users, 'user')}, each begins again when it is done"
        case plan.Constant():
            words = f"constant: {rate(of.rate)}"
        case plan.Ramp():
            words = _ramp(of)
        case plan.Daily():
            rates = f"night {rate(of.min)}, afternoon {rate(of.mid)}, peak {rate(of.max)}"
            words = f"daily: {rates}, a day is {_ms(of.cycle_ms)}"
        case plan.Steps():
            steps = [f"{rate(one.rate)} for {_ms(one.for_ms)}" for one in of.steps[:5]]
            more = f" and {len(of.steps) - 5:,} more" if len(of.steps) > 5 else ""
            words = f"steps: {', '.join(steps)}{more}"
        case plan.Replay():
            again = ", again and again" if of.repeat else ""
            words = f"replay: {len(of.rates):,} rates, one every {_ms(of.interval_ms)}{again}"
    return f"{words}; at most {counted(users, 'user')}"


def _ramp(of: plan.Ramp) -> str:
    words = f"ramp: {rate(of.start)} to {rate(of.to)} over {_ms(of.over_ms)}"
    if of.hold_ms:
        words += f", hold {_ms(of.hold_ms)}"
    return words + (f", back over {_ms(of.back_ms)}" if of.back_ms else "")


def _ms(milliseconds: int) -> str:
    return f"{milliseconds} ms" if milliseconds < 1000 else span(milliseconds / 1000)
