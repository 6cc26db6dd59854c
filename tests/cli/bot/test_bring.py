"""`chaffinch bot import`, as its user runs it."""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from chaffinch.chain.engine import Chain
from chaffinch.chain.names import directory_of
from chaffinch.chat.book.book import Book
from chaffinch.chat.guild import Channel
from chaffinch.errors import ChaffinchError
from tests.chat.older.made import Row, database
from tests.chat.older.test_database import CHANNELS, FIRST, HALL, ONE, ROOM, ROWS, THREAD, TWO
from tests.chat.older.test_exports import EXPORTER, FIRST_RELEASES, TRAINING, written


def run(*arguments: object, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "chaffinch", "bot", "import", *map(str, arguments)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def brought(*arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--json").stdout)
    return found


def test_a_database_with_its_channels_and_then_once_more(tmp_path: Path) -> None:
    path, state = database(tmp_path / "db.sqlite3", ROWS, CHANNELS), tmp_path / "state"
    said = run(path, "--guild", ONE, "--state", state).stdout
    assert "learned 5 messages of 1 file in " in said
    assert f"for guild-{ONE}" in said
    assert "2 taken over: channels" in said
    again = brought(path, "--guild", ONE, "--state", state)
    assert (again["learned"], again["duplicates"], again["channels"]) == (0, 5, 0)
    with Chain.open(directory_of(state, f"guild-{ONE}"), write=True) as chain:
        assert chain.stats().messages == 5
        assert chain.forget(channel=str(THREAD)) == 2
        assert chain.forget(message=str(FIRST)) == 1
    assert not directory_of(state, f"guild-{TWO}").exists()

    async def kept() -> None:
        async with await Book.open(state) as book:
            assert book.channel(ONE, ROOM) == Channel(ROOM, listens=True)
            assert book.channel(ONE, HALL) == Channel(HALL, responds=True)
            assert book.threads_of(ONE, ROOM) == [THREAD]

    asyncio.run(kept())


def test_channels_that_somebody_chose_here_stay_as_they_are(tmp_path: Path) -> None:
    path, state = database(tmp_path / "db.sqlite3", ROWS, CHANNELS), tmp_path / "state"
    chosen = Channel(ROOM, listens=False, responds=True, chance=0.5)

    async def choose() -> None:
        async with await Book.open(state) as book:
            await book.set_channels(ONE, [chosen])
            await book.set_out(ONE, 10, out=True)

    asyncio.run(choose())
    exported = written(tmp_path / "export.json", EXPORTER)
    assert brought(path, "--guild", ONE, "--state", state)["channels"] == 1
    assert brought(exported, "--guild", ONE, "--state", state)["forgotten"] == 0  # the same id as in the database

    async def kept() -> None:
        async with await Book.open(state) as book:
            assert book.channel(ONE, ROOM) == chosen

    asyncio.run(kept())


def test_a_member_who_does_not_want_it_is_not_learned_from(tmp_path: Path) -> None:
    state = tmp_path / "state"

    async def choose() -> None:
        async with await Book.open(state) as book:
            await book.set_out(ONE, 10, out=True)

    asyncio.run(choose())
    found = brought(written(tmp_path / "export.json", EXPORTER), "--guild", ONE, "--state", state)
    assert (found["learned"], found["forgotten"]) == (1, 1)
    with Chain.open(directory_of(state, f"guild-{ONE}")) as chain:
        assert chain.stats().messages == 0


def test_nor_where_a_later_file_is_damaged(tmp_path: Path) -> None:
    state = tmp_path / "state"

    async def choose() -> None:
        async with await Book.open(state) as book:
            await book.set_out(ONE, 10, out=True)

    asyncio.run(choose())
    written(tmp_path / "exports" / "1.json", EXPORTER)
    (tmp_path / "exports" / "2.json").write_text('[{"message": "one"},\n{"message": 3}]')
    assert "2.json, line 2" in run(tmp_path / "exports", "--guild", ONE, "--state", state, code=2).stderr
    with Chain.open(directory_of(state, f"guild-{ONE}")) as chain:
        assert chain.stats().messages == 0


def order_of(state: Path) -> int:
    with Chain.open(directory_of(state, f"guild-{ONE}")) as chain:
        return chain.stats().options.order


def test_the_chain_has_the_state_size_of_the_older_bot_unless_ours_says(tmp_path: Path) -> None:
    path, file = database(tmp_path / "db.sqlite3", ROWS), tmp_path / "config.json"
    file.write_text("{stateSize: 3, activity: 'chess', surprise: 1, token: 'x', logLevel: 'what'}")
    file.chmod(0o644)  # the token is not looked at
    named = ("--guild", ONE, "--older-settings", file, "--state")
    said = run(path, *named, tmp_path / "by-file")
    assert order_of(tmp_path / "by-file") == 3
    assert said.stderr.splitlines() == ["taken from an older bot: chain.order (stateSize)"]
    run(path, "--guild", ONE, "--state", tmp_path / "by-variable", STATE_SIZE="1", LOG_LEVEL="notice")
    assert order_of(tmp_path / "by-variable") == 1
    ours = run(path, *named, tmp_path / "ours", CHAFFINCH_CHAIN_ORDER="4")
    assert order_of(tmp_path / "ours") == 4
    assert "stateSize is not taken, because chain.order is set" in ours.stderr
    refused = run(path, "--guild", ONE, "--state", tmp_path / "none", code=2, STATE_SIZE="9")
    assert "STATE_SIZE is the order of the chain, which goes from 1 to 4" in refused.stderr
    assert not (tmp_path / "none").exists()


def test_a_folder_of_everything(tmp_path: Path) -> None:
    left, state = tmp_path / "left", tmp_path / "state"
    database(left / "db" / "db.sqlite3", [Row(ONE, f"message number {n}", FIRST + 100 + n, ROOM) for n in range(5000)])
    written(left / "markovDB.json", FIRST_RELEASES)
    written(left / "exports" / "roses.json", TRAINING)
    written(left / "config.json", {"token": "x", "ownerIds": []})
    found = brought(left, "--guild", ONE, "--state", state)
    assert found["files"] == 3
    assert found["passed_over"] == 1
    assert found["learned"] + found["empty"] == 5000 + 3 + 2
    assert found["stopped"] is False


def test_what_is_refused_makes_nothing(tmp_path: Path) -> None:
    path, state = database(tmp_path / "db.sqlite3", ROWS), tmp_path / "state"
    assert f"it has those of: {ONE} (5 messages)" in run(path, "--guild", 5, "--state", state, code=2).stderr
    assert not (state / "chains").exists()
    assert (
        "has nothing that an older bot" in run(tmp_path / "state", "--guild", 5, code=2).stderr
        if state.exists()
        else True
    )
    assert "cannot be read" in run(tmp_path / "absent", "--guild", ONE, "--state", state, code=2).stderr
    assert "Missing option '--guild'" in run(path, "--state", state, code=2).stderr


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_leaves_nothing_that_the_bot_of_a_service_cannot_read(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    os.chown(state, 65534, 65534)
    done = run(database(tmp_path / "db.sqlite3", ROWS), "--guild", ONE, "--state", state, code=2)
    assert f"{state} belongs to another user (uid 65534)" in done.stderr
    assert list(state.iterdir()) == []


def test_while_a_bot_runs_it_says_so(tmp_path: Path) -> None:
    path, state = database(tmp_path / "db.sqlite3", ROWS), tmp_path / "state"

    async def meanwhile() -> str:
        async with await Book.open(state):
            return (await asyncio.to_thread(run, path, "--guild", ONE, "--state", state, code=1)).stderr

    assert "bot" in asyncio.run(meanwhile())


def test_what_was_killed_goes_on_and_nothing_is_learned_twice(tmp_path: Path) -> None:
    state, total = tmp_path / "state", 40_000
    rows = (Row(ONE, f"message number {n} of many", FIRST + n * 2 if n % 3 else 0, ROOM) for n in range(total))
    path = database(tmp_path / "db.sqlite3", rows)
    command = [sys.executable, "-m", "chaffinch", "bot", "import", path, "--guild", str(ONE), "--state", state]
    directory, killed = directory_of(state, f"guild-{ONE}"), 0
    for _ in range(3):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            end = time.monotonic() + 20
            while process.poll() is None and time.monotonic() < end and learned_in(directory) <= killed:
                time.sleep(0.01)
            process.kill()
        killed = learned_in(directory)
    assert 0 < killed <= total
    found = brought(path, "--guild", ONE, "--state", state)
    assert found["duplicates"] == killed
    assert found["learned"] == total - killed
    assert learned_in(directory) == total


def learned_in(directory: Path) -> int:
    """Messages of the chain now."""
    try:
        with Chain.open(directory) as chain:
            return chain.stats().messages
    except ChaffinchError:
        return 0


def test_exports_of_another_guild_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    state = tmp_path / "state"
    exported = written(tmp_path / "exports" / "one.json", EXPORTER)
    said = run(tmp_path / "exports", "--guild", TWO, "--state", state, code=2).stderr
    assert f"chaffinch: {exported} is of the guild {ONE}, not of {TWO}: name the right one" in said
    assert said.count("\n") == 1
    direct = written(tmp_path / "direct.json", EXPORTER | {"guild": {"id": "0", "name": "Direct Messages"}})
    assert "is of direct messages" in run(direct, "--guild", TWO, "--state", state, code=2).stderr
    assert not directory_of(state, f"guild-{TWO}").exists()
