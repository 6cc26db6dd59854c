"""One run under the control API: a `Runner` that is made ready before it begins, and shows itself as metrics."""

import asyncio
from typing import Final

import msgspec

from chaffinch import _core
from chaffinch.load import budget
from chaffinch.load.loaded import Loaded
from chaffinch.load.metrics import Reading, RunName, Shown, decode
from chaffinch.load.plan import Model, Plan
from chaffinch.load.results import Memory, Progress, Result
from chaffinch.load.run import EVERY_S, NO_INTERVALS, Runner, translated
from chaffinch.metrics.guard import Watch
from chaffinch.metrics.registry import Registry

DRAIN_SECONDS: Final = 5.0
"""How long answers are waited for once a run is stopped."""

BOUND: Final = "the server's memory bound"


class Active(Runner):
    """One run: `prepare`, `begin`, then `carry_on` until it has ended.

    `memory` is what the process may hold, as a promise, and `floor_bytes` what it holds without any run. Raises
    `InputError` with the arithmetic for a run that does not fit.
    """

    def __init__(
        self, loaded: Loaded, name: RunName, *, memory: int | None, floor_bytes: int, is_standby: bool = False
    ) -> None:
        self._floor = floor_bytes
        super().__init__(loaded, memory=memory, memory_name=BOUND, show=self._seen)
        self.name = name
        self.is_standby = is_standby
        """It is what is sent between tests."""
        self.shown = Shown()
        self.progress = Progress()
        self.rate = 0.0
        """Requests a second, of the last interval."""
        self._last: Reading | None = None
        self._asked = 0

    @property
    def loaded(self) -> Loaded:
        """The test as it was given; a file that was taken over counts."""
        return self._given

    @property
    def plan(self) -> Plan:
        """What the engine does now."""
        return self._loaded.plan

    @property
    def is_draining(self) -> bool:
        """No more iterations begin."""
        return bool(self.ended_by) or self.progress.state != "running"

    @property
    def time_left_s(self) -> float | None:
        """Seconds in which iterations still begin; None if nothing but a stop ends it."""
        if self.is_draining:
            return 0.0
        duration = self.plan.duration_ms
        return None if duration is None else max(0.0, duration / 1000 - self.progress.elapsed_s)

    def prepare(self) -> None:
        """Make the engine ready. Looks up names, so not on an event loop. Raises `InputError` and `RunError`."""
        try:
            self._core = _core.LoadRun(self._loaded.plan.to_json())
        except _core.LoadError as error:
            raise translated(error, self._loaded) from None

    def begin(self, registry: Registry) -> None:
        """Begin to send; from now on the registry shows this run's guard. Raises `RunError`."""
        self._watch = Watch(self._watch.guard, registry, every_s=EVERY_S)
        self.about = self._described()
        try:
            self._running.start()
        except _core.LoadError as error:
            self.close()
            raise translated(error, self._loaded) from None

    async def carry_on(self) -> Result | None:
        """Look after it until it has ended; what is left of it, if it was a test."""
        try:
            while not self.turn():
                await self.rest()
            self._last = await self.reading()
            return None if self.is_standby else await asyncio.to_thread(self.result)
        finally:
            self.close()

    def begin_to_end(self) -> None:
        """No more iterations begin. Of a standby run no answers are waited for, either."""
        if self._core is not None:
            self.end() if self.is_standby else self.stop()

    def hurry(self) -> None:
        """Give up what is not answered."""
        if self._core is not None:
            self.end()

    async def drain(self) -> None:
        """The same, after a while."""
        await asyncio.sleep(DRAIN_SECONDS)
        self.hurry()

    def check(self, model: Model, users: int) -> None:
        """Raise `InputError` if another load would not fit."""
        self._fitted(msgspec.structs.replace(self.plan, model=model, users=users))

    async def reading(self) -> Reading:
        """How it goes, as metrics show it; once it has ended, how it went."""
        core = self._core
        if self._last is not None or core is None:
            return self._last or Reading()
        found = await asyncio.to_thread(lambda: decode(core.poll(NO_INTERVALS)))
        if found.asked is None and not self._asked:
            return found
        # After a change of the load the engine counts arrivals of the new one alone: a counter must not fall for that.
        self._asked = max(self._asked, found.asked or 0)
        return msgspec.structs.replace(found, asked=self._asked)

    def _seen(self, progress: Progress, _memory: Memory) -> None:
        self.progress = progress
        if progress.intervals:
            last = progress.intervals[-1]
            self.rate = last.requests / last.seconds if last.seconds > 0 else 0.0
        elif 0 < progress.elapsed_s < 1:
            self.rate = progress.requests / progress.elapsed_s

    def _fitted(self, asked: Plan) -> Plan:
        """As a lone run's, but what the process holds now may be another run's, which ends before this one begins."""
        limit = self._limit
        budget.refuse(asked, limit.bytes, limit.source, with_kernel=not self._is_own, floor_bytes=self._floor)
        if self._promised is None:
            return asked
        return budget.fitted(asked, limit.bytes, self._floor) or asked
