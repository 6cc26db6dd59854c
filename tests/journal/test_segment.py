"""Blocks and segment files."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.errors import RunError
from chaffinch.journal.segment import (
    APPLICATION_ID,
    FORMAT,
    Block,
    DamagedError,
    Segment,
    VanishedError,
    blocks,
    checked_block,
    open_database,
)


@given(st.integers(1, 2**62), st.lists(st.binary(min_size=1, max_size=40)), st.integers(1, 100))
def test_blocks_are_consecutive_and_bounded(first: int, lines: list[bytes], limit: int) -> None:
    lines = [line.replace(b"\n", b" ") for line in lines]
    made = list(blocks(first, lines, limit))
    at = first
    for block in made:
        assert block.first == at
        at += block.events
        assert len(block.body) <= limit + 40
    assert at == first + len(lines)
    assert b"\n".join(block.body for block in made).split(b"\n") == (lines or [b""])


def test_blocks_come_back(tmp_path: Path) -> None:
    path = tmp_path / "events-0000000000000000005.db"
    Segment.create(path)
    made = list(blocks(5, [b"%d" % n * 100 for n in range(1000)], 4096))
    segment = Segment(path)
    assert segment.end() is None
    segment.append(made)
    assert segment.end() == 1005
    assert list(segment.blocks(5)) == made
    assert next(segment.blocks(500)).last >= 500 >= next(segment.blocks(500)).first
    assert list(segment.blocks(1005)) == []
    assert list(segment.whole_blocks(0, backwards=True)) == made[::-1]
    segment.close()
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("change", ["first", "events", "body", "crc"])
def test_a_changed_block_is_seen(change: str) -> None:
    block = Block(7, 2, b"{}\n{}")
    row = {"first": block.first, "events": block.events, "crc": block.crc, "body": block.body}
    assert checked_block(tuple(row.values())) == block
    row[change] = b"{}\n{]" if change == "body" else int(str(row[change])) ^ 1
    with pytest.raises(DamagedError):
        checked_block(tuple(row.values()))


@pytest.mark.parametrize(
    "row", [(None, 1, 1, b"x"), (1, 0, 1, b""), (1, 5, 1, b"x"), (1, 1, 1, "text"), (1.5, 1, 1, b"x")]
)
def test_a_row_that_is_no_block(row: tuple[object, ...]) -> None:
    with pytest.raises(DamagedError):
        checked_block(row)


def test_headers(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    with pytest.raises(VanishedError):
        open_database(path, APPLICATION_ID, FORMAT)
    for content in (b"", b"SQLite format 3\0", b"x" * 5000):
        path.write_bytes(content)
        with pytest.raises(DamagedError):
            open_database(path, APPLICATION_ID, FORMAT)
    path.unlink()
    Segment.create(path)
    open_database(path, APPLICATION_ID, FORMAT).close()
    with pytest.raises(RunError, match="has format 1, this release reads up to 0"):
        open_database(path, APPLICATION_ID, 0)
    with pytest.raises(DamagedError):
        open_database(path, APPLICATION_ID + 1, FORMAT)


@pytest.mark.parametrize(("offset", "values"), [(18, [3, 18]), (19, [0, 1, 3, 18])], ids=["write", "read"])
def test_a_header_that_forbids_to_append_is_damage(tmp_path: Path, offset: int, values: list[int]) -> None:
    path = tmp_path / "file.db"
    Segment.create(path)
    for value in values:
        content = bytearray(path.read_bytes())
        content[offset] = value
        other = tmp_path / f"{value}.db"
        other.write_bytes(content)
        with pytest.raises(DamagedError):
            open_database(other, APPLICATION_ID, FORMAT)


def test_opening_twice_in_a_process_keeps_its_locks(tmp_path: Path) -> None:
    path = tmp_path / "events-0000000000000000001.db"
    Segment.create(path)
    writing = Segment(path)
    writing.append([Block(1, 1, b"{}")])
    Segment(path).close()
    open_database(path, APPLICATION_ID, FORMAT).close()
    script = (
        "import apsw, sys; db = apsw.Connection(sys.argv[1]); db.execute('SELECT * FROM blocks').fetchall(); db.close()"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    assert path.with_name(path.name + "-wal").exists(), (
        "another process that closes must not take the log from under us"
    )
    writing.append([Block(2, 1, b"{}")])
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    reading = Segment(path)
    assert reading.end() == 3
    reading.close()
    writing.close()
