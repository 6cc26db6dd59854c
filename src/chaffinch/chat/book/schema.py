"""The file of the bot's book: its tables, its version, and how it is opened. `docs/bot-book.md` has every field."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import apsw

from chaffinch.errors import RunError
from chaffinch.journal.segment import transaction

NAME: Final = "bot.sqlite3"
APPLICATION_ID: Final = 0x43484254
"""`CHBT`: by this a file is known as a book, whatever its name."""

BUSY_MS: Final = 10_000
_PRAGMAS: Final = (("cache_size", -256), ("temp_store", 2), ("trusted_schema", 0), ("cell_size_check", 1))
"""Of every connection. The cache has 256 KiB; what is temporary is in memory."""
_CHECKPOINT_PAGES: Final = 256
_PAGE_BYTES: Final = 4096

_FIRST: Final = """
CREATE TABLE guilds (
    guild INTEGER PRIMARY KEY,
    settings TEXT NOT NULL DEFAULT '{}',
    left_ms INTEGER,
    kept_ms INTEGER
) STRICT;
CREATE TABLE channels (
    guild INTEGER NOT NULL,
    channel INTEGER NOT NULL,
    listens INTEGER NOT NULL,
    responds INTEGER NOT NULL,
    chance REAL NOT NULL CHECK (chance BETWEEN 0 AND 1),
    images REAL CHECK (images BETWEEN 0 AND 1),
    PRIMARY KEY (guild, channel)
) STRICT, WITHOUT ROWID;
CREATE TABLE members (
    guild INTEGER NOT NULL,
    user INTEGER NOT NULL,
    asked_out INTEGER NOT NULL DEFAULT 0,
    role_out INTEGER NOT NULL DEFAULT 0,
    own INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (guild, user)
) STRICT, WITHOUT ROWID;
CREATE TABLE forgettings (
    guild INTEGER NOT NULL,
    user INTEGER NOT NULL,
    own_only INTEGER NOT NULL,
    PRIMARY KEY (guild, user)
) STRICT, WITHOUT ROWID;
CREATE TABLE unlearnings (
    guild INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('author', 'channel', 'message')),
    id INTEGER NOT NULL,
    PRIMARY KEY (guild, kind, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE threads (
    guild INTEGER NOT NULL,
    parent INTEGER NOT NULL,
    thread INTEGER NOT NULL,
    PRIMARY KEY (guild, parent, thread)
) STRICT, WITHOUT ROWID;
CREATE TABLE trainings (
    guild INTEGER PRIMARY KEY,
    clean INTEGER NOT NULL,
    started_ms INTEGER NOT NULL,
    channel INTEGER NOT NULL,
    message INTEGER NOT NULL,
    newest INTEGER NOT NULL,
    file TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('reading', 'publishing'))
) STRICT;
CREATE TABLE cursors (
    guild INTEGER NOT NULL,
    channel INTEGER NOT NULL,
    parent INTEGER NOT NULL,
    name TEXT NOT NULL,
    before INTEGER NOT NULL,
    newest_ms INTEGER NOT NULL,
    oldest_ms INTEGER NOT NULL,
    learned INTEGER NOT NULL,
    done INTEGER NOT NULL,
    failed TEXT NOT NULL,
    PRIMARY KEY (guild, channel)
) STRICT, WITHOUT ROWID;
"""

_SECOND: Final = "ALTER TABLE members ADD COLUMN own_lost INTEGER NOT NULL DEFAULT 0"

MIGRATIONS: tuple[str, ...] = (_FIRST, _SECOND)
"""Step n brings a book of version n to n + 1; a new file is of version 0. A released step never changes."""

TABLES: Final = ("guilds", "channels", "members", "forgettings", "unlearnings", "threads", "trainings", "cursors")
"""What is deleted with a guild: all of it."""

_DAMAGE: Final = (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, apsw.MismatchError, apsw.FormatError)


class NotABookError(Exception):
    """What is in the file is not what was written into it; the text says how that shows. Becomes a `RunError`."""


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """What SQLite and the file system say of a book, as one sentence. Damage is named, and nothing of it touched."""
    try:
        yield
    except (NotABookError, *_DAMAGE) as error:
        raise RunError(
            f"{path} is damaged or no book of the bot ({error}): put a copy of it back, or move it away with its -wal "
            "and -shm files to begin with an empty book; chains are untouched, settings and opt-outs are in it alone"
        ) from None
    except apsw.FullError:
        raise full(path) from None
    except (apsw.Error, OSError) as error:
        raise RunError(f"{path} cannot be used ({error}): make it writable for this user, or free room") from None


def full(path: Path) -> RunError:
    """That the disk takes no more."""
    return RunError(f"{path} cannot grow, the disk is full: free room; what was to be written is not in it")


def locked(directory: Path) -> int:
    """A lock that ends with this process. Raises `RunError` if another bot has it."""
    try:
        directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise RunError(
            f"{error.filename} cannot be made ({error.strerror}): make the state directory writable, or name another"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError:
        signed = os.pread(lock, 32, 0).decode(errors="replace").strip()
        os.close(lock)
        raise RunError(
            f"another bot{f' (pid {signed})' if signed else ''} runs on {directory.parent}: stop it, "
            "or name another state directory with --state"
        ) from None
    except OSError:
        pass  # the lock is had: a full disk only keeps it from being signed
    return lock


def open_book(path: Path) -> apsw.Connection:
    """The connection that writes: a book that is there and whole, brought to this release's version, or a new one.

    Raises `RunError` for one that is damaged, of a later release, or that cannot be used; it is then left as it is.
    """
    with explained(path):
        if not path.exists():
            _create(path)
        db = connect(path)
        try:
            _check(db, path)
            _migrate(db)
            db.pragma("synchronous", "full")
            db.pragma("wal_autocheckpoint", _CHECKPOINT_PAGES)
            db.pragma("journal_size_limit", 2 * _CHECKPOINT_PAGES * _PAGE_BYTES)
            db.pragma("secure_delete", 1)
        except BaseException:
            leave(db)
            raise
    return db


def leave(db: apsw.Connection) -> None:
    """Close a book that is refused, and leave its files as they are."""
    db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    db.close(True)


def connect(path: Path) -> apsw.Connection:
    """A connection to a file that is there, with a small cache."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, statementcachesize=32)
    try:
        db.set_busy_timeout(BUSY_MS)
        for name, value in _PRAGMAS:
            db.pragma(name, value)
    except BaseException:
        leave(db)
        raise
    return db


def _create(path: Path) -> None:
    """Make an empty book that is whole once it has its name: a crash leaves none, or one."""
    made = path.with_name(path.name + ".new")
    made.unlink(missing_ok=True)
    os.close(os.open(made, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    db = connect(made)
    try:
        db.pragma("page_size", _PAGE_BYTES)
        db.pragma("application_id", APPLICATION_ID)
        _migrate(db)
        db.pragma("journal_mode", "wal")
    finally:
        db.close(True)
    _sync(made)
    made.rename(path)
    _sync(path.parent)


def _check(db: apsw.Connection, path: Path) -> None:
    if db.pragma("application_id") != APPLICATION_ID:
        raise NotABookError("its header is not the expected one")
    version = db.pragma("user_version")
    if not isinstance(version, int) or version < 1:
        raise NotABookError("it has no version")
    if version > len(MIGRATIONS):
        raise RunError(
            f"{path} has version {version}, this release reads up to {len(MIGRATIONS)}: "
            "run the release that wrote it, or a later one"
        )
    if db.readonly("main"):
        raise apsw.ReadOnlyError("it is read-only")
    if (found := db.execute("PRAGMA quick_check(1)").get) != "ok":
        raise NotABookError(str(found).replace("\n", " "))


def _migrate(db: apsw.Connection) -> None:
    """All steps that are missing, in one transaction: a crash leaves the version before, or this one."""
    version = db.pragma("user_version")
    assert isinstance(version, int)
    if version < len(MIGRATIONS):
        with transaction(db):
            for step in MIGRATIONS[version:]:
                db.execute(step)
            db.pragma("user_version", len(MIGRATIONS))


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
