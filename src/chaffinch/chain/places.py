"""Where a tenant's chain is, what may stand beside it, and the locks under which chains are opened and moved.

Beside `<state>/chains/T` there may be

- `.T.clean`: the chain that is made to take its place, and `.T.clean.plan`: by whom and of what;
- `.T.old`: the chain that was replaced;
- `.T.import`: a directory that its holder has a `flock` on, and in it `chain`, which an import makes;
- `.removing-T`: what is being thrown away.

Whoever moves a chain has `<state>/chains` itself locked (`moving`), and whoever opens one shares that lock meanwhile
(`still`): what is opened is of one chain, and none is made where one is away for a moment. A lock on
`<state>/chains/.placing`, which stays, is the turn to take the other: openers that follow one another without a gap
would else keep a mover waiting for ever. Besides, who moves a chain that is there holds its writer's lock (`held`).
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from chaffinch.chain.errors import LockedError
from chaffinch.chain.names import directory_of
from chaffinch.errors import RunError

LEAVING = ".removing-"
"""In front of a tenant's name: what is being thrown away."""


class Places(NamedTuple):
    """Where a tenant's chain is, and what may stand beside it."""

    chain: Path
    clean: Path
    plan: Path
    old: Path
    incoming: Path
    leaving: Path


def places(state: Path, tenant: str) -> Places:
    """The places of a tenant. Raises `InputError` for a name that no tenant can have."""
    chain = directory_of(state, tenant)
    return Places(
        chain,
        clean=chain.with_name(f".{tenant}.clean"),
        plan=chain.with_name(f".{tenant}.clean.plan"),
        old=chain.with_name(f".{tenant}.old"),
        incoming=chain.with_name(f".{tenant}.import"),
        leaving=chain.with_name(LEAVING + tenant),
    )


@contextlib.contextmanager
def still(state: Path, tenant: str) -> Iterator[None]:
    """While this lasts no chain is moved. Changes nothing on the disk; where there are no chains, there is no lock."""
    chain = places(state, tenant).chain
    turn, lock = _opened(chain.with_name(".placing")), _opened(chain.parent)
    try:
        if turn is not None:
            fcntl.flock(turn, fcntl.LOCK_SH)
        if lock is not None:
            fcntl.flock(lock, fcntl.LOCK_SH)
        if turn is not None:
            fcntl.flock(turn, fcntl.LOCK_UN)
        yield
    finally:
        for opened in (turn, lock):
            if opened is not None:
                os.close(opened)


@contextlib.contextmanager
def moving(at: Places) -> Iterator[None]:
    """Only one process moves chains at a time, and nobody opens one: this waits for both, which takes milliseconds."""
    with reported(at.chain):
        at.chain.parent.mkdir(parents=True, exist_ok=True)
        with open(at.chain.with_name(".placing"), "ab") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            lock = os.open(at.chain.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)


@contextlib.contextmanager
def held(directory: Path) -> Iterator[None]:
    """The writer's lock of the chain in a directory, as `docs/chain-format.md` says; nothing if no chain is there.

    Raises `LockedError` if somebody has it.
    """
    while True:
        try:
            lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            yield
            return
        except OSError as error:
            raise refusal(error, directory) from None
        with open(lock, "r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = file.read(16).strip().decode(errors="replace")
                holder = f"process {pid}" if pid.isdigit() else "another process"
                raise LockedError(f"{directory} is open for writing in {holder}: stop that first") from None
            if not _is_at(lock, directory / "lock"):
                continue  # the chain was moved since the file was opened: another may have its place
            with contextlib.suppress(OSError):  # a full disk keeps nobody from removing a chain
                os.ftruncate(lock, 0)
                os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
            yield
            return


@contextlib.contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """A directory that is this process's until it removes it. Raises `LockedError` if it is another's."""
    while True:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        opened = _opened(directory)
        if opened is None:
            continue
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(opened, directory):
                yield
                return
        except BlockingIOError:
            raise LockedError(f"another process imports into {directory} just now: wait until it is done") from None
        finally:
            os.close(opened)


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """A lock on a file while whoever wrote it is at work; nothing if it is not there. Raises `LockedError`."""
    opened = _opened(file)
    if opened is None:
        yield
        return
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise LockedError(f"{file} is in use in another process: wait until it is done, or stop it") from None
    finally:
        os.close(opened)


@contextlib.contextmanager
def reported(path: Path) -> Iterator[None]:
    """What the file system refuses, as one sentence."""
    try:
        yield
    except OSError as error:
        raise refusal(error, path) from None


def refusal(error: OSError, path: Path) -> RunError:
    """That something cannot be changed, and what to do."""
    where = error.filename or path
    return RunError(f"{where} cannot be changed ({error.strerror}): make the state writable, or free room")


def throw_away(directory: Path) -> None:
    """Remove a directory with all that is in it, if it is there; others may do the same."""
    while directory.exists():
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(directory)


def write(file: Path, content: bytes) -> None:
    """Write a file that outlasts a power cut once this returns."""
    with open(file, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    sync(file.parent)


def rename(one: Path, other: Path) -> None:
    """Give a directory another name, which a power cut does not undo once this returns."""
    one.rename(other)
    sync(other.parent)


def sync(directory: Path) -> None:
    """Make the names in a directory outlast a power cut."""
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _opened(path: Path) -> int | None:
    """A file or directory to lock; none if there is none that can be read."""
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:
        return None


def _is_at(opened: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(opened), path.stat())
    except FileNotFoundError:
        return False
