"""What a session asked to be told (https://discord.com/developers/docs/events/gateway#gateway-intents)."""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.chat.discord.messages import Message
    from tests.chat.discord.people import User


class Intent(IntFlag):
    GUILDS = 1 << 0
    GUILD_MEMBERS = 1 << 1
    GUILD_PRESENCES = 1 << 8
    GUILD_MESSAGES = 1 << 9
    GUILD_MESSAGE_TYPING = 1 << 11
    DIRECT_MESSAGES = 1 << 12
    MESSAGE_CONTENT = 1 << 15


NONE = Intent(0)
"""What everybody is told."""
PRIVILEGED = Intent.GUILD_MEMBERS | Intent.GUILD_PRESENCES | Intent.MESSAGE_CONTENT
KNOWN = (1 << 26) - 1
"""A bit above these is refused."""
APPLICATION_FLAGS = {Intent.GUILD_PRESENCES: 1 << 13, Intent.GUILD_MEMBERS: 1 << 15, Intent.MESSAGE_CONTENT: 1 << 19}
"""How the application's flags show which privileged intents a bot of under 100 guilds has."""


def shows_content(message: Message, intents: int, bot: User) -> bool:
    """Whether the bot is given what a message says: always of its own, of conversations and where it is mentioned."""
    return bool(
        intents & Intent.MESSAGE_CONTENT
        or message.channel.guild is None
        or message.author is bot
        or bot in message.mentions
    )


def without_content(payload: dict[str, Any]) -> dict[str, Any]:
    """A message's payload for a bot that may not read it."""
    blank: dict[str, Any] = {"content": "", "attachments": [], "embeds": [], "components": []}
    if payload.get("referenced_message"):
        blank["referenced_message"] = payload["referenced_message"] | {"content": "", "attachments": [], "embeds": []}
    return payload | blank
