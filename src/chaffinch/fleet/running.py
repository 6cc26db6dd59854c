"""One worker in its group: started, started again after a failure, stopped by its owner or with its group."""

import asyncio
import logging
import time
import traceback
from collections.abc import Callable

import msgspec

from chaffinch.config import Config
from chaffinch.errors import ChaffinchError
from chaffinch.events import Event, WorkerFailed, now
from chaffinch.fleet.backoff import Backoff
from chaffinch.fleet.context import Context
from chaffinch.fleet.control import Deed
from chaffinch.fleet.messages import WorkerState
from chaffinch.fleet.workers import Worker, run_of

log = logging.getLogger("chaffinch.fleet")

DRAIN_SHARE = 0.8
"""Of the time in which a group has to end: what its workers have before they are cancelled."""

CANCEL_SECONDS = 1.0
"""How long a worker may take to end once it is cancelled."""

STUCK = "it did not end when it was asked to, nor when it was cancelled: restart its group"

MOST_ERROR = 500
"""Characters of an error that are shown and recorded."""


class Running:
    """One worker's place in its group: its context, its state, its restart loop."""

    def __init__(
        self, worker: Worker, make: Callable[[Worker], Context], tell: Callable[[], None], *, off: bool
    ) -> None:
        self.worker = worker
        self.context = make(worker)
        self.state = WorkerState(worker.name, "starting", time.time())
        self._make = make
        self._tell = tell
        self._off = off
        """Its owner stopped it."""
        self._ending = False
        self._backoff = Backoff.of(self.context.config.fleet)
        self._task: asyncio.Future[None] | None = None
        self._turn = asyncio.Event()
        """Something was asked of it."""

    def become(self, state: str, **changes: object) -> None:
        """Change the shown state, and have it told; the restart count and the last error stay."""
        self.state = msgspec.structs.replace(self.state, state=state, since=time.time(), **changes)
        self._tell()

    def adopt(self, config: Config, budget_bytes: int) -> None:
        """Another configuration or share holds: for how it is watched at once, for its own settings when it begins
        anew.
        """
        self.context.config = config
        self.context.budget_bytes = budget_bytes
        self._backoff = self._backoff.under(config.fleet)

    def act(self, do: Deed) -> None:
        """Start it, stop it, or let it begin anew; nothing of that touches its neighbours."""
        if do == "start" and self.state.state in ("starting", "running"):
            return
        self._off = do == "stop"
        self._end_turn()

    def end(self) -> None:
        """The group ends, and the worker with it."""
        self._ending = True
        self._end_turn()

    def _end_turn(self) -> None:
        if self.state.state == "running":
            self.become("stopping")
        self.context.stopping.set()
        self._turn.set()

    async def live(self) -> None:
        """Run the worker until its group ends, but for as long as its owner has it stopped."""
        while not self._ending:
            self._turn.clear()
            if self._task is not None and not self._task.done():
                self.become("failed", error=STUCK)
                await self._turn.wait()
            elif self._off:
                self.become("stopped")
                await self._turn.wait()
            else:
                await self._supervise()
        self.become("stopped")

    async def _supervise(self) -> None:
        """Run the worker until it is to stop; start it again after a failure, and give it up after a crash loop."""
        if self.context.stopping.is_set():
            self.context = self._make(self.worker)
        self._backoff = Backoff.of(self.context.config.fleet)
        while not self.context.stopping.is_set():
            began = time.monotonic()
            error = await self._run_once()
            if error is None and self.context.stopping.is_set():
                break
            wait = self._backoff.after_failure(time.monotonic() - began)
            self._report(error or "it returned although it was not asked to stop", given_up=wait is None)
            if wait is None:
                await self.context.stopping.wait()  # its group goes on, so that it stays given up
                return
            await self.context.pause(wait)

    async def _run_once(self) -> str | None:
        """The error that ended the worker, as one line, or None when it returned."""
        try:
            self._task = asyncio.ensure_future(self._run())
            self._task.add_done_callback(lambda _: self._turn.set())
            await self._until_ended(self._task)
            if self._task.done() and not self._task.cancelled():
                self._task.result()
        except ChaffinchError as error:  # somebody's to mend, and a sentence that says what to do: no traceback
            log.error("worker.failed worker=%s error=%s", self.worker.name, error)
            return str(error)[:MOST_ERROR]
        except Exception as error:  # the boundary of one worker: its fault is its own, never its neighbours'
            log.exception("worker.failed worker=%s", self.worker.name)
            return traceback.format_exception_only(error)[-1].strip()[:MOST_ERROR]
        finally:
            if self._task is not None and self._task.done():
                self._task = None  # its error holds all that its frames held
        return None

    async def _run(self) -> None:
        """Import the worker and run it. `sys.exit()` in it, and whatever else is no `Exception`, would end the loop and
        with it the neighbours: it is a fault like any other.
        """
        try:
            run = run_of(self.worker)
            self.become("running")
            await run(self.context)
        except (Exception, asyncio.CancelledError):
            raise
        except BaseException as error:
            raise RuntimeError(f"it raised {error!r}, which would have ended its group") from error

    async def _until_ended(self, task: "asyncio.Future[None]") -> None:
        """Wait until it returns; who does not although it is to stop is cancelled, and not waited for for ever."""
        stopping = asyncio.ensure_future(self.context.stopping.wait())
        drain = self.context.config.fleet.drain_seconds * DRAIN_SHARE
        try:
            await asyncio.wait((task, stopping), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((task,), timeout=drain)
            if not task.done():
                log.error("worker.cancelled worker=%s why=it did not return within %.1f s", self.worker.name, drain)
                task.cancel()
                await asyncio.wait((task,), timeout=CANCEL_SECONDS)
        finally:
            stopping.cancel()
            task.cancel()

    def _report(self, error: str, *, given_up: bool) -> None:
        self.become("failed" if given_up else "waiting", restarts=self.state.restarts + (not given_up), error=error)
        if given_up:
            log.error("worker.given_up worker=%s error=%s", self.worker.name, error)
        fact = WorkerFailed(
            worker=self.worker.name,
            group=self.context.group,
            error=error,
            restarts=self.state.restarts,
            given_up=given_up,
        )
        self.context.journal.publish(Event(time=now(), fact=fact))
