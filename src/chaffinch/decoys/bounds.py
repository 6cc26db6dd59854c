"""What one process that faces attackers can hold at most: each bound with its arithmetic, for the settings and services
that it is given.

Bytes for an entry are measured (CPython 3.11, x86-64). What the process has before its first session is not in it: that
is its floor. docs/limits.md shows the table, and a test compares the two, and the numbers with the modules that keep
them.
"""

from collections.abc import Collection, Iterator
from typing import Final

import msgspec

from chaffinch.config import Config
from chaffinch.decoys.registry import BUILT_IN
from chaffinch.decoys.relief import MOST_HALVINGS

SESSION_BYTES: Final = 7680
"""An idle telnet session, the largest of the eight services."""

UNCOUNTED_BYTES: Final = 1 << 10
"""`stream.COUNTED_BYTES`: what a session may hold before it is counted."""

RATE_BYTES, TALLY_BYTES, QUEUED_BYTES, PERSONA_BYTES, KEY_BYTES, SITE_BYTES, PAGE_BYTES, PATTERN_BYTES, ITEM_BYTES = (
    *(380, 380, 41, 1900, 4096, 7400, 4096, 6500, 340),
)
"""What a remembered rate, a waiting record, an event in the journal's queue beside its text, a persona, a host key, a
site, a prepared answer, a compiled pattern and a memcached item beside its data take.
"""


KEPT: Final = 1.6
"""What was freed and stays with the process until `malloc_trim`, for each byte that sessions hold: with 16 MiB held,
1,500 unfinished bodies of 185 KiB made the process grow by 41, 500 unfinished requests to redis by 21.
"""

WINDOW_BYTES: Final = (16 + 2) << 10
"""Ports and hosts of one window of `capture`, and what it has beside them."""

MORE_WINDOWS: Final = 12
"""`capture.windows`: those of further sources, one for each kind."""


class Bound(msgspec.Struct, frozen=True):
    """One row: what it is, how it comes about, bytes at the most, and bytes once the guard has taken everything."""

    what: str
    how: str
    most: int
    given_up: int


def bounds(config: Config, services: Collection[str] = BUILT_IN, *, captures: bool = False) -> tuple[Bound, ...]:
    """Every bound of a process that serves these, or has `capture` in it."""
    rows = [*_served(config, services)] if services else []
    rows.append(_queued(config))
    if services:
        rows.extend(_made_again(services))
    if captures:
        windows = config.capture.windows + MORE_WINDOWS
        rows.append(
            _fixed("windows of `capture`", f"{windows:,} x {_size(WINDOW_BYTES)}", windows * WINDOW_BYTES),
        )
    return tuple(rows)


def worst(config: Config, services: Collection[str] = BUILT_IN, *, captures: bool = False) -> int:
    """All of it together, in bytes, beside the floor."""
    return sum(bound.most for bound in bounds(config, services, captures=captures))


def left(config: Config, services: Collection[str] = BUILT_IN, *, captures: bool = False) -> int:
    """What is left of that once the guard has taken everything that it can."""
    return sum(bound.given_up for bound in bounds(config, services, captures=captures))


def _served(config: Config, services: Collection[str]) -> Iterator[Bound]:
    """Sessions, and what they leave behind."""
    decoys = config.decoys
    idle = f"{decoys.sessions:,} (`decoys.sessions`) x {SESSION_BYTES / 1024:.1f} KiB"
    yield _fixed("sessions, idle", idle, decoys.sessions * SESSION_BYTES)
    uncounted = f"{decoys.sessions:,} x {_size(UNCOUNTED_BYTES)}"
    yield _fixed("what a session holds before it is counted", uncounted, decoys.sessions * UNCOUNTED_BYTES)
    yield _fixed("what sessions hold: unread, unsent, uploads", "`decoys.session_bytes`", decoys.session_bytes)
    kept = int(KEPT * decoys.session_bytes)
    yield Bound("what the C library keeps of that", f"{KEPT} x as much, until it is told", kept, 0)
    yield _fixed("the answer that is being made", "one at a time: 4 MiB and its parts", 8 << 20)
    if not {"ssh", "telnet"}.isdisjoint(services):
        yield _fixed("output of shells' commands", f"{_size(8 << 20)} for all", 8 << 20)
    yield _quartered("changes to files", "`decoys.overlay_bytes`", decoys.overlay_bytes)
    if "redis" in services:
        yield _quartered("keys in redis", "8 MiB, counted as what they take", 8 << 20)
    if "memcached" in services:
        how = f"8 sources x (1 MiB and 4,096 items x {ITEM_BYTES} B)"
        yield _quartered("items in memcached", how, 8 * ((1 << 20) + 4096 * ITEM_BYTES))
    entries = decoys.rate_entries
    yield _halved("remembered rates", len(services), entries, RATE_BYTES, " (`decoys.rate_entries`)")
    yield _halved("collapsed records that wait", len(services), entries, TALLY_BYTES)


def _queued(config: Config) -> Bound:
    queue = config.journal
    how = f"`journal.queue_bytes`, and {queue.queue_events:,} (`journal.queue_events`) x {QUEUED_BYTES} B"
    return _fixed("events that wait for the disk", how, queue.queue_bytes + queue.queue_events * QUEUED_BYTES)


def _made_again(services: Collection[str]) -> Iterator[Bound]:
    """Caches of what is computed."""
    yield Bound("personas", f"256 x {PERSONA_BYTES:,} B", 256 * PERSONA_BYTES, 16 * PERSONA_BYTES)
    if "ssh" in services:
        yield Bound("SSH host keys", f"256 x {_size(KEY_BYTES)}", 256 * KEY_BYTES, 16 * KEY_BYTES)
    if "http" in services:
        pages, how = 128 * SITE_BYTES + (64 + 128) * PAGE_BYTES, f"128 x {SITE_BYTES:,} B, 64 and 128 x "
        yield Bound("web sites and their answers", how + _size(PAGE_BYTES), pages, pages // 16)
    most, given_up = (512 + 64) * PATTERN_BYTES, (512 + 4) * PATTERN_BYTES
    yield Bound("compiled patterns", f"512 and 64 x {PATTERN_BYTES:,} B", most, given_up)


def _fixed(what: str, how: str, size: int) -> Bound:
    """What the guard cannot take."""
    return Bound(what, how, size, size)


def _quartered(what: str, how: str, size: int) -> Bound:
    """What sources left behind: a quarter stays."""
    return Bound(what, how, size, size // 4)


def _halved(what: str, services: int, entries: int, each: int, setting: str = "") -> Bound:
    """What each service has for so many sources, which collapsing earlier halves a few times."""
    fewer = max(min(16, entries), entries >> MOST_HALVINGS)
    how = f"{services} services x {entries:,}{setting} x {each} B"
    return Bound(what, how, services * entries * each, services * fewer * each)


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count >> 10} KiB"
