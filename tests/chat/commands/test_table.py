"""The table is what Discord takes, and all that derives from it agrees."""

import pytest

from chaffinch.chat.bot import Bot
from chaffinch.chat.calls.call import Call, Reply
from chaffinch.chat.commands import table as tables
from chaffinch.chat.commands.deployment import payload
from chaffinch.chat.commands.help import page, usage
from chaffinch.chat.commands.table import MOST_OPTIONS, Command, Component, Option, Table, table
from chaffinch.chat.commands.words import parse
from chaffinch.chat.payloads import body_of
from chaffinch.config import BotSettings
from chaffinch.errors import InputError

TABLE = table(BotSettings())


async def nothing(call: Call, bot: Bot) -> None:
    """Do nothing."""


async def pressed(call: Call, bot: Bot, rest: str) -> None:
    """Do nothing."""


def test_names_and_descriptions_are_what_discord_takes() -> None:
    # https://docs.discord.com/developers/interactions/application-commands: names in small letters, 1 to 32.
    def check(commands: tuple[Command, ...], depth: int) -> None:
        assert depth < 3
        assert len(commands) <= (100 if depth == 0 else MOST_OPTIONS)
        assert len({command.name for command in commands}) == len(commands)
        for command in commands:
            named = [(command.name, command.about), *((one.name, one.about) for one in command.options)]
            for name, about in named:
                assert name == name.lower()
                assert 1 <= len(name) <= 32
                assert all(letter.isalnum() or letter in "-_" for letter in name)
                assert 1 <= len(about) <= 100, name
            assert len(command.options) <= MOST_OPTIONS
            assert len({one.name for one in command.options}) == len(command.options)
            required = [one.is_required for one in command.options]
            assert required == sorted(required, reverse=True), "required options come first"
            assert (command.run is None) == bool(command.commands)
            assert not (command.options and command.commands)
            check(command.commands, depth + 1)

    check(TABLE.commands, 0)


def test_what_discord_is_told_in_characters() -> None:
    def characters(command: dict) -> int:  # type: ignore[type-arg]
        own = len(command["name"]) + len(command.get("description", ""))
        own += sum(len(one["name"]) + len(one["value"]) for one in command.get("choices", ()))
        return own + sum(characters(one) for one in command.get("options", ()))

    assert max(characters(command) for command in payload(TABLE)) <= 8000


def test_the_one_that_talks_has_the_name_of_the_setting() -> None:
    named = table(BotSettings(command="markov"))

    assert named.commands[0].name == "markov"
    assert named.leaves["markov"].command.who == "speaker"
    assert "mark" not in named.leaves
    parsed = parse("!mark", "!mark", named)
    assert parsed is not None
    assert parsed.path == "markov"


def test_a_setting_that_is_another_commands_name_is_refused() -> None:
    with pytest.raises(InputError, match=r"bot\.command cannot be help"):
        table(BotSettings(command="help"))


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two commands of the name a"):
        Table((Command("a", "About.", nothing), Command("a", "About.", nothing)))
    with pytest.raises(ValueError, match="two components of the name a"):
        Table((), (Component("a", pressed), Component("a", pressed)))


def test_ids_of_components() -> None:
    own = Component("train/stop", pressed)
    one = Table((), (own,))

    assert one.component("train/stop") == (own, "")
    assert one.component("train/stop:17") == (own, "17")
    assert one.component("train/stop:") == (own, "")
    assert one.component("train/stopped") is None
    assert one.component("") is None


def test_switches_of_the_one_that_talks_are_no_commands() -> None:
    switches = {option.name for option in TABLE.leaves["mark"].command.options}

    assert switches.isdisjoint(command.name for command in TABLE.commands)


def test_every_command_has_a_prefix_form_that_means_it() -> None:
    for leaf in TABLE.leaves.values():
        words = leaf.path if leaf.path != "mark" else ""
        parsed = parse(f"!mark {words}", "!mark", TABLE)
        assert parsed is not None
        assert parsed.leaf == leaf


def test_help_shows_every_command_whole() -> None:
    embed = page(TABLE, "!mark")
    shown = body_of(Reply(embed=embed))["embeds"][0]
    text = str(shown)

    assert len(shown["fields"]) == len(TABLE.commands), "an embed has 6000 characters, and a field 1024"
    assert "…" not in text
    for leaf in TABLE.leaves.values():
        assert leaf.command.about in text
        if leaf.path != "mark":
            assert leaf.path in text
    for option in TABLE.leaves["mark"].command.options:
        assert option.name in text


def test_usage_is_one_line() -> None:
    assert usage(TABLE.leaves["listen add"], "!mark", TABLE) == "!mark listen add #channel ..."
    assert usage(TABLE.leaves["autorespond chance"], "!mark", TABLE) == "!mark autorespond chance #channel percent:..."
    talk = usage(TABLE.leaves["mark"], "!mark", TABLE)
    assert talk == "!mark [debug] [seed:...] [tts] [contains:...] [user:@user]"


def test_a_module_is_asked_for_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MODULES", ("mark", "help"))

    assert [command.name for command in table(BotSettings()).commands] == ["mark", "help", "invite"]


def test_options_that_numbers_end_are_shown_once() -> None:
    command = Command("x", "About.", nothing, options=(Option("channel-1", "channel", "One.", is_required=True),))

    assert usage(Table((command,)).leaves["x"], "!", Table((command,))) == "! x #channel"
