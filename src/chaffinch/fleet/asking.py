"""What is asked of a fleet: of its one supervisor, or of one for each group (`up --only`), as if they were one."""

import contextlib
from pathlib import Path
from typing import Final

import msgspec

from chaffinch.errors import RunError
from chaffinch.fleet import control
from chaffinch.fleet.control import AbsentError, Deed, Measured, Status, Unanswered, UnansweredError

GLANCE_SECONDS: Final = 0.5
"""How long a supervisor waits for the metrics of all others: meanwhile it does nothing else."""

ROUND_SECONDS: Final = 5.0
"""How long a question to all supervisors waits for one that does not answer, before what the others say is used."""


class Done(msgspec.Struct, frozen=True):
    """Workers that were started, stopped or restarted."""

    workers: tuple[str, ...]


class Answers(msgspec.Struct, frozen=True):
    """What the supervisors of a fleet said, by socket, and who of them said nothing."""

    given: dict[str, bytes]
    unanswered: tuple[UnansweredError, ...]


class Place(msgspec.Struct, frozen=True):
    """The supervisor that has what was looked for."""

    socket_name: str
    status: Status


def ask_all(state: Path, do: str, patience: float = ROUND_SECONDS) -> Answers:
    """Ask all supervisors on `state`, at once. Raises `AbsentError` when there are none, and what one refuses with."""
    given: dict[str, bytes] = {}
    unanswered: list[UnansweredError] = []
    for name, reply in control.ask_each(state, sockets(state), do, patience=patience):
        if isinstance(reply, bytes):
            given[name] = reply
        elif isinstance(reply, UnansweredError):
            unanswered.append(reply)
        elif not isinstance(reply, AbsentError):  # who is absent ended, or a crash left its socket
            raise reply
    if not given and not unanswered:
        raise control.absent(state)
    return Answers({name: given[name] for name in sorted(given)}, tuple(unanswered))


def status(state: Path) -> Status:
    """One picture of the fleet. Raises `UnansweredError` when none of its supervisors answers."""
    answers = ask_all(state, "status")
    if not answers.given:
        raise answers.unanswered[0]
    together = _together([_status(answer) for answer in answers.given.values()])
    missing = tuple(Unanswered(one.group, one.pid, str(one)) for one in answers.unanswered)
    return msgspec.structs.replace(together, unanswered=missing)


def find(state: Path, name: str) -> Place:
    """Who has the worker or group of that name; others are not waited for.

    Raises `AbsentError` when no fleet runs, and `RunError` when nobody who answers has it.
    """
    known: list[str] = []
    complaints: list[str] = []
    with contextlib.closing(control.ask_each(state, sockets(state), "status", patience=ROUND_SECONDS)) as answers:
        for socket_name, reply in answers:
            if isinstance(reply, bytes):
                seen = _status(reply)
                names = (*(group.name for group in seen.groups), *(worker.name for worker in seen.workers))
                if name in names:
                    return Place(socket_name, seen)
                known += names
            elif isinstance(reply, UnansweredError):
                complaints.append(str(reply))
            elif not isinstance(reply, AbsentError):
                raise reply
    if complaints:
        raise RunError(f"nobody who answers has {name!r}: {'; '.join(complaints)}")
    if not known:
        raise control.absent(state)
    raise RunError(str(control.unknown(name, known)))


def status_at(state: Path, place: Place) -> Status:
    """What one supervisor says now."""
    return _status(control.ask(state, "status", socket_name=place.socket_name))


def act(state: Path, do: Deed, name: str, place: Place) -> tuple[str, ...]:
    """Do it to the worker or group of that name, which is in that place; the names of its workers."""
    return control.read(control.ask(state, do, name, place.socket_name), Done).workers


def snapshots(state: Path, only: str) -> dict[str, bytes]:
    """The metrics of the other groups that have a supervisor of their own, by socket; without those of one that does
    not answer now.
    """
    others = [name for name in sockets(state) if name not in (control.NAME, control.name_of(only))]
    found: dict[str, bytes] = {}
    for name, reply in control.ask_each(state, others, "metrics", patience=GLANCE_SECONDS):
        if isinstance(reply, bytes):
            with contextlib.suppress(RunError):  # it is of another version
                found[name] = control.read(reply, Measured).snapshot
    return found


def sockets(state: Path) -> list[str]:
    """Where supervisors may listen: that of a whole fleet, and those of groups."""
    return [control.NAME, *sorted(path.name for path in state.glob(control.name_of("*")))]


def _status(answer: bytes) -> Status:
    return control.read(answer, Status)


def _together(parts: list[Status]) -> Status:
    """What several supervisors say, as one would. They share hosts and ports; all else adds up."""
    return msgspec.structs.replace(
        parts[0],
        since=min(one.since for one in parts),
        budget_bytes=sum(one.budget_bytes for one in parts),
        pss_bytes=sum(one.pss_bytes for one in parts),
        supervisor_pss_bytes=sum(one.supervisor_pss_bytes for one in parts),
        silent=all(one.silent for one in parts),
        # One without decoys has nothing that would need a session for it.
        stack=next((one.stack for one in parts if one.stack == "session"), parts[0].stack),
        sessions_open=sum(one.sessions_open for one in parts),
        sessions_seen=sum(one.sessions_seen for one in parts),
        events=sum(one.events for one in parts),
        journal_lost=sum(one.journal_lost for one in parts),
        journal_full=any(one.journal_full for one in parts),
        groups=tuple(group for one in parts for group in one.groups),
        workers=tuple(worker for one in parts for worker in one.workers),
    )
