"""JSON of older bots that is no array of messages: what it is told apart by, and what is read of it."""

import gzip
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.chain.results import Message
from chaffinch.chat.older.exports import holds_messages, kind_of, messages_of
from chaffinch.chat.older.sources import look
from chaffinch.errors import InputError
from tests.chat.older.made import Row, database

GUILD = 82684276755136512
FIRST = 175928847299117063
AT = 1462015105796

FIRST_RELEASES = {
    "messages": [
        {"id": "0", "string": ""},
        {"id": str(FIRST), "string": "hello there", "attachment": "https://a.example/1.png"},
        {"id": str(FIRST + 1), "string": 'good "day" {to} you'},
    ]
}
TEXTS = {"messages": ["hello", "day"], "lastSeenMessageID": "408106207878971395"}
VERSION_3 = {
    "options": {"stateSize": 2},
    "corpus": {
        "one two": [{"words": "three four", "refs": [{"string": "one two three four", "id": str(FIRST)}]}],
        "two three": [{"words": "four", "refs": [{"string": "one two three four", "id": str(FIRST)}]}],
    },
    "startWords": [{"words": "a b", "refs": [{"string": "a b", "attachment": "https://a.example/1.png"}]}],
    "endWords": [{"words": "three four", "refs": [{"string": "one two three four", "id": str(FIRST)}]}],
}
VERSION_4 = {
    "id": str(GUILD),
    "inputData": [
        {
            "id": 1,
            "string": "hello there",
            "tags": [str(FIRST), "82684276755136600", str(GUILD)],
            "custom": {"attachments": ["https://a.example/1.png"]},
            "fragments": [{"id": 1, "words": "hello there", "startWordMarkov": {"id": "1"}, "corpusEntry": None}],
        },
        {"id": 2, "string": "no tags", "tags": None, "custom": None, "fragments": []},
    ],
    "options": {"id": "1", "stateSize": 2},
}
CHAINS = {"one two": {"prefix": "one two", "suffixes": [{"word": "x", "weight": 2}], "totalWeight": 2}}
EXPORTER = {
    "guild": {"id": str(GUILD), "name": "messages"},
    "channel": {"id": "82684276755136600", "name": "roses"},
    "messages": [{"id": str(FIRST), "type": "Default", "timestamp": "2024-05-17T09:30:00Z", "content": "hello there",
                  "author": {"id": "10", "name": "ann", "isBot": False}, "attachments": []}],
}  # fmt: skip
TRAINING = [
    {"message": "hello there", "attachments": []},
    {"message": "look", "attachments": ["https://a.example/1.png"]},
]


def written(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value, indent=1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (FIRST_RELEASES, "first"),
        (TEXTS, "first"),
        (VERSION_3, "version 3"),
        (VERSION_4, "version 4"),
        (CHAINS, "chains"),
        ({"token": "x", "prefix": "!mark"}, "settings"),
        ("// a comment first\n{ownerIds: []}", "settings"),
        (EXPORTER, None),
        (TRAINING, None),
        ({"text": "hello"}, None),
        ("[]", None),
        ("", None),
        ("\ufeff" + json.dumps(VERSION_4), "version 4"),
    ],
)
def test_each_is_told_from_the_others(tmp_path: Path, value: Any, kind: str | None) -> None:
    assert kind_of(written(tmp_path / "some.json", value)) == kind


def read(tmp_path: Path, value: Any) -> list[Message]:
    path = written(tmp_path / "some.json", value)
    kind = kind_of(path)
    assert kind is not None
    return list(messages_of(path, kind, GUILD))


def test_messages_of_the_first_releases(tmp_path: Path) -> None:
    empty, hello, day = read(tmp_path, FIRST_RELEASES)
    assert empty.text == ""
    assert hello == Message("hello there", id=str(FIRST), time_ms=AT, attachments=("https://a.example/1.png",))
    assert day.text == 'good "day" {to} you'
    assert [message.text for message in read(tmp_path, TEXTS)] == ["hello", "day"]
    assert len({message.id for message in read(tmp_path, {"messages": ["same", "same"]})}) == 2


def test_each_message_of_version_3_comes_once(tmp_path: Path) -> None:
    pictured, plain = read(tmp_path, VERSION_3)
    assert (pictured.text, pictured.attachments) == ("a b", ("https://a.example/1.png",))
    assert plain == Message("one two three four", id=str(FIRST), time_ms=AT)


def test_version_4_has_ids_and_channels(tmp_path: Path) -> None:
    hello, bare = read(tmp_path, VERSION_4)
    assert hello == Message(
        "hello there",
        id=str(FIRST),
        channel="82684276755136600",
        time_ms=AT,
        attachments=("https://a.example/1.png",),
    )
    assert bare.id.startswith("older-2-")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (CHAINS, "no messages, only how often words followed one another.*import the database instead"),
        ({"ownerIds": ["1"]}, "bot discord --older-settings"),
        ('{"inputData": [{"id": 1,', "is damaged"),
        ('{"inputData": [{"id": "one"}]}', "is damaged, or not what it seems to be: Expected `int`"),
        ('{"messages": [5]}', "is damaged"),
        pytest.param('{"inputData": [{"id": 1, "custom": ' + "[" * 200_000, "is damaged", id="nested without end"),
        ('{"inputData": [{"id": 1, "custom": 5}]}', "attachments of a form"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(tmp_path: Path, value: Any, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        read(tmp_path, value)
    assert "some.json" in str(refused.value)


def test_messages_of_another_guild_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "some.json", VERSION_4)
    with pytest.raises(InputError, match=f"its messages are of the guild {GUILD}, not of 5"):
        list(messages_of(path, "version 4", 5))


NAMES = st.sampled_from(["messages", "inputData", "corpus", "startWords", "token", "id", "string", "guild"]) | st.text()
SCALARS = st.none() | st.booleans() | st.integers() | st.text()


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner)))
def test_any_json_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = written(tmp_path_factory.mktemp("any") / "any.json", json.dumps(value))
    kind = kind_of(path)
    try:
        found = [] if kind is None else list(messages_of(path, kind, GUILD))
    except InputError as error:
        assert str(path) in str(error)  # noqa: PT017 - a few are refused
    else:
        assert all(isinstance(message.text, str) and message.id for message in found)


def test_of_a_folder_each_file_is_read_as_what_it_is(tmp_path: Path) -> None:
    """As the folder of an older bot looks, with exports put beside."""
    settings = written(tmp_path / "config.json", {"token": "x", "ownerIds": []})
    chains = written(tmp_path / f"markov_{GUILD}.json", CHAINS)
    stored = database(tmp_path / "db" / "db.sqlite3", [Row(GUILD, "hello")])
    written(tmp_path / "db" / "db.sqlite3-shm", "")
    first = written(tmp_path / "markovDB.json", FIRST_RELEASES)
    exported = written(tmp_path / "exports" / "Garden - roses [800].json", EXPORTER)
    picture = written(tmp_path / "exports" / "Garden - roses [800].json_Files" / "cat.png", "not text")
    written(tmp_path / ".git" / "hidden.json", TRAINING)
    found = look(tmp_path)
    assert found.databases == (stored,)
    assert found.exports == ((first, "first"),)
    assert found.files == (exported,)
    assert set(found.passed_over) == {settings, chains, picture}
    assert found.count == 3


JSON5 = """// of the older bot
{
  token: 'abc', // not to be said
  "messageCommandPrefix": '!mark', ownerIds: ["1"],
}
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", JSON5),
        ("config.json5", JSON5),
        ("other.json5", "{unknown: 'x'}"),
        ("package.json", '{\n  "name": "a bot",\n  "activity": ["x"]\n}\n'),
        ("tsconfig.json", "/* see\nthere */ {\n 'strict': true}"),
        ("empty.json", ""),
        ("talk.json", "hello\nday\n"),
    ],
)
def test_what_lies_beside_is_not_learned_as_lines(tmp_path: Path, name: str, text: str) -> None:
    """The settings have the token."""
    lines = written(tmp_path / "lines.ndjson", '{"id": 1, "message": "hello", "role": "x"}\n{"message": "day"}\n')
    texts = written(tmp_path / "texts.ndjson", '"hello"\n"day"\n')
    packed = tmp_path / "packed.json.gz"
    packed.write_bytes(gzip.compress(json.dumps(TRAINING).encode()))
    beside = written(tmp_path / name, text)
    found = look(tmp_path)
    assert found.files == (lines, packed, texts)
    assert found.exports == ()
    assert found.passed_over == (beside,)


@pytest.mark.parametrize("piece", ["/* ", "a", "a ", "'", '"', "' \"", "{", '{"a": "', "//", "\\", "x: "])
def test_what_is_no_json_is_looked_at_in_no_time(tmp_path: Path, piece: str) -> None:
    path = written(tmp_path / "some.json", "{" + piece * ((1 << 20) // len(piece)))
    began = time.monotonic()
    assert kind_of(path) is None
    assert not holds_messages(path)
    assert time.monotonic() - began < 20


def test_settings_that_are_named_are_told_what_they_are(tmp_path: Path) -> None:
    assert kind_of(written(tmp_path / "config", JSON5)) == "settings"


def test_a_file_that_is_named_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    stored = database(tmp_path / "backup", [Row(GUILD, "hello")])
    assert look(stored).databases == (stored,)
    lines = written(tmp_path / "talk.txt", "hello\nday\n")
    assert look(lines).files == (lines,)
    settings = written(tmp_path / "config.json", {"token": "x"})
    assert look(settings).exports == ((settings, "settings"),)


def test_where_there_is_nothing_it_is_said_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has nothing that an older bot or DiscordChatExporter wrote"):
        look(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        look(tmp_path / "absent")


def test_a_text_that_is_never_closed_is_looked_through_once(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_text('{"guild": 1, "messages": ["' + '\\"' * 500_000)
    began = time.process_time()
    assert kind_of(path) is None
    assert time.process_time() - began < 5, "the square of that takes hours"
