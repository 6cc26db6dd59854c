"""Writes of the book: their order, kills, full disks."""

import asyncio
import contextlib
import functools
import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path

import msgspec
import pytest

from chaffinch.chat.book.book import Book
from chaffinch.chat.guild import GuildSettings
from chaffinch.errors import RunError
from tests.chat.booked import CURSOR, TRAINING, WRITING, play, some_writes


async def _behind(book: Book, writes: list[Coroutine[None, None, None]]) -> list[BaseException | None]:
    """What becomes of writes that are all given while another one takes its time."""
    begun, slow = threading.Event(), threading.Event()

    def writing(_: object) -> None:
        begun.set()
        slow.wait(20)

    first = asyncio.ensure_future(book._writer.write(writing, lambda: None))
    assert await asyncio.to_thread(begun.wait, 20)
    given = [asyncio.ensure_future(one) for one in writes]
    await asyncio.sleep(0)  # each has its turn
    slow.set()
    await first
    return await asyncio.gather(*given, return_exceptions=True)


def test_writes_keep_their_order_and_share_transactions(tmp_path: Path) -> None:
    async def scene(book: Book) -> None:
        await asyncio.gather(*(book.set_out(1, 50, bool(n % 2)) for n in range(500)))
        assert book.is_out(1, 50)
        await asyncio.gather(book.set_out(1, 50, False), book.set_out(1, 50, True))
        assert book.is_out(1, 50), "what was so when it was given was about to change"
        await book.left(1, 1)
        await asyncio.gather(book.joined(1), book.left(1, 3), book.joined(1))
        assert book.left_at(1) is None
        commits = [0]

        def committed() -> bool:
            commits[0] += 1
            return False

        book._writer._db.set_commit_hook(committed)  # the thread rests
        await _behind(book, [book.set_out(3, user, True) for user in range(2000)])
        assert len(book.opted_out(3)) == 2000
        assert commits[0] == 1 + 8  # of 256 writes each
        done = await _behind(book, [book.set_out(4, user, True) for user in range(5000)])
        refusals = [str(one) for one in done if isinstance(one, RunError)]
        assert len(refusals) == 5000 - 4096
        assert "4096 writes wait for" in refusals[0]
        assert book.opted_out(4) == set(range(4096))

    play(tmp_path, scene)


def test_a_write_that_cannot_be_fails_alone(tmp_path: Path) -> None:
    async def scene(book: Book) -> None:
        done = await asyncio.gather(
            book.set_out(1, 50, True),
            book.set_out(1, 1 << 70, True),
            book.set_training(msgspec.structs.replace(TRAINING, state="resting")),
            book.set_cursors(1, [CURSOR, msgspec.structs.replace(CURSOR, channel=3, name="\ud800")]),
            book.set_out(1, 51, True),
            return_exceptions=True,
        )
        assert [type(one) for one in done] == [type(None), RunError, RunError, RunError, type(None)]
        assert "cannot hold" in str(done[1])
        assert (book.opted_out(1), book.training(1), book.cursors(1)) == ({50, 51}, None, [])

    async def read(book: Book) -> None:
        assert (book.opted_out(1), book.training(1), book.cursors(1)) == ({50, 51}, None, [])

    play(tmp_path, scene, read)


def test_a_call_that_is_cancelled_has_its_effect_on_both_or_on_neither(tmp_path: Path) -> None:
    said: dict[int, bool] = {}

    async def scene(book: Book) -> None:
        for user in range(50):
            task = asyncio.ensure_future(book.set_out(1, user, True))
            await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await book.set_out(2, 1, True)
        said.update((user, book.is_out(1, user)) for user in range(50))

    async def read(book: Book) -> None:
        assert {user: book.is_out(1, user) for user in range(50)} == said

    play(tmp_path, scene, read)


async def _has(acknowledged: set[int], kills: int, book: Book) -> None:
    known = book.asked_out(1)
    assert acknowledged <= known
    assert len(known) <= len(acknowledged) + 4 * kills, "more than was on its way"
    assert acknowledged <= {channel.id for channel in book.channels(3)}
    assert book.cursors(1)[0].learned in known
    assert book.settings(2) != GuildSettings()


def test_what_was_acknowledged_outlives_kills_at_any_moment(tmp_path: Path) -> None:
    acknowledged: set[int] = set()
    for attempt in range(12):
        writing = subprocess.Popen(
            [sys.executable, "-c", WRITING, str(tmp_path), str(attempt * 200_000)], stdout=subprocess.PIPE, text=True
        )
        assert writing.stdout is not None
        acknowledged.add(int(writing.stdout.readline()))
        time.sleep(0.003 * attempt)
        writing.send_signal(signal.SIGKILL)
        acknowledged |= {int(line) for line in writing.stdout.read().split("\n")[:-1]}
        writing.wait()
        writing.stdout.close()

        play(tmp_path, functools.partial(_has, acknowledged, attempt + 1))
    assert len(acknowledged) > 12


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs root and mounts")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def fill_up(path: Path) -> None:
    """Leave no room on a file system."""
    with open(path, "wb", buffering=0) as ballast, contextlib.suppress(OSError):
        for _ in range(10_000):
            ballast.write(b"x" * 4096)


@pytest.mark.root
def test_a_full_disk_is_a_sentence_and_memory_says_what_the_disk_has(small_disk: Path) -> None:
    known: set[int] = set()

    async def scene(book: Book) -> None:
        await book.set_out(1, 1, True)
        fill_up(small_disk / "ballast")
        refusals = []
        for user in range(10, 3000):
            try:
                await book.set_out(1, user, True)
            except RunError as error:
                refusals.append(str(error))
        assert refusals
        assert re.search(r"bot\.sqlite3 cannot (grow, the disk is full|be used)", refusals[0])
        with pytest.raises(RunError):
            await book.set_training(msgspec.structs.replace(TRAINING, file="x" * 100_000))
        assert book.training(1) is None
        known.update(book.asked_out(1))
        assert len(known) == 2991 - len(refusals)
        assert book.threads_of(1, 7) == []
        (small_disk / "ballast").unlink()
        await book.set_training(TRAINING)
        assert book.training(1) == TRAINING

    async def read(book: Book) -> None:
        assert book.asked_out(1) == known
        assert book.training(1) == TRAINING

    play(small_disk, scene, read)


@pytest.mark.root
def test_a_disk_that_is_full_from_the_start_is_a_sentence(small_disk: Path) -> None:
    fill_up(small_disk / "ballast")
    with pytest.raises(RunError, match=r"free room|make the state directory writable"):
        asyncio.run(Book.open(small_disk))
    (small_disk / "ballast").unlink()
    play(small_disk, some_writes)


def test_a_disk_that_is_full_as_sqlite_says_it(tmp_path: Path) -> None:
    async def endless(book: Book) -> None:
        for user in itertools.count():
            await book.set_out(1, user, True)

    async def scene(book: Book) -> None:
        book._writer._db.execute("PRAGMA max_page_count = 20")  # the thread rests
        with pytest.raises(RunError, match="the disk is full: free room"):
            await endless(book)
        known = book.asked_out(1)
        assert known == set(range(len(known)))
        assert known
        book._writer._db.execute("PRAGMA max_page_count = 3000")
        await book.set_out(1, 10**6, True)
        assert book.asked_out(1) == known | {10**6}

    play(tmp_path, scene)
