"""The embedded store: one SQLite file. Any number of processes read it; one worker at a time writes each table."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import apsw
import msgspec

from chaffinch.config import StoreSettings
from chaffinch.errors import RunError
from chaffinch.journal import forking, segment
from chaffinch.journal.ageing import DAY_NS, AgeClock, Reading, read_clocks
from chaffinch.journal.layout import Layout
from chaffinch.store.protocol import ServiceCounts, SessionCounts, SessionFilter, SessionRow

log = logging.getLogger("chaffinch.store")

APPLICATION_ID = 0x43484A53  # "CHJS"
FORMAT = 1

_DELETED_AT_ONCE = 500

_SCHEMA = """
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY,  -- order of arrival
    noted INTEGER NOT NULL,      -- when it arrived, in ns of the store's own clock; rises with number
    id TEXT NOT NULL UNIQUE, service TEXT NOT NULL, address TEXT NOT NULL, port INTEGER NOT NULL,
    transport TEXT NOT NULL, source TEXT NOT NULL, source_port INTEGER NOT NULL,
    started INTEGER NOT NULL, ended INTEGER, bytes_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL,
    reason TEXT NOT NULL, count INTEGER NOT NULL, seq INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_source ON sessions (source);
CREATE INDEX sessions_open ON sessions (service) WHERE ended IS NULL;
CREATE TABLE progress (
    id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, boot_id TEXT NOT NULL, boot_ns INTEGER NOT NULL,
    wall_ns INTEGER NOT NULL, now_ns INTEGER NOT NULL
) STRICT;
"""
_COLUMNS = ", ".join(SessionRow.__struct_fields__)
_PLACES = ", ".join("?" * len(SessionRow.__struct_fields__))
# A row that has ended says more than one that has not, whichever comes first.
_ADD = f"""
INSERT INTO sessions (noted, {_COLUMNS}) VALUES (?, {_PLACES})
ON CONFLICT (id) DO UPDATE SET
    transport = coalesce(nullif(transport, ''), excluded.transport),
    started = iif(excluded.ended IS NULL, started, excluded.started),
    ended = coalesce(excluded.ended, ended),
    bytes_in = max(bytes_in, excluded.bytes_in),
    bytes_out = max(bytes_out, excluded.bytes_out),
    reason = coalesce(nullif(excluded.reason, ''), reason),
    seq = max(seq, excluded.seq)
"""  # noqa: S608  # column names of a struct of ours
_WHERE = """
WHERE (:service = '' OR service = :service) AND (:source = '' OR source = :source)
AND (:address = '' OR address = :address) AND started >= :since
"""
_LIST = f"""
SELECT {_COLUMNS} FROM sessions {_WHERE}
AND (:after = '' OR number < (SELECT number FROM sessions WHERE id = :after)) ORDER BY number DESC LIMIT :limit
"""  # noqa: S608
_COUNT = f"""
SELECT coalesce(sum(count), 0), coalesce(sum(ended IS NULL), 0), coalesce(sum(bytes_in), 0), coalesce(sum(bytes_out), 0)
FROM sessions {_WHERE}
"""  # noqa: S608
_CUT = "UPDATE sessions SET ended = max(started, ?), reason = 'lost' WHERE service = ? AND ended IS NULL AND seq < ?"
_OLDEST = "DELETE FROM sessions WHERE number IN (SELECT number FROM sessions WHERE noted < ? ORDER BY number LIMIT ?)"
_SET_CLOCK = """
INSERT INTO progress VALUES (1, 0, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    boot_id = excluded.boot_id, boot_ns = excluded.boot_ns, wall_ns = excluded.wall_ns, now_ns = excluded.now_ns
"""
_USED = "SELECT (SELECT page_count FROM pragma_page_count) - (SELECT freelist_count FROM pragma_freelist_count)"


class SqliteStore(forking.OneConnection):
    """See `protocol.Store`. Opens its file on first use; safe to share between threads, and to inherit over a fork."""

    def __init__(
        self, path: Path, settings: StoreSettings | None = None, *, clocks: Callable[[], Reading] = read_clocks
    ) -> None:
        self._path = path
        self._layout = Layout(path.parent)
        self._settings = settings or StoreSettings()
        self._max_age_ns = int(self._settings.max_age_days * DAY_NS)
        self._clocks = clocks
        super().__init__()
        forking.register(self)

    # Sessions -------------------------------------------------------------------------------------------------------

    def add_sessions(self, rows: Sequence[SessionRow], upto: int) -> None:
        """Add or complete sessions, and note that every event up to seq `upto` is in: both or neither. Idempotent."""
        with self._change() as db:
            now = self._move_clock(db)
            db.executemany(_ADD, [(now, *msgspec.structs.astuple(row)) for row in rows])
            db.execute("UPDATE progress SET seq = max(seq, ?)", (upto,))

    def cut_sessions(self, service: str, ended: int, before: int) -> None:
        """End what is open of the service's sessions whose events have a seq below `before`, as `lost`. Idempotent."""
        with self._change() as db:
            db.execute(_CUT, (ended, service, before))

    def progress(self) -> int:
        """The seq up to which events are in the sessions; 0 for a new store."""
        with self._use() as db:
            row = db.execute("SELECT seq FROM progress").fetchone()
        return int(row[0]) if row else 0

    def sessions(self, wanted: SessionFilter = SessionFilter()) -> list[SessionRow]:  # noqa: B008  # it is frozen
        """Sessions, the newest first."""
        with self._use() as db:
            return [SessionRow(*row) for row in db.execute(_LIST, msgspec.structs.asdict(wanted))]

    def session(self, id: str) -> SessionRow | None:  # noqa: A002
        """One session by its identifier."""
        with self._use() as db:
            row = db.execute(f"SELECT {_COLUMNS} FROM sessions WHERE id = ?", (id,)).fetchone()  # noqa: S608
        return SessionRow(*row) if row else None

    def count(self, wanted: SessionFilter = SessionFilter()) -> SessionCounts:  # noqa: B008
        """Sums over all sessions that the filter names, whatever its `limit` and `after`."""
        with self._use() as db:
            row = db.execute(_COUNT, msgspec.structs.asdict(wanted)).fetchall()[0]
        return SessionCounts(*(int(value or 0) for value in row))

    def services(self) -> list[ServiceCounts]:
        """Sessions by service, the most first."""
        with self._use() as db:
            rows = db.execute("SELECT service, sum(count) FROM sessions GROUP BY service ORDER BY 2 DESC, 1")
            return [ServiceCounts(*row) for row in rows]

    # Bounds ---------------------------------------------------------------------------------------------------------

    def enforce_retention(self) -> int:
        """Delete the oldest sessions beyond the bounds in age and bytes; says how many rows went.

        In small transactions, so that the worker that writes waits for none of them long.
        """
        deleted = 0
        while True:
            with self._change() as db:
                now = self._move_clock(db)
                pages = int(db.execute(_USED).get)
                # A tenth below the bound there is room for indices and the log until the next round.
                full = pages * segment.PAGE_BYTES > self._settings.max_bytes * 9 // 10
                db.execute(_OLDEST, (now + 1 if full else now - self._max_age_ns, _DELETED_AT_ONCE))
                gone = db.changes()
                db.execute("PRAGMA incremental_vacuum").fetchall()
            deleted += gone
            if gone < _DELETED_AT_ONCE:
                break
        if deleted:
            log.info("store.sessions_deleted rows=%d", deleted)
        return deleted

    def _move_clock(self, db: apsw.Connection) -> int:
        """The time of the store's own clock, in ns: see `journal.ageing`."""
        reading = self._clocks()
        row = db.execute("SELECT boot_id, boot_ns, wall_ns, now_ns FROM progress").fetchone()
        clock = AgeClock(Reading(*row[:3]), row[3]) if row else AgeClock(reading)
        now = clock.moved_to(reading, self._max_age_ns).now_ns
        db.execute(_SET_CLOCK, (reading.boot_id, reading.boot_ns, reading.wall_ns, now))
        return now

    # The connection -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _use(self) -> Iterator[apsw.Connection]:
        with self._mutex:
            try:
                with segment.damage(self._path):
                    yield self._opened()
            except segment.DamagedError as error:
                self._set_aside(str(error))
                raise RunError(
                    f"store: {self._path} was damaged ({error}); it is derived again from the journal"
                ) from None
            except (apsw.Error, OSError, segment.VanishedError) as error:
                raise RunError(f"store: {self._path} cannot be used: {error}") from error

    @contextlib.contextmanager
    def _change(self) -> Iterator[apsw.Connection]:
        with self._use() as db, segment.transaction(db):
            yield db

    def _opened(self) -> apsw.Connection:
        if self._connection is not None:
            return self._connection
        if not self._path.exists():
            self._create()
        self._connection = segment.open_database(self._path, APPLICATION_ID, FORMAT)
        self._connection.execute("PRAGMA synchronous = normal; PRAGMA wal_autocheckpoint = 500")
        self._connection.execute(f"PRAGMA journal_size_limit = {1000 * segment.PAGE_BYTES}")
        return self._connection

    def _create(self) -> None:
        made = self._path.with_name(f"{self._path.name}.new")
        with self._layout.lock("store"):
            self._layout.remove(made)
            segment.create(made, APPLICATION_ID, FORMAT, "PRAGMA auto_vacuum = incremental;" + _SCHEMA)
            self._layout.adopt(made)
            self._layout.publish(made, self._path)

    def _set_aside(self, why: str) -> None:
        self.close()
        with self._layout.lock("store"):
            if self._path.exists():
                aside = self._layout.set_aside(self._path)
                log.error("store.damaged file=%s why=%r; it is derived again from the journal", aside, why)
