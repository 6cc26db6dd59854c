"""Segments that hold anything: reading raises what it documents, and takes for an event only what was written."""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaffinch.errors import RunError
from chaffinch.journal.reader import decode
from chaffinch.journal.segment import Block, DamagedError
from chaffinch.journal.sqlite import SqliteJournal
from tests.journal import in_memory
from tests.journal.events_of import SMALL, event, everything, fill, segments

EXAMPLES = 1000 if os.environ.get("CHAFFINCH_TEST_FUZZ") == "long" else 40
fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

WRITTEN = 1100


@pytest.fixture(scope="module")
def journal_directory() -> Iterator[Path]:
    """A journal of several segments, to be copied and spoiled."""
    with tempfile.TemporaryDirectory(dir=in_memory.place()) as name:
        journal = SqliteJournal(Path(name) / "whole", SMALL)
        fill(journal, WRITTEN)
        shutil.copytree(Path(name) / "whole", Path(name) / "killed")  # with its write-ahead log
        journal.close()
        yield Path(name)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.getLogger("chaffinch.journal").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("chaffinch.journal").setLevel(logging.NOTSET)


def spoiled(directory: Path, state: str = "whole") -> Path:
    for old in directory.glob("copy*"):
        shutil.rmtree(old, ignore_errors=True)
    copy = Path(tempfile.mkdtemp(prefix="copy", dir=directory))
    shutil.copytree(directory / state, copy, dirs_exist_ok=True)
    return copy


def check(directory: Path, which: int) -> None:
    """Everything that can be read is what was written, other segments lose nothing, and appending goes on."""
    path = segments(directory)[which]
    starts = [int(found.stem.split("-")[1]) for found in segments(directory)] + [WRITTEN + 1]
    which %= len(starts) - 1
    damaged = range(starts[which], starts[which + 1])
    try:
        journal = SqliteJournal(directory, SMALL)
        found = everything(journal)
    except RunError as error:  # a version that looks newer than ours is refused, in a sentence
        assert "has format" in str(error)  # noqa: PT017
        assert path.exists()
        return
    assert all(seq == number + 1 for seq, number in found)
    seqs = [seq for seq, _ in found]
    assert seqs == sorted(set(seqs))
    assert set(range(1, WRITTEN + 1)) - set(seqs) <= set(damaged)
    fill(journal, 1, start=7000)
    last = everything(journal)[-1]
    assert last[1] == 7000
    assert last[0] > max(seqs, default=0)
    journal.close()


@fuzz
@given(st.binary(max_size=20_000), st.integers(0, 3))
def test_random_bytes(journal_directory: Path, content: bytes, which: int) -> None:
    directory = spoiled(journal_directory)
    which = min(which, len(segments(directory)) - 1)
    segments(directory)[which].write_bytes(content)
    check(directory, which)


@fuzz
@given(
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=8), st.integers(0, 3)
)
def test_flipped_bits(journal_directory: Path, flips: list[tuple[float, int]], which: int) -> None:
    directory = spoiled(journal_directory)
    which = min(which, len(segments(directory)) - 1)
    path = segments(directory)[which]
    content = bytearray(path.read_bytes())
    for place, bit in flips:
        content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)
    check(directory, which)


@fuzz
@given(st.integers(0, 300), st.integers(0, 7), st.integers(0, 3))
def test_flipped_bits_where_sqlite_keeps_its_own(journal_directory: Path, place: int, bit: int, which: int) -> None:
    directory = spoiled(journal_directory)
    which = min(which, len(segments(directory)) - 1)
    path = segments(directory)[which]
    content = bytearray(path.read_bytes())
    offset = place if place < 150 else 4096 + place - 150  # the file's header and the first page of the table
    content[offset] ^= 1 << bit
    path.write_bytes(content)
    check(directory, which)


@fuzz
@given(st.floats(0, 1), st.binary(max_size=5000), st.integers(0, 3))
def test_cut_and_followed_by_garbage(journal_directory: Path, part: float, tail: bytes, which: int) -> None:
    directory = spoiled(journal_directory)
    which = min(which, len(segments(directory)) - 1)
    path = segments(directory)[which]
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)] + tail)
    check(directory, which)


@fuzz
@given(st.floats(0, 1), st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), max_size=5))
def test_a_log_that_a_crash_left_cut_or_spoiled(
    journal_directory: Path, part: float, flips: list[tuple[float, int]]
) -> None:
    directory = spoiled(journal_directory, "killed")
    (log,) = directory.glob("events-*.db-wal")
    content = bytearray(log.read_bytes()[: int(log.stat().st_size * part)])
    for place, bit in flips:
        if content:
            content[int(place * len(content))] ^= 1 << bit
    log.write_bytes(content)
    check(directory, -1)


@fuzz
@given(st.binary(max_size=300), st.integers(1, 5))
def test_a_body_of_anything_decodes_or_is_passed_over(body: bytes, count: int) -> None:
    try:
        records, unknown = decode(Block(10, count, body))
    except DamagedError:
        return
    assert len(records) + unknown == count


@fuzz
@given(st.text(max_size=200))
def test_any_text_comes_back(text: str) -> None:
    sent = event(1)
    from chaffinch.events import Command, Event, encode

    sent = Event(sent.time, Command(line=text))
    try:
        line = encode(sent)
    except UnicodeEncodeError:  # lone surrogates: `events.printable` makes none
        return
    assert b"\n" not in line
    assert decode(Block(1, 1, line))[0][0].event == sent
