"""Events and journals for the tests of this directory."""

from pathlib import Path

from chaffinch.config import JournalSettings
from chaffinch.events import Command, Event
from chaffinch.journal.ageing import Reading
from chaffinch.journal.settings import MIB
from chaffinch.journal.sqlite import SqliteJournal

SMALL = JournalSettings(max_bytes=4 * MIB, segment_bytes=128 << 10, flush_ms=1)
"""Segments of 128 KiB: some hundreds of `wide` events."""


def event(number: int, *, width: int = 0) -> Event:
    """An event that tells its number."""
    return Event(
        time=1_700_000_000_000_000_000 + number,
        fact=Command(line=f"{number} {'x' * width}"),
        service="ssh",
        address="127.77.3.9",
        source="127.0.0.1",
        session="0123456789abcdef",
    )


def number(found: Event) -> int:
    """The number of an event made by `event`; -1 for one that the journal made."""
    return int(found.fact.line.split(" ")[0]) if isinstance(found.fact, Command) else -1


def fill(journal: SqliteJournal, count: int, *, start: int = 0, width: int = 200) -> None:
    """Append numbered events durably, a hundred a transaction or so."""
    for at in range(start, start + count, 100):
        journal.publish_many([event(n, width=width) for n in range(at, min(at + 100, start + count))])
        journal.flush_sync(10)


def everything(journal: SqliteJournal) -> list[tuple[int, int]]:
    """Seq and number of every event that can be read, without those that the journal made."""
    found, after = [], 0
    while records := journal.read(after, 300):
        found += [(record.seq, number(record.event)) for record in records]
        after = records[-1].seq
    return [pair for pair in found if pair[1] >= 0]


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("events-*.db"))


class Clocks:
    """A machine's clocks that a test sets."""

    def __init__(self) -> None:
        self.boot_id = "a"
        self.boot = 10**9
        self.wall = 1_700_000_000 * 10**9

    def __call__(self) -> Reading:
        return Reading(self.boot_id, self.boot, self.wall)

    def pass_days(self, days: float) -> None:
        self.boot += int(days * 86400 * 10**9)
        self.wall += int(days * 86400 * 10**9)
