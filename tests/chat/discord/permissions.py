"""Who may do what where (https://discord.com/developers/docs/topics/permissions)."""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.chat.discord.people import Member
    from tests.chat.discord.places import Channel


class Permission(IntFlag):
    KICK_MEMBERS = 1 << 1
    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    SEND_TTS_MESSAGES = 1 << 12
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    CONNECT = 1 << 20
    MOVE_MEMBERS = 1 << 24
    MANAGE_ROLES = 1 << 28
    USE_APPLICATION_COMMANDS = 1 << 31
    MANAGE_THREADS = 1 << 34
    SEND_MESSAGES_IN_THREADS = 1 << 38


ALL = (1 << 53) - 1
"""Of an owner or administrator."""
EVERYONE = (
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.MENTION_EVERYONE
    | Permission.CONNECT
    | Permission.USE_APPLICATION_COMMANDS
    | Permission.SEND_MESSAGES_IN_THREADS
)
"""What a new guild allows everyone, as far as a test may care."""
INVITED = (
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.SEND_TTS_MESSAGES
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
)
"""What the bot's invitation asks for."""


def in_guild(member: Member) -> int:
    """A member's bits without a channel's overwrites."""
    bits = member.guild.everyone.permissions
    for role in member.roles:
        bits |= role.permissions
    return ALL if member.guild.owner_id == member.id or bits & Permission.ADMINISTRATOR else bits


def in_channel(member: Member, channel: Channel) -> int:
    """A member's bits in a channel; a thread has those of its parent."""
    bits = in_guild(member)
    if bits == ALL:
        return ALL
    overwrites = (channel.parent if channel.is_thread and channel.parent else channel).overwrites
    allowed, denied = overwrites.get(member.guild.id, (0, 0))
    bits = bits & ~denied | allowed
    allowed = denied = 0
    for role in member.roles:
        more, less = overwrites.get(role.id, (0, 0))
        allowed, denied = allowed | more, denied | less
    bits = bits & ~denied | allowed
    allowed, denied = overwrites.get(member.id, (0, 0))
    return bits & ~denied | allowed


def may(member: Member, channel: Channel, needed: int) -> bool:
    """Whether a member sees a channel and may do there what is `needed`."""
    needed |= Permission.VIEW_CHANNEL
    if in_channel(member, channel) & needed != needed:
        return False
    is_hidden = channel.is_private and member.id not in channel.thread_members
    return not is_hidden or bool(in_channel(member, channel) & Permission.MANAGE_THREADS)
