"""A scenario file that changes while its run goes on: when it is read again, and what of it a run can take over."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from chaffinch.errors import ChaffinchError
from chaffinch.load import figures
from chaffinch.load.loaded import Loaded
from chaffinch.load.plan import Plan

QUIET_S: Final = 0.5
"""How long a file rests before it is read: editors write in several steps."""

LIVE: Final = frozenset({"model", "users"})
"""The fields of a plan that a run takes over while it goes on."""

_NAMES: Final = {
    "base_url": "the base URL",
    "duration_ms": "the duration",
    "tls": "TLS",
    "http": "the HTTP version",
    "timeout_ms": "the timeout",
    "connect_timeout_ms": "the timeout of connections",
    "idle_ms": "the idle time of connections",
    "drain_ms": "the time to drain",
    "scenarios": "scenarios",
}


class Watched:
    """Whether a file is another one than it was, and has been so for a while."""

    def __init__(self, path: Path, quiet_s: float = QUIET_S) -> None:
        self.path = path
        self._quiet_s = quiet_s
        self._taken = self._seen = _signature(path)
        self._since = 0.0

    def has_changed(self, now: float) -> bool:
        """Look; true once for each change, when the file has rested. One that is gone has not changed."""
        found = _signature(self.path)
        if found != self._seen:
            self._seen, self._since = found, now
        if found is None or found == self._taken or now - self._since < self._quiet_s:
            return False
        self._taken = found
        return True


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class Reload(msgspec.Struct, frozen=True):
    """Where a run's file is, and how it is read again, with everything that was laid over it."""

    path: Path
    read: Callable[[], Loaded]
    """Raises `InputError`."""

    def beginning(self) -> "Reloading":
        """To be looked after from now on."""
        return Reloading(self)


class Reloading:
    """Looks after the file of a run that goes on."""

    def __init__(self, reload: Reload) -> None:
        self._read = reload.read
        self._watched = Watched(reload.path)

    def turn(self, now: float, take_over: Callable[[Loaded], str], say: Callable[[str], object]) -> None:
        """Look once, hand a changed file to who takes it over, and say what came of it."""
        if not self._watched.has_changed(now):
            return
        try:
            say(f"{self._watched.path}: {take_over(self._read())}")
        except ChaffinchError as error:
            say(f"{error}; the run goes on as it was")


def load_changed(before: Plan, after: Plan) -> bool:
    """Whether another load is asked for."""
    return before.model != after.model or before.users != after.users


def kept_back(before: Plan, after: Plan) -> list[str]:
    """What differs besides the load, in words: a run keeps it until its end."""
    names = [name for name in Plan.__struct_fields__ if name not in LIVE]
    return [_NAMES.get(name, name) for name in names if getattr(before, name) != getattr(after, name)]


def told(before: Loaded, after: Loaded) -> str:
    """What became of a changed file, in a sentence."""
    parts = []
    if load_changed(before.plan, after.plan):
        parts.append(f"the load is now {figures.model(after.plan.model, after.plan.users)}")
    if before.thresholds != after.thresholds:
        parts.append(f"{figures.counted(len(after.thresholds), 'threshold')} will be judged at the end")
    if kept := kept_back(before.plan, after.plan):
        parts.append(f"a new run would take over {', '.join(kept)}, this one goes on without")
    return "; ".join(parts) or "nothing that matters to the run changed"
