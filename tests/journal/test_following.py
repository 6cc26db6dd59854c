"""Reading batch after batch until it is time to stop."""

import asyncio
import time
from pathlib import Path

from chaffinch.journal.following import batches
from chaffinch.journal.sqlite import SqliteJournal
from tests.journal.events_of import event


async def read(journal: SqliteJournal, seconds: float) -> list[int]:
    """The numbers of what comes within that time; all of it is committed."""
    consumer, stopping = journal.consumer("one"), asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, stopping.set)
    seen: list[int] = []
    async for batch in batches(consumer, stopping):
        seen += [record.seq for record in batch]
        consumer.commit(batch[-1].seq)
    consumer.close()
    return seen


def test_who_waits_for_events_ends_at_once(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    began = time.monotonic()
    assert asyncio.run(read(journal, 0.1)) == []
    assert 0.09 < time.monotonic() - began < 0.6
    journal.close()


def test_whenever_it_stops_each_event_comes_once(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    seen: list[int] = []
    for number in range(40):
        journal.publish(event(number))
        journal.flush_sync(10)
        seen += asyncio.run(read(journal, 0.0005 * number))
    assert seen + asyncio.run(read(journal, 0.2)) == list(range(1, 41))
    journal.close()
