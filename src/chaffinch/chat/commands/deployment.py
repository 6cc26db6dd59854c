"""The table as Discord's slash commands, and what of it Discord does not have yet. Pure.

https://docs.discord.com/developers/interactions/application-commands
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from chaffinch.chat.commands.table import Command, Kind, Option, Table

Json = dict[str, Any]

TYPES: Final[Mapping[Kind, int]] = {
    "text": 3,
    "whole": 4,
    "switch": 5,
    "user": 6,
    "channel": 7,
    "role": 8,
    "number": 10,
    "attachment": 11,
}
SUBCOMMAND: Final = 1

TEXT_CHANNELS: Final = (0, 2, 5, 13, 15, 16)
"""Types of the channels that can be listened to: text, the chats of voice channels, announcements, the chats of stages,
and forums with and without media (whose messages are all in threads)."""

CONTEXTS: Final = ("contexts", "integration_types")
IN_GUILDS: Final = (0,)
"""What both are: commands are there in guilds, where the bot was added to them."""


def payload(table: Table, *, of_guild: bool = False) -> list[Json]:
    """What Discord is to have; `of_guild`: of a guild, whose own commands have no contexts.

    Nothing is hidden by `default_member_permissions`: Discord shows a command to members who have all permissions that
    stand there, and any one of four makes a moderator (`moderators.MODERATING`). A guild's own rules for who sees which
    command stay as they are.
    """
    names = () if of_guild else CONTEXTS
    return [{"type": 1, **{name: list(IN_GUILDS) for name in names}, **_command(command)} for command in table.commands]


class Difference:
    """How what Discord has differs from what it is to have."""

    def __init__(self, deployed: Iterable[Json], wanted: Iterable[Json]) -> None:
        has = {(one.get("type", 1), one["name"]): one for one in deployed}
        wants = {(one["type"], one["name"]): one for one in wanted}
        self.upsert = [one for key, one in wants.items() if key not in has or _differ(has[key], one)]
        """New ones, and those that are not as they should be."""
        self.delete = [int(one["id"]) for key, one in has.items() if key not in wants]
        """The ids of those that are no more."""


def _command(command: Command) -> Json:
    inner = [{"type": SUBCOMMAND, **_command(one)} for one in command.commands]
    return {
        "name": command.name,
        "description": command.about,
        "options": inner or [_option(one) for one in command.options],
    }


def _option(option: Option) -> Json:
    json: Json = {
        "type": TYPES[option.kind],
        "name": option.name,
        "description": option.about,
        "required": option.is_required,
    }
    if option.kind == "channel":
        json["channel_types"] = list(TEXT_CHANNELS)
    if option.choices:
        json["choices"] = [{"name": one, "value": one} for one in option.choices]
    bounded = "length" if option.kind == "text" else "value"
    for bound, name in ((option.least, "min"), (option.most, "max")):
        if bound is not None:
            json[f"{name}_{bounded}"] = bound if option.kind == "number" else int(bound)
    return json


def _differ(has: Json, wants: Json) -> bool:
    """Contexts count where they are asked for: of a guild's own commands Discord says one thing or nothing of them."""
    return _known(has) != _known(wants) or any(
        name in wants and sorted(has.get(name) or ()) != sorted(wants[name]) for name in CONTEXTS
    )


def _known(json: Json) -> Json:
    """The fields that we set, as if all were there: Discord adds some, and leaves out those that are empty or false."""
    known: Json = {
        "type": json.get("type", 1),
        "name": json["name"],
        "description": json.get("description", ""),
        "required": json.get("required", False),
        "options": [_known(one) for one in json.get("options") or ()],
        "choices": [(one["name"], one["value"]) for one in json.get("choices") or ()],
    }
    known["channel_types"] = sorted(json.get("channel_types") or ())
    for name in ("min_length", "max_length", "min_value", "max_value"):
        known[name] = json.get(name)
    return known
