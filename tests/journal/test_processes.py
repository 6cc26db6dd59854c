"""Several processes at once, processes that are killed, and forks."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from chaffinch.journal.sqlite import SqliteJournal
from tests.journal import in_memory
from tests.journal.events_of import SMALL, event, everything, fill, segments

ROOT = Path(__file__).parents[2]


def start(directory: Path, first: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.journal.appending", str(directory), str(first), str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_several_append_while_others_read(tmp_path: Path) -> None:
    writers = [start(tmp_path, 100_000 * n, 1000) for n in range(1, 5)]

    async def read() -> list[tuple[int, str]]:
        journal = SqliteJournal(tmp_path, SMALL)
        consumer = journal.consumer("one", batch=100)
        found: list[tuple[int, str]] = []
        async with asyncio.timeout(60):
            while len(found) < 4000:
                batch = await consumer.next_batch(5)
                found += [
                    (record.seq, record.event.fact.line) for record in batch if hasattr(record.event.fact, "line")
                ]
                if batch:
                    consumer.commit(batch[-1].seq)
        assert consumer.missed == 0
        journal.close()
        return found

    found = asyncio.run(read())
    for writer in writers:
        writer.communicate(timeout=30)
        assert writer.returncode == 0
    assert [seq for seq, _ in found] == list(range(1, 4001)), "no gap, no repetition, in order"
    numbers = [int(line.split()[0]) for _, line in found]
    for n in range(1, 5):
        own = [number for number in numbers if number // 100_000 == n]
        assert own == list(range(100_000 * n, 100_000 * n + 1000)), "the order of each process is kept"
    assert len(segments(tmp_path)) > 2


@pytest.mark.parametrize("attempt", range(3))
def test_what_was_flushed_survives_a_kill(tmp_path: Path, attempt: int) -> None:
    writers = [start(tmp_path, 100_000 * n, 0) for n in (1, 2)]
    flushed: dict[int, int] = {}
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    time.sleep(0.3 + 0.13 * attempt)
    for n, writer in enumerate(writers, 1):
        os.kill(writer.pid, signal.SIGKILL)
        lines = writer.communicate(timeout=10)[0].split()
        flushed[n] = int(lines[-1])
    journal = SqliteJournal(tmp_path, SMALL)
    first = journal.first_seq()
    found = everything(journal)
    seqs = [seq for seq, _ in found]
    assert seqs == sorted(set(seqs))
    for n in (1, 2):
        own = [number for _, number in found if number // 100_000 == n]
        assert own == list(range(own[0], own[-1] + 1))
        assert own[-1] >= flushed[n]
        assert first > 1 or own[0] == 100_000 * n
    fill(journal, 10)
    assert [number for _, number in everything(journal)[-10:]] == list(range(10))
    assert journal.stats().damaged_segments == 0
    journal.close()


def in_child(run: Callable[[], None]) -> int:
    """The exit status of a forked child that runs a function."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks with threads
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            run()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_made_before_a_fork_and_used_after(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path, SMALL)

    def child() -> None:
        fill(journal, 100)
        journal.close()

    assert in_child(child) == 0
    fill(journal, 100, start=100)
    assert [number for _, number in everything(journal)] == list(range(200))
    journal.close()


def test_used_before_a_fork_and_after(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path, SMALL)

    async def use() -> None:
        await journal.consumer("one").next_batch(0)

    fill(journal, 100)
    asyncio.run(use())
    journal.publish(event(100))

    def child() -> None:
        fill(journal, 1000, start=1000)
        asyncio.run(use())
        journal.close()

    assert in_child(child) == 0
    journal.flush_sync(5)
    fill(journal, 1000, start=5000)
    numbers = [number for _, number in everything(journal)]
    assert sorted(numbers) == [*range(101), *range(1000, 2000), *range(5000, 6000)], "once each, none lost"
    journal.close()


def test_a_dead_process_leaves_no_lock(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path, SMALL)

    def child() -> None:
        with journal._layout.lock("segments"):
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(child) == -signal.SIGKILL
    fill(journal, 1)
    journal.close()


def test_killed_while_it_starts_a_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = SqliteJournal(tmp_path, SMALL)
    journal.stats()  # makes the catalog
    layout = journal._layout

    def child() -> None:
        monkeypatch.setattr(layout, "publish", lambda made, path: os.kill(os.getpid(), signal.SIGKILL))
        fill(journal, 1)

    assert in_child(child) == -signal.SIGKILL
    assert list(tmp_path.glob("segment.new*"))
    fill(journal, 1)
    assert [number for _, number in everything(journal)] == [0]
    journal.enforce_retention()
    assert not list(tmp_path.glob("segment.new*"))
    journal.close()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give up rights")
def test_a_group_without_rights_appends_beside_root() -> None:
    with tempfile.TemporaryDirectory(dir=in_memory.place()) as name:
        os.chmod(name, 0o755)
        directory = Path(name) / "journal"
        directory.mkdir(mode=0o700)
        os.chown(directory, 65534, 65534)
        journal = SqliteJournal(directory, SMALL)
        fill(journal, 1000)

        def child() -> None:
            os.setgid(65534)
            os.setuid(65534)
            fill(journal, 1000, start=1000)
            assert len(everything(journal)) == 2000
            asyncio.run(journal.consumer("one").next_batch(0))
            journal.enforce_retention()
            journal.close()

        assert in_child(child) == 0
        fill(journal, 1000, start=2000)
        assert [number for _, number in everything(journal)] == list(range(3000))
        journal.close()


def test_a_fork_finds_no_database_open(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path, SMALL)
    fill(journal, 300)
    journal.stats()

    async def use() -> None:
        await journal.consumer("one").next_batch(0)

    asyncio.run(use())
    journal.publish_many([event(n) for n in range(300, 400)])  # the thread is at work

    def child() -> None:
        open_files = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
        assert not [path for path in open_files if path.startswith(str(tmp_path)) and ".db" in path]
        fill(journal, 100, start=1000)

    for _ in range(5):
        assert in_child(child) == 0
    journal.flush_sync(5)
    assert sorted(number for _, number in everything(journal)) == sorted([*range(400), *list(range(1000, 1100)) * 5])
    journal.close()
