"""A memory guard: what a process gives up, step by step, so that it stays within what it may hold.

`Guard` decides; time and readings are given to it, so that it can be tested with any. `Watch` reads the clock and the
process's RSS, logs, and shows what happened as metrics. docs/memory-guard.md draws the states.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from chaffinch.errors import InputError
from chaffinch.metrics import memory

if TYPE_CHECKING:
    from chaffinch.metrics.registry import Registry

log = logging.getLogger("chaffinch.metrics")

Level = Literal["normal", "warning", "critical"]

LEVELS: Final[dict[Level, int]] = {"normal": 0, "warning": 1, "critical": 2}
"""What the gauge of the state shows."""

Kind = Literal["level", "taken", "nothing", "failed", "undone", "stays", "exhausted", "bound"]

LIMIT_EVERY_S: Final = 1.0
"""How often the bound is read again: a cgroup's limit may change while its processes run. A reading takes 0.3 ms."""


class Thresholds(msgspec.Struct, frozen=True):
    """At which shares of the bound a guard acts, and how patiently. Raises `InputError` where they are in disorder."""

    warning: float = 0.80
    critical: float = 0.90
    back: float = 0.0
    """Under this share memory has returned; 0 stands for seven eighths of `warning`."""
    settle_s: float = 2.0
    """How long a reading stays over `warning` before the first action, and after each before the next."""
    calm_s: float = 10.0
    """How long readings stay under `back` before the last action is undone, and after that before the one before."""
    longest_calm_s: float = 640.0
    """What `calm_s` of an action grows to, doubling each time that undoing it proves to have been too early."""

    def __post_init__(self) -> None:
        if not 0 < self.warning <= self.critical <= 1:
            raise InputError(
                f"memory thresholds: warning {self.warning:.0%} and critical {self.critical:.0%} are in disorder: "
                "both are over 0% and at most 100%, and warning is not above critical"
            )
        if not 0 <= self.back < self.warning:
            raise InputError(
                f"memory thresholds: memory has returned under {self.back:.0%}, but the warning comes at "
                f"{self.warning:.0%}: give a share below that"
            )
        if min(self.settle_s, self.calm_s) < 0 or self.longest_calm_s < self.calm_s:
            raise InputError("memory thresholds: times are 0 or more, and the longest calm is not below the usual one")


class Action(msgspec.Struct, frozen=True):
    """One thing that the owner can give up. `do` and `undo` run where the guard is looked after, so they are quick."""

    name: str
    do: Callable[[], object]
    """False when there was nothing to give up: then the next action is taken at once."""
    undo: Callable[[], object] | None = None
    """None: what is given up stays so."""
    lag_s: float = 0.0
    """How long it takes until what it frees shows in a reading; the next action waits as long, however critical."""
    only_critical: bool = False
    """A warning does not take it, nor what comes after it."""
    at_share: float = 0.0
    """It is not taken below this share of the bound, nor what comes after it: for a last resort."""


class Transition(msgspec.Struct, frozen=True):
    """What one look changed.

    `level`: the guard is at another level. `taken`, `nothing` (there was nothing to give up), `failed` (doing or
    undoing it raised `error`), `undone` and `stays` (it would be undone, but cannot be) are about `action`.
    `exhausted`: more has to be given up and no action is left. `bound`: from now on another bound holds.
    """

    kind: Kind
    now: float
    rss_bytes: int
    level: Level
    action: str = ""
    error: Exception | None = None


class _Step:
    """An action of a guard, and where it stands."""

    def __init__(self, action: Action, calm_s: float) -> None:
        self.action = action
        self.calm_s = calm_s
        self.is_taken = False
        """It is undone when memory returns."""
        self.is_spent = False
        """It failed or gave nothing: not again until memory has returned."""
        self.in_force = False
        self.undone_at: float | None = None


class Guard:
    """Decides what is given up and what comes back. No clock, no file, no log: `look` is told everything.

    Actions are taken in their order and undone in reverse. Below `warning` none is taken. An action is undone only
    after `calm_s` without a reading of `back` or more, and more patiently each time that this was too early, so that
    no sequence of readings makes it flap.
    """

    def __init__(self, limit: memory.Limit, actions: Sequence[Action], thresholds: Thresholds | None = None) -> None:
        self.thresholds = thresholds or Thresholds()
        self.level: Level = "normal"
        self.rss_bytes = 0
        self.is_exhausted = False
        """More had to be given up than there is; until memory has returned."""
        self._steps = [_Step(action, self.thresholds.calm_s) for action in actions]
        self._now: float | None = None
        self._above_since: float | None = None
        self._calm_since: float | None = None
        self._acted_at: float | None = None
        self._lag_s = 0.0
        self.limit_to(limit)

    def limit_to(self, limit: memory.Limit) -> None:
        """Another bound from the next look on. Raises `InputError` when it is none."""
        if limit.bytes <= 0:
            raise InputError(f"a memory bound of {limit.bytes} bytes holds nothing: give more")
        self.limit = limit
        self.warning_bytes = int(limit.bytes * self.thresholds.warning)
        self.critical_bytes = int(limit.bytes * self.thresholds.critical)
        self.back_bytes = int(limit.bytes * (self.thresholds.back or self.thresholds.warning * 7 / 8))

    @property
    def in_force(self) -> tuple[str, ...]:
        """The actions whose effect lasts, in their order."""
        return tuple(step.action.name for step in self._steps if step.in_force)

    @property
    def names(self) -> tuple[str, ...]:
        """The actions in their order, each name once."""
        return tuple(dict.fromkeys(step.action.name for step in self._steps))

    def look(self, now: float, rss_bytes: int) -> list[Transition]:
        """Take a reading in bytes at a time in seconds, act on it, and say what changed, in order."""
        now = now if self._now is None else max(now, self._now)
        self._now, self.rss_bytes = now, rss_bytes
        out: list[Transition] = []
        self._enter(self._level_of(rss_bytes), out)
        self._keep_time(now, rss_bytes)
        if rss_bytes >= self.warning_bytes:
            if self._is_time_to_act(now, rss_bytes):
                self._act(now, out)
        elif self._calm_since is not None:
            self._give_back(now, out)
        return out

    def _level_of(self, rss_bytes: int) -> Level:
        """With hysteresis: critical lasts down to `warning`, warning down to `back`."""
        if rss_bytes >= self.critical_bytes or (self.level == "critical" and rss_bytes >= self.warning_bytes):
            return "critical"
        if rss_bytes >= self.warning_bytes or (self.level != "normal" and rss_bytes >= self.back_bytes):
            return "warning"
        return "normal"

    def _enter(self, level: Level, out: list[Transition]) -> None:
        if level == self.level:
            return
        self.level = level
        out.append(self._transition("level"))
        if level == "normal":
            self.is_exhausted = False
            for step in self._steps:
                step.is_spent = False

    def _keep_time(self, now: float, rss_bytes: int) -> None:
        if rss_bytes < self.warning_bytes:
            self._above_since = None
        elif self._above_since is None:
            self._above_since = now
        if rss_bytes >= self.back_bytes:
            self._calm_since = None
        elif self._calm_since is None:
            self._calm_since = now

    def _is_time_to_act(self, now: float, rss_bytes: int) -> bool:
        acted_at = self._acted_at
        if rss_bytes >= self.critical_bytes:
            return acted_at is None or now - acted_at >= self._lag_s
        since = now if self._above_since is None else self._above_since
        if acted_at is not None:
            since = max(since, acted_at)
        return now - since >= max(self.thresholds.settle_s, self._lag_s)

    def _act(self, now: float, out: list[Transition]) -> None:
        """Take the next action; where that raises or gives nothing, the one after it."""
        for step in self._steps:
            if step.is_taken or step.is_spent:
                continue
            if self.rss_bytes < self._least_for(step.action):
                return
            if self._take(step, now, out):
                return
        if not self.is_exhausted:
            self.is_exhausted = True
            out.append(self._transition("exhausted"))

    def _least_for(self, action: Action) -> int:
        least = self.critical_bytes if action.only_critical else self.warning_bytes
        return max(least, int(self.limit.bytes * action.at_share))

    def _take(self, step: _Step, now: float, out: list[Transition]) -> bool:
        try:
            gave = step.action.do()
        except Exception as error:  # noqa: BLE001  one action's fault is not the guard's: the next one is tried
            step.is_spent = True
            out.append(self._transition("failed", step, error))
            return False
        if gave is False:
            step.is_spent = True
            out.append(self._transition("nothing", step))
            return False
        was_early = step.undone_at is not None and now - step.undone_at < step.calm_s
        step.calm_s = min(step.calm_s * 2, self.thresholds.longest_calm_s) if was_early else self.thresholds.calm_s
        step.is_taken = step.in_force = True
        self._acted_at, self._lag_s = now, step.action.lag_s
        out.append(self._transition("taken", step))
        return True

    def _give_back(self, now: float, out: list[Transition]) -> None:
        """Undo the last action that is taken, once it has been calm for as long as that one asks."""
        last = next((step for step in reversed(self._steps) if step.is_taken), None)
        if last is None or self._calm_since is None:
            return
        since = self._calm_since if self._acted_at is None else max(self._calm_since, self._acted_at)
        if now - since < last.calm_s:
            return
        last.is_taken = False
        last.undone_at = self._acted_at = now
        self._lag_s = 0.0
        if last.action.undo is None:
            out.append(self._transition("stays", last))
            return
        try:
            last.action.undo()
        except Exception as error:  # noqa: BLE001  as above: the others are undone all the same
            out.append(self._transition("failed", last, error))
            return
        last.in_force = False
        out.append(self._transition("undone", last))

    def _transition(self, kind: Kind, step: _Step | None = None, error: Exception | None = None) -> Transition:
        name = step.action.name if step else ""
        return Transition(kind, self._now or 0.0, self.rss_bytes, self.level, name, error)


def bound(explicit: int | None = None, name: str = "--memory") -> memory.Limit:
    """What this process may hold: the least of what its owner said under `name`, its cgroups' limits and the RAM."""
    found = memory.limit()
    if explicit is not None and explicit <= found.bytes:
        return memory.Limit(explicit, name)
    return found


class Watch:
    """Looks after a guard: reads, logs, counts. `poll` is for who has a loop of its own, `run` for asyncio.

    `limit` tells the bound, which is read again every `LIMIT_EVERY_S`; without it the guard's stays.
    It is no thread's: one at a time looks after a guard.
    """

    def __init__(
        self,
        guard: Guard,
        registry: "Registry | None" = None,
        *,
        read: Callable[[], int] = memory.resident_bytes,
        limit: Callable[[], memory.Limit] | None = None,
        clock: Callable[[], float] = time.monotonic,
        every_s: float = 0.25,
    ) -> None:
        self.guard = guard
        self.unread = 0
        """Readings that failed."""
        self.bound_changes = 0
        self._level: Level = guard.level
        self._read = read
        self._limit = limit
        self._limit_read_at: float | None = None
        self._clock = clock
        self._every_s = every_s
        self._thresholds = registry.counter("memory_guard_threshold_exceeded", "threshold") if registry else None
        self._actions = registry.counter("memory_guard_actions", "action", "outcome") if registry else None
        if registry is not None:
            self._show(registry)

    def _show(self, registry: "Registry") -> None:
        guard = self.guard
        registry.gauge("memory_guard_state", lambda: LEVELS[guard.level])
        registry.gauge("memory_guard_bound_bytes", lambda: guard.limit.bytes)
        registry.gauge("memory_guard_exhausted", lambda: int(guard.is_exhausted))
        registry.counter_from("memory_guard_bound_changes", lambda: self.bound_changes)
        registry.counter_from("memory_guard_unread", lambda: self.unread)
        for name in guard.names:
            registry.gauge("memory_guard_in_force", _in_force(guard, name), action=name)

    @property
    def next_s(self) -> float:
        """In how many seconds to poll again: sooner while memory is short."""
        return self._every_s if self.guard.level == "normal" else self._every_s / 5

    def poll(self) -> list[Transition]:
        """One look. While it is critical and something was given up, another one at once, with a new reading."""
        out: list[Transition] = []
        while True:
            now = self._clock()
            try:
                out += self._look_at_limit(now)
                rss_bytes = self._read()
            except OSError as error:
                self._missed(error)
                return out
            seen = self.guard.look(now, rss_bytes)
            for one in seen:
                self._tell(one)
            out += seen
            if rss_bytes < self.guard.critical_bytes or not any(one.kind == "taken" for one in seen):
                return out

    async def run(self) -> None:
        """Poll until cancelled."""
        import asyncio

        while True:
            self.poll()
            await asyncio.sleep(self.next_s)

    def _look_at_limit(self, now: float) -> list[Transition]:
        """Take over another bound, if it is time to look. Raises `OSError`."""
        guard = self.guard
        if self._limit is None:
            return []
        if self._limit_read_at is not None and now - self._limit_read_at < LIMIT_EVERY_S:
            return []
        self._limit_read_at = now
        found, before = self._limit(), guard.limit
        if found == before:
            return []
        # A group whose limit is 0 holds nothing, but its processes still run.
        guard.limit_to(memory.Limit(max(1, found.bytes), found.source))
        self.bound_changes += 1
        log.warning(
            "memory.bound_changed bound_bytes=%d bound_by=%s before_bytes=%d before_by=%s",
            found.bytes,
            found.source,
            before.bytes,
            before.source,
        )
        return [Transition("bound", now, guard.rss_bytes, guard.level)]

    def _missed(self, error: OSError) -> None:
        if not self.unread:
            log.warning("memory.unread why=%r; the memory bound is not watched meanwhile", str(error))
        self.unread += 1

    def _tell(self, one: Transition) -> None:
        if one.kind == "level":
            self._tell_level(one)
            return
        if one.action and self._actions is not None:
            self._actions.add(one.action, one.kind)
        where = f"rss_bytes={one.rss_bytes} bound_bytes={self.guard.limit.bytes} level={one.level}"
        if one.kind == "failed":
            log.error("memory.action_failed action=%s %s", one.action, where, exc_info=one.error)
        elif one.kind == "exhausted":
            log.error("memory.exhausted %s in_force=%s", where, ",".join(self.guard.in_force) or "none")
        elif one.kind == "taken":
            log.warning("memory.action_taken action=%s %s", one.action, where)
        else:
            log.info("memory.action_%s action=%s %s", one.kind, one.action, where)

    def _tell_level(self, one: Transition) -> None:
        before, self._level = self._level, one.level
        for level in ("warning", "critical"):
            if self._thresholds is not None and LEVELS[before] < LEVELS[level] <= LEVELS[one.level]:
                self._thresholds.add(level)
        log.log(
            logging.INFO if one.level == "normal" else logging.WARNING,
            "memory.%s rss_bytes=%d bound_bytes=%d bound_by=%s",
            one.level,
            one.rss_bytes,
            self.guard.limit.bytes,
            self.guard.limit.source,
        )


def _in_force(guard: Guard, name: str) -> Callable[[], int]:
    return lambda: guard.in_force.count(name)
