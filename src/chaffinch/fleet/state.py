"""The state directory: what stands in it, who may use it, and the lock that makes one fleet of it."""

import contextlib
import errno
import fcntl
import os
from pathlib import Path
from typing import NoReturn

from chaffinch.errors import InputError, RunError

FACING_ATTACKERS = ("journal", "quarantine")
"""Of the state directory what decoys may write to."""

DIRECTORIES = (*FACING_ATTACKERS, "store")
"""What groups may write to. The state directory itself, with the seed, the lock and the log, is the supervisor's."""

WHOLE = "fleet.lock"

SEED_BYTES = 32
MOST_SOCKET_PATH = 107
"""What `sockaddr_un` holds of a path (unix(7))."""


class StateLock:
    """One fleet a state directory, or one supervisor for each of its groups (`only`): advisory locks that the kernel
    lets go when their process dies, so that none is stale.

    A whole fleet has `fleet.lock` for itself. Supervisors of groups share it, and each has `fleet-GROUP.lock` for
    itself.
    """

    def __init__(self, state: Path, only: str = "") -> None:
        self._state = state
        self.only = only
        self._held: list[int] = []

    def take(self) -> None:
        """Raises `RunError` that names the fleet, or the group, that has it."""
        whole = self._open(WHOLE)
        if not _locked(whole, fcntl.LOCK_SH if self.only else fcntl.LOCK_EX):
            self._refuse(self._taken(whole))
        if self.only and not _locked(own := self._open(f"fleet-{self.only}.lock"), fcntl.LOCK_EX):
            self._refuse(
                f"the group {self.only!r} runs already{_who(own)} on the state directory {self._state}; "
                f"restart it with `chaffinch restart {self.only}`, or end it before"
            )

    def sign(self) -> None:
        """Write who has the lock, for the sentence that a second one shows."""
        os.ftruncate(self._held[-1], 0)
        os.pwrite(self._held[-1], f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        while self._held:
            os.close(self._held.pop())

    def _open(self, name: str) -> int:
        self._held.append(os.open(self._state / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return self._held[-1]

    def _refuse(self, why: str) -> NoReturn:
        self.release()
        raise RunError(why) from None

    def _taken(self, whole: int) -> str:
        groups = running_alone(self._state)
        who = f"a fleet of single groups ({', '.join(groups)})" if groups else f"another fleet{_who(whole)}"
        return (
            f"{who} runs on the state directory {self._state}; "
            "stop it with `chaffinch stop`, or name another directory with --state"
        )


def _locked(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _who(descriptor: int) -> str:
    """Who signed the lock."""
    signed = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
    return f" (pid {signed})" if signed else ""


def running_alone(state: Path) -> list[str]:
    """The groups that have a supervisor of their own now."""
    found = []
    for path in sorted(state.glob("fleet-*.lock")):
        with path.open("rb") as file:
            if not _locked(file.fileno(), fcntl.LOCK_SH):
                found.append(path.stem.removeprefix("fleet-"))
    return found


def is_running(state: Path) -> bool:
    """Whether a fleet has the state directory now."""
    lock = StateLock(state)
    try:
        lock.take()
    except (RunError, OSError):
        return True
    lock.release()
    return False


def prepare(state: Path) -> None:
    """Make the directory and what is below it. Raises `InputError` when that cannot be done or written to."""
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in DIRECTORIES:
            (state / name).mkdir(mode=0o700, exist_ok=True)
        probe = state / f".probe.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(_unusable(state, error)) from None


def _unusable(state: Path, error: OSError) -> str:
    why = "it is on a full disk" if error.errno == errno.ENOSPC else os.strerror(error.errno or 0).lower()
    return f"the state directory {state} cannot be written ({why}); make it writable or name another with --state"


def store_file(state: Path) -> Path:
    """Where the embedded store is."""
    return state / "store" / "store.db"


def seed(state: Path, configured: str) -> bytes:
    """The fleet's seed (32 bytes or what was configured): the same after every restart on this state directory."""
    if configured:
        return configured.encode()
    path = state / "seed"
    try:
        return _read_seed(path)
    except FileNotFoundError:
        pass
    except (ValueError, OSError) as error:
        raise RunError(
            f"the fleet's seed in {path} cannot be read ({error}); restore the file, or remove it and every decoy host "
            "gets another identity"
        ) from None
    try:
        write_private(path, os.urandom(SEED_BYTES).hex().encode(), replace=False)
        return _read_seed(path)
    except OSError as error:
        raise RunError(f"the fleet's seed cannot be written to {path} ({error.strerror})") from None


def _read_seed(path: Path) -> bytes:
    found = bytes.fromhex(path.read_text(encoding="ascii"))
    if len(found) != SEED_BYTES:
        raise ValueError(f"it holds {len(found)} bytes, not {SEED_BYTES}")
    return found


def write_private(path: Path, data: bytes, *, replace: bool = True) -> None:
    """Write a file that its owner alone may read, whole or not at all; without `replace`, one that is there stays."""
    part = path.with_suffix(f".{os.getpid()}.part")
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            part.replace(path)
        else:
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(part)
    finally:
        part.unlink(missing_ok=True)


def short_path(path: Path, directory_descriptor: int) -> str:
    """A name for a socket that fits `sockaddr_un`, however deep the state directory is."""
    text = str(path)
    return text if len(text.encode()) <= MOST_SOCKET_PATH else f"/proc/self/fd/{directory_descriptor}/{path.name}"
