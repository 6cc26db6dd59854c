"""What `start`, `stop NAME` and `restart` have in common: ask for it, and wait until it has happened."""

import time
from pathlib import Path
from typing import Final

from chaffinch.errors import RunError
from chaffinch.fleet import asking
from chaffinch.fleet.control import Deed, Status, Wanted, WorkerStatus

PATIENCE_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.02
LOOK_LIMIT_SECONDS: Final = 0.2
"""Looks become rarer up to this: many commands at once must not keep the supervisor from what they ask for."""

AIMS: Final[dict[Deed, Wanted]] = {"start": "running", "stop": "stopped", "restart": "running"}
PAST: Final[dict[Deed, str]] = {"start": "started", "stop": "stopped", "restart": "restarted"}


def do(state: Path, deed: Deed, name: str) -> str:
    """Do it to a worker or a group, and say so in a sentence once it has happened.

    Raises `RunError` when there is no such name, when it has not happened in time, or when somebody else asked for the
    opposite meanwhile.
    """
    place = asking.find(state, name)
    before = _workers(place.status)
    names = asking.act(state, deed, name, place)
    if not names:
        return f"{name}: each of its workers is stopped; `chaffinch start` starts them"
    until = time.monotonic() + PATIENCE_SECONDS
    rest = LOOK_SECONDS
    while True:
        now = _workers(asking.status_at(state, place))
        for one in names:
            _refuse_overtaken(deed, one, now.get(one))
        late = next((now[one] for one in names if not _is_there(deed, before.get(one), now[one])), None)
        if late is None:
            return f"{', '.join(names)}: {PAST[deed]}"
        if time.monotonic() >= until:
            why = f": {late.error}" if late.error else ""
            raise RunError(f"{late.name} is {late.state} after {PATIENCE_SECONDS:.0f} s{why}; look at `chaffinch logs`")
        time.sleep(rest)
        rest = min(rest * 1.5, LOOK_LIMIT_SECONDS)


def _workers(status: Status) -> dict[str, WorkerStatus]:
    return {one.name: one for one in status.workers}


def _refuse_overtaken(deed: Deed, name: str, now: WorkerStatus | None) -> None:
    """Raises `RunError` when what was asked for is no longer what is to be."""
    if now is None:
        raise RunError(f"{name} is gone: a reload took it away meanwhile")
    if now.wanted != AIMS[deed]:
        other = "started" if now.wanted == "running" else "stopped"
        raise RunError(f"{name} was {other} by another command meanwhile; look at `chaffinch status`")


def _is_there(deed: Deed, before: WorkerStatus | None, now: WorkerStatus) -> bool:
    """A restarted worker runs since another time than before."""
    return now.state == AIMS[deed] and (deed != "restart" or before is None or now.since != before.since)
