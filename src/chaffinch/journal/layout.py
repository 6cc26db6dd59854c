"""The journal's directory: the names in it, its lock, and who owns what is made there.

One rule makes every change safe: whoever appends, starts, replaces or drops a segment holds the lock `segments`,
which the kernel gives back when its holder dies. Reading takes no lock.
"""

import contextlib
import errno
import fcntl
import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from chaffinch.errors import RunError

_NAME = re.compile(r"events-([0-9]{19})(?:\.([0-9]+))?\.db")
_SIDE_FILES = ("-wal", "-shm")
_TICK_NS = 50_000_000


class SegmentName(msgspec.Struct, frozen=True, order=True):
    """`events-<first seq, 19 digits>.db`; what recovery rebuilt carries the count of rebuilds before `.db`.

    `generation` rises when a damaged segment is replaced by what could be read of it, so that no file is ever opened
    with the write-ahead log of another.
    """

    first: int
    generation: int = 0

    @property
    def file(self) -> str:
        middle = f".{self.generation}" if self.generation else ""
        return f"events-{self.first:019d}{middle}.db"


def parse_name(file: str) -> SegmentName | None:
    """The segment that a file name stands for; None for any other file."""
    match = _NAME.fullmatch(file)
    return SegmentName(int(match[1]), int(match[2] or 0)) if match else None


class Listing:
    """A directory's files, listed again only when one was made, renamed or removed.

    Listing gives the interpreter away once a file, and on a busy event loop each time costs a wait; this costs one.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: list[str] = []
        self._changed = 0
        self._listed = 0

    def files(self) -> list[str]:
        """The files now. Raises OSError."""
        changed = os.stat(self._directory).st_mtime_ns
        # Two changes within one tick of the file system's clock have one time: a listing so young is not trusted.
        if changed != self._changed or self._listed - changed < _TICK_NS:
            self._changed, self._listed = changed, time.time_ns()
            self._files = os.listdir(self._directory)
        return self._files


class Layout:
    """Paths, listing and locking. Holds no open file, so it may be made before a fork."""

    def __init__(self, directory: Path) -> None:
        self.path = directory
        self.wake = directory / "wake"
        self.catalog = directory / "catalog.db"

    def prepare(self) -> None:
        """Make the directory if it is missing, and see that it can be written. Raises `RunError`.

        Waits for no lock: an event loop begins here, and whoever holds one may be stopped.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.wake.mkdir(mode=0o700, exist_ok=True)
            self.adopt(self.wake)
            os.close(self._open_lock("segments"))
        except OSError as error:
            why = error.strerror or str(error)
            raise RunError(
                f"journal: cannot write in {self.path}: {why}; choose another directory with --state"
            ) from None

    def segment(self, name: SegmentName) -> Path:
        return self.path / name.file

    def all_segments(self, files: Iterable[str] | None = None) -> list[SegmentName]:
        """Every segment file, oldest first; of one first seq the newest generation last. `files`: a listing to use."""
        files = os.listdir(self.path) if files is None else files
        return sorted(name for file in files if (name := parse_name(file)))

    def segments(self, files: Iterable[str] | None = None) -> list[SegmentName]:
        """The segments to read, oldest first. The last one is open for appending, the others are sealed."""
        return list({name.first: name for name in self.all_segments(files)}.values())

    def damaged(self) -> list[Path]:
        """Segments that were set aside, oldest first."""
        return sorted(self.path.glob("*.damaged"))

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold the named lock over all processes and threads. Not re-entrant; `segments` is taken before `catalog`."""
        fd = self._open_lock(name)  # a new descriptor each time: threads and forked processes exclude each other too
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _open_lock(self, name: str) -> int:
        path = self.path / f"{name}.lock"
        try:
            return os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self.adopt(path)
            return fd

    def adopt(self, path: Path) -> None:
        """Give a file that root made to the directory's owner: a group without privileges appends to it too."""
        if os.geteuid() == 0:
            owner = os.stat(self.path)
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)

    def publish(self, made: Path, path: Path) -> None:
        """Give a finished file its name, atomically and durably. Keeps what is there already: needs a lock."""
        if path.exists():
            made.unlink()
        else:
            os.rename(made, path)
        self.sync()

    def sync(self) -> None:
        """Make the directory's names durable."""
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def size(self, path: Path) -> int:
        """Bytes of a database with its write-ahead log; 0 when it is gone."""
        return sum(_size(f"{path}{suffix}") for suffix in ("", "-wal"))

    def remove(self, path: Path) -> None:
        """Unlink a database and what lies beside it. Processes that read it keep it until they close it."""
        for suffix in ("", *_SIDE_FILES):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{path}{suffix}")

    def set_aside(self, path: Path) -> Path:
        """Rename a damaged database, with its write-ahead log, to `*.damaged`."""
        aside = path.with_name(path.name + ".damaged")
        for suffix in ("-wal", ""):
            with contextlib.suppress(FileNotFoundError):
                os.rename(f"{path}{suffix}", f"{aside}{suffix}")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{path}-shm")
        self.sync()
        return aside

    def remove_strays(self) -> None:
        """Unlink side files without a database, and what a killed process left half made. Needs the lock `segments`."""
        with self.lock("catalog"):
            files = set(os.listdir(self.path))
            for file in files:
                base = next((file.removesuffix(suffix) for suffix in _SIDE_FILES if file.endswith(suffix)), "")
                if (base and base not in files) or file.startswith(("segment.new", "catalog.new")):
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(self.path / file)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        return 0
