"""What was said."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntFlag
from typing import TYPE_CHECKING, Any

from tests.chat.discord import permissions

if TYPE_CHECKING:
    from tests.chat.discord.people import Role, User
    from tests.chat.discord.places import Channel

_CODE = re.compile(r"```.*?```|`[^`]+`", re.DOTALL)
_USER = re.compile(r"<@!?(\d+)>")
_ROLE = re.compile(r"<@&(\d+)>")
_EVERYONE = re.compile(r"@(?:everyone|here)\b")

JOINED = 7
"""The type of Discord's own message that somebody joined."""
REPLY = 19
COMMAND = 20
"""In answer to one."""
THREAD_STARTED = 18
"""That somebody began a thread by itself."""
THREAD_START = 21
"""The first message of a thread that another message began: it stands for that one, and says nothing."""
ORDINARY = frozenset({0, REPLY, COMMAND, 23})
"""Types that people and commands write; the others are Discord's own."""


class Flag(IntFlag):
    SUPPRESS_EMBEDS = 1 << 2
    HAS_THREAD = 1 << 5
    EPHEMERAL = 1 << 6
    LOADING = 1 << 7
    SUPPRESS_NOTIFICATIONS = 1 << 12


@dataclass(eq=False, slots=True)
class Attachment:
    id: int
    channel_id: int
    """Where it was posted: part of its address."""
    name: str
    size: int
    """Bytes, as Discord declares them."""
    content: bytes | None = field(default=None, repr=False)
    """None: made up when somebody asks the CDN."""
    content_type: str = "image/png"


@dataclass(eq=False, slots=True)
class Message:
    id: int
    channel: Channel = field(repr=False)
    author: User
    content: str = ""
    attachments: list[Attachment] = field(default_factory=list)
    embeds: list[dict[str, Any]] = field(default_factory=list)
    components: list[dict[str, Any]] = field(default_factory=list)
    mentions: list[User] = field(default_factory=list)
    mention_roles: list[Role] = field(default_factory=list)
    mentions_everyone: bool = False
    tts: bool = False
    type: int = 0
    flags: int = 0
    edited_ms: int | None = None
    reply_to: Message | None = field(default=None, repr=False)
    webhook_id: int | None = None
    interaction: Any = field(default=None, repr=False)
    """The command that it answers (`interactions.Asked`)."""
    allowed_mentions: dict[str, Any] | None = None
    """As the bot sent them; None if it sent none."""
    pinged: list[int] = field(default_factory=list)
    """Users and roles whom it notified, after `allowed_mentions`; the guild's id stands for everyone."""
    posted_ns: int = 0
    """When the request came that made it, by `time.monotonic_ns`; 0: no bot made it."""
    sent_ns: int = 0
    """When the event went out that tells of it, by the same clock; 0 before."""

    @property
    def is_ephemeral(self) -> bool:
        return bool(self.flags & Flag.EPHEMERAL)

    @property
    def is_loading(self) -> bool:
        return bool(self.flags & Flag.LOADING)


def find_mentions(message: Message) -> None:
    """Fill in whom a message mentions, as Discord does: nothing inside code."""
    text = _CODE.sub("", message.content)
    world, guild = message.channel.world, message.channel.guild
    users = dict.fromkeys(int(found) for found in _USER.findall(text))
    message.mentions = [world.users[user] for user in users if user in world.users]
    roles = dict.fromkeys(int(found) for found in _ROLE.findall(text))
    message.mention_roles = [guild.roles[role] for role in roles if role in guild.roles] if guild else []
    member = guild.members.get(message.author.id) if guild else None
    is_allowed = member is None or permissions.may(member, message.channel, permissions.Permission.MENTION_EVERYONE)
    message.mentions_everyone = is_allowed and _EVERYONE.search(text) is not None
    if message.reply_to is not None and message.reply_to.author not in message.mentions:
        allowed = message.allowed_mentions
        if allowed is None or allowed.get("replied_user"):
            message.mentions.append(message.reply_to.author)
