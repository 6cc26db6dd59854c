"""Commands by prefix."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.chat.commands.table import Option, table
from chaffinch.chat.commands.words import Parsed, is_command, parse, split, value_of
from chaffinch.chat.seen import Attached
from chaffinch.config import BotSettings

TABLE = table(BotSettings())
FILE = Attached(1, "a.json", 3, "https://cdn.discordapp.com/a.json")


def parsed(text: str, prefix: str = "!mark", attached: tuple[Attached, ...] = ()) -> Parsed:
    found = parse(text, prefix, TABLE, attached)
    assert found is not None
    return found


@pytest.mark.parametrize("text", ["!mark", "!MARK", "!mark  ", "!mark\n"])
def test_a_bare_prefix_talks(text: str) -> None:
    assert parsed(text).path == "mark"
    assert parsed(text).options == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!markov",
        "!mar",
        "hello !mark",
        "!mark my words",
        "!mark <@31>",
        "!mark twain",
        "!mark http://example.org/seed:1",
        "! mark",
        '!mark "help me"',
    ],
)
def test_what_is_no_command(text: str) -> None:
    assert parse(text, "!mark", TABLE) is None
    assert not is_command(text, "!mark", TABLE)


@pytest.mark.parametrize(
    ("text", "path", "options"),
    [
        ("!mark debug", "mark", {"debug": True}),
        ("!mark TTS debug:no", "mark", {"tts": True, "debug": False}),
        ('!mark seed:"to be" contains:“or not”', "mark", {"seed": "to be", "contains": "or not"}),
        ('!mark "seed:to be"', "mark", {"seed": "to be"}),
        ("!mark seed:a:b", "mark", {"seed": "a:b"}),
        ("!mark debug <@!44>", "mark", {"debug": True, "user": 44}),
        ("!mark mark", "mark", {}),
        ("!mark help", "help", {}),
        ("!Mark Invite", "invite", {}),
        ("!mark listen add <#1> <#2>", "listen add", {"channel-1": 1, "channel-2": 2}),
        ("!mark listen add channel-2:<#2> <#1>", "listen add", {"channel-1": 1, "channel-2": 2}),
        ("!mark listen list", "listen list", {}),
        ("!mark autorespond chance <#1> 12.5%", "autorespond chance", {"channel": 1, "percent": 12.5}),
        (
            "!mark autorespond chance 123456789012345678 20",
            "autorespond chance",
            {"channel": 123456789012345678, "percent": 20.0},
        ),
        ("!mark settings set max_length:80 backward", "settings set", {"max_length": 80, "backward": True}),
        ("!mark settings set opt_out_role:<@&7>", "settings set", {"opt_out_role": 7}),
        ("!mark settings reset name:quiet_from", "settings reset", {"name": "quiet_from"}),
    ],
)
def test_what_a_message_means(text: str, path: str, options: dict[str, Any]) -> None:
    found = parsed(text)

    assert found.why == ""
    assert found.path == path
    assert found.options == options
    assert is_command(text, "!mark", TABLE)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("!mark listen", "is followed by one of `add`, `remove`, `list`, `modify`"),
        ("!mark listen to me", "is followed by one of"),
        ("!mark listen add", "`listen add` needs `channel-1`, a channel."),
        ("!mark listen add general", "`listen add` takes no `general`."),
        ("!mark tts is great", "`mark` takes no `is`."),
        ("!mark debug debug", "`debug` stands there twice."),
        ("!mark debug:maybe", "`debug` takes `true` or `false`."),
        ("!mark settings set max_length:0", "`max_length` takes a whole number from 1 to 2000."),
        ("!mark settings set max_length:1.5", "`max_length` takes a whole number from 1 to 2000."),
        ("!mark settings set image_chance:nan", "`image_chance` takes a number from 0 to 1."),
        ("!mark settings reset name:colour", "`name` takes one of `image_chance`"),
        ("!mark autorespond chance <#1> 101", "takes no `101`"),
        ("!mark seed:", "`seed` takes from 1 to 2000 characters of text."),
        ("!mark help `rm`", "`help` takes no `'rm'`."),
    ],
)
def test_what_is_wrong_is_said(text: str, why: str) -> None:
    found = parsed(text)

    assert why in found.why
    assert is_command(text, "!mark", TABLE), "and it is not learned"


@pytest.mark.parametrize("prefix", ["m.rk+", "(", "[a-z]*", "$", "\\", "!", "hey bot", "Ünï", "ß"])
def test_any_prefix_is_taken_by_its_letters(prefix: str) -> None:
    assert parsed(f"{prefix} help", prefix).path == "help"
    assert parsed(prefix, prefix).path == "mark"
    assert parse(f"x{prefix} help", prefix, TABLE) is None
    assert parse("mark help", prefix, TABLE) is None


def test_files_go_to_the_options_that_take_them() -> None:
    found = parsed("!mark help", attached=(FILE,))

    assert found.why == ""
    assert found.options == {}


@given(st.text(max_size=200), st.text(min_size=1, max_size=10))
def test_no_text_breaks_it(text: str, prefix: str) -> None:
    for whole in (text, prefix + text, f"{prefix} {text}", f"{prefix} settings set {text}"):
        found = parse(whole, prefix, TABLE)
        assert (found is not None) is is_command(whole, prefix, TABLE)
        if found is not None and found.leaf is not None and not found.why:
            options = {option.name: option for option in found.leaf.command.options}
            assert set(found.options) <= set(options)


@given(
    st.lists(st.text(st.characters(blacklist_characters='"“”„', blacklist_categories=("Cs",)), min_size=1), max_size=6)
)
def test_quoted_words_come_back_whole(words: list[str]) -> None:
    assert split(" ".join(f'"{word}"' for word in words)) == words


@given(st.text(max_size=30), st.sampled_from(["text", "whole", "number", "switch", "channel", "user", "role"]))
def test_values_are_of_their_kind_and_within_bounds(word: str, kind: Any) -> None:
    value = value_of(Option("x", kind, "About.", least=1, most=7), word)

    if value is not None:
        expected = {"text": str, "number": float, "switch": bool}.get(kind, int)
        assert type(value) is expected
        if kind in ("whole", "number"):
            assert isinstance(value, int | float)
            assert 1 <= value <= 7
        if kind == "text":
            assert 1 <= len(word) <= 7
