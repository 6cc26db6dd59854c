"""The journal's directory: the names in it, its lock, and who owns what is made there.

One rule makes every change safe: whoever appends, starts, replaces or drops a segment holds the lock `segments`,
which the kernel gives back when its holder dies. Reading takes no lock.
"""

import contextlib
import errno
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from chaffinch.errors import RunError

_NAME = re.compile(r"events-([0-9]{19})(?:\.([0-9]+))?\.db")
_SIDE_FILES = ("-wal", "-shm")


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


class Layout:
    """Paths, listing and locking. Holds no open file, so it may be made before a fork."""

    def __init__(self, directory: Path) -> None:
        self.path = directory
        self.wake = directory / "wake"
        self.catalog = directory / "catalog.db"

    def prepare(self) -> None:
        """Make the directory if it is missing, and see that it can be written. Raises `RunError`."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.wake.mkdir(mode=0o700, exist_ok=True)
            self.adopt(self.wake)
            with self.lock("segments"):
                pass
        except OSError as error:
            why = error.strerror or str(error)
            raise RunError(
                f"journal: cannot write in {self.path}: {why}; choose another directory with --state"
            ) from None

    def segment(self, name: SegmentName) -> Path:
        return self.path / name.file

    def all_segments(self) -> list[SegmentName]:
        """Every segment file, oldest first; of one first seq the newest generation last."""
        return sorted(name for file in os.listdir(self.path) if (name := parse_name(file)))

    def segments(self) -> list[SegmentName]:
        """The segments to read, oldest first. The last one is open for appending, the others are sealed."""
        return list({name.first: name for name in self.all_segments()}.values())

    def damaged(self) -> list[Path]:
        """Segments that were set aside, oldest first."""
        return sorted(self.path.glob("*.damaged"))

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold the named lock over all processes and threads. Not re-entrant; `segments` is taken before `catalog`."""
        fd = os.open(self.path / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self.adopt_fd(fd)
            fcntl.flock(
                fd, fcntl.LOCK_EX
            )  # a new descriptor each time: threads and forked processes exclude each other too
            yield
        finally:
            os.close(fd)

    def adopt(self, path: Path) -> None:
        """Give a file that root made to the directory's owner: a group without privileges appends to it too."""
        if os.geteuid() == 0:
            owner = os.stat(self.path)
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)

    def adopt_fd(self, fd: int) -> None:
        """As `adopt`, for an open file."""
        if os.geteuid() == 0:
            owner, held = os.stat(self.path), os.fstat(fd)
            if (owner.st_uid, owner.st_gid) != (held.st_uid, held.st_gid):
                os.fchown(fd, owner.st_uid, owner.st_gid)

    def publish(self, made: Path, path: Path) -> None:
        """Give a finished file its name, atomically and durably. Keeps what another process put there before: needs a lock."""
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
