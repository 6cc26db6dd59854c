"""An interaction as Discord tells it (a slash command, or a button or menu that was used): pure, and total.

https://docs.discord.com/developers/interactions/receiving-and-responding
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from chaffinch.chat.calls.call import Value
from chaffinch.chat.payloads import attachment_of, member_of
from chaffinch.chat.seen import Member

Json = dict[str, Any]

COMMAND, COMPONENT = 2, 3
"""Types of interactions."""

THREADS: Final = frozenset((10, 11, 12))
"""Types of channels that are threads: of announcements, public, private."""

SUBCOMMAND, SUBCOMMANDS = 1, 2
"""Types of options that are none: a subcommand, and a group of them."""

_NUMBERS: Final = {3: str, 4: int, 5: bool, 6: int, 7: int, 8: int, 10: float}
"""What the value of an option becomes, by the option's type: text, whole, switch, user, channel, role, number."""

_ATTACHMENT: Final = 11


class Interaction(msgspec.Struct, frozen=True):
    """One interaction; `token` is good for 15 minutes of answers."""

    id: int
    application: int
    token: str
    kind: Literal["command", "component"]
    guild: int
    """0: outside of any."""
    channel: int
    parent: int
    """The channel that it counts for."""
    member: Member
    name: str
    """Of a command its whole name (`listen add`), of a component its id."""
    options: Mapping[str, Value] = {}
    chosen: tuple[str, ...] = ()
    """Of a menu: what was taken."""
    shown: tuple[str, ...] = ()
    """Of a menu: what it had."""


class _Channel(msgspec.Struct, frozen=True, gc=False):
    id: int
    type: int = 0
    parent_id: int | None = None


class _Interaction(msgspec.Struct, frozen=True):
    id: int
    application_id: int
    token: str
    type: int
    data: Json
    guild_id: int | None = None
    channel_id: int | None = None
    channel: _Channel | None = None
    member: Json | None = None
    user: Json | None = None
    message: Json | None = None


def interaction_of(data: Any) -> Interaction | None:
    """An interaction; None for one of a kind that the bot asks nobody for, and for what cannot be read."""
    try:
        read = msgspec.convert(data, _Interaction, strict=False)
        member = member_of(read.member or {"user": read.user})
        if member is None or read.type not in (COMMAND, COMPONENT):
            return None
        return _interaction(read, member)
    except (msgspec.ValidationError, KeyError, TypeError, ValueError, OverflowError, AttributeError):
        return None


def _interaction(read: _Interaction, member: Member) -> Interaction:
    channel = read.channel or _Channel(read.channel_id or 0)
    is_command = read.type == COMMAND
    name, options = _command(read.data) if is_command else (str(read.data["custom_id"]), {})
    return Interaction(
        id=read.id,
        application=read.application_id,
        token=read.token,
        kind="command" if is_command else "component",
        guild=read.guild_id or 0,
        channel=channel.id,
        parent=(channel.parent_id or channel.id) if channel.type in THREADS else channel.id,
        member=member,
        name=name,
        options=options,
        chosen=() if is_command else tuple(str(one) for one in read.data.get("values") or ()),
        shown=() if is_command else _shown(read.message or {}, name),
    )


def _command(data: Json) -> tuple[str, dict[str, Value]]:
    path, given = str(data["name"]), data.get("options") or []
    while given and given[0]["type"] in (SUBCOMMAND, SUBCOMMANDS):
        path, given = f"{path} {given[0]['name']}", given[0].get("options") or []
    files = (data.get("resolved") or {}).get("attachments") or {}
    options: dict[str, Value] = {}
    for one in given:
        if one["type"] == _ATTACHMENT:
            attached = attachment_of(files[str(one["value"])])
            if attached is not None:
                options[str(one["name"])] = attached
        else:
            options[str(one["name"])] = _NUMBERS[one["type"]](one["value"])
    return path, options


def _shown(message: Json, id: str) -> tuple[str, ...]:  # noqa: A002 - as Discord has it
    return tuple(
        str(option["value"])
        for row in message.get("components") or ()
        for component in row.get("components") or ()
        if component.get("custom_id") == id
        for option in component.get("options") or ()
    )
