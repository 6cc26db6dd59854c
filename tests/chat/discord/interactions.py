"""Somebody's command, button or menu, and what the bot did about it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from tests.chat.discord import payloads, permissions
from tests.chat.discord.refusals import UNKNOWN_INTERACTION, UNKNOWN_MESSAGE, UNKNOWN_WEBHOOK, Refused, unknown

if TYPE_CHECKING:
    from tests.chat.discord.messages import Message
    from tests.chat.discord.people import Member
    from tests.chat.discord.places import Channel
    from tests.chat.discord.world import World

ANSWER_SECONDS = 3.0
"""Within that a callback has to come."""
TOKEN_SECONDS = 15 * 60.0
"""For so long the token is good."""
MOST_ATTACHMENT_BYTES = 10 << 20


class Type(IntEnum):
    COMMAND = 2
    COMPONENT = 3


class Callback(IntEnum):
    """https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-response-object-interaction-callback-type"""

    PONG = 1
    MESSAGE = 4
    THINKING = 5
    THINKING_OF_UPDATE = 6
    UPDATE = 7
    SUGGESTIONS = 8
    WINDOW = 9


@dataclass(eq=False, slots=True)
class Asked:
    """One interaction. `answers` are what its bot said so far, the one that takes the place of "thinking" first."""

    id: int
    type: Type
    member: Member
    channel: Channel = field(repr=False)
    data: dict[str, Any]
    asked_s: float
    """When, by the world's clock."""
    source: Message | None = None
    """The message whose button or menu it is."""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(90), repr=False)
    callback: Callback | None = None
    callback_flags: int = 0
    """Of the first answer, as the bot sent them: 64 hides it."""
    modal: dict[str, Any] | None = None
    original: Message | None = None
    """The answer that `@original` stands for."""
    is_thinking: bool = False
    answers: list[Message] = field(default_factory=list)
    removed: list[Message] = field(default_factory=list)
    """Answers that the bot deleted."""
    sent_ns: int = 0
    """When the event went out, by `time.monotonic_ns`; 0 before."""
    callback_ns: int = 0
    """When the callback came."""

    def payload(self, world: World) -> dict[str, Any]:
        """As INTERACTION_CREATE has it."""
        guild = self.channel.guild
        assert guild is not None
        me = guild.me
        member = payloads.member(self.member)
        bits = permissions.in_channel(self.member, self.channel)
        found = {
            "id": str(self.id),
            "application_id": str(world.bot.id),
            "type": self.type,
            "token": self.token,
            "version": 1,
            "data": self.data,
            "guild_id": str(guild.id),
            "guild": {"id": str(guild.id), "locale": "en-US", "features": []},
            "guild_locale": "en-US",
            "locale": "en-US",
            "channel_id": str(self.channel.id),
            "channel": payloads.channel(self.channel) | {"permissions": str(bits)},
            "member": member | {"permissions": str(bits)},
            "app_permissions": str(permissions.in_channel(me, self.channel) if me else 0),
            "entitlements": [],
            "entitlement_sku_ids": [],
            "authorizing_integration_owners": {"0": str(guild.id)},
            "context": 0,
            "attachment_size_limit": MOST_ATTACHMENT_BYTES,
        }
        return found if self.source is None else found | {"message": payloads.message(self.source)}

    def check_callback(self, now_s: float) -> None:
        """Refuse a callback that comes too late, or a second one."""
        if self.callback is not None:
            raise Refused(400, 40060, "Interaction has already been acknowledged.")
        if now_s > self.asked_s + ANSWER_SECONDS:
            raise unknown(UNKNOWN_INTERACTION, "interaction")

    def check_token(self, now_s: float) -> None:
        """Refuse what comes by its token too late, or before a callback."""
        if now_s > self.asked_s + TOKEN_SECONDS:
            raise Refused(401, 50027, "Invalid Webhook Token")
        if self.callback is None:
            raise unknown(UNKNOWN_WEBHOOK, "Webhook")

    def find(self, name: str) -> Message:
        """The answer of that id, or `@original`."""
        if name == "@original":
            if self.original is not None and self.original not in self.removed:
                return self.original
        else:
            for message in (*self.answers, self.original):
                if message is not None and str(message.id) == name and message not in self.removed:
                    return message
        raise unknown(UNKNOWN_MESSAGE, "Message")
