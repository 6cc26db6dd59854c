"""The control socket: one JSON line asked, one JSON line answered, only for the fleet's own user and root."""

import contextlib
import difflib
import errno
import os
import socket
import struct
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, Protocol, cast, get_args

import msgspec

from chaffinch.errors import ChaffinchError, InputError, RunError
from chaffinch.fleet.state import short_path

NAME = "control.sock"
"""The socket of a whole fleet; the supervisor of one group alone has `control-GROUP.sock`."""
MOST_BYTES = 1 << 20
PATIENCE_SECONDS = 10.0
ANSWER_SECONDS = 1.0

REST_SECONDS = 0.05
"""Without a descriptor for a caller who waits: how long until the next look, or the loop would do nothing else."""


Deed = Literal["start", "stop", "restart"]
"""What an owner may do with a worker or a group."""


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be asked: `status`; `start`, `stop` or `restart` of the worker or group `name`; `stop` of all;
    `metrics`, by another supervisor of the same fleet; `reload`, and `reloading`: what became of the last one.
    """

    do: str
    name: str = ""


class GroupStatus(msgspec.Struct, frozen=True):
    """One process of the fleet."""

    name: str
    pid: int
    state: str
    since: float
    restarts: int
    pss_bytes: int
    private_bytes: int
    budget_bytes: int
    cpu_seconds: float
    confined: str
    error: str
    """Why its last process ended that was to go on; empty when none did."""
    given_up: tuple[str, ...]
    """What its guard has given up so that it stays within its budget."""


class WorkerStatus(msgspec.Struct, frozen=True):
    """One worker."""

    name: str
    group: str
    state: str
    since: float
    restarts: int
    lag: int
    error: str


class Status(msgspec.Struct, frozen=True):
    """The fleet: what `chaffinch status` shows."""

    pid: int
    since: float
    hosts: int
    port_offset: int
    budget_bytes: int
    pss_bytes: int
    silent: bool
    stack: str
    sessions_open: int
    sessions_seen: int
    events: int
    journal_lost: int
    journal_full: bool
    groups: tuple[GroupStatus, ...]
    workers: tuple[WorkerStatus, ...]


class Measured(msgspec.Struct, frozen=True):
    """The metrics of a supervisor's groups, as `Snapshot.to_bytes` has them."""

    snapshot: bytes


class Reloaded(msgspec.Struct, frozen=True):
    """What became of a worker: `restarted`, `started`, `stopped`, or `stopped as before`."""

    name: str
    did: str


class Reloading(msgspec.Struct, frozen=True):
    """The last reload. `settings` are those that changed, `told` those of them for which nothing had to begin anew.

    `error` is why the fleet went back to the configuration that it had, if it did.
    """

    number: int
    done: bool
    settings: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    workers: tuple[Reloaded, ...] = ()
    error: str = ""


class Owned(Protocol):
    """What a supervisor does for the fleet's owner. `act` gives the names of the workers that it concerns."""

    def status(self) -> Status: ...

    def measured(self) -> Measured: ...

    def stop(self) -> None: ...

    def act(self, do: Deed, name: str) -> tuple[str, ...]: ...

    def reload(self) -> Reloading: ...

    def reloading(self) -> Reloading: ...


def name_of(only: str) -> str:
    """The name of a supervisor's socket: that of the group `only`, or of a whole fleet."""
    return f"control-{only}.sock" if only else NAME


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
        sock.listen(16)
    finally:
        os.close(directory)
    return sock


def answer(listener: socket.socket, fleet: Owned) -> None:
    """Accept one caller and answer it."""
    try:
        caller, _ = listener.accept()
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            time.sleep(REST_SECONDS)
        return
    with caller:
        caller.settimeout(ANSWER_SECONDS)
        try:
            reply = _reply(caller, fleet)
            caller.sendall(reply + b"\n")
        except OSError:
            return


def _reply(caller: socket.socket, fleet: Owned) -> bytes:
    if not _allowed(caller):
        return msgspec.json.encode({"error": "this fleet belongs to another user"})
    try:
        ask = msgspec.json.decode(_read_line(caller, 4096, ANSWER_SECONDS), type=Ask)
    except (msgspec.DecodeError, ValueError) as error:
        return msgspec.json.encode({"error": f"not understood: {error}"})
    of_all = {
        "status": fleet.status,
        "metrics": fleet.measured,
        "reload": fleet.reload,
        "reloading": fleet.reloading,
    }
    if ask.do in of_all and not ask.name:
        return _answered(of_all[ask.do])
    if ask.do == "stop" and not ask.name:
        fleet.stop()
        return msgspec.json.encode({"stopping": True, "pid": os.getpid()})
    if ask.do in get_args(Deed) and ask.name:
        try:
            return msgspec.json.encode({"workers": fleet.act(cast(Deed, ask.do), ask.name)})
        except ChaffinchError as error:
            return msgspec.json.encode({"error": str(error)})
    known = "status, stop, reload, reloading, and start, stop or restart of a name"
    return msgspec.json.encode({"error": f"{ask.do!r} cannot be asked; there are: {known}"})


def _answered(question: Callable[[], msgspec.Struct]) -> bytes:
    """Whose fault a refusal is goes along: it decides the exit code."""
    try:
        return msgspec.json.encode(question())
    except ChaffinchError as error:
        return msgspec.json.encode({"error": str(error), "is_input": isinstance(error, InputError)})


def _allowed(caller: socket.socket) -> bool:
    _, uid, _ = struct.unpack("3i", caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return uid in (0, os.getuid())


class AbsentError(RunError):
    """Nobody listens on that socket."""


def ask(state: Path, do: str, name: str = "", socket_name: str = NAME, patience: float = PATIENCE_SECONDS) -> bytes:
    """Ask a supervisor on `state`, the whole fleet's by default. Raises `AbsentError` when there is none, `InputError`
    when it refuses what its owner gave, and `RunError` when it refuses for another reason.
    """
    try:
        directory = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        raise AbsentError(_none(state)) from None
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(patience)
            sock.connect(short_path(state / socket_name, directory))
            sock.sendall(msgspec.json.encode(Ask(do, name)) + b"\n")
            reply = _read_line(sock, MOST_BYTES, patience)
    except (FileNotFoundError, ConnectionRefusedError):
        raise AbsentError(_none(state)) from None
    except (OSError, ValueError) as error:
        raise RunError(
            f"the fleet on {state} did not answer at {socket_name} ({error}); look at its log with `chaffinch logs`"
        ) from None
    finally:
        os.close(directory)
    if reply.startswith(b'{"error"'):
        refusal = msgspec.json.decode(reply)
        raise (InputError if refusal.get("is_input") else RunError)(refusal["error"])
    return reply


def _read_line(sock: socket.socket, limit: int, seconds: float = PATIENCE_SECONDS) -> bytes:
    got = bytearray()
    until = time.monotonic() + seconds
    while not got.endswith(b"\n"):
        data = sock.recv(65536)
        if not data or len(got) > limit or time.monotonic() > until:
            raise ValueError("the answer was cut")
        got += data
    return bytes(got)


def _none(state: Path) -> str:
    return f"no fleet runs on the state directory {state}; start one with `chaffinch up`, or name it with --state"
