"""How a running fleet goes from one configuration to another: step by step, each waited for, and back where a step
fails.

A rollout is a generator that the supervisor's loop advances: it never blocks. What a group is forked with is the new
configuration from the first step on, so that a process which dies meanwhile comes back as it should be.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from chaffinch.decoys.worker import PREFIX
from chaffinch.errors import ChaffinchError, RunError
from chaffinch.fleet.budget import Division
from chaffinch.fleet.control import WorkerStatus
from chaffinch.fleet.deeds import open_doors
from chaffinch.fleet.group_process import GroupProcess
from chaffinch.fleet.messages import Act, Adopt, LetGo
from chaffinch.fleet.parts import Parts
from chaffinch.fleet.processes import Processes
from chaffinch.fleet.reload import Change
from chaffinch.fleet.workers import Worker

if TYPE_CHECKING:
    from chaffinch.network.plan import PortPlan

log = logging.getLogger("chaffinch.fleet")

PATIENCE_SECONDS: Final = 20.0
"""How long a step may take beyond the time that a group has to end."""

SETTLED_SECONDS: Final = 0.1
"""A worker that began so long ago, and still runs, serves."""

DEATHS: Final = 2
"""A group whose process ends so often during one step does not get along with the configuration."""


class Side(msgspec.Struct, frozen=True):
    """A fleet as it was, or as it is to be."""

    parts: Parts
    groups: Mapping[str, tuple[Worker, ...]]
    division: Division


class StepError(RunError):
    """A step did not lead to where it should."""


class Rollout:
    """From `old` to `new`. `did` tells what became of which worker; `error` why the fleet went back, if it did."""

    def __init__(self, processes: Processes, old: Side, new: Side, there: Change, back: Change) -> None:
        self.did: dict[str, str] = {}
        self.error = ""
        self._processes = processes
        self._old, self._new = old, new
        self._there, self._back = there, back
        self._touched: set[str] = set()
        """Workers and groups whose step began."""

    def run(self) -> Iterator[None]:
        """Every step of it. Raises nothing: what fails is in `error`."""
        try:
            yield from self._go(self._old, self._new, self._there)
        except (ChaffinchError, OSError) as error:
            log.error("reload.failed why=%s", error)
            self.error = f"{error}; the fleet runs on with the configuration that it had"
            self.did = {}
            try:
                yield from self._go(self._new, self._old, _only(self._back, self._touched))
            except (ChaffinchError, OSError) as again:
                self.error = f"{error}; on the way back {again}"
            self.did = {}
        self._let_go()

    # One way

    def _go(self, source: Side, target: Side, change: Change) -> Iterator[None]:
        self._adopt(source, target, change)
        staying = frozenset(worker.name for members in target.groups.values() for worker in members)
        for name in change.ended:
            if staying.isdisjoint(worker.name for worker in source.groups[name]):
                yield from self._end(name, staying)
        for name in dict.fromkeys((*change.stopped, *change.released)):
            yield from self._stop(name, source)
        for name in change.anew:
            yield from self._renew(name, source, target, staying)
        for name in change.ended:
            yield from self._end(name, staying)
        for name in (row.name for home in target.groups if home not in change.anew for row in target.groups[home]):
            if name in change.restarted or name in change.started or name in change.released:
                yield from self._begin(name, target, change)

    def _adopt(self, source: Side, target: Side, change: Change) -> None:
        """From here on what begins anew begins with the target; nothing has begun yet."""
        kept = {listener.socket for listener in source.parts.listeners}
        wanted = {listener.socket for listener in target.parts.listeners}
        came = tuple(listener for listener in target.parts.listeners if listener.socket not in kept)
        plan, before = target.parts.plan, source.parts.plan
        self._processes.parts = target.parts
        self._processes.leaving = tuple(one for one in source.parts.listeners if one.socket not in wanted)
        self._processes.leaving_tap = None if source.parts.tap is target.parts.tap else source.parts.tap
        for listener in target.parts.listeners:
            if plan is not before and listener.socket in kept:
                listener.admit(plan.filter_for(listener.plan))
                listener.hold(plan.backlog)
        self._hand_over_tap(source.parts, target.parts)
        staying = [name for name in self._processes.groups if name in target.groups and name not in change.anew]
        self._processes.budget(target.division, staying)
        for one in self._processes.groups.values():
            one.backoff = one.backoff.under(target.parts.config.fleet)
            if one.name in staying:
                one.workers = target.groups[one.name]
                open_doors(target.parts, one)
                told = _told(target.parts, one, tuple(listener.plan for listener in came))
                if not self._processes.say(one, told, (listener.socket for listener in came)):
                    self._processes.again(one)

    def _hand_over_tap(self, source: Parts, target: Parts) -> None:
        """What no listener gets waits for the target's worker from now on. Where both sides have a raw socket of their
        own, what comes between these two steps is told twice, rather than by nobody.
        """
        before, after = source.tap, target.tap
        if after is not None and (after is not before or target.plan is not source.plan):
            with target.inside():
                after.admit(target.plan)
        if self._processes.leaving_tap is not None:
            self._processes.leaving_tap.shut()

    def _let_go(self) -> None:
        """It stays so: nobody needs the sockets and workers of the other side any more."""
        for one in self._processes.groups.values():
            if not self._processes.say(one, LetGo()):
                self._processes.again(one)
        for listener in self._processes.leaving:
            listener.socket.close()
        self._processes.leaving = ()
        if self._processes.leaving_tap is not None:
            self._processes.leaving_tap.end(self._processes.parts.tap)
            self._processes.leaving_tap = None
        names = (*self._new.groups, *self._old.groups)
        self._processes.groups = {
            name: self._processes.groups[name] for name in dict.fromkeys(names) if name in self._processes.groups
        }

    # Steps

    def _end(self, name: str, staying: frozenset[str]) -> Iterator[None]:
        """The group ends with its process, and is no more; workers that stay are in another one by then."""
        one = self._processes.groups.get(name)
        if one is None:
            return
        self._touched.update((name, *(worker.name for worker in one.workers)))
        yield from self._ended(one)
        for gone in (worker.name for worker in one.workers if worker.name not in staying):
            self._shut(gone)
            self._note(gone, "stopped")
        one.last_words.close()
        del self._processes.groups[name]

    def _ended(self, one: GroupProcess) -> Iterator[None]:
        """End the group's process, and wait until it is gone."""
        self._processes.end(one)
        yield from self._until(lambda: not one.pid, f"the group {one.name} did not end")

    def _stop(self, name: str, source: Side) -> Iterator[None]:
        """The worker ends; its group goes on."""
        one = self._home(name, source)
        self._touched.add(name)
        self._note(name, "stopped")
        if one is not None and _is_up(one):
            self._processes.say(one, Act("stop", (name,)))
            yield from self._until(
                lambda: not one.pid or (row := _row(one, name)) is None or row.state == "stopped",
                f"{name} did not stop",
            )
        self._shut(name)

    def _renew(self, name: str, source: Side, target: Side, staying: frozenset[str]) -> Iterator[None]:
        """The group begins with a new process, once those that have its workers are gone."""
        members = target.groups[name]
        names = {worker.name for worker in members}
        self._touched.update((name, *names))
        off: set[str] = set()
        for other in list(self._processes.groups.values()):
            if not names.isdisjoint(worker.name for worker in other.workers):
                off |= names & other.off
                if other.name != name:
                    self._touched.update((other.name, *(worker.name for worker in other.workers)))
                    yield from self._ended(other)
        one = self._processes.groups.get(name) or self._processes.made(name, members)
        before = {row.name: row for row in one.rows()} if one.pid else {}
        known = {worker.name for rows in source.groups.values() for worker in rows}
        self._processes.groups[name] = one
        one.workers, one.budget_bytes, one.off = members, target.division.share_of(name), off
        open_doors(target.parts, one)  # before a worker begins, which gives up a listener that does not listen
        self._processes.again(one)
        for gone in (worker.name for worker in source.groups.get(name, ()) if worker.name not in staying):
            self._shut(gone)
            self._note(gone, "stopped")
        for worker in members:
            yield from self._serves(one, worker.name, before.get(worker.name))
            self._shut(worker.name)
            self._note(worker.name, _word(worker.name, one, "restarted" if worker.name in known else "started"))

    def _begin(self, name: str, target: Side, change: Change) -> Iterator[None]:
        """The worker begins anew, or for the first time, inside its group's process where there is one."""
        one = self._home(name, target)
        assert one is not None
        self._touched.add(name)
        self._note(name, _word(name, one, "started" if name in change.started else "restarted"))
        if name not in one.off:
            is_down = name in change.started or name in change.released
            before = None if is_down else _row(one, name)
            if not _is_up(one) or not self._processes.say(one, Act("start" if is_down else "restart", (name,))):
                self._processes.again(one)
            yield from self._serves(one, name, before)
        self._shut(name)

    # Looking

    def _serves(self, one: GroupProcess, name: str, before: WorkerStatus | None) -> Iterator[None]:
        """Wait until the worker has begun after `before`. One that did not run before need not run now."""
        if name in one.off:
            return
        deaths = one.restarts + DEATHS
        ran = before is None or before.state == "running"

        def begun() -> bool:
            if one.restarts >= deaths or one.state == "failed":
                raise StepError(f"the process of the group {one.name} ends again and again")
            row = _row(one, name) if one.pid and one.beat is not None and one.heard > one.began else None
            if row is None or (before is not None and row.since == before.since):
                return False
            if row.state in ("waiting", "failed"):
                if ran:
                    raise StepError(f"{name} does not start: {row.error}")
                return True
            return row.state == "running" and time.time() - row.since >= SETTLED_SECONDS

        yield from self._until(begun, f"{name} does not serve")

    def _until(self, is_there: Callable[[], bool], complaint: str) -> Iterator[None]:
        patience = PATIENCE_SECONDS + self._processes.settings.drain_seconds
        until = time.monotonic() + patience
        while not is_there():
            if time.monotonic() >= until:
                raise StepError(f"{complaint} within {patience:.0f} s")
            yield

    def _home(self, name: str, side: Side) -> GroupProcess | None:
        home = next(group for group, members in side.groups.items() if any(row.name == name for row in members))
        return self._processes.groups.get(home)

    def _note(self, name: str, did: str) -> None:
        """What became of it last, after all that was noted before."""
        self.did.pop(name, None)
        self.did[name] = did

    def _shut(self, name: str) -> None:
        """The old ports of a service that has left them refuse from now on; they stay bound until all is done."""
        for listener in self._processes.leaving:
            if PREFIX + listener.plan.service == name:
                listener.refuse()


def _told(parts: Parts, one: GroupProcess, passed: "tuple[PortPlan, ...]") -> Adopt:
    return Adopt(
        config=parts.config,
        workers=one.workers,
        ports=tuple(listener.plan for listener in parts.listeners),
        silent=tuple(listener.silent for listener in parts.listeners),
        passed=passed,
    )


def _only(change: Change, touched: Iterable[str]) -> Change:
    """Of the way back what the way there has touched."""
    names = frozenset(touched)

    def some(group: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in group if name in names)

    return msgspec.structs.replace(
        change,
        anew=some(change.anew),
        stopped=some(change.stopped),
        released=some(change.released),
        restarted=some(change.restarted),
        started=some(change.started),
    )


def _word(name: str, one: GroupProcess, word: str) -> str:
    return "stopped as before" if name in one.off else word


def _is_up(one: GroupProcess) -> bool:
    return bool(one.pid) and one.draining_since is None


def _row(one: GroupProcess, name: str) -> WorkerStatus | None:
    return next((row for row in one.rows() if row.name == name), None)
