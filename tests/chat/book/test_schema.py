"""The book's file: who has it, damage, versions; and that its page says what it is."""

import asyncio
import os
import re
import stat
import subprocess
import sys
import time
from pathlib import Path

import apsw
import pytest

from chaffinch.chat.book import schema
from chaffinch.chat.book.book import Book
from chaffinch.errors import RunError
from tests.chain.test_open_chains import descriptors
from tests.chat.booked import ROOT, TRAINING, WRITING, file_of, play, some_writes

LATER = len(schema.MIGRATIONS) + 1


def refused(state: Path, match: str) -> None:
    """Opening is refused, and nothing of what was there changes, but for SQLite's index of its log."""
    kept = [path for path in (state / "bot").iterdir() if path.name != "lock" and not path.name.endswith("-shm")]
    before = [path.read_bytes() for path in kept]
    with pytest.raises(RunError, match=match):
        asyncio.run(Book.open(state))
    assert [path.read_bytes() for path in kept] == before
    assert descriptors(state) == []


def test_an_older_book_is_brought_to_the_version_of_today(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(tmp_path, some_writes)
    more = "ALTER TABLE trainings ADD COLUMN pace INTEGER NOT NULL DEFAULT 3; UPDATE guilds SET left_ms = 7;"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, more))

    async def read(book: Book) -> None:
        assert (book.left_at(1), book.training(1), len(book.channels(1))) == (7, TRAINING, 400)

    play(tmp_path, read, read)
    db = apsw.Connection(str(file_of(tmp_path)))
    assert (db.pragma("user_version"), db.execute("SELECT pace FROM trainings").get) == (LATER, 3)
    db.close()
    monkeypatch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:-1])
    refused(
        tmp_path,
        f"has version {LATER}, this release reads up to {LATER - 1}: run the release that wrote it, or a later one",
    )


def test_a_step_that_fails_leaves_the_version_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(tmp_path, some_writes)
    monkeypatch.setattr(
        schema, "MIGRATIONS", (*schema.MIGRATIONS, "UPDATE guilds SET left_ms = 7; INSERT INTO nowhere VALUES (1)")
    )
    with pytest.raises(RunError, match="nowhere"):
        asyncio.run(Book.open(tmp_path))
    monkeypatch.undo()

    async def read(book: Book) -> None:
        assert (book.left_at(1), book.training(1)) == (None, TRAINING)

    play(tmp_path, read)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"SQLite format 3\0",
        b"not a database at all, but something that somebody put there" * 100,
    ],
)
def test_a_file_that_is_no_book_is_refused_and_left(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "bot").mkdir()
    file_of(tmp_path).write_bytes(damage)
    refused(
        tmp_path, rf"{file_of(tmp_path)} is damaged or no book of the bot \(.+\): put a copy of it back, or move it"
    )


def test_another_database_is_refused_and_left(tmp_path: Path) -> None:
    (tmp_path / "bot").mkdir()
    db = apsw.Connection(str(file_of(tmp_path)))
    db.execute("CREATE TABLE guilds (id TEXT)")
    db.close()
    refused(tmp_path, "its header is not the expected one")


def test_damaged_pages_and_rows_are_refused_and_left(tmp_path: Path) -> None:
    play(tmp_path, some_writes)
    whole = file_of(tmp_path).read_bytes()
    assert len(whole) >= 6 * 4096
    for page in range(len(whole) // 4096):
        broken = bytearray(whole)
        broken[page * 4096 + (100 if page == 0 else 0) : page * 4096 + 164] = b"\xff" * (64 if page == 0 else 164)
        file_of(tmp_path).write_bytes(broken)
        refused(tmp_path, "is damaged or no book of the bot")
    file_of(tmp_path).write_bytes(whole[:-4096])
    refused(tmp_path, "is damaged or no book of the bot")
    for change in (
        "UPDATE guilds SET settings = 'null'",
        "UPDATE guilds SET settings = '{\"max_length\": '",
        "UPDATE channels SET listens = 7 WHERE channel = 3",
        "DROP TABLE cursors",
        "ALTER TABLE trainings DROP COLUMN newest",
    ):
        file_of(tmp_path).write_bytes(whole)
        db = apsw.Connection(str(file_of(tmp_path)))
        db.execute(change)
        db.close()
        refused(tmp_path, "is damaged or no book of the bot")
    file_of(tmp_path).write_bytes(whole)

    async def read(book: Book) -> None:
        assert len(book.opted_out(1)) == 1000

    play(tmp_path, read)


def test_a_directory_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "bot").write_text("a file")
    with pytest.raises(RunError, match=r"bot cannot be made .*: make the state directory writable"):
        asyncio.run(Book.open(tmp_path))


def test_a_second_bot_is_refused_and_may_begin_when_the_first_has_ended(tmp_path: Path) -> None:
    async def scene(book: Book) -> None:
        with pytest.raises(RunError, match=rf"another bot \(pid {os.getpid()}\) runs on {tmp_path}: stop it, or name"):
            await Book.open(tmp_path)
        code = "import asyncio, pathlib, sys; from chaffinch.chat.book.book import Book; "
        code += "asyncio.run(Book.open(pathlib.Path(sys.argv[1])))"
        other = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, str(tmp_path), stderr=asyncio.subprocess.PIPE
        )
        _, told = await other.communicate()
        assert b"RunError: another bot (pid " in told
        await book.set_out(1, 1, True)

    async def again(book: Book) -> None:
        assert book.is_out(1, 1)
        await book.close()
        await book.close()
        with pytest.raises(RunError, match="is closed"):
            await book.set_out(1, 2, True)

    play(tmp_path, scene, again)


def test_files_are_private(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:

        async def scene(book: Book) -> None:
            await book.set_out(1, 1, True)
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new" / "bot").iterdir()}
            assert modes == dict.fromkeys(("bot.sqlite3", "bot.sqlite3-wal", "bot.sqlite3-shm", "lock"), 0o600)

        play(tmp_path / "new", scene)
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "new" / "bot").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_a_book_that_is_being_made_is_whole_or_not_there(tmp_path: Path) -> None:
    code = WRITING.replace("print(n, flush=True)", "pass")
    for attempt in range(10):
        state = tmp_path / str(attempt)
        making = subprocess.Popen([sys.executable, "-c", code, str(state), "0"])
        deadline = time.monotonic() + 20
        while not (state / "bot" / "lock").exists() and time.monotonic() < deadline:
            time.sleep(0.0005)
        time.sleep(0.0007 * attempt)
        making.kill()
        making.wait()

        async def scene(book: Book) -> None:
            await book.set_out(1, 10**9, True)

        play(state, scene)
        assert not (state / "bot" / "bot.sqlite3.new").exists()


def test_the_page_has_every_table_column_and_number(tmp_path: Path) -> None:
    play(tmp_path, some_writes)
    page = (ROOT / "docs" / "bot-book.md").read_text()
    db = apsw.Connection(str(file_of(tmp_path)))
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    assert sorted(tables) == sorted(re.findall(r"^`(\w+)`: ", page, re.MULTILINE))
    for table in tables:
        part = re.split(r"^`\w+`: |^## ", page.split(f"\n`{table}`: ")[1], flags=re.MULTILINE)[0]
        named = [
            name for row in re.findall(r"^\| (`.*?) \|", part, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
        ]
        assert named == [row[1] for row in db.execute(f"PRAGMA table_info({table})")], table
    assert f"0x{schema.APPLICATION_ID:08X}" in page
    assert db.pragma("application_id") == schema.APPLICATION_ID
    assert re.findall(r"^\| (\d+) \| today's", page, re.MULTILINE) == [str(len(schema.MIGRATIONS))]
    assert f"`user_version` {len(schema.MIGRATIONS)}" in page
    assert "4,096 writes" in page
