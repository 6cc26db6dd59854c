"""Bounds that follow from a budget: how far those that nobody gave have to go down, until what is left once the guard
has taken everything (`bounds.left`) fits. Computed from the settings alone.
"""

from bisect import bisect_right
from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from chaffinch.config import Config
from chaffinch.decoys import bounds

STEPS: Final[tuple[Mapping[str, int], ...]] = (
    {"journal.queue_events": 20_000, "journal.queue_bytes": 4 << 20},
    {"decoys.rate_entries": 1024},
    {"decoys.session_bytes": 8 << 20},
    {"decoys.sessions": 1024},
    {"decoys.session_bytes": 4 << 20},
    {"decoys.sessions": 256},
)
"""What goes down, one step after the other, and how far; settings of one step go down together.

The queue goes first: an event waits in it for milliseconds, as long as the disk takes any. 8 MiB is one upload of the
largest kind, or 128 sessions of ssh; sessions then go before such uploads do.
"""

FITTED: Final = tuple(dict.fromkeys(path for step in STEPS for path in step))
"""The settings that follow from a budget where nobody gave them."""

GRAIN: Final = 1024
"""A setting stands at one of so many places between where a step found it and its lowest."""


def fitted(config: Config, room: int, services: Collection[str], *, captures: bool = False) -> Config:
    """The configuration with bounds whose rest fits into `room` bytes, where they can; what was given stays as it is,
    and so does what would free nothing.

    With less room no bound is higher. Where even the lowest do not fit, it has those.
    """
    for step in STEPS:
        left = bounds.left(config, services, captures=captures)
        if left <= room:
            break
        low = {path: floor for path, floor in step.items() if path not in config.given and value(config, path) > floor}
        if not low or bounds.left(_at(config, low, 0), services, captures=captures) == left:
            continue  # given, or of nothing that this process holds
        fitting = bisect_right(
            range(GRAIN),
            room,
            key=lambda place: bounds.left(_at(config, low, place), services, captures=captures),
        )
        config = _at(config, low, max(0, fitting - 1))
    return config


def value(config: Config, path: str) -> int:
    """What one of the fitted settings is."""
    section, _, key = path.partition(".")
    return int(getattr(getattr(config, section), key))


def _at(config: Config, low: Mapping[str, int], place: int) -> Config:
    """The configuration with these settings at that place, `GRAIN` being where they are."""
    for path, floor in low.items():
        section, _, key = path.partition(".")
        now = value(config, path)
        table = msgspec.structs.replace(getattr(config, section), **{key: floor + (now - floor) * place // GRAIN})
        config = msgspec.structs.replace(config, **{section: table})
    return config
