"""A poll of the engine, as far as metrics show it."""

from collections.abc import Mapping
from typing import Final

import msgspec

from chaffinch.load import polls
from chaffinch.load.latencies import Corrected, Latencies

STATUS_CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")
NO_ANSWER: Final = "none"
"""Stands for a status: the request had no answer."""

NO_HISTOGRAMS: Final = polls.Histograms(resolution=0, percentiles=False, sampling=0.0)


class Label(polls.Label, frozen=True):
    """What a poll says of one label, with what results leave out."""

    cached: int = 0
    assertions_held: int = 0


class Under(msgspec.Struct, frozen=True):
    """How many latencies lie at or under each bound."""

    bounds_ms: tuple[float, ...] = ()
    corrected: tuple[int, ...] = ()
    uncorrected: tuple[int, ...] = ()


class Reading(msgspec.Struct, frozen=True):
    """A poll of the engine, as far as metrics show it."""

    elapsed_s: float = 0.0
    requests: int = 0
    failed: int = 0
    errors: dict[str, int] = {}
    categories: dict[str, int] = {}
    statuses: dict[str, int] = {}
    bytes_in: int = 0
    bytes_out: int = 0
    iterations: int = 0
    cached: int = 0
    assertions_held: int = 0
    in_flight: int = 0
    asked: int | None = None
    unsent: int = 0
    unanswered: int = 0
    latency_ms: Corrected = Corrected()
    latency_under: Under = Under()
    phases_ms: dict[str, Latencies | None] = {}
    labels: dict[str, Label] = {}
    folded: polls.Folded = polls.Folded()
    histograms: polls.Histograms = polls.Histograms()
    generator: polls.Generator = polls.Generator()


_reading: Final = msgspec.json.Decoder(Reading)


def decode(poll: bytes) -> Reading:
    """A poll's JSON."""
    return _reading.decode(poll)


def by_class(requests: int, statuses: Mapping[str, int]) -> dict[str, int]:
    """Requests by the class of their status; those without an answer are `none`."""
    found = dict.fromkeys((*STATUS_CLASSES, NO_ANSWER), 0)
    for status, count in statuses.items():
        group = f"{status[:1]}xx"
        found[group if group in found else NO_ANSWER] += count
    found[NO_ANSWER] += max(0, requests - sum(statuses.values()))
    return found
