"""The journal as a whole, in one process."""

import asyncio
import gc
import os
import stat
import threading
from pathlib import Path

import pytest

from chaffinch.config import JournalSettings
from chaffinch.errors import InputError, RunError
from chaffinch.events import Command, Event, JournalLost
from chaffinch.journal.settings import MAX_EVENT_BYTES, MIB
from chaffinch.journal.sqlite import SqliteJournal
from tests.journal.events_of import SMALL, event, everything, fill, segments


def test_order_and_seqs(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path, SMALL)
    fill(journal, 3000)
    assert everything(journal) == [(n + 1, n) for n in range(3000)]
    assert (journal.first_seq(), journal.last_seq()) == (1, 3000)
    assert [record.seq for record in journal.read(1500, 3)] == [1501, 1502, 1503]
    assert len(segments(tmp_path)) > 3
    journal.close()
    again = SqliteJournal(tmp_path, SMALL)
    assert again.last_seq() == 3000
    fill(again, 1, start=3000)
    assert everything(again)[-1] == (3001, 3000)
    again.close()


def test_event_comes_back_as_it_was(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    sent = Event(time=-1, fact=Command(line='line\\n "quoted" \u202e ☃ \x00'), service="http")
    journal.publish(sent)
    journal.flush_sync(5)
    assert [record.event for record in journal.read()] == [sent]
    journal.close()


def test_empty(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    assert (journal.read(), journal.first_seq(), journal.last_seq()) == ([], 1, 0)
    assert journal.stats().segments == 0
    journal.flush_sync(0.1)
    asyncio.run(journal.flush())
    journal.close()


def test_flush_in_a_loop(tmp_path: Path) -> None:
    async def run() -> None:
        journal = SqliteJournal(tmp_path, SMALL)
        for n in range(10):
            journal.publish(event(n))
            await journal.flush(5)
            assert journal.last_seq() == n + 1
        await asyncio.gather(*(journal.flush(5) for _ in range(10)))
        journal.close()

    asyncio.run(run())


def test_nothing_runs_before_first_use(tmp_path: Path) -> None:
    threads = threading.active_count()
    journal = SqliteJournal(tmp_path)
    assert threading.active_count() == threads
    assert sorted(path.name for path in tmp_path.iterdir()) == ["segments.lock", "wake"]
    journal.publish(event(1))
    assert threading.active_count() == threads + 1
    journal.close()
    assert threading.active_count() == threads


def test_queue_bound_is_counted(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path, JournalSettings(queue_events=100, flush_ms=500))
    journal.publish_many([event(n) for n in range(150)])
    assert journal.stats().lost == 50
    journal.flush_sync(5)
    journal.close()
    found = [record.event.fact for record in SqliteJournal(tmp_path).read(0, 1000)]
    assert sum(fact.count for fact in found if isinstance(fact, JournalLost)) == 50
    assert sum(isinstance(fact, Command) for fact in found) == 100


def test_queue_bytes_are_bounded(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path, JournalSettings(queue_bytes=MIB, flush_ms=500))
    journal.publish_many([event(n, width=1000) for n in range(2000)])
    stats = journal.stats()
    assert stats.lost + stats.waiting + stats.appended == 2000
    assert stats.waiting_bytes <= MIB
    assert stats.lost > 900
    journal.close()


def test_too_long_an_event_is_lost_alone(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    journal.publish_many([event(1), event(2, width=MAX_EVENT_BYTES), event(3)])
    journal.flush_sync(5)
    assert [pair[1] for pair in everything(journal)] == [1, 3]
    assert journal.stats().lost == 1
    journal.close()


def test_publish_after_close_is_counted(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    journal.publish(event(1))
    journal.close()
    journal.publish(event(2))
    assert journal.stats().lost == 1
    journal.close()


def test_files_are_private(tmp_path: Path) -> None:
    directory = tmp_path / "state" / "journal"
    journal = SqliteJournal(directory)
    journal.publish(event(1))
    journal.flush_sync(5)
    journal.stats()
    for path in [directory, *directory.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    journal.close()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_what_root_makes_belongs_to_the_directorys_owner(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    directory.mkdir()
    os.chown(directory, 12345, 12345)

    async def run() -> set[int]:
        journal = SqliteJournal(directory, SMALL)
        await journal.consumer("one").next_batch(0.01)
        fill(journal, 1000)
        owners = {path.stat().st_uid for path in directory.rglob("*")}
        journal.close()
        return owners

    assert asyncio.run(run()) == {12345}


def test_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot write in .*file/journal: Not a directory; choose another"):
        SqliteJournal(tmp_path / "file" / "journal")
    with pytest.raises(RunError, match="cannot write in /proc/journal"):
        SqliteJournal(Path("/proc/journal"))


def test_bad_settings(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"journal settings: .*max_bytes"):
        SqliteJournal(tmp_path, JournalSettings(max_bytes=5))


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    journal.publish(event(1))
    journal.close()
    with open(segments(tmp_path)[0], "r+b") as file:
        file.seek(60)
        file.write((2).to_bytes(4, "big"))
    with pytest.raises(RunError, match="has format 2, this release reads up to 1"):
        SqliteJournal(tmp_path)


def test_a_removed_segment_does_not_stop_appending(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path, SMALL)
    fill(journal, 10)
    for path in tmp_path.glob("events-*"):
        path.unlink()
    fill(journal, 10, start=10)
    assert everything(journal) == [(n + 1, n) for n in range(10, 20)]
    journal.close()


def test_the_log_stays_small_with_a_slow_reader(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path, JournalSettings(max_bytes=64 * MIB, segment_bytes=2 * MIB, flush_ms=0))
    fill(journal, 100)
    (path,) = segments(tmp_path)
    from chaffinch.journal.segment import Segment

    stuck = Segment(path)
    reading = stuck.blocks(1)
    next(reading)  # a read transaction that stays open
    fill(journal, 20_000)
    assert sum(wal.stat().st_size for wal in tmp_path.glob("*-wal")) < 8 * MIB
    assert len(segments(tmp_path)) > 1
    reading.close()
    stuck.close()
    journal.close()
    gc.collect()
