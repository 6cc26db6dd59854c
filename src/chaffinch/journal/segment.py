"""One segment: an SQLite file of blocks. A block is a row that holds consecutive events as JSON lines, with their
checksum.

Events are stored by the block because one commit is then one row whatever it carries: at 100,000 events a second
SQLite is entered tens of times, and the thread that does it hardly takes the interpreter from the event loop. The
checksum is there because SQLite has none: a flipped bit in a body would otherwise be read as a fact.
"""

import contextlib
import os
import struct
import zlib
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import apsw
import msgspec

from chaffinch.errors import RunError

APPLICATION_ID = 0x43484A4C  # "CHJL"
FORMAT = 1
PAGE_BYTES = 4096

BLOCK_BYTES = 128 << 10
"""A block is closed when its body reaches this: what one damaged block costs, and what a reader holds at once."""

_MAX_BODY = 8 << 20
_CACHE_KIB = 256
_CHECKPOINT_PAGES = 1000
_BUSY_MS = 10_000

_SCHEMA = """
CREATE TABLE blocks (
    first INTEGER PRIMARY KEY,  -- seq of the first event
    events INTEGER NOT NULL,    -- how many, with consecutive seqs
    crc INTEGER NOT NULL,       -- CRC-32 of first and events (little-endian int64 each), then body
    body BLOB NOT NULL          -- one JSON object a line
) STRICT
"""
_INSERT = "INSERT INTO blocks (first, events, crc, body) VALUES (?, ?, ?, ?)"
_END = "SELECT first, events FROM blocks ORDER BY first DESC LIMIT 1"
_BLOCKS = """
SELECT first, events, crc, body FROM blocks
WHERE first >= coalesce((SELECT max(first) FROM blocks WHERE first <= ?1), ?1) AND first + events > ?1 ORDER BY first
"""
_FORWARDS = "SELECT first, events, crc, body FROM blocks WHERE first > ? ORDER BY first"
_BACKWARDS = "SELECT first, events, crc, body FROM blocks WHERE first > ? ORDER BY first DESC"
_READ_FAULTS = {
    apsw.SQLITE_IOERR_READ,
    apsw.SQLITE_IOERR_SHORT_READ,
    apsw.SQLITE_IOERR_CORRUPTFS,
    apsw.SQLITE_IOERR_DATA,
}
_DAMAGE = (
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.SQLError,  # no such table
    apsw.ConstraintError,  # seqs are given out once
    apsw.MismatchError,
    apsw.TooBigError,
    apsw.FormatError,
    apsw.RangeError,
)


class DamagedError(Exception):
    """A file of the journal does not hold what was written to it. Contained by recovery; never leaves the journal."""


class VanishedError(Exception):
    """A segment was dropped or replaced after it was listed. Listing again finds what is there now."""


class Block(msgspec.Struct, frozen=True, gc=False):
    """Consecutive events as they are stored: `body` is one JSON object a line."""

    first: int
    events: int
    body: bytes

    @property
    def last(self) -> int:
        return self.first + self.events - 1

    @property
    def crc(self) -> int:
        return zlib.crc32(self.body, zlib.crc32(struct.pack("<qq", self.first, self.events)))


def blocks(first: int, lines: Sequence[bytes], limit: int = BLOCK_BYTES) -> Iterator[Block]:
    """Events, each encoded on one line, as blocks of about `limit` bytes; the first event gets seq `first`."""
    start = size = 0
    for at, line in enumerate(lines):
        size += len(line) + 1
        if size >= limit:
            yield Block(first + start, at + 1 - start, b"\n".join(lines[start : at + 1]))
            start, size = at + 1, 0
    if start < len(lines):
        yield Block(first + start, len(lines) - start, b"\n".join(lines[start:]))


def extended_code(error: apsw.Error) -> int:
    """SQLite's extended result code."""
    return int(getattr(error, "extendedresult", 0))


@contextlib.contextmanager
def transaction(db: apsw.Connection) -> Iterator[None]:
    """What is done inside is done whole or not at all."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


@contextlib.contextmanager
def damage(path: Path) -> Iterator[None]:
    """Turn what SQLite says of a broken file into `DamagedError`; other faults of the machine pass."""
    try:
        yield
    except _DAMAGE as error:
        raise DamagedError(str(error)) from error
    except apsw.IOError as error:
        if extended_code(error) in _READ_FAULTS:
            raise DamagedError(str(error)) from error
        raise
    except apsw.CantOpenError:
        if not path.exists():
            raise VanishedError(path.name) from None
        raise


def connect(path: Path, *, salvage: bool = False) -> apsw.Connection:
    """A connection with a small cache. Locks are waited for; nothing is mapped into memory but the index of the log.

    With `salvage`, SQLite reads on in a file that is shorter than its header says.
    """
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOMUTEX
    connection = apsw.Connection(str(path), flags=flags, statementcachesize=12)
    connection.config(apsw.SQLITE_DBCONFIG_WRITABLE_SCHEMA, int(salvage))
    connection.set_busy_timeout(_BUSY_MS)
    connection.limit(apsw.SQLITE_LIMIT_LENGTH, _MAX_BODY)
    for setting in (
        f"cache_size = -{_CACHE_KIB}",
        "temp_store = memory",
        "trusted_schema = off",
        "cell_size_check = on",
    ):
        connection.execute(f"PRAGMA {setting}")
    return connection


def open_database(path: Path, application_id: int, version: int, *, salvage: bool = False) -> apsw.Connection:
    """A connection to a file that is what its name says.

    Raises `DamagedError` for anything else, `RunError` for a newer version, `VanishedError` when it is gone. The file
    is looked at through SQLite alone: in a process that has it open, closing it otherwise would drop SQLite's locks.
    """
    with damage(path):
        if not path.exists():
            raise VanishedError(path.name)
        connection = connect(path, salvage=salvage)
        try:
            _check(connection, path, application_id, version)
            if not salvage and (connection.pragma("journal_mode") != "wal" or _unwritable(connection, path)):
                raise DamagedError("its header does not allow to append")
        except BaseException:
            connection.close(True)
            raise
    return connection


def _check(connection: apsw.Connection, path: Path, application_id: int, version: int) -> None:
    found = connection.pragma("user_version")
    if connection.pragma("application_id") != application_id or not isinstance(found, int) or found < 1:
        raise DamagedError("its header is not the expected one")
    if found > version:
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # leave it as it is
        raise RunError(f"{path} has format {found}, this release reads up to {version}; run the one that wrote it")


def _unwritable(connection: apsw.Connection, path: Path) -> bool:
    """Whether SQLite finds in the file itself that it must not write to it."""
    return connection.readonly("main") and os.access(path, os.W_OK)


def create(path: Path, application_id: int, version: int, schema: str) -> None:
    """Make a whole, durable database at `path`, in write-ahead mode, with nothing beside it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    os.close(fd)
    connection = connect(path)
    try:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute(schema)
        connection.execute(f"PRAGMA application_id = {application_id}; PRAGMA user_version = {version}")
        connection.pragma("journal_mode", "wal")
    finally:
        connection.close()


class Segment:
    """An open segment. Used by one thread at a time."""

    def __init__(self, path: Path, *, checkpoint_pages: int = _CHECKPOINT_PAGES, salvage: bool = False) -> None:
        """Raises `DamagedError`, `VanishedError`, or `RunError` for a newer format. `salvage`: see `connect`."""
        self.path = path
        self.db = open_database(path, APPLICATION_ID, FORMAT, salvage=salvage)
        with damage(path):
            self.db.execute("PRAGMA synchronous = full")
            self.db.execute(f"PRAGMA wal_autocheckpoint = {checkpoint_pages}")
            self.db.execute(f"PRAGMA journal_size_limit = {2 * checkpoint_pages * PAGE_BYTES}")

    @staticmethod
    def create(path: Path) -> None:
        """Make an empty segment under the name `path`, which must not exist."""
        create(path, APPLICATION_ID, FORMAT, _SCHEMA)

    def end(self) -> int | None:
        """The seq after the last event; None when there is none."""
        with damage(self.path):
            row = self.db.execute(_END).fetchone()
        if row is None:
            return None
        first, events = row
        if not (isinstance(first, int) and isinstance(events, int) and first > 0 and events > 0):
            raise DamagedError("its last row is not a block")
        return first + events

    def append(self, made: Sequence[Block]) -> None:
        """Add blocks; the caller holds a transaction."""
        for block in made:
            self.db.execute(_INSERT, (block.first, block.events, block.crc, block.body))

    def pages(self) -> int:
        """Pages of the database, those of the open transaction with them."""
        return int(self.db.pragma("page_count"))

    def blocks(self, seq: int) -> Generator[Block, None, None]:
        """The blocks that hold `seq` and what follows, checked. Raises `DamagedError` at the first that is not whole.

        The read transaction lasts as long as the iterator: close it soon, or the log cannot be folded back.
        """
        for row in self._rows(_BLOCKS, seq):
            yield checked_block(row)

    def whole_blocks(self, after: int, *, backwards: bool = False) -> Iterator[Block]:
        """For recovery: every block that begins after seq `after` and is whole, as far as SQLite can read."""
        for row in self._rows(_BACKWARDS if backwards else _FORWARDS, after):
            with contextlib.suppress(DamagedError):
                yield checked_block(row)

    def _rows(self, query: str, seq: int) -> Iterator[tuple[object, ...]]:
        with damage(self.path):
            rows = self.db.execute(query, (seq,))
            try:
                yield from rows
            finally:
                rows.close(True)

    def fold(self) -> None:
        """Bring the log back into the database and cut it to nothing, if no reader is in the way."""
        with contextlib.suppress(apsw.BusyError, apsw.LockedError):
            self.db.set_busy_timeout(0)
            self.db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def close(self) -> None:
        self.db.close(True)


def checked_block(row: tuple[object, ...]) -> Block:
    """A row as a block. Raises `DamagedError` when it is none or does not match its checksum."""
    first, events, crc, body = row
    if not (isinstance(first, int) and isinstance(events, int) and isinstance(body, bytes) and 0 < events <= len(body)):
        raise DamagedError("a row is not a block")
    block = Block(first, events, body)
    if block.crc != crc:
        raise DamagedError(f"the block at seq {first} does not match its checksum")
    return block
