"""Threads that run engine calls off an event loop. The queue is bounded: it pushes back, and never grows.

A call goes through three states: waiting for room (only with `wait=True`), queued, running. Cancelling who awaits it
takes it out of the first two; a running call finishes and its result is dropped.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

from chaffinch.chain.errors import BusyError
from chaffinch.errors import InputError, RunError
from chaffinch.metrics.registry import Registry

T = TypeVar("T")

log = logging.getLogger("chaffinch.chain")

LONGEST_WAIT: Final = 60.0
"""Seconds: what a caller is told to wait at most before it tries again."""

LONG_TIMES: Final = 100
"""A call that is long by its nature, such as a merge, is slow when it takes so many times `slow_ms`: it runs aside, and
a chain of a guild that trains is merged for a second now and then.
"""

LOOK_SECONDS: Final = 5.0
"""How often an idle thread looks whether its event loop is still there."""


class _Call(Generic[T]):
    """One call from its submission to its end."""

    def __init__(
        self,
        call: Callable[[], T],
        operation: str,
        tenant: str,
        size: int,
        ended: Callable[[], None] | None,
        long: bool,
    ) -> None:
        self.call = call
        self.operation = operation
        self.tenant = tenant
        self.size = size
        self.ended = ended
        self.long = long
        self.result: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.submitted = time.perf_counter_ns()
        self.started = 0
        self.finished = 0


class Pool:
    """Worker threads behind a queue of `queue` calls; an async context manager that ends them.

    It belongs to the event loop that first submits. Threads start then, and end with `close`, or some seconds after
    their event loop was closed. They are no daemons: no write is cut off by the end of the program.
    """

    def __init__(
        self, threads: int = 4, queue: int = 256, registry: Registry | None = None, *, slow_ms: float = 50.0
    ) -> None:
        if threads < 1 or queue < 1:
            raise InputError(f"a pool of {threads} threads and a queue of {queue} cannot run anything: give 1 or more")
        self.threads = threads
        self.queue = queue
        self.registry = registry or Registry()
        self._slow_ns = int(slow_ms * 1e6)
        self._queued: deque[_Call[Any]] = deque()
        self._waiting: deque[_Call[Any]] = deque()
        self._changed = threading.Condition()
        self._workers: list[threading.Thread] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._gone: asyncio.Future[None] | None = None
        self._left = 0
        self._busy = 0
        self._closing = False
        self._run_ns = 1e6  # a moving mean; where it starts does not matter
        self._waits = self.registry.latency("chain_wait_seconds")
        self._runs = self.registry.latency("chain_run_seconds", "operation")
        self._refused = self.registry.counter("chain_queue_refused")
        self._slow = self.registry.counter("chain_slow_operations", "operation")
        self.registry.gauge("chain_queue_depth", lambda: self.depth)
        self.registry.gauge("chain_busy_threads", lambda: self._busy)

    @property
    def depth(self) -> int:
        """Calls that are queued now; those that wait for room and those that run are not among them."""
        return len(self._queued)

    async def submit(
        self,
        call: Callable[[], T],
        *,
        operation: str,
        tenant: str = "",
        size: int = 0,
        wait: bool = False,
        ended: Callable[[], None] | None = None,
        long: bool = False,
    ) -> T:
        """Run `call` on a thread; what it returns or raises.

        `operation` (one of a few words), `tenant` and `size` (messages, or what the operation counts) are for metrics
        and the log of slow calls, where a `long` one has more time. `ended` is called on the event loop, once, when the
        call has ended or will never run, even if nobody awaits it any more. Raises `BusyError` when the queue is full,
        unless `wait`; `RunError` when the pool is closed. If this raises one of these two, `ended` has been called.
        """
        one = _Call(call, operation, tenant, size, ended, long)
        try:
            self._accept(one, wait)
        except (BusyError, RunError):
            self._end(one)
            raise
        try:
            return await one.result
        except asyncio.CancelledError:
            self._withdraw(one)
            raise
        finally:
            del one  # which holds an error whose traceback leads here: nothing may keep a call's messages alive

    def refusal(self, why: str) -> BusyError:
        """The error for a call for which there is no room, which is counted; it says when a full queue has been run."""
        self._refused.add()
        after = min(LONGEST_WAIT, max(0.05, self.queue * self._run_ns / self.threads / 1e9))
        return BusyError(f"{why}: try again in {after:.2g} s", after)

    async def close(self) -> None:
        """Run what was accepted, then end the threads. May be called again."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._gone is not None:
            await asyncio.shield(self._gone)
        for worker in self._workers:
            worker.join()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _accept(self, one: _Call[Any], wait: bool) -> None:
        self._start()
        with self._changed:
            if self._closing:
                raise RunError("the pool of chain threads is closed: make another one")
            if not self._waiting and len(self._queued) < self.queue:
                self._queued.append(one)
                self._changed.notify()
                return
            if wait:
                self._waiting.append(one)
                return
        raise self.refusal(f"{self.queue} calls wait for a thread already")

    def _withdraw(self, one: _Call[Any]) -> None:
        """Nobody wants the result any more: what has not begun never will."""
        with self._changed:
            for place in (self._waiting, self._queued):
                if one in place:
                    place.remove(one)
                    break
            else:
                return
            self._admit()
        self._end(one)

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is not None and self._loop is not loop:
            raise RunError("a pool of chain threads belongs to the event loop that used it first: make another one")
        if self._workers or self._closing:
            return
        self._loop, self._gone = loop, loop.create_future()
        for number in range(self.threads):
            worker = threading.Thread(target=self._work, name=f"chain {number}", daemon=False)
            try:
                worker.start()
            except RuntimeError as error:
                if self._workers:  # fewer will do
                    return
                self._loop = self._gone = None
                raise RunError(f"no thread can be started ({error}): let this user have more of them") from None
            self._workers.append(worker)

    def _work(self) -> None:
        error: BaseException | None
        while (one := self._next()) is not None:
            result, error = None, None
            one.started = time.perf_counter_ns()
            try:
                result = one.call()
            except StopIteration as raised:  # which no future can hold
                error = RuntimeError("a call raised StopIteration")
                error.__cause__ = raised
            except BaseException as raised:  # noqa: BLE001 - the boundary of a worker: its caller gets what was raised
                error = raised
            one.finished = time.perf_counter_ns()
            self._tell(self._settle, one, result, error)
            del one, result, error  # an idle thread keeps nothing alive
        self._tell(self._leave)

    def _next(self) -> _Call[Any] | None:
        with self._changed:
            while not self._queued:
                if self._closing or (self._loop is not None and self._loop.is_closed()):
                    return None
                self._changed.wait(LOOK_SECONDS)
            one = self._queued.popleft()
            self._admit()
            self._busy += 1
        return one

    def _admit(self) -> None:
        """Queue those that wait, in order, as far as there is room. With the lock."""
        while self._waiting and len(self._queued) < self.queue:
            self._queued.append(self._waiting.popleft())
            self._changed.notify()

    def _tell(self, what: Callable[..., None], *args: object) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(what, *args)
        except RuntimeError:  # the loop is closed: nobody is left who could be told
            log.debug("a call ended after its event loop")

    # What follows runs on the event loop.

    def _settle(self, one: _Call[Any], result: object, error: BaseException | None) -> None:
        self._busy_less()
        self._measure(one)
        if not one.result.done():
            if error is None:
                one.result.set_result(result)
            else:
                one.result.set_exception(error)
                one.result.exception()  # seen: whoever awaited it may be gone
        self._end(one)

    def _busy_less(self) -> None:
        with self._changed:
            self._busy -= 1

    def _measure(self, one: _Call[Any]) -> None:
        took = one.finished - one.started
        self._run_ns += (took - self._run_ns) / 16
        self._waits.record(one.started - one.submitted)
        self._runs.record(took, one.operation)
        if took > self._slow_ns * (LONG_TIMES if one.long else 1):
            self._slow.add(one.operation)
            log.warning(
                "slow chain operation: operation=%s tenant=%s size=%d run_ms=%.1f wait_ms=%.1f",
                one.operation,
                one.tenant,
                one.size,
                took / 1e6,
                (one.started - one.submitted) / 1e6,
            )

    @staticmethod
    def _end(one: _Call[Any]) -> None:
        if one.ended is not None:
            ended, one.ended = one.ended, None
            ended()

    def _leave(self) -> None:
        self._left += 1
        if self._left == len(self._workers) and self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
