"""What of the table Discord does not have yet."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chaffinch.chat.commands.deployment import Difference, payload
from chaffinch.chat.commands.table import table
from chaffinch.config import BotSettings

WANTED = payload(table(BotSettings()))


def as_discord_tells(commands: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With ids and versions, and without what is empty or false."""
    told = copy.deepcopy(commands)

    def thin(one: dict[str, Any]) -> None:
        for key in ("required", "options", "choices", "channel_types"):
            if key in one and not one[key]:
                del one[key]
        for inner in one.get("options", ()):
            thin(inner)

    for number, one in enumerate(told):
        thin(one)
        more = {"default_member_permissions": None, "nsfw": False, "dm_permission": False, "name_localizations": None}
        one.update({"id": str(number + 1), "application_id": "1", "version": "7", **more})
    return told


def test_nothing_changed() -> None:
    difference = Difference(as_discord_tells(WANTED), WANTED)

    assert (difference.upsert, difference.delete) == ([], [])


def test_all_is_new_or_gone() -> None:
    assert Difference([], WANTED).upsert == WANTED
    assert Difference(as_discord_tells(WANTED), []).delete == list(range(1, len(WANTED) + 1))


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands that may be another."""
    if isinstance(value, dict):
        return [each for key, inner in value.items() for each in paths(inner, (*path, key))]
    if isinstance(value, list):
        return [each for number, inner in enumerate(value) for each in paths(inner, (*path, number))]
    return [path]


@given(st.data())
def test_any_change_is_seen(data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(WANTED) - 1))
    changed = copy.deepcopy(WANTED)
    path = data.draw(st.sampled_from([path for path in paths(changed[number]) if path not in (("name",), ("type",))]))
    place: Any = changed[number]
    for key in path[:-1]:
        place = place[key]
    old = place[path[-1]]
    place[path[-1]] = (not old) if isinstance(old, bool) else old + 1 if isinstance(old, int | float) else f"{old}x"

    difference = Difference(as_discord_tells(WANTED), changed)

    assert difference.upsert == [changed[number]]
    assert difference.delete == []


def test_a_renamed_command_takes_the_place_of_the_old_one() -> None:
    renamed = payload(table(BotSettings(command="song")))

    difference = Difference(as_discord_tells(WANTED), renamed)

    assert [one["name"] for one in difference.upsert] == ["song"]
    assert difference.delete == [1]


def test_commands_are_there_in_guilds_alone_and_hidden_from_nobody() -> None:
    for command in WANTED:
        assert command["contexts"] == [0]
        assert command["integration_types"] == [0]
        assert "default_member_permissions" not in command


def test_of_a_guilds_own_commands_no_contexts_are_asked_for_or_looked_at() -> None:
    wanted = payload(table(BotSettings()), of_guild=True)
    assert all("contexts" not in command and "integration_types" not in command for command in wanted)
    for contexts in (None, [0], []):
        told = [one | {"contexts": contexts, "integration_types": [0]} for one in as_discord_tells(wanted)]
        assert Difference(told, wanted).upsert == []
