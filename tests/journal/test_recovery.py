"""Damaged segments: set aside, what can be read is kept, the rest is read on, appending goes on."""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from chaffinch.events import SegmentDamaged
from chaffinch.journal.layout import SegmentName, parse_name
from chaffinch.journal.sqlite import SqliteJournal
from tests.journal.events_of import SMALL, event, everything, fill, segments


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size * 3 // 4)


def zero_length(path: Path) -> None:
    os.truncate(path, 0)


def random_bytes(path: Path) -> None:
    path.write_bytes(os.urandom(50_000))


def garbage_in_the_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    at = len(content) // 2
    content[at : at + 9000] = os.urandom(9000)
    path.write_bytes(content)


def flipped_bit_in_a_body(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(b"xxxx", len(content) // 2)] ^= 1
    path.write_bytes(content)


def missing_block(path: Path) -> None:
    db = apsw.Connection(str(path))
    db.execute("DELETE FROM blocks WHERE first = (SELECT first FROM blocks ORDER BY first LIMIT 1 OFFSET 1)")
    db.close()


def another_database(path: Path) -> None:
    path.unlink()
    db = apsw.Connection(str(path))
    db.execute("CREATE TABLE blocks (x)")
    db.close()


def without_its_table(path: Path) -> None:
    db = apsw.Connection(str(path))
    db.execute("DROP TABLE blocks")
    db.close()


DAMAGES = [
    truncated, zero_length, random_bytes, garbage_in_the_middle, flipped_bit_in_a_body, missing_block, another_database,
    without_its_table,
]  # fmt: skip
KEEPS = {truncated, garbage_in_the_middle, flipped_bit_in_a_body, missing_block}


def filled(directory: Path) -> list[Path]:
    """A journal of 2290 events in several segments, closed."""
    journal = SqliteJournal(directory, SMALL)
    fill(journal, 2290)
    journal.close()
    found = segments(directory)
    assert len(found) > 3
    return found


@pytest.mark.parametrize("spoil", DAMAGES)
@pytest.mark.parametrize("which", [0, 1, -1], ids=["first", "middle", "last"])
def test_damage(tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], None], which: int) -> None:
    paths = filled(tmp_path)
    name = parse_name(paths[which].name)
    assert name is not None
    end = 2290 if which == -1 else int(paths[which + 1].stem.split("-")[1]) - 1
    spoil(paths[which])
    journal = SqliteJournal(tmp_path, SMALL)
    found = everything(journal)
    assert all(seq == number + 1 for seq, number in found)
    assert [seq for seq, _ in found] == sorted({seq for seq, _ in found})
    lost = set(range(1, 2291)) - {seq for seq, _ in found}
    assert lost <= set(range(name.first, end + 1)), "only events of the damaged segment are missing"
    assert lost
    if spoil in KEEPS:
        assert len(lost) < end - name.first + 1, "what can be read is kept"
    assert [path.name for path in tmp_path.glob("*.damaged")] == [f"{name.file}.damaged"]
    fill(journal, 50, start=5000)
    again = everything(journal)
    assert again[: len(found)] == found
    assert [number for _, number in again[len(found) :]] == list(range(5000, 5050))
    assert again[len(found)][0] > max(2290, found[-1][0])
    journal.flush_sync(5)
    assert journal.stats().damaged_segments == 1
    damaged = [record.event.fact for record in journal.read(0, 5000) if isinstance(record.event.fact, SegmentDamaged)]
    assert [(fact.segment, fact.first_seq) for fact in damaged] == [(name.file, name.first)]
    if which != -1:
        assert damaged[0].events == journal.stats().damaged_events == len(lost)
    assert caplog.text.count("journal.segment_damaged") == 1
    journal.close()


def test_the_writer_finds_the_damage(tmp_path: Path) -> None:
    paths = filled(tmp_path)
    random_bytes(paths[-1])
    journal = SqliteJournal(tmp_path, SMALL)
    fill(journal, 10, start=3000)
    assert [number for _, number in everything(journal)[-10:]] == list(range(3000, 3010))
    assert journal.stats().damaged_segments == 1
    journal.close()


def test_every_segment_is_damaged(tmp_path: Path) -> None:
    for path in filled(tmp_path):
        zero_length(path)
    journal = SqliteJournal(tmp_path, SMALL)
    assert everything(journal) == []
    fill(journal, 10)
    found = everything(journal)
    assert [number for _, number in found] == list(range(10))
    assert found[0][0] > 2290
    journal.close()


def test_a_rebuilt_segment_is_damaged_again(tmp_path: Path) -> None:
    paths = filled(tmp_path)
    flipped_bit_in_a_body(paths[1])
    journal = SqliteJournal(tmp_path, SMALL)
    first = everything(journal)
    journal.close()
    name = parse_name(paths[1].name)
    assert name is not None
    rebuilt = tmp_path / SegmentName(name.first, 1).file
    flipped_bit_in_a_body(rebuilt)
    journal = SqliteJournal(tmp_path, SMALL)
    second = everything(journal)
    assert set(second) < set(first)
    journal.flush_sync(5)
    assert journal.stats().damaged_events == 2290 - len(second)
    journal.close()


def test_a_consumer_counts_what_it_missed(tmp_path: Path) -> None:
    paths = filled(tmp_path)
    zero_length(paths[1])
    first, end = (int(path.stem.split("-")[1]) for path in paths[1:3])

    async def run() -> None:
        journal = SqliteJournal(tmp_path, SMALL)
        consumer = journal.consumer("one")
        seqs: list[int] = []
        while batch := await consumer.next_batch(0):
            seqs += [record.seq for record in batch]
            consumer.commit(batch[-1].seq)
        assert [seq for seq in seqs if seq <= 2290] == [*range(1, first), *range(end, 2291)]
        assert consumer.missed == end - first
        journal.close()

    asyncio.run(run())


@pytest.mark.parametrize("step", ["publish", "set_aside", "note_damage"])
def test_a_kill_between_the_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    paths = filled(tmp_path)
    flipped_bit_in_a_body(paths[1])
    journal = SqliteJournal(tmp_path, SMALL)
    owner = journal._catalog if step == "note_damage" else journal._layout
    with monkeypatch.context() as patch:
        if step == "publish":
            journal.stats()  # the catalog is made by `publish` too
        patch.setattr(owner, step, die)
        with pytest.raises(Killed):
            everything(journal)
    journal.close()
    again = SqliteJournal(tmp_path, SMALL)
    found = everything(again)
    assert 1500 < len(found) < 2290
    assert all(seq == number + 1 for seq, number in found)
    again.enforce_retention()
    assert len(list(tmp_path.glob("*.damaged"))) == 1
    assert everything(again) == found
    again.close()


def test_a_kill_before_the_next_segment_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    flipped_bit_in_a_body(filled(tmp_path)[-1])
    journal = SqliteJournal(tmp_path, SMALL)
    with monkeypatch.context() as patch:
        patch.setattr("chaffinch.journal.recovery.start_segment", die)
        with pytest.raises(Killed):
            everything(journal)
    journal.close()
    again = SqliteJournal(tmp_path, SMALL)
    found = everything(again)
    fill(again, 10, start=5000)
    assert [number for _, number in everything(again)[len(found) :]] == list(range(5000, 5010))
    assert again.stats().damaged_events <= 290, "seqs that nobody had are not counted"
    again.close()


def test_set_aside_segments_are_bounded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    filled(tmp_path)
    for number in range(5):
        (tmp_path / f"events-{number:019d}.db.damaged").write_bytes(b"x" * 150_000)
    journal = SqliteJournal(tmp_path, SMALL)
    with caplog.at_level(logging.WARNING):
        journal.enforce_retention()
    assert sum(path.stat().st_size for path in tmp_path.glob("*.damaged")) <= SMALL.max_bytes // 10
    assert "journal.damaged_removed" in caplog.text
    journal.close()


def test_an_event_of_an_unknown_kind_is_passed_over(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path, SMALL)
    journal._writer.put([b'{"time":1,"fact":{"kind":"from.the.future"}}'])
    journal.publish(event(1))
    journal.flush_sync(5)

    async def run() -> None:
        consumer = journal.consumer("one")
        assert [record.seq for record in await consumer.next_batch(0)] == [2]
        consumer.commit(2)
        assert (consumer.missed, consumer.lag()) == (1, 0)

    asyncio.run(run())
    assert not list(tmp_path.glob("*.damaged"))
    journal.close()
