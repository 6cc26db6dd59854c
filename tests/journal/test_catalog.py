"""Cursors, holes and counters; a catalog that is damaged."""

import logging
from pathlib import Path

import pytest

from chaffinch.errors import RunError
from chaffinch.journal.catalog import Catalog, Cursor, Hole
from chaffinch.journal.layout import Layout, SegmentName
from tests.journal.events_of import Clocks


def make(directory: Path) -> Catalog:
    layout = Layout(directory)
    layout.prepare()
    return Catalog(layout)


def test_cursors_never_go_back_unless_rewound(tmp_path: Path) -> None:
    catalog = make(tmp_path)
    assert catalog.cursor("a") == Cursor(0, 0)
    catalog.move("a", 10, 2)
    catalog.move("a", 5, 1)
    assert catalog.cursor("a") == Cursor(10, 3)
    catalog.rewind("a", 20)
    assert catalog.cursor("a").seq == 10
    catalog.rewind("a", 4)
    assert catalog.cursor("a").seq == 4
    catalog.close()
    assert make(tmp_path).cursor("a") == Cursor(4, 3)


def test_holes(tmp_path: Path) -> None:
    catalog = make(tmp_path)
    catalog.note_damage([Hole(10, 19, 10), Hole(30, 1029, 5)])
    assert catalog.events_within(1, 1029) == 9 + 10
    assert catalog.events_within(12, 15) == 0
    assert catalog.missing_within(1, 1029) == 9 + 10 + 10 + 5
    assert catalog.missing_within(30, 31) == 2
    assert catalog.furthest() == 1029
    catalog.note_damage([Hole(1, 2000, 40)])
    assert catalog.holes(0, 5000) == [Hole(1, 2000, 40)]
    assert catalog.counters() == {"damaged_segments": 2, "damaged_events": 40}


def test_a_segment_is_counted_as_dropped_once(tmp_path: Path) -> None:
    catalog = make(tmp_path)
    names = [SegmentName(1), SegmentName(101)]
    catalog.ages(names, Clocks()(), 10**9)
    for _ in range(2):
        catalog.note_dropped(names[0], 100, 4096)
    assert catalog.counters() == {"dropped_segments": 1, "dropped_events": 100, "dropped_bytes": 4096}


def test_two_make_it_at_once(tmp_path: Path) -> None:
    one, two = make(tmp_path), make(tmp_path)
    one._create()
    two._create()
    one.move("a", 1, 0)
    assert two.cursor("a").seq == 1


@pytest.mark.parametrize("content", [b"", b"no database" * 1000])
def test_damaged_it_begins_again(tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes) -> None:
    catalog = make(tmp_path)
    catalog.move("a", 7, 0)
    catalog.close()
    (tmp_path / "catalog.db").write_bytes(content)
    with caplog.at_level(logging.ERROR):
        assert make(tmp_path).cursor("a").seq == 0
    assert caplog.text.count("journal.catalog_damaged") == 1
    assert (tmp_path / "catalog.db.damaged").read_bytes() == content


def test_damaged_within(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    catalog = make(tmp_path)
    catalog.move("a", 7, 0)
    catalog.close()
    path = tmp_path / "catalog.db"
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    again = make(tmp_path)
    assert again.cursor("a").seq == 0
    assert caplog.text.count("journal.catalog_damaged") == 1
    again.close()


def test_damaged_where_opening_does_not_look(tmp_path: Path) -> None:
    catalog = make(tmp_path)
    for number in range(2000):
        catalog.move(f"consumer {number}", 7, 0)
    catalog.close()
    path = tmp_path / "catalog.db"
    again = make(tmp_path)
    assert again.cursor("consumer 0").seq == 7
    content = path.read_bytes()
    path.write_bytes(content[: 6 * 4096] + b"\xff" * (len(content) - 6 * 4096))
    with pytest.raises(RunError, match=r"was damaged .* and is begun again"):
        _ = [again.cursor(f"consumer {number}") for number in range(2000)]
    assert again.cursor("consumer 0").seq == 0
    again.close()
