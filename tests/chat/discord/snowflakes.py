"""Discord's ids: milliseconds since 2015 above 22 bits (https://discord.com/developers/docs/reference#snowflakes)."""

from datetime import UTC, datetime

EPOCH_MS = 1_420_070_400_000
"""The first moment of 2015."""
BITS = 22


def made(time_ms: int, low: int = 0) -> int:
    """The id of what was made at `time_ms`; `low` tells things of one millisecond apart."""
    return (time_ms - EPOCH_MS) << BITS | low & (1 << BITS) - 1


def time_of(snowflake: int) -> int:
    """When what has this id was made, in milliseconds since 1970."""
    return (snowflake >> BITS) + EPOCH_MS


def stamp(time_ms: int) -> str:
    """A time as Discord writes it."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="microseconds")


class Snowflakes:
    """Gives ids that rise and never repeat."""

    def __init__(self) -> None:
        self._last = 0

    def next(self, time_ms: int) -> int:
        self._last = max(self._last + 1, made(time_ms))
        return self._last
