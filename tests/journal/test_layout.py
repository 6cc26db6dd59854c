"""Names, listing and the lock."""

import threading
import time
from pathlib import Path

import pytest

from chaffinch.journal.layout import Layout, Listing, SegmentName, parse_name


def test_names() -> None:
    for name in (SegmentName(1), SegmentName(2**62, 3)):
        assert parse_name(name.file) == name
    assert SegmentName(1).file == "events-0000000000000000001.db"
    assert SegmentName(1, 2).file == "events-0000000000000000001.2.db"
    for other in (
        "events-1.db",
        "events-0000000000000000001.db-wal",
        "events-0000000000000000001.db.damaged",
        "catalog.db",
    ):
        assert parse_name(other) is None


def test_the_newest_generation_hides_the_others(tmp_path: Path) -> None:
    for name in (SegmentName(9), SegmentName(1), SegmentName(1, 1), SegmentName(1, 10)):
        (tmp_path / name.file).touch()
    assert Layout(tmp_path).segments() == [SegmentName(1, 10), SegmentName(9)]


def test_the_lock_excludes_threads(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    inside: list[int] = []

    def hold() -> None:
        with layout.lock("segments"):
            inside.append(1)
            assert len(inside) == 1
            time.sleep(0.01)
            inside.clear()

    threads = [threading.Thread(target=hold) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not inside


def test_preparing_waits_for_nobody(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "journal")
    layout.prepare()
    with layout.lock("segments"):
        beside = threading.Thread(target=Layout(layout.path).prepare, daemon=True)
        beside.start()
        beside.join(10)
        assert not beside.is_alive()


def test_a_lock_is_given_back_after_a_fault(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with pytest.raises(ValueError, match="x"), layout.lock("segments"):
        raise ValueError("x")
    with layout.lock("segments"):
        pass


def test_strays_go_and_databases_stay(tmp_path: Path) -> None:
    kept = ["events-0000000000000000001.db", "events-0000000000000000001.db-wal", "catalog.db", "catalog.db-shm"]
    for file in [*kept, "events-0000000000000000009.db-wal", "segment.new", "segment.new.empty-wal"]:
        (tmp_path / file).touch()
    Layout(tmp_path).remove_strays()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, "catalog.lock"])


def test_publish_replaces_nothing(tmp_path: Path) -> None:
    made, path = tmp_path / "made", tmp_path / "path"
    path.write_text("first")
    made.write_text("second")
    Layout(tmp_path).publish(made, path)
    assert path.read_text() == "first"
    assert not made.exists()


def test_a_listing_sees_every_change(tmp_path: Path) -> None:
    listing = Listing(tmp_path)
    for number in range(200):
        (tmp_path / f"{number}").touch()
        assert len(listing.files()) == number + 1
    time.sleep(0.1)
    listing.files()  # the last was too young to be trusted
    assert listing.files() is listing.files()
    (tmp_path / "0").unlink()
    assert len(listing.files()) == 199
