"""Interactions, read from what the fake Discord sends."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.chat.calls.interactions import Interaction, interaction_of
from chaffinch.chat.seen import Attached
from tests.chat.discord.interactions import Asked, Type
from tests.chat.discord.messages import Message
from tests.chat.discord.world import World

ATTACHMENT = {"id": "4", "filename": "a.json", "size": 3, "url": "https://cdn.discordapp.com/a.json"}
COMMAND = {
    "name": "listen",
    "type": 1,
    "resolved": {"attachments": {"4": ATTACHMENT}},
    "options": [
        {
            "name": "add",
            "type": 1,
            "options": [
                {"name": "text", "type": 3, "value": "words"},
                {"name": "whole", "type": 4, "value": 7},
                {"name": "switch", "type": 5, "value": False},
                {"name": "user", "type": 6, "value": "11"},
                {"name": "channel", "type": 7, "value": "12"},
                {"name": "role", "type": 8, "value": "13"},
                {"name": "number", "type": 10, "value": 2},
                {"name": "file", "type": 11, "value": "4"},
            ],
        }
    ],
}


def told(kind: Type, data: dict[str, Any], place: str = "general", **more: Any) -> dict[str, Any]:
    world = World.small()
    return Asked(5, kind, world.guild.member("moderator"), world.guild.channel(place), data, 0.0, **more).payload(world)


def read(data: Any) -> Interaction:
    found = interaction_of(data)
    assert found is not None
    return found


def test_a_command_with_every_kind_of_option() -> None:
    data = told(Type.COMMAND, COMMAND)

    found = read(data)

    assert (found.kind, found.name, found.id, found.token) == ("command", "listen add", 5, data["token"])
    assert found.guild == int(data["guild_id"])
    assert found.channel == found.parent == int(data["channel_id"])
    assert found.member.permissions & (1 << 1), "kick members"
    assert found.options == {
        "text": "words",
        "whole": 7,
        "switch": False,
        "user": 11,
        "channel": 12,
        "role": 13,
        "number": 2.0,
        "file": Attached(4, "a.json", 3, "https://cdn.discordapp.com/a.json"),
    }
    assert isinstance(found.options["number"], float)


def test_in_a_thread_it_counts_for_the_channel() -> None:
    found = read(told(Type.COMMAND, {"name": "mark", "type": 1}, "plans"))

    assert found.name == "mark"
    assert found.parent != found.channel
    assert read(told(Type.COMMAND, {"name": "mark", "type": 1}, "general")).parent == found.parent


def test_a_menu_tells_what_it_had_and_what_was_taken() -> None:
    world = World.small()
    rows = [
        {"type": 1, "components": [{"type": 3, "custom_id": "x", "options": [{"value": "9"}]}]},
        {"type": 1, "components": [{"type": 3, "custom_id": "a/b:1", "options": [{"value": "1"}, {"value": "2"}]}]},
    ]
    source = Message(8, world.guild.channel("general"), world.bot, components=rows)

    found = read(told(Type.COMPONENT, {"custom_id": "a/b:1", "component_type": 3, "values": ["2"]}, source=source))

    assert (found.kind, found.name, found.chosen, found.shown) == ("component", "a/b:1", ("2",), ("1", "2"))


def test_outside_of_a_guild_the_guild_is_0() -> None:
    data = told(Type.COMMAND, {"name": "mark", "type": 1})
    member = data.pop("member")
    del data["guild_id"]

    assert read(data | {"user": member["user"]}).guild == 0


@pytest.mark.parametrize("kind", [1, 4, 5, 99])
def test_other_kinds_are_none(kind: int) -> None:
    assert interaction_of(told(Type.COMMAND, COMMAND) | {"type": kind}) is None


KEYS = (
    "id",
    "type",
    "data",
    "member",
    "user",
    "channel",
    "options",
    "name",
    "value",
    "resolved",
    "message",
    "custom_id",
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)


@given(st.sampled_from(sorted(told(Type.COMMAND, COMMAND))), ANYTHING)
def test_no_json_breaks_the_reading(key: str, value: Any) -> None:
    interaction_of(value)
    interaction_of(told(Type.COMMAND, COMMAND) | {key: value})
    interaction_of(told(Type.COMPONENT, {"custom_id": "a"}) | {"data": {"custom_id": "a", "values": value}})
    interaction_of(told(Type.COMPONENT, {"custom_id": "a"}) | {"message": value})
