"""The database of an older bot: what is in it, that nothing is written, and what is said of any other file."""

import os
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from chaffinch.chain.results import Message
from chaffinch.chat.content import WORDLESS
from chaffinch.chat.guild import Channel
from chaffinch.chat.older.database import Corpus, Database, is_database
from chaffinch.errors import InputError
from tests.chat.older.made import BEFORE, Row, database

ONE, TWO = 82684276755136512, 92684276755136512
ROOM, HALL, THREAD = 82684276755136600, 82684276755136700, 92684276755136800
FIRST = 175928847299117063

ROWS = [
    Row(ONE, "hello there", FIRST, ROOM),
    Row(ONE, "in a thread", FIRST + 1, ROOM, THREAD, ("https://a.example/1.png", "https://a.example/2.png")),
    Row(TWO, "elsewhere", FIRST + 2, HALL),
    Row(ONE, "edited, so without its id"),
    Row(ONE, "", FIRST + 3, ROOM, attachments=("https://a.example/3.png",)),
    Row(ONE, "in it again", FIRST + 4, ROOM, THREAD),
]
CHANNELS = [
    (ONE, ROOM, True, False),
    (ONE, HALL, False, True),
    (ONE, HALL + 1, False, False),
    (TWO, HALL + 2, True, True),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return database(tmp_path / "db" / "db.sqlite3", ROWS, CHANNELS)


def test_messages_of_one_guild_with_all_that_is_known(path: Path) -> None:
    with closing(Database(path)) as found:
        assert found.guilds() == [Corpus(str(ONE), 5), Corpus(str(TWO), 1)]
        messages = list(found.messages(ONE))
        assert found.count(ONE) == 5
        assert found.damaged == 0
    assert messages[0] == Message(
        "hello there", id=str(FIRST), channel=str(ROOM), time_ms=1462015105796, attachments=()
    )
    assert messages[1].channel == str(THREAD)
    assert messages[1].attachments == ("https://a.example/1.png", "https://a.example/2.png")
    assert messages[2].text == "edited, so without its id"
    assert messages[2].id.startswith("older-4-")
    assert messages[3] == Message(
        WORDLESS, id=str(FIRST + 3), channel=str(ROOM), time_ms=1462015105796, attachments=("https://a.example/3.png",)
    )


def test_channels_and_threads_of_one_guild(path: Path) -> None:
    with closing(Database(path)) as found:
        assert found.channels(ONE) == [Channel(ROOM, listens=True), Channel(HALL, responds=True)]
        assert found.channels(TWO) == [Channel(HALL + 2, listens=True, responds=True)]
        assert list(found.threads(ONE)) == [(THREAD, ROOM)]
        assert list(found.threads(TWO)) == []


def test_the_bot_without_automatic_answers_has_no_column_for_them(tmp_path: Path) -> None:
    path = database(tmp_path / "db.sqlite3", ROWS, CHANNELS, answers=False)
    with closing(Database(path)) as found:
        assert found.channels(ONE) == [Channel(ROOM, listens=True)]


def test_nothing_is_written_beside_it_nor_into_it(path: Path) -> None:
    before = path.read_bytes(), sorted(os.listdir(path.parent)), path.stat().st_mtime_ns
    path.parent.chmod(0o500)
    with closing(Database(path)) as found:
        list(found.messages(ONE))
    path.parent.chmod(0o700)
    assert (path.read_bytes(), sorted(os.listdir(path.parent)), path.stat().st_mtime_ns) == before


def test_what_lies_in_its_log_is_read_too(tmp_path: Path) -> None:
    """As a bot leaves it that was killed: most of the messages are in the file beside."""
    path = database(tmp_path / "db.sqlite3", [], CHANNELS, journal="wal")
    bot = apsw.Connection(str(path))
    bot.execute("insert into markov_options values (?, 2)", (str(ONE),))
    bot.execute("insert into markov_root values (?, ?)", (str(ONE), str(ONE)))
    bot.execute("insert into markov_input_data (string, markovId) values ('late', ?)", (str(ONE),))
    assert (tmp_path / "db.sqlite3-wal").stat().st_size > 0
    with closing(Database(path)) as found:
        assert [message.text for message in found.messages(ONE)] == ["late"]
    bot.close()


def test_a_guild_that_is_not_in_it_is_refused_with_those_that_are(path: Path) -> None:
    with (
        closing(Database(path)) as found,
        pytest.raises(InputError, match=rf"no messages of the guild 5; .*: {ONE} \(5 messages\), {TWO} \(1 messages\)"),
    ):
        found.count(5)


def test_attachments_and_texts_that_are_damaged_are_counted(path: Path) -> None:
    with closing(apsw.Connection(str(path))) as db:
        db.execute("update markov_input_data set custom = '{\"attach' where id = 1")
        db.execute("update markov_input_data set custom = '[5]' where id = 2")
        db.execute("update markov_input_data set string = x'ff' where id = 4")
        db.execute("update markov_input_data set tags = x'ff' where id = 6")
    with closing(Database(path)) as found:
        assert [message.text for message in found.messages(ONE)] == [
            "hello there",
            "in a thread",
            WORDLESS,
            "in it again",
        ]
        assert found.damaged == 3


def test_another_layout_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite3"
    with closing(apsw.Connection(str(path))) as db:
        db.execute(BEFORE)
    with pytest.raises(InputError, match=r"its messages have no markovId: start that bot's last release once"):
        Database(path)
    other = tmp_path / "other.sqlite3"
    with closing(apsw.Connection(str(other))) as db:
        db.execute("create table notes (id integer)")
    with pytest.raises(InputError, match=r"no table of messages \(markov_input_data\)"):
        Database(other)


def test_a_file_that_is_none_and_one_that_is_cut_are_refused(path: Path, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("hello " * 1000)
    assert not is_database(text)
    assert is_database(path)
    with pytest.raises(InputError, match="cannot be read as a database"):
        Database(text)
    with pytest.raises(InputError, match="cannot be opened as a database"):
        Database(tmp_path / "absent")
    data = path.read_bytes()
    for length in range(100, len(data), 997):
        path.write_bytes(data[:length])
        with pytest.raises(InputError, match=r"db\.sqlite3 "):
            everything(path)


def everything(path: Path) -> None:
    with closing(Database(path)) as found:
        list(found.messages(ONE))
        list(found.channels(ONE))
    raise InputError("db.sqlite3 was whole enough: what was cut off was not read")


ENDLESS = """
drop table markov_input_data;
create view markov_input_data(id, string, tags, custom, "markovId") as
  with recursive n(n) as (select 1 union all select n + 1 from n) select n, 'x', null, null, 1 from n;
"""


def test_a_view_without_an_end_is_no_table(path: Path) -> None:
    with closing(apsw.Connection(str(path))) as db:
        db.execute(ENDLESS)
    with pytest.raises(InputError, match="no table of messages"):
        Database(path)


def test_attachments_that_are_nested_without_end_are_damaged_and_the_message_is_there(path: Path) -> None:
    with closing(apsw.Connection(str(path))) as db:
        db.execute("update markov_input_data set custom = ? where id = 1", ("[" * 200_000,))
    with closing(Database(path)) as found:
        assert next(found.messages(ONE)).text == "hello there"
        assert found.damaged == 1


def test_a_row_that_is_larger_than_any_message_is_refused(path: Path) -> None:
    with closing(apsw.Connection(str(path))) as db:
        db.execute("update markov_input_data set string = cast(zeroblob(40000000) as text) where id = 1")
    with closing(Database(path)) as found, pytest.raises(InputError, match="cannot be read"):
        list(found.messages(ONE))
