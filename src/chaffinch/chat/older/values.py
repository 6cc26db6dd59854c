"""How a value of an older bot's becomes one of ours: from a variable's text, or from what a JSON5 file has.

Each function gives our value or, where there is nothing to set, a `Word` on why. Raises `ValueError` with the rest of a
sentence for what cannot be used: it would change what the bot does, and nobody would notice.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from chaffinch.chat.names import tenant_of

Convert: TypeAlias = Callable[[object], object]

MOST_ID: Final = 2**63 - 1

LEVELS: Final = {
    **dict.fromkeys(("silly", "trace", "verbose", "debug"), "debug"),
    **dict.fromkeys(("http", "info"), "info"),
    **dict.fromkeys(("warn", "warning"), "warning"),
    **dict.fromkeys(("error", "fatal", "silent"), "error"),
}
"""Their levels of logging and ours; ours has none at which errors are silent."""


class Word(str):
    """What is said of a setting that sets nothing here."""

    __slots__ = ()


def text(value: object) -> object:
    """Text as it is."""
    if not isinstance(value, str):
        raise ValueError("has to be text")
    return value


def whole(value: object) -> object:
    """A whole number, also as text."""
    if isinstance(value, str):
        try:
            return int(value, 10)
        except ValueError:
            pass
    elif isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("has to be a whole number")


def one_id(value: object) -> object:
    """One id, as text."""
    return _id(text_of_id(value))


def ids(value: object) -> object:
    """Ids: in a variable with commas between, in a file an array of texts (or one text)."""
    if isinstance(value, str):
        return [_id(part) for part in map(str.strip, value.split(",")) if part]
    if isinstance(value, list):
        return [_id(text_of_id(one)) for one in value]
    raise ValueError("has to be an array of ids")


def text_of_id(value: object) -> str:
    """The id, which must not have been a number in between."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(
            "has an id without quotes: as a number JSON loses its last digits (past 2^53); write it as a text"
        )
    raise ValueError("has to be an id, as a text")


def _id(value: str) -> int:
    if not (value.isascii() and value.isdecimal() and 0 < int(value) <= MOST_ID):
        raise ValueError(
            "has something that is no id: ids are digits, which Discord shows with Copy ID once developer mode is on"
        )
    return int(value)


def order(value: object) -> object:
    """The state size: what chains are made for."""
    found = whole(value)
    if found not in (1, 2, 3, 4):
        raise ValueError(
            "is the order of the chain, which goes from 1 to 4; beyond, it would only repeat what was said"
        )
    return found


def level(value: object) -> object:
    """A level of logging."""
    named = LEVELS.get(value.strip().lower()) if isinstance(value, str) else None
    if named is None:
        raise ValueError(f"has to be one of {', '.join(LEVELS)}")
    return named


def zone(value: object) -> object:
    """A name of the time zone database; other forms, which a system may have in TZ, are left to the system."""
    from zoneinfo import ZoneInfo

    named = text(value)
    try:
        ZoneInfo(str(named))
    except (ValueError, OSError, LookupError):
        return Word("is no name of the time zone database, such as Europe/Berlin; quiet hours go by bot.timezone")
    return named


def switch(value: object) -> bool:
    """True or false, also as text."""
    if isinstance(value, bool):
        return value
    found = {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("has to be true or false")
    return found


def mebibytes(value: object) -> object:
    """Megabytes, as bytes."""
    found = whole(value)
    assert isinstance(found, int)
    return found << 20


def percent(value: object) -> object:
    """Hundredths, as a share."""
    try:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return float(value) / 100
    except ValueError:
        pass
    raise ValueError("has to be a number from 0 to 100")


def guilds(value: object) -> object:
    """Ids of guilds, as the tenants of their chains."""
    found = ids(value)
    assert isinstance(found, list)
    return [tenant_of(guild) for guild in found]


def page(value: object) -> object:
    """Whether there is monitoring: our page of metrics is there unless somebody does not want it."""
    return Word("is so: the metrics page is on, at bot.metrics_port") if switch(value) else 0


def always(what: str) -> Convert:
    """A switch for what ours does in any case."""

    def converted(value: object) -> object:
        return Word(f"is so always: {what}" if switch(value) else f"is not needed: {what}, and cannot be switched off")

    return converted


def replaced(what: str) -> Convert:
    """A setting that has nothing to set here."""
    return lambda _value: Word(f"sets nothing here: {what}")
