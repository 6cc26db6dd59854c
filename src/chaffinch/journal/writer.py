"""The queue in front of the disk, and the one thread of a process that empties it.

`put` only appends to a list. The thread takes what has gathered after a few milliseconds and makes it durable in one
transaction. When the disk is full, the queue holds what fits, the rest is counted, and the thread tries again each
second.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from chaffinch import events
from chaffinch.config import JournalSettings
from chaffinch.journal.appender import UnavailableError

log = logging.getLogger("chaffinch.journal")

_RETRY_SECONDS = 1.0
_REST_SECONDS = 30.0
_NEVER = 1 << 62

_SWITCH_SECONDS = 0.0005
"""How long a busy event loop may keep the interpreter from the thread, each time that SQLite gave it away. With
Python's 5 ms, a loop that never rests starves the thread: measured, a flush takes seconds and the queue overflows."""


class Sink(Protocol):
    """Where the thread takes events."""

    def append(self, lines: Sequence[bytes]) -> bool:
        """Make them durable; says whether a segment was sealed. Raises `UnavailableError`."""
        ...

    def rest(self) -> None:
        """Nothing has come for a while."""
        ...


class Counts(msgspec.Struct, frozen=True):
    """What a writer did since it was made. Times are of one transaction, in ms."""

    appended: int
    lost: int
    waiting: int
    waiting_bytes: int
    full: bool
    commits: int
    commit_ms_last: float
    commit_ms_max: float


class Writer:
    """Bounded queue and thread; the thread uses its sink with `gate` held.

    It starts with the first event, so never before a fork that happens earlier.
    """

    def __init__(
        self,
        sink: Sink,
        settings: JournalSettings,
        *,
        gate: AbstractContextManager[object],
        committed: Callable[[bool], None],
        clock: Callable[[], int],
    ) -> None:
        self._sink = sink
        self._settings = settings
        self._gate = gate
        self._committed = committed
        self._clock = clock
        self._changed = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None
        self._queue: list[bytes] = []
        self._queued_bytes = 0
        self._taken: list[bytes] = []
        self._taken_bytes = 0
        self._wake_at = _NEVER
        self._accepted = self._durable = 0
        self._waiters: list[tuple[int, Callable[[bool], None]]] = []
        self._lost = _Lost()
        self._lost_total = 0
        self._closing_until: float | None = None
        self._unavailable: UnavailableError | None = None
        self._commits = 0
        self._commit_ms = self._commit_ms_max = 0.0

    # The publisher's side -------------------------------------------------------------------------------------------

    def put(self, lines: Sequence[bytes]) -> None:
        """Queue encoded events; those past the bound are counted as lost. Holds the lock for the append only."""
        settings = self._settings
        with self._changed:
            for line in lines:
                if (
                    self._accepted - self._durable >= settings.queue_events
                    or self._queued_bytes + self._taken_bytes + len(line) > settings.queue_bytes
                    or self._closing_until is not None
                ):
                    self._lose(1, "closed" if self._closing_until is not None else self._why())
                    continue
                self._queue.append(line)
                self._queued_bytes += len(line)
                self._accepted += 1
            if self._thread is None and self._queue:
                self._start()
            elif self._queued_bytes >= self._wake_at:
                self._wake_at = _NEVER
                self._changed.notify()

    def limit_to(self, events_: int, size: int) -> None:
        """Let so many events, and so many bytes of them, wait from now on. What waits already stays."""
        with self._changed:
            self._settings = msgspec.structs.replace(self._settings, queue_events=events_, queue_bytes=size)

    def lose(self, count: int, why: str) -> None:
        """Count events that were never queued."""
        with self._changed:
            self._lose(count, why)

    def _lose(self, count: int, why: str) -> None:
        self._lost_total += count
        self._lost.add(count, self._clock(), why)

    def _why(self) -> str:
        if self._unavailable is None:
            return "more events than the disk takes"
        return "disk full" if self._unavailable.full else "disk unavailable"

    def when_durable(self, call: Callable[[bool], None]) -> None:
        """Call back, from any thread, with True when everything queued so far is durable, with False when it never
        will be.
        """
        with self._changed:
            durable = self._durable >= self._accepted
            if not durable and self._thread is not None:
                self._waiters.append((self._accepted, call))
                self._changed.notify()
                return
        call(durable)

    @property
    def pressed(self) -> bool:
        """Whether more than half of what may wait does, although the disk takes events. Read without the lock, for each
        event that may come: a number of a moment ago will do.
        """
        settings = self._settings
        return self._unavailable is None and (
            2 * (self._accepted - self._durable) > settings.queue_events
            or 2 * (self._queued_bytes + self._taken_bytes) > settings.queue_bytes
        )

    def counts(self) -> Counts:
        with self._changed:
            return Counts(
                appended=self._durable,
                lost=self._lost_total,
                waiting=self._accepted - self._durable,
                waiting_bytes=self._queued_bytes + self._taken_bytes,
                full=self._unavailable is not None and self._unavailable.full,
                commits=self._commits,
                commit_ms_last=self._commit_ms,
                commit_ms_max=self._commit_ms_max,
            )

    def close(self, timeout: float) -> int:
        """Refuse more, drain for at most `timeout` seconds, stop the thread. What could not be kept is logged."""
        with self._changed:
            self._closing_until = time.monotonic() + timeout
            thread = self._thread
            self._changed.notify()
        if thread is not None:
            thread.join(timeout + 2 * _RETRY_SECONDS)
            left = self._accepted - self._durable
            if left:
                log.error(
                    "journal.not_drained events=%d why=%r", left, str(self._unavailable or "the lock is held elsewhere")
                )
        return self._accepted - self._durable

    # The thread's side ----------------------------------------------------------------------------------------------

    def _start(self) -> None:
        # A daemon: an interpreter that exits without `close` must not wait for a disk that is full.
        sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_SECONDS))
        self._thread = threading.Thread(target=self._run, name="journal writer", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while self._take():
                if not self._store():
                    break
        finally:
            with self._gate:
                self._sink.rest()
            with self._changed:
                self._thread = None  # after a fault of ours the next event starts another; what was taken is kept
                waiters, self._waiters = self._waiters, []
            for _, call in waiters:
                call(False)

    def _take(self) -> bool:
        """Wait for events and for those that come within the flush time, then take a transaction's worth.

        False: closed.
        """
        patience: float | None = _REST_SECONDS
        while not self._wait_for_first(patience):
            with self._gate:  # and the queue's lock free: closing a database takes a while
                self._sink.rest()
            patience = None
        limit = self._settings.transaction_bytes
        with self._changed:
            self._wait_for_more(limit)
            if not self._taken:
                count = _fitting(self._queue, limit)
                self._taken, self._queue = self._queue[:count], self._queue[count:]
                self._taken_bytes = sum(map(len, self._taken))
                self._queued_bytes -= self._taken_bytes
            return bool(self._taken) or self._lost.count > 0

    def _wait_for_first(self, patience: float | None) -> bool:
        """Wait for something to do; False when there was nothing for that many seconds."""
        with self._changed:
            while not (self._queue or self._taken or self._closing_until is not None or self._lost.due()):
                self._wake_at = 1
                if not self._changed.wait(_RETRY_SECONDS if self._lost.count else patience) and not self._lost.count:
                    return False
            return True

    def _wait_for_more(self, limit: int) -> None:
        until = time.monotonic() + self._settings.flush_ms / 1000
        while not self._waiters and self._closing_until is None and self._queued_bytes < limit:
            left = until - time.monotonic()
            if left <= 0:
                break
            self._wake_at = limit
            self._changed.wait(left)
        self._wake_at = _NEVER

    def _store(self) -> bool:
        """Make durable what was taken, however long that takes. False: closing, and there is no more time."""
        while True:
            with self._changed:
                tell = self._lost.due() or (self._closing_until is not None and self._lost.count > 0)
                lost = self._lost.event(self._clock()) if tell else None
            lines = self._taken if lost is None else [events.encode(lost), *self._taken]
            began = time.perf_counter()
            try:
                with self._gate:
                    sealed = self._sink.append(lines)
            except UnavailableError as error:
                if not self._wait_to_retry(error):
                    return False
                continue
            self._stored(lost, (time.perf_counter() - began) * 1000)
            with self._gate:
                self._committed(sealed)
            return True

    def _stored(self, lost: events.Event | None, took_ms: float) -> None:
        with self._changed:
            resumed, self._unavailable = self._unavailable, None
            self._durable += len(self._taken)
            self._taken, self._taken_bytes = [], 0
            self._commits += 1
            self._commit_ms, self._commit_ms_max = took_ms, max(self._commit_ms_max, took_ms)
            reached = [call for target, call in self._waiters if target <= self._durable]
            self._waiters = [waiter for waiter in self._waiters if waiter[0] > self._durable]
            if lost is not None:
                self._lost.told(lost)
        for call in reached:
            call(True)
        if resumed is not None:
            log.warning("journal.resumed lost=%d", self._lost_total)
        if lost is not None and isinstance(lost.fact, events.JournalLost):
            log.warning("journal.lost count=%d why=%r", lost.fact.count, lost.fact.why)

    def _wait_to_retry(self, error: UnavailableError) -> bool:
        with self._changed:
            if self._unavailable is None:
                name = "journal.full" if error.full else "journal.unavailable"
                log.error(
                    "%s why=%r; appending stopped, %d events wait in memory, more than %d are counted as lost",
                    name, str(error), self._accepted - self._durable, self._settings.queue_events,
                )  # fmt: skip
            self._unavailable = error
            until = time.monotonic() + _RETRY_SECONDS
            while (left := until - time.monotonic()) > 0:
                if self._closing_until is not None:
                    left = min(left, self._closing_until - time.monotonic())
                    if left <= 0:
                        return False
                self._changed.wait(left)
            return True


class _Lost:
    """Events that could not be kept and are not yet told in the journal: one record a second at most."""

    def __init__(self) -> None:
        self.count = self.first = self.last = 0
        self.why = ""
        self._told = -_RETRY_SECONDS

    def add(self, count: int, now: int, why: str) -> None:
        self.first = self.first if self.count else now
        self.count += count
        self.last = now
        self.why = why

    def due(self) -> bool:
        return self.count > 0 and time.monotonic() >= self._told + _RETRY_SECONDS

    def event(self, now: int) -> events.Event:
        fact = events.JournalLost(count=self.count, first=self.first, last=self.last, why=self.why)
        return events.Event(time=now, fact=fact)

    def told(self, event: events.Event) -> None:
        """That event is durable: only what came after it is left to tell."""
        if isinstance(event.fact, events.JournalLost):
            self.count -= event.fact.count
            self.first = self.last
        self._told = time.monotonic()


def _fitting(lines: list[bytes], limit: int) -> int:
    """How many lines from the start make up about `limit` bytes; at least one if there is one."""
    size = 0
    for count, line in enumerate(lines, 1):
        size += len(line)
        if size >= limit:
            return count
    return len(lines)
