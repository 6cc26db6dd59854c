"""One group: a process, its workers, and a restart loop for each of them."""

import asyncio
import functools
import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from chaffinch.config import Config
from chaffinch.errors import ChaffinchError
from chaffinch.fleet import messages
from chaffinch.fleet.bounded import Bounded
from chaffinch.fleet.context import Context
from chaffinch.fleet.holdings import Holdings
from chaffinch.fleet.messages import Act, Adopt, AskMetrics, Beat, LetGo, Metrics, Share, Stop
from chaffinch.fleet.parts import Parts
from chaffinch.fleet.rest import Rest
from chaffinch.fleet.running import Running
from chaffinch.fleet.state import store_file
from chaffinch.fleet.workers import CAPTURE, Worker, prepared
from chaffinch.journal.sqlite import SqliteJournal
from chaffinch.metrics import memory
from chaffinch.metrics.registry import Registry

if TYPE_CHECKING:
    from chaffinch.decoys.acceptor import SharedByDecoys
    from chaffinch.journal.protocol import Journal
    from chaffinch.network.listeners import Listener
    from chaffinch.store.protocol import Store

log = logging.getLogger("chaffinch.fleet")

BEAT_SECONDS = 1.0

STACK_BYTES = 1 << 20
"""Of each thread. It is mapped at once, and what is mapped counts against the last bound of a group's memory."""

SPARE_SECONDS = 1.0
"""Of the time in which a group has to end: what is left when the journal gives up a disk that takes nothing, so that
the group can say what it could not keep.
"""


class Group:
    """All workers of one process, and the channel to the supervisor."""

    def __init__(
        self,
        name: str,
        workers: tuple[Worker, ...],
        parts: Parts,
        channel: socket.socket,
        budget_bytes: int,
        off: frozenset[str],
        confined: str,
        prepared: Mapping[str, Callable[[], object]] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self._config = parts.config
        """As the supervisor has it; `parts` has it with the bounds that the share leaves of it."""
        self._workers = workers
        self._bounded = Bounded(name)
        self.parts = msgspec.structs.replace(parts, config=self._bounded.under(parts.config, workers, budget_bytes))
        self._journal: SqliteJournal | None = None
        self.metrics = Registry(name)
        native = any(worker.native for worker in workers)
        self.holdings = Holdings(budget_bytes, self.metrics, native=native)
        self._channel = channel
        self._confined = confined
        self._prepared = prepared
        self._loop = asyncio.get_running_loop()
        self._asked: asyncio.Future[bytes] | None = None
        self._last_beat: Beat | None = None
        self._is_telling = False
        self._ends_at: float | None = None
        """When the supervisor's patience ends."""
        self._store: Store | None = None
        self._decoys: SharedByDecoys | None = None
        self.running = [Running(worker, self._context, self._tell, off=worker.name in off) for worker in workers]
        self._leaving: tuple[Listener, ...] = ()
        """Listeners of the last configuration, until the supervisor says that it stays the last."""
        self._lives: list[asyncio.Task[None]] = []
        self._stopped = asyncio.Event()

    def _context(self, worker: Worker) -> Context:
        return Context(
            worker.name,
            self.name,
            config=self.parts.config,
            state=self.parts.state,
            make_journal=self._make_journal,
            metrics=self.metrics,
            listeners=self.parts.listeners,
            ring=self.parts.tap.ring if self.parts.tap is not None else None,
            page=self.parts.page,
            make_store=self._make_store,
            make_decoys=self._make_decoys,
            ask_supervisor=self._ask_metrics,
            budget_bytes=self.holdings.share_bytes,
            prepared=self._prepared.get(worker.name, lambda: None),
        )

    def _make_journal(self) -> "Journal":
        if self._journal is None:
            folder = self.parts.state / "journal"
            self._journal = SqliteJournal(folder, self.parts.config.journal, is_known=True)
            self._export_journal(self._journal)
        return self._journal

    def _make_store(self) -> "Store":
        if self._store is None:
            from chaffinch.store.sqlite import SqliteStore

            self._store = SqliteStore(store_file(self.parts.state), self.parts.config.store)
        return self._store

    def _make_decoys(self) -> "SharedByDecoys":
        if self._decoys is None:
            from chaffinch.decoys.acceptor import share

            self._decoys = share(self.parts.config.decoys, self.parts.state, self.parts.plan, self.parts.personas)
            relief = self._decoys.relief
            self.holdings.offer("shrink_caches", relief.shrink, relief.grow)
            self.holdings.offer("collapse_earlier", relief.collapse_earlier, relief.collapse_later)
            self.holdings.offer("refuse_sessions", relief.refuse, relief.accept)
        return self._decoys

    def take_signals(self) -> None:
        """SIGTERM ends the group; a terminal's signals are the supervisor's to hear, which stops the group in order."""
        self._loop.add_signal_handler(signal.SIGTERM, self.stop)
        self._loop.add_signal_handler(signal.SIGINT, lambda: None)
        self._loop.add_signal_handler(signal.SIGHUP, lambda: None)

    async def run(self) -> None:
        """Until the supervisor says stop, or is gone."""
        self._channel.setblocking(False)
        self._loop.add_reader(self._channel, self._hear)
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                own = [tasks.create_task(self._beat(), name="beat"), tasks.create_task(self._guard(), name="guard")]
                for one in self.running:
                    self._let_live(one)
                await self._stopped.wait()
                await asyncio.gather(*self._lives)
                for task in own:
                    task.cancel()
        finally:
            self._say_beat()

    def stop(self) -> None:
        """Ask every worker to return."""
        self._stopped.set()
        if self._ends_at is None:
            self._ends_at = time.monotonic() + self.parts.config.fleet.drain_seconds
        for one in self.running:
            one.end()

    def _let_live(self, one: Running) -> None:
        self._lives = [life for life in self._lives if not life.done()]
        self._lives.append(self._tasks.create_task(one.live(), name=one.worker.name))

    def _adopt(self, told: Adopt, descriptors: list[int]) -> None:
        """Go over to another configuration. Nothing begins or ends yet: that is asked for worker by worker."""
        from chaffinch.fleet.adoption import adopted

        held = (*self.parts.listeners, *self._leaving)
        self.parts = adopted(self.parts, told, held, descriptors)
        used = {listener.socket for listener in self.parts.listeners}
        self._leaving = tuple(listener for listener in held if listener.socket not in used)
        self._workers = told.workers
        self._go_by(told.config)
        there = {one.worker.name for one in self.running}
        for worker in told.workers:
            if worker.name not in there:
                self.running.append(Running(worker, self._context, self._tell, off=True))
                self._let_live(self.running[-1])

    def _go_by(self, config: Config) -> None:
        """Go on with this configuration, or another share of the budget: bounds hold at once, all else where it is made
        anew.
        """
        self._config = config
        config = self._bounded.under(config, self._workers, self.holdings.share_bytes)
        self.parts = msgspec.structs.replace(self.parts, config=config)
        if self._journal is not None:
            self._journal.limit_to(config.journal)
        if self._decoys is not None:
            self._decoys.adopt(config.decoys, self.parts.plan, self.parts.personas)
        for one in self.running:
            one.adopt(config, self.holdings.share_bytes)

    def _let_go(self) -> None:
        for listener in self._leaving:
            listener.socket.close()
        self._leaving = ()
        staying = {worker.name for worker in self._workers}
        for one in self.running:
            if one.worker.name not in staying:
                one.end()
        self.running = [one for one in self.running if one.worker.name in staying]
        self._tell()

    def _tell(self) -> None:
        """A worker changed: its owner may be waiting to see it. Several changes of one moment are one beat."""
        if not self._is_telling:
            self._is_telling = True
            self._loop.call_soon(self._told)

    def _told(self) -> None:
        self._is_telling = False
        self._say_beat()

    def close(self) -> int:
        """Let go of store and journal; how many events could not be kept."""
        if self._store is not None:
            self._store.close()
        if self._journal is None:
            return 0
        if self._ends_at is None:
            return self._journal.close()
        return self._journal.close(max(0.0, self._ends_at - time.monotonic() - SPARE_SECONDS))

    async def _beat(self) -> None:
        rest = Rest(time.monotonic(), time.process_time())
        while True:
            self._say_beat()
            if rest.is_due(time.monotonic(), time.process_time(), self.holdings.last.private_bytes):
                memory.give_back()
            await asyncio.sleep(BEAT_SECONDS)

    async def _guard(self) -> None:
        while True:
            self.holdings.look()
            await asyncio.sleep(self.holdings.next_seconds)

    def _say_beat(self) -> None:
        try:
            self._last_beat = self._beat_now()
        except (OSError, ChaffinchError) as error:  # out of descriptors, a journal that cannot be read: it passes
            log.warning("beat.stale group=%s why=%s", self.name, error)
        if self._last_beat is not None:
            self._say(self._last_beat)

    def _beat_now(self) -> Beat:
        reading = self.holdings.measure()
        return Beat(
            group=self.name,
            workers=tuple(msgspec.structs.replace(one.state, lag=one.context.lag()) for one in self.running),
            pss_bytes=reading.pss_bytes,
            private_bytes=reading.private_bytes,
            shared_bytes=reading.rss_bytes - reading.private_bytes,
            metrics=self.metrics.snapshot_bytes(),
            cpu_seconds=time.process_time(),
            confined=self._confined,
            given_up=self.holdings.in_force,
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
            data, descriptors, _, _ = socket.recv_fds(
                self._channel, messages.MOST_BYTES, messages.MOST_SOCKETS, socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return None
        except OSError:
            data, descriptors = b"", []
        if not data:  # the supervisor is gone: a fleet without one ends in order
            self._loop.remove_reader(self._channel)
            return self.stop()
        message = messages.decode(data)
        if isinstance(message, Stop):
            return self.stop()
        if isinstance(message, Adopt):
            self._adopt(message, descriptors)
        if isinstance(message, LetGo):
            self._let_go()
        if isinstance(message, Act):
            for one in self.running:
                if one.worker.name in message.workers:
                    one.act(message.do)
        if isinstance(message, Share):
            self.holdings.limit_to(message.share_bytes)
            self._go_by(self._config)
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

    def _export_journal(self, journal: SqliteJournal) -> None:
        for name, read in (
            ("journal_appended", lambda: journal.appended),
            ("journal_lost", lambda: journal.lost),
        ):
            self.metrics.counter_from(name, read)
        self.metrics.gauge("journal_full", lambda: int(journal.full))


def main(
    name: str,
    workers: tuple[Worker, ...],
    parts: Parts,
    channel: socket.socket,
    budget_bytes: int,
    off: frozenset[str],
    confine: Callable[[], str],
) -> int:
    """The whole life of a group's process after the fork; its exit code. Workers that are `off` are there, and do not
    run.
    """
    if parts.tap is not None:
        parts.tap.let_go(reads=CAPTURE in workers)
    ready = prepared(workers, parts.config, parts.state)
    confined = confine()
    threading.stack_size(STACK_BYTES)
    made = functools.partial(Group, name, workers, parts, channel, budget_bytes, off, confined, ready)
    return asyncio.run(_main(made))


async def _main(make: Callable[[], Group]) -> int:
    """1 when events could not be kept, which the log tells."""
    one = make()
    one.take_signals()
    try:
        await one.run()
    finally:
        left = await asyncio.to_thread(one.close)
    return 1 if left else 0
