"""What one process of decoys can hold at most: each bound with its arithmetic, for the settings that it is given.

Bytes for an entry are measured (CPython 3.11, x86-64). What the process has before its first session is not in it: that
is its floor. docs/limits.md shows the table, and a test compares the two, and the numbers with the modules that keep
them.
"""

from typing import Final

import msgspec

from chaffinch.config import Config
from chaffinch.decoys.registry import BUILT_IN
from chaffinch.decoys.relief import MOST_HALVINGS

SESSION_BYTES: Final = 7680
"""An idle telnet session, the largest of the eight services."""

UNCOUNTED_BYTES: Final = 1 << 10
"""`session.COUNTED_BYTES`: what a session may hold before it is counted."""

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


class Bound(msgspec.Struct, frozen=True):
    """One row: what it is, how it comes about, bytes at the most, and bytes once the guard has taken everything."""

    what: str
    how: str
    most: int
    given_up: int


def bounds(config: Config, services: int = len(BUILT_IN)) -> tuple[Bound, ...]:
    """Every bound of a process that serves so many services."""
    decoys, queue = config.decoys, config.journal
    entries, fewer = decoys.rate_entries, max(min(16, decoys.rate_entries), decoys.rate_entries >> MOST_HALVINGS)
    redis, memcached, output = 8 << 20, 8 * ((1 << 20) + 4096 * ITEM_BYTES), 8 << 20
    queued = queue.queue_bytes + queue.queue_events * QUEUED_BYTES
    pages = 128 * SITE_BYTES + (64 + 128) * PAGE_BYTES
    rows = (
        (
            "sessions, idle",
            f"{decoys.sessions:,} (`decoys.sessions`) x {SESSION_BYTES / 1024:.1f} KiB",
            *_same(decoys.sessions * SESSION_BYTES),
        ),
        (
            "what a session holds before it is counted",
            f"{decoys.sessions:,} x {_size(UNCOUNTED_BYTES)}",
            *_same(decoys.sessions * UNCOUNTED_BYTES),
        ),
        ("what sessions hold: unread, unsent, uploads", "`decoys.session_bytes`", *_same(decoys.session_bytes)),
        (
            "what the C library keeps of that",
            f"{KEPT} x as much, until it is told",
            int(KEPT * decoys.session_bytes),
            0,
        ),
        ("the answer that is being made", "one at a time: 4 MiB and its parts", *_same(8 << 20)),
        ("output of shells' commands", f"{_size(output)} for all", *_same(output)),
        ("changes to files", "`decoys.overlay_bytes`", decoys.overlay_bytes, decoys.overlay_bytes // 4),
        ("keys in redis", "8 MiB, counted as what they take", redis, redis // 4),
        (
            "items in memcached",
            f"8 sources x (1 MiB and 4,096 items x {ITEM_BYTES} B)",
            memcached,
            memcached // 4,
        ),
        (
            "remembered rates",
            f"{services} services x {entries:,} (`decoys.rate_entries`) x {RATE_BYTES} B",
            services * entries * RATE_BYTES,
            services * fewer * RATE_BYTES,
        ),
        (
            "collapsed records that wait",
            f"{services} services x {entries:,} x {TALLY_BYTES} B",
            services * entries * TALLY_BYTES,
            services * fewer * TALLY_BYTES,
        ),
        (
            "events that wait for the disk",
            f"`journal.queue_bytes`, and {queue.queue_events:,} (`journal.queue_events`) x {QUEUED_BYTES} B",
            *_same(queued),
        ),
        ("personas", f"256 x {PERSONA_BYTES:,} B", 256 * PERSONA_BYTES, 16 * PERSONA_BYTES),
        ("SSH host keys", f"256 x {_size(KEY_BYTES)}", 256 * KEY_BYTES, 16 * KEY_BYTES),
        (
            "web sites and their answers",
            f"128 x {SITE_BYTES:,} B, 64 and 128 x {_size(PAGE_BYTES)}",
            pages,
            pages // 16,
        ),
        (
            "compiled patterns",
            f"512 and 64 x {PATTERN_BYTES:,} B",
            (512 + 64) * PATTERN_BYTES,
            (512 + 4) * PATTERN_BYTES,
        ),
    )
    return tuple(Bound(*row) for row in rows)


def worst(config: Config, services: int = len(BUILT_IN)) -> int:
    """All of it together, in bytes, beside the floor."""
    return sum(bound.most for bound in bounds(config, services))


def _same(size: int) -> tuple[int, int]:
    return size, size


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count >> 10} KiB"
