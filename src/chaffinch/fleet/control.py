"""The control socket: one JSON line asked, one JSON line answered, only for the fleet's own user and root."""

import contextlib
import difflib
import os
import select
import socket
import struct
import time
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import msgspec

from chaffinch.errors import ChaffinchError, InputError, RunError
from chaffinch.fleet.state import short_path

NAME = "control.sock"
"""The socket of a whole fleet; the supervisor of one group alone has `control-GROUP.sock`."""
MOST_BYTES = 1 << 20
PATIENCE_SECONDS = 10.0
"""How long a question may take to be answered."""

BACKLOG = 128
"""Callers that wait to be taken, while the supervisor does something else."""

AGAIN_SECONDS = 0.02
"""Where there is no room to wait: how long until the next try."""


Deed = Literal["start", "stop", "restart"]
"""What an owner may do with a worker or a group."""

Struct = TypeVar("Struct", bound=msgspec.Struct)

Wanted = Literal["running", "stopped"]
"""What its owner asked for last of a worker."""


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be asked: `status`; `start`, `stop` or `restart` of the worker or group `name`; `stop` of all;
    `metrics`, by another supervisor of the same fleet; `reload`, and `reloading`: what became of the last one.
    """

    do: str
    name: str = ""


class GroupStatus(msgspec.Struct, frozen=True):
    """One process of the fleet. Memory and processor time are the process's: its workers share them."""

    name: str
    pid: int
    """Its process; 0: it has none."""
    state: str
    """`running`, `stopping`, `waiting` (to begin again), `stopped`, `failed` (given up)."""
    since: float
    """When that state began, in seconds since the epoch."""
    restarts: int
    """How often a process of it began because the last one had ended by itself, or was killed."""
    pss_bytes: int
    """Its private memory, and of each page that it shares its part (`Pss` in its `smaps_rollup`). A second old."""
    private_bytes: int
    """What would be free if it ended (`Private_*` there). A second old."""
    budget_bytes: int
    """What it may hold of private memory; 0: there is no bound."""
    cpu_seconds: float
    """Processor time of its process since that began, in user and system mode. A second old."""
    confined: str
    """What it gave up before it served."""
    error: str
    """Why its last process ended that was to go on; empty when none did."""
    given_up: tuple[str, ...]
    """What its guard has given up so that it stays within its budget."""


class WorkerStatus(msgspec.Struct, frozen=True):
    """One worker."""

    name: str
    group: str
    """Whose process it runs in."""
    state: str
    """`starting`, `running`, `stopping`, `waiting` (to begin again), `stopped`, `failed` (given up)."""
    wanted: Wanted
    """What its owner asked for last."""
    since: float
    """When that state began, in seconds since the epoch."""
    restarts: int
    """How often it began again after a failure, since its group's process began."""
    lag: int
    """Events of the journal that it has yet to work through; 0 for one that reads none."""
    error: str
    """Its last failure since its group's process began, or why that ended while there is none."""


class Unanswered(msgspec.Struct, frozen=True):
    """A supervisor that does not answer: nothing of what it has is shown."""

    group: str
    """The group that it has alone; empty: it has the whole fleet."""
    pid: int
    """Its process; 0: not known."""
    error: str
    """The sentence that the command ends with."""


class Status(msgspec.Struct, frozen=True):
    """The fleet: what `chaffinch status` shows. Where groups have a supervisor each, it is of those that answer."""

    pid: int
    """Of the supervisor; of the first one where there are several."""
    since: float
    """When it began, in seconds since the epoch."""
    hosts: int
    """Decoy hosts."""
    port_offset: int
    """Added to every decoy port."""
    budget_bytes: int
    """What the whole fleet may hold; 0: there is no bound."""
    pss_bytes: int
    """Of all groups and the supervisor together."""
    supervisor_pss_bytes: int
    """The supervisor's part of it."""
    silent: bool
    """Whether addresses that do not run a service stay silent on its port, instead of resetting the connection."""
    stack: str
    """Where the TCP/IP look of a decoy host's system shows."""
    sessions_open: int
    sessions_seen: int
    """Since the fleet began."""
    events: int
    """Recorded since the fleet began."""
    journal_lost: int
    """Events that could not be kept."""
    journal_full: bool
    """Whether the disk takes nothing now, so that events wait in memory."""
    groups: tuple[GroupStatus, ...]
    workers: tuple[WorkerStatus, ...]
    unanswered: tuple[Unanswered, ...] = ()
    """Supervisors that run and do not answer."""


class Measured(msgspec.Struct, frozen=True):
    """The metrics of a supervisor's groups, as `Snapshot.to_bytes` has them."""

    snapshot: bytes


class Reloaded(msgspec.Struct, frozen=True):
    """What became of a worker: `restarted`, `started`, `stopped`, or `stopped as before`."""

    name: str
    did: str


class Reloading(msgspec.Struct, frozen=True):
    """The last reload."""

    number: int
    """Counted from 1 since the supervisor began."""
    done: bool
    settings: tuple[str, ...] = ()
    """Those that changed."""
    told: tuple[str, ...] = ()
    """Those of them for which nothing had to begin anew."""
    workers: tuple[Reloaded, ...] = ()
    """Empty when the fleet went back."""
    error: str = ""
    """Why the fleet went back to the configuration that it had, or what else could not be done; empty: all was."""


class Owned(Protocol):
    """What a supervisor does for the fleet's owner. `act` gives the names of the workers that it concerns."""

    def status(self) -> Status: ...

    def measured(self) -> Measured: ...

    def stop(self) -> None: ...

    def act(self, do: Deed, name: str) -> tuple[str, ...]: ...

    def reload(self) -> Reloading: ...

    def reloading(self) -> Reloading: ...


class Refusal(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a question has no other answer. Whose fault that is decides the exit code."""

    error: str
    is_input: bool = False


def name_of(only: str) -> str:
    """The name of a supervisor's socket: that of the group `only`, or of a whole fleet."""
    return f"control-{only}.sock" if only else NAME


def group_of(socket_name: str) -> str:
    """Of a supervisor's socket, the group that it has alone; empty for that of a whole fleet."""
    return "" if socket_name == NAME else socket_name.removeprefix("control-").removesuffix(".sock")


def unknown(name: str, known: Iterable[str]) -> InputError:
    """Nothing in the fleet is called that; names the nearest, or all that there are."""
    names = dict.fromkeys(known)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(names)}"
    return InputError(f"no worker or group of this fleet is called {name!r}; {hint}")


def listen(state: Path, only: str = "") -> socket.socket:
    """The control socket of the fleet that holds the state's lock, or of the group that holds its own: one left by a
    crash is replaced.
    """
    name = name_of(only)
    directory = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    try:
        path = short_path(state / name, directory)
        with contextlib.suppress(FileNotFoundError):
            (state / name).unlink()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        sock.bind(path)
        (state / name).chmod(0o600)
        sock.listen(BACKLOG)
    finally:
        os.close(directory)
    return sock


class AbsentError(RunError):
    """Nobody listens on that socket."""


def absent(state: Path) -> AbsentError:
    """No fleet runs there."""
    return AbsentError(
        f"no fleet runs on the state directory {state}; start one with `chaffinch up`, or name it with --state"
    )


class UnansweredError(RunError):
    """A supervisor is there and says nothing. `group` is the one that it has alone, or empty; `pid` 0 if not known."""

    def __init__(self, group: str, pid: int, why: str) -> None:
        self.group = group
        self.pid = pid
        self.why = why
        who = f"the supervisor of the group {group!r}" if group else "the supervisor"
        process = f" (pid {pid})" if pid else ""
        super().__init__(
            f"{who}{process} did not answer {why}; look at its log with `chaffinch logs`, "
            "or kill it, which ends what it has in order"
        )


def ask(state: Path, do: str, name: str = "", socket_name: str = NAME, patience: float = PATIENCE_SECONDS) -> bytes:
    """Ask a supervisor on `state`, the whole fleet's by default. Raises `AbsentError` when there is none,
    `UnansweredError` when it does not answer in time, `InputError` when it refuses what its owner gave, and `RunError`
    when it refuses for another reason.
    """
    with contextlib.closing(ask_each(state, (socket_name,), do, name, patience)) as answers:
        for _, reply in answers:
            if isinstance(reply, ChaffinchError):
                raise reply
            return reply
    raise AssertionError("each question has an answer, or an error")


def ask_each(
    state: Path, socket_names: Iterable[str], do: str, name: str = "", patience: float = PATIENCE_SECONDS
) -> Generator[tuple[str, bytes | ChaffinchError], None, None]:
    """Ask several supervisors at once; of each its answer as soon as it comes, or what `ask` would raise."""
    try:
        directory = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:
        yield from ((one, _foreign(state)) for one in socket_names)
        return
    except OSError:
        yield from ((one, absent(state)) for one in socket_names)
        return
    line = msgspec.json.encode(Ask(do, name)) + b"\n"
    calls = [Call(one, short_path(state / one, directory), line) for one in socket_names]
    until = time.monotonic() + patience
    try:
        while calls:
            is_late = time.monotonic() >= until
            for one in list(calls):
                reply = one.go_on(f"within {patience:g} s" if is_late else "")
                if reply is not None:
                    calls.remove(one)
                    yield one.name, absent(state) if isinstance(reply, AbsentError) else reply
            if calls:
                _wait(calls, max(0.0, until - time.monotonic()))
    finally:
        for one in calls:
            one.close()
        os.close(directory)


def _foreign(path: Path) -> RunError:
    return RunError(f"{path} may not be used by this user; ask as the fleet's own user, or as root")


def read(answer: bytes, struct: type[Struct]) -> Struct:
    """An answer as what it should be. Raises `RunError` where whoever gave it is of another version."""
    try:
        return msgspec.json.decode(answer, type=struct)
    except msgspec.DecodeError as error:
        raise RunError(
            f"the fleet that runs is of another version of chaffinch ({error}); "
            "restart it with `chaffinch stop` and `chaffinch up`"
        ) from None


class Call:
    """One question on its way."""

    def __init__(self, name: str, path: str, line: bytes) -> None:
        self.name = name
        self.is_connected = False
        self._path = path
        self._line = line
        self._got = bytearray()
        self._socket: socket.socket | None = None

    def go_on(self, late: str) -> bytes | ChaffinchError | None:
        """A step further: the answer or why there is none; None while it is to be waited for, unless it is `late`."""
        try:
            return self._ended(self._step())
        except BlockingIOError:
            return self._ended(self._unanswered(late)) if late else None
        except (ConnectionResetError, BrokenPipeError):  # it hung up unheard: it ends, as the next try shows
            if late or self._got:
                return self._ended(self._unanswered(late or "in full"))
            self.close()
            return None
        except (FileNotFoundError, ConnectionRefusedError):
            return self._ended(AbsentError())
        except PermissionError:
            return self._ended(_foreign(Path(self.name)))
        except OSError as error:
            return self._ended(self._unanswered(f"({error.strerror or error})"))

    def _step(self) -> bytes | ChaffinchError:
        """Raises `BlockingIOError` where it has to wait: for room among those who call, or for the answer."""
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        if not self.is_connected:
            self._socket.connect(self._path)
            self.is_connected = True
            self._socket.sendall(self._line)
        while not self._got.endswith(b"\n"):
            data = self._socket.recv(65536)
            if not data and not self._got:
                raise ConnectionResetError
            if not data or len(self._got) > MOST_BYTES:
                return self._unanswered("in full")
            self._got += data
        if not self._got.startswith(b'{"error"'):
            return bytes(self._got)
        try:
            refusal = msgspec.json.decode(self._got, type=Refusal)
        except msgspec.DecodeError:
            return self._unanswered("as it should")
        return (InputError if refusal.is_input else RunError)(refusal.error)

    def _unanswered(self, why: str) -> UnansweredError:
        pid = 0
        if self._socket is not None and self.is_connected:
            pid, _, _ = struct.unpack("3i", self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return UnansweredError(group_of(self.name), pid, why)

    def _ended(self, reply: bytes | ChaffinchError) -> bytes | ChaffinchError:
        self.close()
        return reply

    def fileno(self) -> int:
        return -1 if self._socket is None else self._socket.fileno()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, self.is_connected = None, False


def _wait(calls: list[Call], seconds: float) -> None:
    """Until one has something to read, or may try again to get through."""
    look = select.poll()
    for one in calls:
        if one.is_connected:
            look.register(one, select.POLLIN)
        else:
            seconds = min(seconds, AGAIN_SECONDS)
    look.poll(seconds * 1000)
