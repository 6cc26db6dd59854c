"""A disk that is full: appending stops, says so once, counts what it cannot hold, and resumes by itself."""

import contextlib
import logging
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chaffinch.config import JournalSettings
from chaffinch.errors import RunError
from chaffinch.events import JournalLost
from chaffinch.journal.settings import MIB
from chaffinch.journal.sqlite import SqliteJournal
from tests.journal.events_of import event, everything, fill

SETTINGS = JournalSettings(max_bytes=64 * MIB, segment_bytes=4 * MIB, flush_ms=1, queue_events=1000)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs root and mounts")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def fill_up(path: Path) -> None:
    """Leave no room on a file system."""
    with open(path, "wb", buffering=0) as ballast, contextlib.suppress(OSError):
        for _ in range(10_000):
            ballast.write(b"x" * 4096)


def check_full(journal: SqliteJournal, caplog: pytest.LogCaptureFixture, free: Callable[[], None]) -> None:
    sent = 0
    while not journal._writer.counts().full:
        journal.publish_many([event(n, width=200) for n in range(sent, sent + 100)])
        sent += 100
        until(lambda: journal._writer.counts().full or not journal._writer.counts().waiting)
        assert sent < 100_000
    began = time.perf_counter()
    journal.publish_many([event(n, width=200) for n in range(sent, sent + 3000)])
    assert time.perf_counter() - began < 0.5, "publishing never waits for the disk"
    sent += 3000
    with pytest.raises(RunError, match="not yet durable"):
        journal.flush_sync(0.05)
    stats = journal._writer.counts()
    assert (stats.full, stats.waiting, stats.appended + stats.waiting + stats.lost) == (True, 1000, sent)
    time.sleep(1.2)  # it tries again meanwhile
    assert caplog.text.count("journal.full") == 1
    free()
    journal.flush_sync(10)
    fill(journal, 1, start=sent)
    until(lambda: "journal.lost" in caplog.text)
    assert "journal.resumed" in caplog.text
    lost = [fact for record in journal.read(0, 100_000) if isinstance(fact := record.event.fact, JournalLost)]
    assert sum(fact.count for fact in lost) == stats.lost
    assert all(fact.why == "disk full" and fact.first <= fact.last for fact in lost)
    numbers = [number for _, number in everything(journal)]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == sent + 1 - stats.lost


@pytest.mark.root
def test_a_real_one(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 400_000)
    journal = SqliteJournal(small_disk / "journal", SETTINGS)
    check_full(journal, caplog, lambda: os.system(f"mount -o remount,size=16m {small_disk}"))  # type: ignore[arg-type]
    journal.close()


def test_as_sqlite_says_it(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    from chaffinch.journal import segment

    caplog.set_level(logging.WARNING)
    connect, pages = segment.connect, [100]

    def bounded(path: Path, *, salvage: bool = False) -> object:
        db = connect(path, salvage=salvage)
        db.execute(f"PRAGMA max_page_count = {pages[0]}")
        return db

    monkeypatch.setattr(segment, "connect", bounded)
    journal = SqliteJournal(tmp_path, SETTINGS)
    check_full(journal, caplog, lambda: pages.__setitem__(0, 1 << 20))
    journal.close()


@pytest.mark.root
def test_full_from_the_start(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    journal = SqliteJournal(small_disk / "journal", SETTINGS)
    fill_up(small_disk / "ballast")
    journal.publish(event(1))
    until(lambda: "journal.full" in caplog.text)
    (small_disk / "ballast").unlink()
    journal.flush_sync(10)
    assert everything(journal) == [(1, 1)]
    journal.close()


@pytest.mark.root
def test_close_does_not_wait_forever(
    small_disk: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaffinch.journal.sqlite.CLOSE_SECONDS", 0.5)
    journal = SqliteJournal(small_disk / "journal", SETTINGS)
    for at in range(0, 5000, 500):
        journal.publish_many([event(n, width=1000) for n in range(at, at + 500)])
        time.sleep(0.02)
    until(lambda: journal._writer.counts().full)
    began = time.monotonic()
    journal.close()
    assert time.monotonic() - began < 5
    assert "journal.not_drained" in caplog.text


@pytest.mark.root
def test_read_only(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(RunError, match=r"cannot write in .*: Read-only file system; choose another directory"):
        SqliteJournal(small_disk / "journal", SETTINGS)
