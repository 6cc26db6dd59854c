"""The bounds in bytes and age, and clocks that are wrong."""

import asyncio
from pathlib import Path

from chaffinch.config import JournalSettings
from chaffinch.events import SegmentDropped
from chaffinch.journal import worker
from chaffinch.journal.retention import Dropped
from chaffinch.journal.settings import MIB
from chaffinch.journal.sqlite import SqliteJournal
from tests.journal.events_of import SMALL, Clocks, event, everything, fill, segments

AGED = JournalSettings(max_bytes=64 * MIB, segment_bytes=128 << 10, max_age_days=90, flush_ms=1)


def disk(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def test_bytes_never_pass_the_bound(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path, SMALL)
    most = 0
    for at in range(0, 30_000, 1000):
        fill(journal, 1000, start=at)
        most = max(most, disk(tmp_path))
    assert SMALL.max_bytes // 2 < most <= SMALL.max_bytes
    stats = journal.stats()
    assert stats.dropped_segments > 5
    assert stats.first_seq == stats.dropped_events + 1
    facts = [record.event.fact for record in journal.read(0, 40_000)]
    told = [fact for fact in facts if isinstance(fact, SegmentDropped)]
    assert told
    assert all(fact.why == "bytes" and fact.last_seq - fact.first_seq + 1 == fact.events for fact in told)
    journal.close()


def test_age(tmp_path: Path) -> None:
    clocks = Clocks()
    journal = SqliteJournal(tmp_path, AGED, clocks=clocks)
    fill(journal, 1000)
    journal.enforce_retention()
    clocks.pass_days(89)
    assert journal.enforce_retention() == Dropped()
    clocks.pass_days(2)
    dropped = journal.enforce_retention()
    assert dropped.segments >= 1
    assert journal.first_seq() == dropped.events + 1
    assert journal.last_seq() >= 1000
    journal.close()


def test_a_quiet_fleets_events_go_in_time_too(tmp_path: Path) -> None:
    clocks = Clocks()
    journal = SqliteJournal(tmp_path, AGED, clocks=clocks)
    fill(journal, 10)
    for _ in range(100):
        clocks.pass_days(1)
        journal.enforce_retention()
    assert everything(journal) == []
    fill(journal, 1, start=10)
    assert [number for _, number in everything(journal)] == [10]
    journal.close()


def test_a_wall_clock_that_jumps_drops_nothing(tmp_path: Path) -> None:
    clocks = Clocks()
    journal = SqliteJournal(tmp_path, AGED, clocks=clocks)
    fill(journal, 3000)
    for days in (10_000, -20_000, 40_000):
        clocks.wall += days * 86400 * 10**9
        assert journal.enforce_retention() == Dropped()
    assert [number for _, number in everything(journal)] == list(range(3000))
    journal.close()


def test_a_clock_years_ahead_after_a_reboot_costs_a_tenth(tmp_path: Path) -> None:
    clocks = Clocks()
    journal = SqliteJournal(tmp_path, AGED, clocks=clocks)
    for at in range(90):  # a segment a day
        fill(journal, 10, start=at * 10)
        journal._appender.seal()
        journal.enforce_retention()
        clocks.pass_days(1)
    before = len(segments(tmp_path))
    clocks.boot_id, clocks.boot = "b", 0
    clocks.wall += 3000 * 86400 * 10**9
    journal.enforce_retention()
    assert before - len(segments(tmp_path)) <= 10
    journal.close()


def test_order_survives_a_clock_that_is_set_back(tmp_path: Path) -> None:
    now = [2_000_000_000_000_000_000]
    journal = SqliteJournal(tmp_path, SMALL, clock=lambda: now[0])
    fill(journal, 500)
    now[0] = 1
    fill(journal, 500, start=500)
    journal.enforce_retention()
    assert everything(journal) == [(n + 1, n) for n in range(1000)]
    journal.close()


def test_a_kill_between_counting_and_unlinking_counts_once(tmp_path: Path) -> None:
    clocks = Clocks()
    journal = SqliteJournal(tmp_path, AGED, clocks=clocks)
    fill(journal, 2000)
    journal.enforce_retention()
    oldest = journal._layout.segments()[0]
    journal._catalog.note_dropped(oldest, 7, 7)  # and the process dies here
    clocks.pass_days(91)
    journal.enforce_retention()
    names = [fact.segment for record in journal.read(0, 5000) if isinstance(fact := record.event.fact, SegmentDropped)]
    assert journal.stats().dropped_segments >= len(names) - 1
    assert not (tmp_path / oldest.file).exists()
    journal.close()


def test_the_worker_stops_when_told(tmp_path: Path) -> None:
    class Store:
        rounds = 0

        def enforce_retention(self) -> int:
            self.rounds += 1
            return 0

    class Context:
        def __init__(self) -> None:
            self.journal = SqliteJournal(tmp_path, SMALL)
            self.store = Store()
            self.stopping = asyncio.Event()

    async def run() -> None:
        context = Context()
        context.journal.publish(event(1))
        running = asyncio.create_task(worker.run(context))
        while not context.store.rounds:
            await asyncio.sleep(0.01)
        context.stopping.set()
        await asyncio.wait_for(running, 2)
        context.journal.close()

    asyncio.run(run())
