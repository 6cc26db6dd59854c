"""What `start`, `stop NAME` and `restart` have in common: ask for it, and wait until it has happened."""

import time
from pathlib import Path
from typing import Final

from chaffinch.errors import RunError
from chaffinch.fleet import asking
from chaffinch.fleet.control import Deed, WorkerStatus

PATIENCE_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.02

AIMS: Final[dict[Deed, str]] = {"start": "running", "stop": "stopped", "restart": "running"}
PAST: Final[dict[Deed, str]] = {"start": "started", "stop": "stopped", "restart": "restarted"}


def do(state: Path, deed: Deed, name: str) -> str:
    """Do it to a worker or a group, and say so in a sentence once it has happened.

    Raises `RunError` when there is no such name, or when it has not happened in time.
    """
    before = _workers(state)
    names = asking.act(state, deed, name)
    if not names:
        return f"{name}: each of its workers is stopped; `chaffinch start` starts them"
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        now = _workers(state)
        if all(_is_there(deed, before[one], now[one]) for one in names):
            return f"{', '.join(names)}: {PAST[deed]}"
        if time.monotonic() >= until:
            late = next(now[one] for one in names if not _is_there(deed, before[one], now[one]))
            why = f": {late.error}" if late.error else ""
            raise RunError(f"{late.name} is {late.state} after {PATIENCE_SECONDS:.0f} s{why}; look at `chaffinch logs`")
        time.sleep(LOOK_SECONDS)


def _workers(state: Path) -> dict[str, WorkerStatus]:
    return {one.name: one for one in asking.status(state).workers}


def _is_there(deed: Deed, before: WorkerStatus, now: WorkerStatus) -> bool:
    """A restarted worker runs since another time than before."""
    return now.state == AIMS[deed] and (deed != "restart" or now.since != before.since)
