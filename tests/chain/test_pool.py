"""Threads behind a bounded queue: what waits, what is refused, what happens to who no longer waits."""

import asyncio
import gc
import logging
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from typing import Self

import pytest

from chaffinch.chain import BusyError, Pool
from chaffinch.chain import pool as pools
from chaffinch.errors import InputError, RunError
from chaffinch.metrics.registry import Registry


def run(test: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 30))


def chain_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("chain ")]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


class Blocked:
    """A pool of one thread, which is held by a call until `free` is set."""

    def __init__(self, queue: int = 2) -> None:
        self.pool = Pool(1, queue)
        self.free = threading.Event()
        self.holding: asyncio.Task[str] | None = None

    async def __aenter__(self) -> Self:
        begun = threading.Event()

        def hold() -> str:
            begun.set()
            self.free.wait(10)
            return "held"

        self.holding = asyncio.ensure_future(self.pool.submit(hold, operation="hold"))
        await until(begun.is_set)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.free.set()
        await self.pool.close()


async def settled(*awaited: Awaitable[object]) -> list[object]:
    return await asyncio.gather(*awaited, return_exceptions=True)


def test_what_a_call_returns_or_raises_comes_back() -> None:
    async def test() -> None:
        async with Pool() as pool:
            assert await pool.submit(lambda: 7, operation="seven") == 7
            with pytest.raises(ZeroDivisionError):
                await pool.submit(lambda: 1 // 0, operation="divide")
            caller = threading.current_thread().name
            assert await pool.submit(lambda: threading.current_thread().name, operation="name") != caller

    run(test)


def test_threads_begin_with_the_first_call_and_end_with_close() -> None:
    async def test() -> None:
        pool = Pool(3)
        assert chain_threads() == []
        await pool.submit(lambda: None, operation="nothing")
        assert len(chain_threads()) == 3
        assert not any(thread.daemon for thread in threading.enumerate() if thread.name.startswith("chain "))
        await pool.close()
        assert chain_threads() == []
        await pool.close()
        with pytest.raises(RunError, match="is closed"):
            await pool.submit(lambda: None, operation="nothing")
        never_used = Pool()
        await never_used.close()
        with pytest.raises(RunError, match="is closed"):
            await never_used.submit(lambda: None, operation="nothing")
        assert chain_threads() == []

    run(test)


def test_a_full_queue_refuses_and_says_when_to_try_again() -> None:
    async def test() -> None:
        async with Blocked(queue=2) as blocked:
            pool, ended = blocked.pool, []
            queued = [asyncio.ensure_future(pool.submit(lambda: "ran", operation="queued")) for _ in range(2)]
            await until(lambda: pool.depth == 2)
            with pytest.raises(BusyError, match="2 calls wait for a thread already: try again in") as refused:
                await pool.submit(lambda: "never", operation="refused", ended=lambda: ended.append(1))
            assert 0.05 <= refused.value.retry_after_seconds <= 60
            assert ended == [1]
            assert pool.registry.snapshot().total("chain_queue_refused") == 1
            assert pool.registry.snapshot().total("chain_queue_depth") == 2
            assert pool.registry.snapshot().total("chain_busy_threads") == 1
            blocked.free.set()
            assert await asyncio.gather(*queued) == ["ran", "ran"]
            assert pool.registry.snapshot().total("chain_queue_depth") == 0
            assert pool.registry.snapshot().total("chain_busy_threads") == 0

    run(test)


def test_who_waits_for_room_is_served_in_order_and_before_later_callers() -> None:
    async def test() -> None:
        async with Blocked(queue=1) as blocked:
            pool, order = blocked.pool, []

            def note(number: int) -> Coroutine[None, None, None]:
                return pool.submit(lambda: order.append(number), operation="note", wait=True)

            tasks = [asyncio.ensure_future(note(number)) for number in range(20)]
            await asyncio.sleep(0)
            assert pool.depth == 1
            with pytest.raises(BusyError):
                await pool.submit(lambda: None, operation="late")
            blocked.free.set()
            await asyncio.gather(*tasks)
            assert order == list(range(20))

    run(test)


def test_who_no_longer_waits_frees_the_place_in_the_queue() -> None:
    async def test() -> None:
        async with Blocked(queue=1) as blocked:
            pool, ran, ended = blocked.pool, [], []

            def call(name: str) -> "asyncio.Task[None]":
                return asyncio.ensure_future(
                    pool.submit(lambda: ran.append(name), operation=name, wait=True, ended=lambda: ended.append(name))
                )

            queued, waiting, last = call("queued"), call("waiting"), call("last")
            await asyncio.sleep(0)
            assert pool.depth == 1
            for task in (waiting, queued):
                task.cancel()
                await settled(task)
                assert task.cancelled()
            assert ended == ["waiting", "queued"]
            assert pool.depth == 1  # it is the last one's now
            blocked.free.set()
            await last
            assert ran == ["last"]

    run(test)


def test_a_running_call_ends_and_its_result_is_dropped() -> None:
    async def test() -> None:
        async with Blocked() as blocked:
            assert blocked.holding is not None
            blocked.holding.cancel()
            await settled(blocked.holding)
            assert blocked.pool.registry.snapshot().total("chain_busy_threads") == 1
            blocked.free.set()
            assert await blocked.pool.submit(lambda: "next", operation="next") == "next"
            assert blocked.pool.registry.snapshot().total("chain_busy_threads") == 0

    run(test)


def test_nothing_of_a_call_stays_in_an_idle_thread() -> None:
    class Result:
        pass

    async def test() -> None:
        async with Pool(1) as pool:
            kept = weakref.ref(await pool.submit(Result, operation="make"))
            await asyncio.sleep(0.01)
            gc.collect()
            assert kept() is None

    run(test)


def test_close_runs_what_was_accepted() -> None:
    async def test() -> None:
        blocked = Blocked(queue=2)
        ran: list[int] = []
        async with blocked:
            for number in range(5):
                asyncio.ensure_future(  # noqa: RUF006 - nobody keeps it: that is the point
                    blocked.pool.submit(lambda n=number: ran.append(n), operation="note", wait=True)
                )
            await asyncio.sleep(0)
        assert ran == [0, 1, 2, 3, 4]

    run(test)


def test_a_slow_call_is_counted_and_logged_without_text(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        registry = Registry()
        async with Pool(1, registry=registry, slow_ms=5) as pool:
            await pool.submit(lambda: None, operation="quick", tenant="t")
            await pool.submit(lambda: time.sleep(0.02), operation="merge", tenant="guild-7", size=12)
        assert registry.snapshot().total("chain_slow_operations") == 1

    with caplog.at_level(logging.WARNING, logger="chaffinch.chain"):
        run(test)
    (record,) = caplog.records
    assert record.getMessage().startswith("slow chain operation: operation=merge tenant=guild-7 size=12 run_ms=")


def test_a_call_that_is_long_by_its_nature_has_more_time_before_it_is_slow(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        registry = Registry()
        async with Pool(1, registry=registry, slow_ms=2) as pool:
            await pool.submit(lambda: time.sleep(0.02), operation="merge", tenant="guild-7", long=True)
            assert registry.snapshot().total("chain_slow_operations") == 0
            await pool.submit(lambda: time.sleep(0.21), operation="merge", tenant="guild-8", long=True)
            assert registry.snapshot().total("chain_slow_operations") == 1

    with caplog.at_level(logging.WARNING, logger="chaffinch.chain"):
        run(test)
    assert [record.getMessage().rpartition(" run_ms=")[0] for record in caplog.records] == [
        "slow chain operation: operation=merge tenant=guild-8 size=0"
    ]


def test_waits_and_runs_are_measured_by_operation() -> None:
    async def test() -> None:
        registry = Registry()
        async with Pool(registry=registry) as pool:
            for _ in range(5):
                await pool.submit(lambda: None, operation="add")
        runs = registry.latency("chain_run_seconds", "operation").histograms
        assert [(name, runs.totals(number).count) for number, name in runs.labels()] == [("add", 5)]
        assert registry.latency("chain_wait_seconds").histograms.totals(1).count == 5

    run(test)


def test_a_pool_belongs_to_one_event_loop_and_ends_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "LOOK_SECONDS", 0.02)
    pool = Pool()

    async def use() -> None:
        await pool.submit(lambda: None, operation="nothing")

    async def leave() -> None:
        await use()
        asyncio.ensure_future(pool.submit(lambda: time.sleep(0.01), operation="note"))  # noqa: RUF006
        await asyncio.sleep(0)

    asyncio.run(leave())
    with pytest.raises(RunError, match="belongs to the event loop that used it first"):
        asyncio.run(use())
    for worker in pool._workers:
        worker.join(10)
    assert chain_threads() == []


def test_a_program_that_does_not_close_its_pool_ends() -> None:
    program = """
import asyncio
from chaffinch.chain import Pool, pool
pool.LOOK_SECONDS = 0.05
async def main():
    await Pool().submit(lambda: None, operation="nothing")
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_whatever_a_call_raises_comes_back() -> None:
    async def test() -> None:
        async with Pool(1) as pool:
            for raised in (StopIteration, KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit):

                def fail(raised: type[BaseException] = raised) -> None:
                    raise raised

                expected = RuntimeError if raised is StopIteration else raised
                with pytest.raises(expected):
                    await pool.submit(fail, operation="fail")
            assert await pool.submit(lambda: "still there", operation="name") == "still there"

    run(test)


def test_threads_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    original, allowed = threading.Thread.start, [0]

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith("chain "):
            if not allowed[0]:
                raise RuntimeError("can't start new thread")
            allowed[0] -= 1
        original(thread)

    monkeypatch.setattr(threading.Thread, "start", start)

    async def test() -> None:
        pool = Pool(4)
        with pytest.raises(RunError, match="no thread can be started"):
            await pool.submit(lambda: 1, operation="one")
        allowed[0] = 2
        assert await pool.submit(lambda: 1, operation="one") == 1
        assert len(chain_threads()) == 2
        await pool.close()
        assert chain_threads() == []

    run(test)


def test_the_queue_never_grows_past_its_bound_however_many_wait() -> None:
    async def test() -> None:
        highest, pool = 0, Pool(2, 3)

        def look() -> None:
            nonlocal highest
            highest = max(highest, pool.depth)

        async with pool:
            await asyncio.gather(*(pool.submit(look, operation="look", wait=True) for _ in range(500)))
            closing = [asyncio.ensure_future(pool.submit(look, operation="look", wait=True)) for _ in range(50)]
            await asyncio.sleep(0)
        await asyncio.gather(*closing)
        assert 0 < highest <= 3

    run(test)


@pytest.mark.parametrize(("threads", "queue"), [(0, 1), (1, 0), (-1, 5)])
def test_a_pool_that_cannot_run_anything_is_refused(threads: int, queue: int) -> None:
    with pytest.raises(InputError, match="give 1 or more"):
        Pool(threads, queue)
