"""The bot's commands as it deployed them, and what people can give them."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from tests.chat.discord import payloads, permissions
from tests.chat.discord.people import Member, Role
from tests.chat.discord.places import Channel
from tests.chat.discord.received import File
from tests.chat.discord.refusals import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.chat.discord.acting import Acting

Json = dict[str, Any]
NAME = re.compile(r"^[-_'\w]{1,32}$")


class Option(IntEnum):
    """https://discord.com/developers/docs/interactions/application-commands#application-command-object-application-command-option-type"""

    SUBCOMMAND = 1
    GROUP = 2
    TEXT = 3
    WHOLE = 4
    SWITCH = 5
    USER = 6
    CHANNEL = 7
    ROLE = 8
    MENTIONABLE = 9
    NUMBER = 10
    ATTACHMENT = 11


NESTED = (Option.SUBCOMMAND, Option.GROUP)


class NotOfferedError(AssertionError):
    """Somebody gave a command in a way that Discord would not have let them: the test or the deployment is wrong."""


def check(payload: list[Json]) -> None:
    """Refuse commands that Discord would refuse."""
    if len(payload) > 100:
        raise invalid("0", "APPLICATION_COMMAND_TOO_MANY", "At most 100 commands.")
    names = [command.get("name") for command in payload]
    for index, command in enumerate(payload):
        _check_named(str(index), command, is_described=command.get("type", 1) == 1)
        if names.count(command["name"]) > 1:
            raise invalid(str(index), "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique")
        _check_options(f"{index}.options", command.get("options") or [], depth=0)


def _check_named(where: str, one: Json, *, is_described: bool = True) -> None:
    name = one.get("name") or ""
    if not NAME.match(name) or name != name.lower():
        raise invalid(f"{where}.name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    if is_described and not 1 <= len(one.get("description") or "") <= 100:
        raise invalid(f"{where}.description", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")


def _check_options(where: str, options: list[Json], depth: int) -> None:
    if len(options) > 25:
        raise invalid(where, "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    names = [option.get("name") for option in options]
    was_optional = False
    for index, option in enumerate(options):
        here = f"{where}.{index}"
        _check_named(here, option)
        if names.count(option["name"]) > 1:
            raise invalid(here, "APPLICATION_COMMAND_OPTIONS_NAME_NOT_UNIQUE", "Option names must be unique.")
        if option.get("type") not in list(Option):
            raise invalid(f"{here}.type", "BASE_TYPE_CHOICES", "Value must be one of 1 to 11.")
        if option["type"] in NESTED:
            if depth > 1 or (option["type"] == Option.GROUP and depth):
                raise invalid(f"{here}.type", "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Sub-command nested too deep")
            _check_options(f"{here}.options", option.get("options") or [], depth + 1)
        if option.get("required") and was_optional:
            message = "Required options must be placed before non-required options"
            raise invalid(here, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message)
        was_optional = was_optional or not option.get("required")
        if len(option.get("choices") or []) > 25:
            raise invalid(f"{here}.choices", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    kinds = {option["type"] in NESTED for option in options}
    if len(kinds) > 1:
        raise invalid(where, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Sub-commands and options cannot be mixed")


class Commands:
    """`by_guild[0]` are those of every guild."""

    def __init__(self) -> None:
        self.by_guild: dict[int, list[Json]] = {}
        self.deployments: list[tuple[int, list[Json]]] = []
        """Each bulk overwrite: the guild (0: all) and what was sent."""

    def deploy(self, fake: Acting, guild: int, payload: list[Json]) -> list[Json]:
        check(payload)
        old = {command["name"]: command["id"] for command in self.by_guild.get(guild, [])}
        self.deployments.append((guild, payload))
        self.by_guild[guild] = [
            {
                "type": 1,
                "options": [],
                "default_member_permissions": None,
                "nsfw": False,
                "contexts": None,
                "integration_types": [0],
            }
            | command
            # Of a guild's own commands Discord keeps no contexts.
            | ({"contexts": None, "integration_types": [0]} if guild else {})
            | {
                "id": old.get(command["name"], str(fake.world.new_id())),
                "application_id": str(fake.world.bot.id),
                "version": str(fake.world.new_id()),
            }
            | ({"guild_id": str(guild)} if guild else {})
            for command in payload
        ]
        return self.by_guild[guild]

    def names(self, guild: int = 0) -> list[str]:
        return [command["name"] for command in self.by_guild.get(guild, [])]

    def find(self, guild: int, name: str) -> Json:
        """A guild's own go first."""
        for command in [*self.by_guild.get(guild, []), *self.by_guild.get(0, [])]:
            if command["name"] == name:
                return command
        raise NotOfferedError(f"no command /{name} is deployed; there are {self.names(guild) + self.names()}")


class Filled:
    """A command with its options: what goes into the interaction's `data`."""

    def __init__(self, fake: Acting, member: Member, channel: Channel, path: str, options: Mapping[str, Any]) -> None:
        self._fake, self._member, self._channel = fake, member, channel
        self._resolved: dict[str, dict[str, Json]] = {}
        name, *rest = path.split()
        assert channel.guild is not None
        command = fake.commands.find(channel.guild.id, name)
        needed = command["default_member_permissions"]
        if needed is not None and permissions.in_channel(member, channel) & int(needed) != int(needed):
            raise NotOfferedError(f"{member.name} is not shown /{name}")
        self.data: Json = {"id": command["id"], "name": name, "type": 1, "guild_id": str(channel.guild.id)}
        filled = self._fill(path, command["options"], rest, options)
        if filled:
            self.data["options"] = filled
        if self._resolved:
            self.data["resolved"] = self._resolved

    def _fill(self, path: str, offered: list[Json], rest: list[str], given: Mapping[str, Any]) -> list[Json]:
        nested = [option for option in offered if option["type"] in NESTED]
        if nested:
            found = next((option for option in nested if rest and option["name"] == rest[0]), None)
            if found is None:
                raise NotOfferedError(f"/{path}: there is {[option['name'] for option in nested]}")
            inner = self._fill(path, found.get("options") or [], rest[1:], given)
            return [{"name": found["name"], "type": found["type"], "options": inner}]
        if rest:
            raise NotOfferedError(f"/{path} has no sub-command {rest[0]!r}")
        by_name = {option["name"]: option for option in offered}
        if unknown := set(given) - set(by_name):
            raise NotOfferedError(f"/{path} has no option {unknown}; there are {list(by_name)}")
        for name, option in by_name.items():
            if option.get("required") and name not in given:
                raise NotOfferedError(f"/{path} needs {name}")
        return [
            {"name": name, "type": by_name[name]["type"], "value": self._value(f"/{path} {name}", by_name[name], value)}
            for name, value in given.items()
        ]

    def _value(self, where: str, option: Json, value: Any) -> Any:
        kind = Option(option["type"])
        fitting: dict[Option, type | tuple[type, ...]] = {
            Option.TEXT: str,
            Option.WHOLE: int,
            Option.SWITCH: bool,
            Option.USER: Member,
            Option.CHANNEL: Channel,
            Option.ROLE: Role,
            Option.MENTIONABLE: (Member, Role),
            Option.NUMBER: (int, float),
            Option.ATTACHMENT: File,
        }
        if not isinstance(value, fitting[kind]) or (isinstance(value, bool) and kind is not Option.SWITCH):
            raise NotOfferedError(f"{where} takes {kind.name}, not {value!r}")
        _check_bounds(where, option, value)
        if isinstance(value, str | int | float):
            return value
        return self._resolve(value)

    def _resolve(self, value: Any) -> str:
        """Put something into `resolved`; its id."""
        if isinstance(value, Member):
            self._note("users", value.id, payloads.user(value.user))
            shown = payloads.member(value, with_user=False)
            bits = permissions.in_channel(value, self._channel)
            return self._note("members", value.id, shown | {"permissions": str(bits)})
        if isinstance(value, Role):
            return self._note("roles", value.id, payloads.role(value))
        if isinstance(value, Channel):
            bits = permissions.in_channel(self._member, value)
            return self._note("channels", value.id, payloads.channel(value) | {"permissions": str(bits)})
        attachment = self._fake.attach(self._channel, value)
        shown = payloads.attachment(attachment, self._channel) | {"ephemeral": True}
        return self._note("attachments", attachment.id, shown)

    def _note(self, kind: str, resolved_id: int, payload: Json) -> str:
        self._resolved.setdefault(kind, {})[str(resolved_id)] = payload
        return str(resolved_id)


def _check_bounds(where: str, option: Json, value: Any) -> None:
    """What Discord's own window would not have let anybody send."""
    choices = [choice["value"] for choice in option.get("choices") or []]
    if choices and value not in choices:
        raise NotOfferedError(f"{where} takes one of {choices}")
    if isinstance(value, str) and not option.get("min_length", 0) <= len(value) <= option.get("max_length", 6000):
        raise NotOfferedError(f"{where}: {len(value)} characters")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and not option.get("min_value", value) <= value <= option.get("max_value", value):
        raise NotOfferedError(f"{where}: {value} is out of bounds")
    if isinstance(value, Channel) and option.get("channel_types") and value.kind not in option["channel_types"]:
        raise NotOfferedError(f"{where} does not offer {value.name}")
