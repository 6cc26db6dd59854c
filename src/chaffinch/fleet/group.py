"""One group: a process, its workers, and a restart loop for each of them."""

import asyncio
import functools
import logging
import signal
import socket
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from chaffinch.config import Config
from chaffinch.errors import ChaffinchError
from chaffinch.events import Event, WorkerFailed, now
from chaffinch.fleet import messages
from chaffinch.fleet.backoff import Backoff
from chaffinch.fleet.context import Context
from chaffinch.fleet.messages import AskMetrics, Beat, Metrics, Stop, WorkerState
from chaffinch.fleet.state import store_file
from chaffinch.fleet.workers import Worker, run_of
from chaffinch.journal.sqlite import SqliteJournal
from chaffinch.metrics import memory
from chaffinch.metrics.registry import Registry

if TYPE_CHECKING:
    from chaffinch.decoys.acceptor import SharedByDecoys
    from chaffinch.network.listeners import Listener
    from chaffinch.network.plan import Plan
    from chaffinch.personas.build import Personas
    from chaffinch.store.protocol import Store

log = logging.getLogger("chaffinch.fleet")

BEAT_SECONDS = 1.0

MOST_ERROR = 500
"""Characters of an error that are shown and recorded."""


class Parts(msgspec.Struct, frozen=True):
    """What the supervisor made before it forked, and every group uses."""

    config: Config
    state: Path
    plan: "Plan"
    personas: "Personas"
    listeners: "tuple[Listener, ...]"


class Running:
    """One worker's place in its group: its context, its state, its restart loop."""

    def __init__(self, worker: Worker, context: Context) -> None:
        self.worker = worker
        self.context = context
        self.backoff = Backoff.of(context.config.fleet)
        self.state = WorkerState(worker.name, "starting", time.time())

    def become(self, state: str, **changes: object) -> None:
        """Change the shown state; the restart count and the last error stay."""
        self.state = msgspec.structs.replace(self.state, state=state, since=time.time(), **changes)

    async def supervise(self) -> None:
        """Run the worker until it is to stop; start it again after a failure, and give it up after a crash loop."""
        while not self.context.stopping.is_set():
            began = time.monotonic()
            error = await self._run_once()
            if error is None and self.context.stopping.is_set():
                break
            wait = self.backoff.after_failure(time.monotonic() - began)
            self._report(error or "it returned although it was not asked to stop", given_up=wait is None)
            if wait is None:
                await self.context.stopping.wait()  # its group goes on, so that it stays given up
                return
            await self.context.pause(wait)
        self.become("stopped")

    async def _run_once(self) -> str | None:
        """The error that ended the worker, as one line, or None when it returned."""
        try:
            run = run_of(self.worker)
            self.become("running")
            await run(self.context)
        except Exception as error:  # the boundary of one worker: its fault is its own, never its neighbours'
            log.exception("worker.failed worker=%s", self.worker.name)
            return traceback.format_exception_only(error)[-1].strip()[:MOST_ERROR]
        return None

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


class Group:
    """All workers of one process, and the channel to the supervisor."""

    def __init__(
        self,
        name: str,
        workers: tuple[Worker, ...],
        parts: Parts,
        channel: socket.socket,
        budget_bytes: int,
        confined: str,
    ) -> None:
        self.name = name
        self.budget_bytes = budget_bytes
        self.parts = parts
        self.journal = SqliteJournal(parts.state / "journal", parts.config.journal)
        self.metrics = Registry(name)
        memory.export(self.metrics)
        self._channel = channel
        self._confined = confined
        self._loop = asyncio.get_running_loop()
        self._asked: asyncio.Future[bytes] | None = None
        self._last_beat: Beat | None = None
        self._store: Store | None = None
        self._decoys: SharedByDecoys | None = None
        self._export_journal()
        self.running = [Running(worker, self._context(worker)) for worker in workers]

    def _context(self, worker: Worker) -> Context:
        return Context(
            worker.name,
            self.name,
            config=self.parts.config,
            state=self.parts.state,
            journal=self.journal,
            metrics=self.metrics,
            listeners=self.parts.listeners,
            make_store=self._make_store,
            make_decoys=self._make_decoys,
            ask_supervisor=self._ask_metrics,
            budget_bytes=self.budget_bytes,
        )

    def _make_store(self) -> "Store":
        if self._store is None:
            from chaffinch.store.sqlite import SqliteStore

            self._store = SqliteStore(store_file(self.parts.state), self.parts.config.store)
        return self._store

    def _make_decoys(self) -> "SharedByDecoys":
        if self._decoys is None:
            from chaffinch.decoys.acceptor import share

            self._decoys = share(self.parts.config.decoys, self.parts.state, self.parts.plan, self.parts.personas)
        return self._decoys

    async def run(self) -> None:
        """Until the supervisor says stop, sends SIGTERM, or is gone."""
        self._channel.setblocking(False)
        self._loop.add_reader(self._channel, self._hear)
        self._loop.add_signal_handler(signal.SIGTERM, self.stop)
        self._loop.add_signal_handler(signal.SIGINT, lambda: None)  # the supervisor hears ^C and stops us in order
        self._loop.add_signal_handler(signal.SIGHUP, lambda: None)
        try:
            async with asyncio.TaskGroup() as tasks:
                beating = tasks.create_task(self._beat(), name="beat")
                await asyncio.gather(*(one.supervise() for one in self.running))
                beating.cancel()
        finally:
            self._say_beat()
            await asyncio.to_thread(self._close)

    def stop(self) -> None:
        """Ask every worker to return."""
        for one in self.running:
            one.context.stopping.set()

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
        self.journal.close()

    async def _beat(self) -> None:
        while True:
            self._say_beat()
            await asyncio.sleep(BEAT_SECONDS)

    def _say_beat(self) -> None:
        try:
            self._last_beat = self._beat_now()
        except (OSError, ChaffinchError) as error:  # out of descriptors, a journal that cannot be read: it passes
            log.warning("beat.stale group=%s why=%s", self.name, error)
        if self._last_beat is not None:
            self._say(self._last_beat)

    def _beat_now(self) -> Beat:
        reading = memory.read()
        return Beat(
            group=self.name,
            workers=tuple(msgspec.structs.replace(one.state, lag=one.context.lag()) for one in self.running),
            pss_bytes=reading.pss_bytes,
            private_bytes=reading.private_bytes,
            metrics=self.metrics.snapshot_bytes(),
            confined=self._confined,
        )

    def _say(self, message: messages.Message) -> None:
        try:
            self._channel.send(messages.encode(message))
        except BlockingIOError:
            return  # the supervisor has not read the last ones: the next beat says it all again
        except OSError:
            self.stop()

    def _hear(self) -> None:
        try:
            data = self._channel.recv(messages.MOST_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if not data:  # the supervisor is gone: a fleet without one ends in order
            self._loop.remove_reader(self._channel)
            return self.stop()
        message = messages.decode(data)
        if isinstance(message, Stop):
            return self.stop()
        if isinstance(message, Metrics) and self._asked is not None and not self._asked.done():
            self._asked.set_result(message.snapshot)
        return None

    async def _ask_metrics(self) -> bytes:
        """The merged snapshot of all groups, from the supervisor. Raises `TimeoutError` when it does not answer."""
        if self._asked is None or self._asked.done():
            self._asked = self._loop.create_future()
            self._say(AskMetrics())
        try:
            async with asyncio.timeout(2.0):
                return await asyncio.shield(self._asked)
        except TimeoutError:
            self._asked = None  # the question or its answer was lost: the next one asks anew
            raise

    def _export_journal(self) -> None:
        for name, read in (
            ("journal_appended", lambda: self.journal.appended),
            ("journal_lost", lambda: self.journal.lost),
        ):
            self.metrics.counter_from(name, read)
        self.metrics.gauge("journal_full", lambda: int(self.journal.full))


def main(
    name: str,
    workers: tuple[Worker, ...],
    parts: Parts,
    channel: socket.socket,
    budget_bytes: int,
    confine: Callable[[], str],
) -> None:
    """The whole life of a group's process after the fork."""
    confined = confine()
    asyncio.run(_main(functools.partial(Group, name, workers, parts, channel, budget_bytes, confined)))


async def _main(make: Callable[[], Group]) -> None:
    await make().run()
