"""What is asked of a fleet: of its one supervisor, or of one for each group (`up --only`), as if they were one."""

import contextlib
from pathlib import Path
from typing import Final

import msgspec

from chaffinch.errors import RunError
from chaffinch.fleet import control
from chaffinch.fleet.control import AbsentError, Deed, Measured, Status

GLANCE_SECONDS: Final = 0.5
"""How long a supervisor waits for another one's metrics: meanwhile it does nothing else."""


class Done(msgspec.Struct, frozen=True):
    """Workers that were started, stopped or restarted."""

    workers: tuple[str, ...]


def ask_all(state: Path, do: str) -> dict[str, bytes]:
    """The answers of all supervisors on `state`, by socket. Raises `RunError` when there are none, or one refuses."""
    answers: dict[str, bytes] = {}
    for name in sockets(state):
        with contextlib.suppress(AbsentError):  # it ended, or a crash left its socket
            answers[name] = control.ask(state, do, socket_name=name)
    return answers or {control.NAME: control.ask(state, do)}


def status(state: Path) -> Status:
    """One picture of the fleet."""
    return _together([_status(answer) for answer in ask_all(state, "status").values()])


def act(state: Path, do: Deed, name: str) -> tuple[str, ...]:
    """Do it to the worker or group of that name, whoever has it; the names of its workers."""
    known = {one: _status(answer) for one, answer in ask_all(state, "status").items()}
    names = {one: (*(g.name for g in seen.groups), *(w.name for w in seen.workers)) for one, seen in known.items()}
    where = next((one for one, has in names.items() if name in has), None)
    if where is None:
        raise RunError(str(control.unknown(name, (each for has in names.values() for each in has))))
    return msgspec.json.decode(control.ask(state, do, name, where), type=Done).workers


def snapshots(state: Path, only: str) -> dict[str, bytes]:
    """The metrics of the other groups that have a supervisor of their own, by socket; without those of one that does
    not answer now.
    """
    others: dict[str, bytes] = {}
    for name in sockets(state):
        if name not in (control.NAME, control.name_of(only)):
            with contextlib.suppress(RunError):
                answer = control.ask(state, "metrics", socket_name=name, patience=GLANCE_SECONDS)
                others[name] = msgspec.json.decode(answer, type=Measured).snapshot
    return others


def sockets(state: Path) -> list[str]:
    """Where supervisors may listen: that of a whole fleet, and those of groups."""
    return [control.NAME, *sorted(path.name for path in state.glob(control.name_of("*")))]


def _status(answer: bytes) -> Status:
    return msgspec.json.decode(answer, type=Status)


def _together(parts: list[Status]) -> Status:
    """What several supervisors say, as one would. They share hosts and ports; all else adds up."""
    return msgspec.structs.replace(
        parts[0],
        since=min(one.since for one in parts),
        budget_bytes=sum(one.budget_bytes for one in parts),
        pss_bytes=sum(one.pss_bytes for one in parts),
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
