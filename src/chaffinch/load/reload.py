"""A scenario file that changes while its run goes on, or a file that it names: when it is read again, and what of it a
run can take over.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from chaffinch.errors import ChaffinchError
from chaffinch.load import figures
from chaffinch.load.loaded import Loaded
from chaffinch.load.plan import Plan

if TYPE_CHECKING:
    from chaffinch.load.run import Runner

QUIET_S: Final = 0.5
"""How long a file rests before it is read: editors write in several steps."""

LOAD: Final = ("model", "users")
"""The fields of a plan that say how much is sent."""

SENT: Final = ("scenarios", "base_url", "headers", "timeout_ms", "compression")
"""Those that say what is sent. A run takes over both; whatever else differs it keeps until its end."""

_NAMES: Final = {
    "duration_ms": "the duration",
    "tls": "TLS",
    "http": "the HTTP version",
    "connect_timeout_ms": "the timeout of connections",
    "idle_ms": "the idle time of connections",
    "drain_ms": "the time to drain",
}


Signature: TypeAlias = tuple[int, int, int]
"""When it was written, its size, its inode."""


class Watched:
    """Whether a file, or one of those that it names, is another one than it was, and has been so for a while."""

    def __init__(self, path: Path, named: Iterable[Path] = (), quiet_s: float = QUIET_S) -> None:
        self.path = path
        self._named = tuple(named)
        self._quiet_s = quiet_s
        self._taken = self._seen = self._signatures()
        self._since = 0.0

    def has_changed(self, now: float) -> bool:
        """Look; true once for each change, when the files have rested. While the file itself is gone, none has."""
        found = self._signatures()
        if found != self._seen:
            self._seen, self._since = found, now
        if found[0] is None or found == self._taken or now - self._since < self._quiet_s:
            return False
        self._taken = found
        return True

    def look_again(self) -> int:
        """Look from now on at what the file names now, also where that is missing or wrong. How many bytes all of them
        have. Raises `InputError` if the file is wrong.
        """
        from chaffinch.load.scenario.files import files_named

        self.watch(files_named(self.path))
        return sum(found[1] for found in self._signatures() if found is not None)

    def watch(self, named: Iterable[Path]) -> None:
        """Look at these beside the file from now on: what it names may be another after each change."""
        before = dict(zip(self._named, self._taken[1:], strict=True))
        self._named = tuple(named)
        found = self._signatures()[1:]
        # Of those that were looked at before it still counts how they were when they were read.
        taken = [before.get(path, now) for path, now in zip(self._named, found, strict=True)]
        self._taken = (self._taken[0], *taken)

    def _signatures(self) -> tuple[Signature | None, ...]:
        return tuple(map(_signature, (self.path, *self._named)))


def _signature(path: Path) -> Signature | None:
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

    def beginning(self, named: Iterable[Path]) -> "Reloading":
        """To be looked after from now on, with the files that it names."""
        return Reloading(self, named)


class Reloading:
    """Looks after the file of a run that goes on."""

    def __init__(self, reload: Reload, named: Iterable[Path]) -> None:
        self._read = reload.read
        self._watched = Watched(reload.path, named)

    def turn(self, now: float, runner: "Runner", say: Callable[[str], object]) -> None:
        """Look once, have a changed file taken over, and say what came of it."""
        if not self._watched.has_changed(now):
            return
        try:
            runner.check_reading(self._watched.look_again())
            say(f"{self._watched.path}: {runner.take_over(self._read())}")
        except ChaffinchError as error:
            say(f"{error}; the run goes on as it was")


def load_changed(before: Plan, after: Plan) -> bool:
    """Whether another load is asked for."""
    return _differ(LOAD, before, after)


def sent_changed(before: Plan, after: Plan) -> bool:
    """Whether something else is to be sent."""
    return _differ(SENT, before, after)


def _differ(names: Iterable[str], before: Plan, after: Plan) -> bool:
    return any(getattr(before, name) != getattr(after, name) for name in names)


def taken_over(running: Plan, before: Plan, after: Plan) -> Plan:
    """What a run does that takes a changed plan over, as far as it can. Its load may be another than the plan before
    asked for: then it stays until the plan asks for another.
    """
    names = (*SENT, *LOAD) if load_changed(before, after) else SENT
    return msgspec.structs.replace(running, **{name: getattr(after, name) for name in names})


def kept_back(before: Plan, after: Plan) -> list[str]:
    """What differs besides, in words: a run keeps it until its end."""
    names = [name for name in Plan.__struct_fields__ if name not in (*LOAD, *SENT)]
    return [_NAMES.get(name, name) for name in names if getattr(before, name) != getattr(after, name)]


def told(before: Loaded, after: Loaded) -> str:
    """What became of a changed file, in a sentence."""
    parts = []
    if sent_changed(before.plan, after.plan):
        parts.append("each user goes over to the new scenarios with its next iteration")
    if load_changed(before.plan, after.plan):
        parts.append(f"the load is now {figures.model(after.plan.model, after.plan.users)}")
    if before.thresholds != after.thresholds:
        parts.append(f"{figures.counted(len(after.thresholds), 'threshold')} will be judged at the end")
    if kept := kept_back(before.plan, after.plan):
        parts.append(f"a new run would take over {', '.join(kept)}, this one goes on without")
    return "; ".join(parts) or "nothing that matters to the run changed"
