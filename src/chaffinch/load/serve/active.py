"""One run under the control API: a `Runner` that is made ready before it begins, and shows itself as metrics."""

import asyncio
from typing import Final

from chaffinch.load.loaded import Loaded
from chaffinch.load.metrics.families import RunName
from chaffinch.load.metrics.labels import Shown
from chaffinch.load.metrics.reading import Reading, decode
from chaffinch.load.polls import Progress
from chaffinch.load.results import Memory, Result
from chaffinch.load.run import Runner

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
        super().__init__(
            loaded, memory=memory, memory_name=BOUND, floor_bytes=floor_bytes, served=True, show=self._seen
        )
        self.name = name
        self.is_standby = is_standby
        """It is what is sent between tests."""
        self.shown = Shown()
        self.progress = Progress()
        self.rate = 0.0
        """Requests a second, of the last interval."""
        self._last: Reading | None = None
        self._is_over = False
        """Its result is being taken, on a thread: nothing can end it any more."""

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

    async def carry_on(self) -> Result | None:
        """Look after it until it has ended; what is left of it, if it was a test."""
        try:
            while not self.turn():
                await self.rest()
            self._is_over = True
            self._last = await self.reading()
            return None if self.is_standby else await asyncio.to_thread(self.result)
        finally:
            self.close()

    def let_go(self) -> None:
        """Forget what it ended with: metrics of its guard are shown, and hold on to it, until the next one begins."""
        self._last = None
        self.drop_intervals()

    def begin_to_end(self) -> None:
        """No more iterations begin. Of a standby run no answers are waited for, either."""
        if self.is_running and not self._is_over:
            self.end() if self.is_standby else self.stop()

    def hurry(self) -> None:
        """Give up what is not answered."""
        if self.is_running and not self._is_over:
            self.end()

    async def drain(self) -> None:
        """The same, after a while."""
        await asyncio.sleep(DRAIN_SECONDS)
        self.hurry()

    async def reading(self) -> Reading:
        """How it goes, as metrics show it; once it has ended, how it went."""
        return await asyncio.to_thread(self._reading) if self._last is None else self._last

    def _reading(self) -> Reading:
        polled = self.polled()
        return Reading() if polled is None else decode(polled)

    def _seen(self, progress: Progress, _memory: Memory) -> None:
        self.progress = progress
        if progress.intervals:
            last = progress.intervals[-1]
            self.rate = last.requests / last.seconds if last.seconds > 0 else 0.0
        elif 0 < progress.elapsed_s < 1:
            self.rate = progress.requests / progress.elapsed_s
