"""The embedded journal: SQLite segments in one directory, appended to and read by any number of processes.

This is its face. An object may be made before a fork: files are opened, and the one writer thread is started, on first
use in the process that uses them. A fork of a process that uses it closes its files first; parent and child go on.
"""

import asyncio
import contextlib
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

import apsw
import msgspec

from chaffinch import events
from chaffinch.config import JournalSettings
from chaffinch.errors import RunError
from chaffinch.events import Event
from chaffinch.journal import catalog as catalog_file
from chaffinch.journal import forking, segment
from chaffinch.journal.ageing import Reading, read_clocks
from chaffinch.journal.appender import Appender
from chaffinch.journal.catalog import Catalog
from chaffinch.journal.consumer import SqliteConsumer
from chaffinch.journal.layout import Layout
from chaffinch.journal.protocol import Record
from chaffinch.journal.reader import Reader
from chaffinch.journal.recovery import Recovery
from chaffinch.journal.retention import Dropped, Retention
from chaffinch.journal.settings import MAX_EVENT_BYTES, JournalStats, checked
from chaffinch.journal.wake import Bell, Listener
from chaffinch.journal.writer import Writer

__all__ = ["JournalSettings", "JournalStats", "Record", "SqliteConsumer", "SqliteJournal"]

log = logging.getLogger("chaffinch.journal")

CLOSE_SECONDS = 10.0
"""How long `close` waits for a disk that is full."""


class SqliteJournal:
    """See `protocol.Journal`."""

    def __init__(
        self,
        directory: Path,
        settings: JournalSettings | None = None,
        *,
        clock: Callable[[], int] = time.time_ns,
        clocks: Callable[[], Reading] | None = None,
        is_known: bool = False,
    ) -> None:
        """Make the directory if it is missing. `clock` is the wall clock in ns; `clocks` reads all clocks, for ages.
        `is_known`: whoever forked this process has made one here before, so that its format is ours.

        Raises `RunError` when the directory cannot be written or holds a newer format, `InputError` for bad settings.
        """
        self.settings = checked(settings or JournalSettings())
        self._clock = clock
        self._clocks = clocks or (lambda: read_clocks(clock))
        self._layout = Layout(directory)
        self._layout.prepare()
        if not is_known:
            self._refuse_newer()
        self._begin()
        forking.register(self)

    def _begin(self) -> None:
        """Everything that belongs to one process. Opens nothing."""
        self._pid = os.getpid()
        self._gate = threading.RLock()  # held by whichever thread beside the event loop uses SQLite
        self._catalog = Catalog(self._layout)
        self._recovery = Recovery(
            self._layout, self._catalog, max_segment_bytes=self.settings.sealed_at, publish=self.publish
        )
        self._appender = Appender(self._layout, self._catalog, self._recovery, self.settings)
        self._retention = Retention(
            self._layout,
            self._catalog,
            self.settings,
            clocks=self._clocks,
            seal=self._appender.seal,
            publish=self.publish,
        )
        self._writer = Writer(
            self._appender, self.settings, gate=self._gate, committed=self._committed, clock=self._clock
        )
        self._reader = Reader(self._layout, self._catalog, self._recovery)
        self._bell: Bell | None = None
        self._listener: Listener | None = None
        self._consumers: weakref.WeakSet[SqliteConsumer] = weakref.WeakSet()

    def _here(self) -> None:
        """After a fork, begin anew: the thread did not come along."""
        if os.getpid() != self._pid:
            if self._listener is not None:
                self._listener.close()
            self._begin()

    def before_fork(self) -> None:
        """See `forking`."""
        self._gate.acquire()
        self._catalog.before_fork()
        self._appender.rest()
        self._reader.close()
        for consumer in self._consumers:
            consumer.close()

    def after_fork(self) -> None:
        """See `forking`."""
        self._catalog.after_fork()
        self._gate.release()

    def _refuse_newer(self) -> None:
        names = self._layout.segments()
        checks = [(self._layout.catalog, catalog_file.APPLICATION_ID, catalog_file.FORMAT)]
        checks += [(self._layout.segment(name), segment.APPLICATION_ID, segment.FORMAT) for name in names[-1:]]
        for path, application_id, version in checks:
            try:
                segment.open_database(path, application_id, version).close()
            except (segment.DamagedError, segment.VanishedError, apsw.Error):
                continue  # whoever uses it first sets it aside, or says what is wrong

    # Appending ------------------------------------------------------------------------------------------------------

    def publish(self, event: Event) -> None:
        """Queue an event. Never blocks; past the bounds of the queue it is counted as lost."""
        self.publish_many((event,))

    def publish_many(self, events_: Sequence[Event]) -> None:
        """Queue events, in this order."""
        if os.getpid() != self._pid:
            self._here()
        lines = [events.encode(event) for event in events_]
        if any(len(line) > MAX_EVENT_BYTES for line in lines):
            kept = [line for line in lines if len(line) <= MAX_EVENT_BYTES]
            self._writer.lose(len(lines) - len(kept), f"longer than {MAX_EVENT_BYTES} bytes")
            lines = kept
        self._writer.put(lines)

    def limit_to(self, settings: JournalSettings) -> None:
        """Let as many events wait from now on as these settings say; nothing else of them is taken over."""
        events_, size = settings.queue_events, settings.queue_bytes
        self.settings = msgspec.structs.replace(self.settings, queue_events=events_, queue_bytes=size)
        self._writer.limit_to(events_, size)

    def _committed(self, sealed: bool) -> None:
        """In the writer's thread, after each transaction."""
        try:
            if self._bell is None:
                self._bell = Bell(self._layout.wake)
            self._bell.ring()
        except OSError as error:
            log.warning("journal.no_wake why=%r; consumers look once a second", str(error))
        if sealed:
            try:
                self._retention.enforce()
            except RunError as error:
                log.warning("journal.retention_failed why=%r", str(error))

    async def flush(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  # part of the contract
        """Return when everything published before is durable.

        Raises `RunError` after `timeout` seconds or when closed.
        """
        self._here()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bool] = loop.create_future()

        def call(durable: bool) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(lambda: None if done.done() else done.set_result(durable))

        self._writer.when_durable(call)
        try:
            durable = await asyncio.wait_for(done, timeout)
        except TimeoutError:
            durable = False
        if not durable:
            raise self._not_durable()

    def flush_sync(self, timeout: float | None = None) -> None:
        """As `flush`, for code without an event loop."""
        self._here()
        done = threading.Event()
        outcome: list[bool] = []

        def call(durable: bool) -> None:
            outcome.append(durable)
            done.set()

        self._writer.when_durable(call)
        if not done.wait(timeout) or not outcome[0]:
            raise self._not_durable()

    def _not_durable(self) -> RunError:
        waiting = self._writer.counts().waiting
        return RunError(f"journal: {waiting} events are not yet durable in {self._layout.path}; see the log for why")

    # Reading --------------------------------------------------------------------------------------------------------

    def consumer(self, name: str, *, batch: int = 500) -> SqliteConsumer:
        """A reader with the durable cursor `name`; it gets at most `batch` records at once."""
        self._here()
        reader = Reader(self._layout, self._catalog, self._recovery)
        made = SqliteConsumer(name, batch, reader, self._catalog, self._listen)
        self._consumers.add(made)
        return made

    def _listen(self) -> Listener | None:
        """The running loop's listener; None when none can be bound, so that readers poll."""
        loop = asyncio.get_running_loop()
        if self._listener is not None and self._listener.loop is not loop:
            self._listener.close()
            self._listener = None
        if self._listener is None:
            try:
                self._listener = Listener(self._layout.wake)
            except OSError as error:
                log.warning("journal.no_wake why=%r; consumers look once a second", str(error))
        return self._listener

    def read(self, after: int = 0, limit: int = 500) -> list[Record]:
        """Up to `limit` records that follow seq `after`. Raises `RunError`."""
        self._here()
        return self._reader.read(after, limit).records

    def last_seq(self) -> int:
        """The seq of the newest event; 0 when there is none yet."""
        self._here()
        return self._reader.end()

    def first_seq(self) -> int:
        """The seq at which the journal begins: 1, or more once segments were dropped."""
        names = self._layout.segments()
        return names[0].first if names else 1

    # Keeping --------------------------------------------------------------------------------------------------------

    def enforce_retention(self) -> Dropped:
        """Drop the oldest segments beyond the bounds in bytes and age. Raises `RunError`."""
        self._here()
        with self._gate:
            return self._retention.enforce()

    @property
    def waiting(self) -> int:
        """Events of this process that are not yet durable. Costs nothing."""
        return self._writer.counts().waiting

    @property
    def pressed(self) -> bool:
        """See `protocol.Journal`."""
        return self._writer.pressed

    @property
    def appended(self) -> int:
        """Events of this process that are durable. Costs nothing."""
        return self._writer.counts().appended

    @property
    def full(self) -> bool:
        """Whether the disk takes nothing now, so that events wait in memory. Costs nothing."""
        return self._writer.counts().full

    @property
    def lost(self) -> int:
        """Events of this process that were not kept. Costs nothing."""
        return self._writer.counts().lost

    def stats(self) -> JournalStats:
        """What the journal holds, and what this process did. Raises `RunError`."""
        self._here()
        counts = self._writer.counts()
        durable = self._catalog.counters()
        names = self._layout.segments()
        return JournalStats(
            appended=counts.appended,
            lost=counts.lost,
            waiting=counts.waiting,
            waiting_bytes=counts.waiting_bytes,
            full=counts.full,
            segments=len(names),
            bytes=sum(self._layout.size(self._layout.segment(name)) for name in names),
            first_seq=names[0].first if names else 1,
            last_seq=self._reader.end(),
            dropped_segments=durable.get("dropped_segments", 0),
            dropped_events=durable.get("dropped_events", 0),
            dropped_bytes=durable.get("dropped_bytes", 0),
            damaged_segments=durable.get("damaged_segments", 0),
            damaged_events=durable.get("damaged_events", 0),
            commits=counts.commits,
            commit_ms_last=counts.commit_ms_last,
            commit_ms_max=counts.commit_ms_max,
        )

    def close(self, seconds: float | None = None) -> int:
        """Drain for at most so long (`CLOSE_SECONDS`), then let go of everything; how many events could not be kept.
        What is published later is counted as lost.
        """
        self._here()
        left = self._writer.close(CLOSE_SECONDS if seconds is None else seconds)
        for consumer in self._consumers:
            consumer.close()
        self._reader.close()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._bell is not None:
            self._bell.close()
            self._bell = None
        self._catalog.close()
        return left
