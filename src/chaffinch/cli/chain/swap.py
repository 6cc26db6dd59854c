"""Putting a chain that was made elsewhere into a tenant's place, so that a kill leaves the old one or the new one.

Beside `<state>/chains/T` there may be

- `.T.clean`: the chain that `train --clean` makes, and `.T.clean.plan`: of what;
- `.T.old`: the chain that was replaced;
- `.T.import`: a directory that its holder has a `flock` on, and in it `chain`, which an import makes;
- `.removing-T`: what is being thrown away.

The swap is: rename `T` to `.T.old`, rename `.T.clean` to `T`, remove `.T.old`, with a sync of the directory after each
rename. So `.T.old` is there only when `.T.clean` was whole, and whoever finds it knows what to do:

| `T` | `.T.clean` | a kill came | what `settle` does |
| --- | --- | --- | --- |
| no | yes | between the renames | rename `.T.clean` to `T`, remove `.T.old` |
| no | no | never; somebody moved files | rename `.T.old` back to `T` |
| yes | no | before `.T.old` was removed | remove `.T.old` |
| yes | yes | never; somebody made a chain between the renames | refuse, and name the three |

Both happen under a lock on `<state>/chains/.placing`, which stays. Whoever makes `.T.clean` holds the lock of `T` from
beginning to end: nothing is learned there that would go away with it.
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
from chaffinch.errors import InputError, RunError


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
        leaving=chain.with_name(f".removing-{tenant}"),
    )


def settle(state: Path, tenant: str) -> None:
    """Finish what a kill interrupted. Costs one look at the directory when there is nothing."""
    at = places(state, tenant)
    if at.old.exists():
        with _placing(at):
            _settle(at)


def settle_all(state: Path) -> list[str]:
    """The same for every tenant; a sentence for each for which it cannot be done."""
    problems = []
    for left in (state / "chains").glob(".*.old"):
        try:
            settle(state, left.name.removeprefix(".").removesuffix(".old"))
        except InputError:
            continue  # no chain's: somebody else's file
        except RunError as error:
            problems.append(str(error))
    return problems


@contextlib.contextmanager
def held(state: Path, tenant: str) -> Iterator[bool]:
    """Hold the writer's lock of the tenant's chain; whether there is one. Raises `LockedError` if somebody has it."""
    at = places(state, tenant)
    there = at.chain.exists()
    with _held(at.chain):
        yield there


def begin(state: Path, tenant: str, plan: bytes) -> Path:
    """Where `train --clean` makes the new chain: what an earlier run left of the same plan, else nothing."""
    at = places(state, tenant)
    with _reported(at.clean), _held(at.clean):
        if not (at.plan.is_file() and at.plan.read_bytes() == plan):
            at.plan.unlink(missing_ok=True)
            _remove(at.clean)
            at.plan.parent.mkdir(parents=True, exist_ok=True)
            _sync(at.plan.parent)
            at.plan.write_bytes(plan)
    return at.clean


def abandon(state: Path, tenant: str) -> None:
    """Throw away what `begin` gave the place for: it cannot be gone on with. It must be closed."""
    at = places(state, tenant)
    with _reported(at.clean), _held(at.clean):
        at.plan.unlink(missing_ok=True)
        _remove(at.clean)


def replace(state: Path, tenant: str, *, there: bool) -> None:
    """Put the chain that `begin` gave the place for into the tenant's place. It must be closed.

    `there` is what `held` said, which still holds. Raises `RunError` if somebody made a chain since then.
    """
    at = places(state, tenant)
    with _placing(at):
        if not there and at.chain.exists():
            raise RunError(f"{at.chain} was made meanwhile: give the same command again to replace it")
        if there:
            at.chain.rename(at.old)
            _sync(at.chain.parent)
        at.clean.rename(at.chain)
        _sync(at.chain.parent)
        at.plan.unlink(missing_ok=True)
        _remove(at.old)


@contextlib.contextmanager
def importing(state: Path, tenant: str) -> Iterator[Path]:
    """Where an import is made; what an earlier one left there is removed, and what this one leaves.

    Raises `LockedError` if another process imports there.
    """
    at = places(state, tenant)
    with _reported(at.incoming), _claimed(at.incoming):
        inside = at.incoming / "chain"
        _remove(inside)
        try:
            yield inside
        finally:
            _remove(at.incoming)


def place(state: Path, tenant: str, beside: Path) -> bool:
    """Put a chain that is closed into the tenant's place; false if something is there."""
    at = places(state, tenant)
    with _placing(at):
        if os.path.lexists(at.chain):
            return False
        beside.rename(at.chain)
        _sync(at.chain.parent)
    return True


def withdraw(state: Path, tenant: str) -> None:
    """Throw a chain away that the caller just made and still holds for writing."""
    at = places(state, tenant)
    with _placing(at):
        _remove(at.leaving)
        at.chain.rename(at.leaving)
        _remove(at.leaving)


def unfinished(state: Path, tenant: str) -> list[Path]:
    """What a `train --clean`, an import or a removal left on the way."""
    at = places(state, tenant)
    return [path for path in (at.clean, at.plan, at.incoming, at.leaving) if path.exists()]


def discard(state: Path, tenant: str) -> None:
    """Remove that. Raises `LockedError` if it is still under way."""
    at = places(state, tenant)
    abandon(state, tenant)
    if at.incoming.exists():
        with importing(state, tenant):
            pass
    with _reported(at.leaving), _held(at.leaving):
        _remove(at.leaving)


def _settle(at: Places) -> None:
    if not at.old.exists():
        return
    if not at.chain.exists():
        (at.clean if at.clean.exists() else at.old).rename(at.chain)
        _sync(at.chain.parent)
    elif at.clean.exists():
        raise RunError(
            f"{at.chain} was made while it was being replaced: {at.old} is the chain before it and {at.clean} the one "
            "that was to follow; move away the two that are not wanted, and the one that is to its place"
        )
    _remove(at.old)


@contextlib.contextmanager
def still(state: Path, tenant: str) -> Iterator[None]:
    """While this lasts no chain is moved: what is opened is of one chain. Changes nothing, not even a lock's owner."""
    try:
        lock = open(_lock_of(places(state, tenant)), "rb")  # noqa: SIM115 - closed below, and absent without a fault
    except OSError:
        yield  # nobody moved one yet
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def _placing(at: Places) -> Iterator[None]:
    """Only one process moves chains at a time; this waits for the other, which takes milliseconds."""
    with _reported(at.chain):
        at.chain.parent.mkdir(parents=True, exist_ok=True)
        with open(_lock_of(at), "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _lock_of(at: Places) -> Path:
    return at.chain.with_name(".placing")


@contextlib.contextmanager
def _claimed(directory: Path) -> Iterator[None]:
    """A directory that is this process's until it removes it."""
    while True:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(opened), directory.stat()):
                    yield
                    return
            except BlockingIOError:
                raise LockedError(f"another process imports into {directory} just now: wait until it is done") from None
            finally:
                os.close(opened)


@contextlib.contextmanager
def _held(directory: Path) -> Iterator[None]:
    """The writer's lock of the chain in a directory, as `docs/chain-format.md` says; nothing if no chain is there."""
    try:
        lock = open(directory / "lock", "r+b")  # noqa: SIM115 - closed below, and absent without a fault
    except FileNotFoundError:
        yield
        return
    except OSError as error:
        raise _refusal(error, directory) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = lock.read(16).strip().decode(errors="replace")
            holder = f"process {pid}" if pid.isdigit() else "another process"
            raise LockedError(f"{directory} is open for writing in {holder}: stop that first") from None
        lock.seek(0)
        lock.write(f"{os.getpid()}\n".encode())
        lock.truncate()
        lock.flush()
        yield


@contextlib.contextmanager
def _reported(path: Path) -> Iterator[None]:
    """What the file system refuses, as one sentence."""
    try:
        yield
    except OSError as error:
        raise _refusal(error, path) from None


def _refusal(error: OSError, path: Path) -> RunError:
    where = error.filename or path
    return RunError(f"{where} cannot be changed ({error.strerror}): make the state writable, or free room")


def _remove(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)


def _sync(directory: Path) -> None:
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
