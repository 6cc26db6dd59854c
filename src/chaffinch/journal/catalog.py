"""The small database beside the segments: cursors, counters, holes, and the ages of segments.

It is written without a sync for each commit: it survives the kill of any process, and after a power cut a cursor may
stand a little further back, which at least once allows. If the file itself is damaged it is set aside and consumers
begin again.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import apsw
import msgspec

from chaffinch.errors import RunError
from chaffinch.journal import forking, segment
from chaffinch.journal.ageing import AgeClock, Reading
from chaffinch.journal.layout import Layout, SegmentName

log = logging.getLogger("chaffinch.journal")

APPLICATION_ID = 0x43484A43  # "CHJC"
FORMAT = 1

_SCHEMA = """
CREATE TABLE cursors (name TEXT PRIMARY KEY, seq INTEGER NOT NULL, missed INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE holes (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, events INTEGER NOT NULL) STRICT;
CREATE TABLE ages (
    first INTEGER PRIMARY KEY, seen INTEGER NOT NULL, sealed INTEGER, dropped INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE clock (
    id INTEGER PRIMARY KEY CHECK (id = 1), boot_id TEXT NOT NULL, boot_ns INTEGER NOT NULL, wall_ns INTEGER NOT NULL,
    now_ns INTEGER NOT NULL
) STRICT;
"""

_TUNING = "PRAGMA synchronous = normal; PRAGMA wal_autocheckpoint = 64; PRAGMA journal_size_limit = 524288"
_MOVE = """
INSERT INTO cursors VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET seq = max(seq, excluded.seq), missed = missed + excluded.missed
"""
_FURTHEST = "SELECT max(coalesce((SELECT max(seq) FROM cursors), 0), coalesce((SELECT max(last) FROM holes), 0))"
_FORGET_HOLES = "DELETE FROM holes WHERE first >= ? AND last <= ? RETURNING events"
_HOLES = "SELECT first, last, events FROM holes WHERE last >= ? AND first <= ? ORDER BY first"
_COUNT = "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value"
_SET_CLOCK = "INSERT OR REPLACE INTO clock VALUES (1, ?, ?, ?, ?)"
_SEEN = """
INSERT INTO ages (first, seen, sealed) VALUES (?, ?, ?)
ON CONFLICT (first) DO UPDATE SET sealed = coalesce(sealed, excluded.sealed)
"""


class Cursor(msgspec.Struct, frozen=True):
    """How far a consumer came, and how many events it will never see."""

    seq: int = 0
    missed: int = 0


class Hole(msgspec.Struct, frozen=True):
    """Seqs `first` to `last` that will never be read; `events` of them were events as far as is known, the others
    never were.
    """

    first: int
    last: int
    events: int

    def width_within(self, first: int, last: int) -> int:
        """How many of its seqs lie in a range."""
        return max(0, min(self.last, last) - max(self.first, first) + 1)

    def lost_within(self, first: int, last: int) -> int:
        """How many of its events lie in a range, at most."""
        return min(self.events, self.width_within(first, last))


class Age(msgspec.Struct, frozen=True):
    """Journal time, in ns, at which a segment was first seen, and first seen sealed."""

    first: int
    seen: int
    sealed: int | None


class Catalog(forking.OneConnection):
    """The catalog, opened on first use; safe to share between threads. Raises `RunError` when it cannot be written."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        super().__init__()
        self._inode = 0

    # Cursors --------------------------------------------------------------------------------------------------------

    def cursor(self, name: str) -> Cursor:
        """A consumer's cursor; at the beginning for a new name."""
        with self._use() as db:
            row = db.execute("SELECT seq, missed FROM cursors WHERE name = ?", (name,)).fetchone()
        return Cursor(*row) if row else Cursor()

    def move(self, name: str, seq: int, missed: int) -> None:
        """Move a cursor to `seq`, never backwards, and add `missed` to what its consumer will not see."""
        with self._use() as db:
            db.execute(_MOVE, (name, seq, missed))

    def rewind(self, name: str, seq: int) -> None:
        """Set a cursor back to `seq`; never forwards."""
        with self._use() as db:
            db.execute("UPDATE cursors SET seq = min(seq, ?) WHERE name = ?", (seq, name))

    def furthest(self) -> int:
        """The greatest seq that is known to have been given out: of a cursor or a hole; 0 when none is."""
        with self._use() as db:
            return int(db.execute(_FURTHEST).get)

    def furthest_cursor(self) -> int:
        """The greatest seq that a consumer has done; 0 when none has."""
        with self._use() as db:
            return int(db.execute("SELECT coalesce(max(seq), 0) FROM cursors").get)

    # Holes ----------------------------------------------------------------------------------------------------------

    def note_damage(self, holes: list[Hole]) -> None:
        """Note the seqs that one damaged segment lost, and count it. A hole takes the place of those within it."""
        with self._change() as db:
            known = 0
            for hole in holes:
                known += sum(int(row[0]) for row in db.execute(_FORGET_HOLES, (hole.first, hole.last)))
                db.execute("INSERT OR REPLACE INTO holes VALUES (?, ?, ?)", (hole.first, hole.last, hole.events))
            lost = sum(hole.events for hole in holes) - known
            _count(db, {"damaged_segments": 1, "damaged_events": max(0, lost)})

    def holes(self, first: int, last: int) -> list[Hole]:
        """The holes that touch a range, in order."""
        with self._use() as db:
            return [Hole(*row) for row in db.execute(_HOLES, (first, last))]

    def events_within(self, first: int, last: int) -> int:
        """How many events seqs `first` to `last` stand for, without those that were lost to damage."""
        return last - first + 1 - sum(hole.width_within(first, last) for hole in self.holes(first, last))

    def missing_within(self, first: int, last: int) -> int:
        """How many events a reader misses that finds nothing from `first` to `last`, for whatever cause."""
        lost = sum(hole.lost_within(first, last) for hole in self.holes(first, last))
        return self.events_within(first, last) + lost

    # Counters -------------------------------------------------------------------------------------------------------

    def count(self, **added: int) -> None:
        """Add to durable counters."""
        with self._change() as db:
            _count(db, added)

    def counters(self) -> dict[str, int]:
        """Every durable counter by name."""
        with self._use() as db:
            return {str(name): int(value) for name, value in db.execute("SELECT name, value FROM counters")}

    # Ages -----------------------------------------------------------------------------------------------------------

    def ages(self, names: list[SegmentName], reading: Reading, max_age_ns: int) -> tuple[int, dict[int, Age]]:
        """Move the journal's clock to a reading and note which segments are there; the last one is not sealed.

        Returns the journal's time in ns and the ages by first seq.
        """
        with self._change() as db:
            row = db.execute("SELECT boot_id, boot_ns, wall_ns, now_ns FROM clock").fetchone()
            clock = AgeClock(Reading(*row[:3]), row[3]) if row else AgeClock(reading)
            clock = clock.moved_to(reading, max_age_ns)
            db.execute(_SET_CLOCK, (reading.boot_id, reading.boot_ns, reading.wall_ns, clock.now_ns))
            for name in names:
                db.execute(_SEEN, (name.first, clock.now_ns, None if name == names[-1] else clock.now_ns))
            db.execute("DELETE FROM ages WHERE first < ?", (names[0].first if names else 0,))
            ages = [Age(*row) for row in db.execute("SELECT first, seen, sealed FROM ages")]
        return clock.now_ns, {age.first: age for age in ages}

    def note_dropped(self, name: SegmentName, events: int, size: int) -> None:
        """Count a segment that is about to be unlinked: once, even if the process dies in between and it is dropped
        again.
        """
        with self._change() as db:
            db.execute("UPDATE ages SET dropped = 1 WHERE first = ? AND NOT dropped", (name.first,))
            if db.changes():
                _count(db, {"dropped_segments": 1, "dropped_events": events, "dropped_bytes": size})

    # The connection -------------------------------------------------------------------------------------------------

    @contextmanager
    def _use(self) -> Iterator[apsw.Connection]:
        with self._mutex:
            try:
                if self._connection is None:
                    self._connection = self._open()
                with segment.damage(self._layout.catalog):
                    yield self._connection
            except segment.DamagedError as error:
                self.close()
                self._set_aside(self._inode, str(error))
                raise RunError(f"journal: {self._layout.catalog} was damaged ({error}) and is begun again") from None
            except (apsw.Error, OSError, segment.VanishedError) as error:
                raise RunError(f"journal: {self._layout.catalog} cannot be used: {error}") from error

    @contextmanager
    def _change(self) -> Iterator[apsw.Connection]:
        with self._use() as db, segment.transaction(db):
            yield db

    def _open(self) -> apsw.Connection:
        path = self._layout.catalog
        for _ in range(3):
            try:
                self._inode = path.stat().st_ino if path.exists() else 0
                connection = segment.open_database(path, APPLICATION_ID, FORMAT)
                with segment.damage(path):
                    connection.execute(_TUNING)
                    connection.execute(
                        "SELECT count(*) FROM counters, clock, cursors, holes, ages"
                    ).fetchall()  # damage shows here
                return connection
            except segment.VanishedError:
                self._create()
            except segment.DamagedError as error:
                self._set_aside(self._inode, str(error))
        raise RunError(f"journal: {path} is damaged each time it is made; check the disk")

    def _create(self) -> None:
        made = self._layout.path / "catalog.new"
        with self._layout.lock("catalog"):
            self._layout.remove(made)
            segment.create(made, APPLICATION_ID, FORMAT, _SCHEMA)
            self._layout.adopt(made)
            self._layout.publish(made, self._layout.catalog)

    def _set_aside(self, inode: int, why: str) -> None:
        path = self._layout.catalog
        with self._layout.lock("catalog"):
            if not path.exists() or path.stat().st_ino != inode:
                return  # another process was here first
            aside = self._layout.set_aside(path)
        log.error(
            "journal.catalog_damaged file=%s why=%r; cursors begin again, consumers read from the start", aside, why
        )


def _count(db: apsw.Connection, added: dict[str, int]) -> None:
    db.executemany(_COUNT, list(added.items()))
