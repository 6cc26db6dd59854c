"""Consumers: order, cursors, waking."""

import asyncio
import time
from pathlib import Path

from chaffinch.journal.protocol import Record
from chaffinch.journal.sqlite import SqliteConsumer, SqliteJournal
from chaffinch.journal.wake import POLL_SECONDS
from tests.journal.events_of import SMALL, event, fill, number, segments


async def take(consumer: SqliteConsumer, *, commit: bool = True) -> list[Record]:
    """Everything that is there."""
    found: list[Record] = []
    while batch := await consumer.next_batch(0):
        found += batch
        if commit:
            consumer.commit(batch[-1].seq)
    return found


def test_batches_in_order_over_segments(tmp_path: Path) -> None:
    async def run() -> None:
        journal = SqliteJournal(tmp_path, SMALL)
        fill(journal, 2000)
        consumer = journal.consumer("one", batch=77)
        assert consumer.lag() == 2000
        sizes = []
        seqs: list[int] = []
        while batch := await consumer.next_batch(0):
            sizes.append(len(batch))
            seqs += [record.seq for record in batch]
            assert [number(record.event) for record in batch] == [record.seq - 1 for record in batch]
            consumer.commit(batch[-1].seq)
        assert seqs == list(range(1, 2001))
        assert set(sizes[:-1]) == {77}
        assert (consumer.lag(), consumer.missed) == (0, 0)
        journal.close()

    asyncio.run(run())


def test_what_was_not_committed_comes_again(tmp_path: Path) -> None:
    async def run() -> None:
        journal = SqliteJournal(tmp_path, SMALL)
        fill(journal, 100)
        first = journal.consumer("one", batch=10)
        batch = await first.next_batch(0)
        first.commit(batch[4].seq)
        await first.next_batch(0)
        journal.close()
        again = SqliteJournal(tmp_path, SMALL)
        assert (await again.consumer("one", batch=10).next_batch(0))[0].seq == 6
        assert (await again.consumer("two", batch=10).next_batch(0))[0].seq == 1
        again.close()

    asyncio.run(run())


def test_one_name_is_one_cursor(tmp_path: Path) -> None:
    async def run() -> None:
        one, two = SqliteJournal(tmp_path, SMALL), SqliteJournal(tmp_path, SMALL)
        fill(one, 100)
        here, there = one.consumer("same", batch=10), two.consumer("same", batch=10)
        here.commit((await here.next_batch(0))[-1].seq)
        assert (await there.next_batch(0))[0].seq == 11
        there.commit(5)
        assert there.committed == 10
        one.close()
        two.close()

    asyncio.run(run())


def test_rewind(tmp_path: Path) -> None:
    async def run() -> None:
        journal = SqliteJournal(tmp_path, SMALL)
        fill(journal, 100)
        consumer = journal.consumer("one")
        await take(consumer)
        consumer.rewind(40)
        assert [record.seq for record in await take(consumer)] == list(range(41, 101))
        journal.close()

    asyncio.run(run())


def test_wakes_well_before_it_would_look(tmp_path: Path) -> None:
    async def run() -> list[float]:
        deep = tmp_path / ("d" * 100) / ("e" * 100)  # longer than a socket's path may be
        journal = SqliteJournal(deep, SMALL)
        consumer = journal.consumer("one")
        waits = []
        for n in range(20):
            waiting = asyncio.create_task(consumer.next_batch(5))
            await asyncio.sleep(0.01)
            began = time.monotonic()
            journal.publish(event(n))
            assert [number(record.event) for record in await waiting] == [n]
            waits.append(time.monotonic() - began)
        journal.close()
        return waits

    waits = sorted(asyncio.run(run()))
    assert waits[len(waits) // 2] < POLL_SECONDS / 5


def test_times_out_empty_and_is_cancelled(tmp_path: Path) -> None:
    async def run() -> None:
        journal = SqliteJournal(tmp_path, SMALL)
        consumer = journal.consumer("one")
        assert await consumer.next_batch(0.05) == []
        waiting = asyncio.create_task(consumer.next_batch())
        await asyncio.sleep(0.05)
        waiting.cancel()
        assert (await asyncio.gather(waiting, return_exceptions=True))[0].__class__ is asyncio.CancelledError
        fill(journal, 1)
        assert len(await consumer.next_batch(1)) == 1
        journal.close()
        assert list((tmp_path / "wake").iterdir()) == []

    asyncio.run(run())


def test_one_journal_in_two_loops_one_after_the_other(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path, SMALL)
    consumer = journal.consumer("one")
    for n in range(2):
        fill(journal, 1, start=n)
        assert len(asyncio.run(consumer.next_batch(1))) == 1
    journal.close()


def test_polls_when_no_socket_can_be_bound(tmp_path: Path) -> None:
    async def run() -> None:
        journal = SqliteJournal(tmp_path, SMALL)
        (tmp_path / "wake").rmdir()
        consumer = journal.consumer("one")
        waiting = asyncio.create_task(consumer.next_batch(5))
        await asyncio.sleep(0.01)
        (tmp_path / "wake").mkdir()
        fill(journal, 1)
        assert len(await waiting) == 1
        journal.close()

    asyncio.run(run())


def test_a_consumer_behind_the_oldest_segment_counts_what_it_missed(tmp_path: Path) -> None:
    async def run() -> None:
        journal = SqliteJournal(tmp_path, SMALL)
        fill(journal, 100)
        consumer = journal.consumer("slow", batch=50)
        consumer.commit((await consumer.next_batch(0))[-1].seq)
        consumer.close()  # it lets go of what it read ahead
        fill(journal, 20_000)  # more than the journal holds
        first = journal.first_seq()
        assert first > 51
        found = await take(consumer, commit=False)
        assert found[0].seq == first
        assert consumer.missed == first - 51
        consumer.commit(found[-1].seq)
        assert consumer.missed == first - 51
        journal.close()
        assert len(segments(tmp_path)) > 1

    asyncio.run(run())
