"""Which test runs, and what comes after it: every way from one state to another goes through here.

    idle      nothing is loaded
    ready     a test is loaded and does not run
    running   it runs, or its last answers are waited for
    standby   it is over (or was not begun), and standby users are there until the next one

One thing at a time: whoever changes what runs holds `_turn`; a stop does not, so that it is never kept waiting.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec

from chaffinch.errors import ChaffinchError
from chaffinch.load import budget, plan
from chaffinch.load.loaded import Loaded, Node
from chaffinch.load.metrics.families import RunName
from chaffinch.load.metrics.reading import Reading
from chaffinch.load.metrics.sums import Sums
from chaffinch.load.reload import kept_back
from chaffinch.load.results import Result
from chaffinch.load.scenario.files import load_text
from chaffinch.load.scenario.units import LONGEST_MS
from chaffinch.load.serve.active import Active
from chaffinch.load.serve.wire import Begun, Health, Replaced, change_of
from chaffinch.metrics import memory
from chaffinch.metrics.registry import Registry

State = Literal["idle", "ready", "running", "standby"]
STATES: Final[tuple[State, ...]] = ("idle", "ready", "running", "standby")

OUTCOMES: Final = ("completed", "crossed", "stopped", "memory", "failed")
"""Of tests: the guard ended it for `memory`; `failed` is a fault of ours."""

MOST_WAITING: Final = 4
"""Changes that may wait for the one that is made."""

T = TypeVar("T")

log = logging.getLogger("chaffinch.load.serve")


class ConflictError(ChaffinchError):
    """What is asked does not go with what runs."""


class BusyError(ConflictError):
    """Others wait already."""


class Conductor:
    """Holds what is loaded and what runs. Lives on one event loop; `close` ends it."""

    def __init__(
        self, registry: Registry, node: Node, memory: int | None = None, floor_bytes: int = budget.FLOOR
    ) -> None:
        self.loaded: Loaded | None = None
        self.active: Active | None = None
        self.result: bytes | None = None
        """Of the last test that ended, as JSON."""
        self.sums = Sums()
        self.is_closing = False
        self._registry = registry
        self._node = node
        self._memory = memory
        self._floor = floor_bytes
        self._runs = registry.counter("load_runs", "outcome")
        for outcome in OUTCOMES:
            self._runs.add(outcome, amount=0)  # there from the beginning: else the first one is no increase
        self._number = 0
        self._stops = 0
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._carrying: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def state(self) -> State:
        if self.running is not None:
            return "running"
        if self.loaded is None:
            return "idle"
        return "standby" if self.loaded.standby is not None and not self.is_closing else "ready"

    @property
    def running(self) -> Active | None:
        """The test that runs; none between tests, whatever is sent then."""
        return None if self.active is None or self.active.is_standby else self.active

    @property
    def tenant(self) -> str:
        return (self.loaded.node.tenant if self.loaded else "") or self._node.tenant

    @property
    def users(self) -> int:
        """Users that are there, sending or not."""
        if self.active is not None:
            return self.active.plan.users
        return self.loaded.standby.users if self.state == "standby" and self.loaded and self.loaded.standby else 0

    def health(self) -> Health:
        """How it goes."""
        active = self.active
        test = self.running
        return Health(
            state=self.state,
            rate=round(active.rate, 3) if active else 0.0,
            asked_rate=_constant(active),
            workers=self.users,
            time_left_s=None if test is None or test.time_left_s is None else round(test.time_left_s, 3),
            draining=test is not None and test.is_draining,
            node=self._node.name,
            region=self._node.region,
            tenant=test.name.tenant if test else self.tenant,
            run=test.name.run if test else "",
            name=self.loaded.about.name if self.loaded else "",
        )

    async def reading(self) -> Reading | None:
        """What runs, as metrics show it. What has ended is in `sums` by then."""
        while (active := self.active) is not None:
            found = await active.reading()
            if self.active is active:
                return found
        return None

    # What changes it. All of these go on if whoever asked does not wait for their end.

    async def load(self, loaded: Loaded) -> None:
        """Have a test ready that does not run yet. Raises `ConflictError` while one runs."""
        await self._alone(lambda: self._load(loaded), "load")

    async def start(self) -> Begun:
        """Begin what is loaded."""
        return await self._alone(self._start, "start")

    async def configure(self, text: str) -> Begun:
        """Check a scenario whole, end what runs, whosever it is, begin it. Raises `InputError`: then all stays."""
        loaded = await asyncio.to_thread(load_text, text, "the request")
        return await self._alone(lambda: self._replace(loaded), "configure")

    async def change(self, text: str) -> Active:
        """Another load for the test that runs."""
        test = self.running
        if test is None or test.is_draining:
            raise ConflictError(
                "no test runs whose load could be changed: send one to /config, or /start the loaded one"
            )
        left = test.time_left_s
        length = None if left is None else max(1, round(left * 1000))
        found = change_of(text, msgspec.structs.replace(test.plan, duration_ms=length))
        model = found.model or test.plan.model
        users = found.users or test.plan.users
        test.check(model, users)
        test.change(model, users)
        log.info("load.changed run=%s model=%s users=%d", test.name.run, model.__struct_config__.tag, users)
        return test

    def check_reading(self, count: int) -> None:
        """Raise `InputError` if files of so many bytes cannot be read beside what runs."""
        if self.active is not None:
            self.active.check_reading(count)

    async def reload(self, path: Path, loaded: Loaded) -> str:
        """Take a file that was written anew: `same`, `changed` (the test that runs does it from now on), `replaced` (by
        a new test), or `loaded`.
        """
        return await self._alone(lambda: self._reload(path, loaded), "reload")

    async def stop(self, tenant: str | None = None) -> bool:
        """End the test and wait for that; whether there was one. Raises `ConflictError` for that of another tenant."""
        test = self.running
        if test is not None and tenant is not None and test.name.tenant != tenant:
            whose = f"of the tenant {test.name.tenant!r}" if test.name.tenant else "of no tenant"
            raise ConflictError(f"the test that runs is {whose}, not of {tenant!r}: ask whoever started it")
        self._stops += 1
        if test is None:
            return False
        log.info("load.stopped run=%s tenant=%s", test.name.run, test.name.tenant)
        await self._ended(test)
        return True

    async def close(self) -> None:
        """End everything; answers are waited for as after every stop."""
        self.is_closing = True
        self._stops += 1
        if self.active is not None:
            await self._ended(self.active)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hurry(self) -> None:
        """Wait for no more answers."""
        if self.active is not None:
            self.active.hurry()

    # How they are made, one at a time.

    async def _alone(self, doing: Callable[[], Coroutine[Any, Any, T]], name: str) -> T:
        if self.is_closing or self._waiting >= MOST_WAITING:
            raise BusyError("the server is being stopped" if self.is_closing else "other changes wait: try again later")
        task = self._begin_task(self._in_turn(doing), name)
        return await asyncio.shield(task)

    async def _in_turn(self, doing: Callable[[], Coroutine[Any, Any, T]]) -> T:
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1
        try:
            return await doing()
        finally:
            self._turn.release()
            self._settle()

    def _begin_task(self, doing: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(doing, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, ChaffinchError):
            log.error("load.failed doing=%s", task.get_name(), exc_info=error)

    async def _load(self, loaded: Loaded) -> None:
        if self.running is not None:
            raise ConflictError("a test runs: stop it first")
        await self._end_standby()
        self.loaded = loaded

    async def _start(self) -> Begun:
        if self.running is not None:
            raise ConflictError(
                f"the test {self.running.name.run} runs already: stop it first, or send another to /config"
            )
        if self.loaded is None:
            raise ConflictError("no test is loaded: send one to /config")
        return await self._replace(self.loaded)

    async def _replace(self, loaded: Loaded) -> Begun:
        """Make a test ready, end what runs, begin it."""
        replaced: Replaced | msgspec.UnsetType = msgspec.UNSET
        stops = self._stops
        self._number += 1
        name = RunName(loaded.about.run_id or str(self._number), loaded.node.tenant or self._node.tenant)
        made = self._made(loaded, name)
        await asyncio.to_thread(made.prepare)
        try:
            if self.running is not None and not self.running.is_draining:
                before = self.running.name
                ends = (before.run, before.tenant, name.run, name.tenant)
                log.info("load.replaced run=%s tenant=%s by=%s by_tenant=%s", *ends)
                replaced = Replaced(before.run, before.tenant)
            if self.active is not None:
                await self._ended(self.active)
            if self._stops != stops:
                raise ConflictError("a stop came before the test began: start it again")
            self.loaded = loaded
            self._carry(made)
        except BaseException:
            made.close()
            raise
        log.info("load.began run=%s tenant=%s name=%r", name.run, name.tenant, loaded.about.name)
        return Begun(name.run, replaced=replaced)

    def _made(self, loaded: Loaded, name: RunName, *, is_standby: bool = False) -> Active:
        bounds = [bound for bound in (self._memory, loaded.guard.limit) if bound is not None]
        return Active(loaded, name, memory=min(bounds, default=None), floor_bytes=self._floor, is_standby=is_standby)

    async def _reload(self, path: Path, loaded: Loaded) -> str:
        before, test = self.loaded, self.running
        if before is not None and before == loaded:
            return "same"
        if test is None or test.is_draining:
            await self._end_standby()
            self.loaded = loaded
            return "loaded"
        if kept_back(test.given.plan, loaded.plan) or loaded.guard != test.given.guard:
            await self._replace(loaded)
            return "replaced"
        try:
            said = await test.take_over_aside(loaded)
        except ChaffinchError:
            if _goes_on(test):
                raise
            self.loaded = loaded
            return "loaded"
        log.info("load.took_over file=%s run=%s %s", path, test.name.run, said)
        self.loaded = loaded
        return "changed"

    def _carry(self, made: Active) -> None:
        made.begin(self._registry)
        self.active = made
        self._carrying = asyncio.get_running_loop().create_task(self._carry_on(made), name="run")

    async def _carry_on(self, active: Active) -> None:
        """Look after what runs, and take leave of it."""
        try:
            result = await active.carry_on()
        except Exception:  # the boundary of a run: the server goes on
            log.exception("load.run_failed run=%s", active.name.run)
            self.active = None
            self._runs.add("failed")
        else:
            # Nothing is awaited between these: whoever reads finds the run either here or in the sums.
            self.sums.add(await active.reading())
            self.active = None
            if result is not None:
                self._keep(result, active)
            # Not before the next run begins: what both hold together would be more than was added up.
            del result
            active.let_go()
            await asyncio.to_thread(memory.give_back)
        self._settle()

    def _keep(self, result: Result, active: Active) -> None:
        self.result = result.to_json()
        outcome = active.ended_by or ("crossed" if result.crossed else "completed")
        self._runs.add(outcome)
        log.info(
            "load.ended run=%s outcome=%s requests=%d failed=%d rate=%.1f",
            active.name.run, outcome, result.requests, result.failed, result.rate,
        )  # fmt: skip

    async def _ended(self, active: Active) -> None:
        """Stop it and wait until it has ended."""
        carrying = self._carrying
        active.begin_to_end()
        draining = self._begin_task(active.drain(), "drain")
        if carrying is not None:
            await asyncio.shield(carrying)
        draining.cancel()

    async def _end_standby(self) -> None:
        if self.active is not None and self.active.is_standby:
            await self._ended(self.active)

    def _settle(self) -> None:
        """Between tests the standby users begin, unless somebody is about to change what runs."""
        idle = self.active is None and not self._turn.locked() and not self.is_closing
        if idle and self.loaded is not None and self.loaded.standby is not None and self.loaded.standby.rate > 0:
            self._begin_task(self._stand_by(self.loaded), "standby")

    async def _stand_by(self, loaded: Loaded) -> None:
        async with self._turn:
            standby = loaded.standby
            if self.active is not None or self.is_closing or self.loaded is not loaded or standby is None:
                return
            quiet = msgspec.structs.replace(loaded.plan.percentiles, enabled=False)
            used = msgspec.structs.replace(
                loaded.plan,
                model=plan.Constant(standby.rate),
                users=standby.users,
                duration_ms=LONGEST_MS,
                requests=None,
                percentiles=quiet,
            )
            try:
                name = RunName("standby", loaded.node.tenant or self._node.tenant)
                made = self._made(msgspec.structs.replace(loaded, plan=used), name, is_standby=True)
                await asyncio.to_thread(made.prepare)
                self._carry(made)
            except ChaffinchError as error:
                log.warning("load.no_standby why=%s", error)


def _goes_on(test: Active) -> bool:
    """Whether it has not come to its end meanwhile."""
    return not test.is_draining


def _constant(active: Active | None) -> float | None:
    """The constant rate that is asked for."""
    model = active.plan.model if active else None
    return model.rate if isinstance(model, plan.Constant) else None
