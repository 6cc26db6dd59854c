"""Guilds, and the channels and threads in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from tests.chat.discord.history import History

if TYPE_CHECKING:
    from tests.chat.discord.people import Member, Role, User
    from tests.chat.discord.world import World


class Kind(IntEnum):
    """https://discord.com/developers/docs/resources/channel#channel-object-channel-types"""

    TEXT = 0
    DM = 1
    VOICE = 2
    CATEGORY = 4
    NEWS = 5
    NEWS_THREAD = 10
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12
    STAGE = 13
    FORUM = 15


THREADS = frozenset({Kind.NEWS_THREAD, Kind.PUBLIC_THREAD, Kind.PRIVATE_THREAD})
WITH_MESSAGES = THREADS | {Kind.TEXT, Kind.DM, Kind.VOICE, Kind.NEWS, Kind.STAGE}


@dataclass(eq=False, slots=True)
class Channel:
    """A channel, a thread, a category, or a conversation with one user (then it is of no guild)."""

    world: World = field(repr=False)
    guild: Guild | None = field(repr=False)
    id: int
    name: str
    kind: Kind
    position: int = 0
    parent: Channel | None = field(default=None, repr=False)
    """Of a thread: the channel; of a channel: the category."""
    overwrites: dict[int, tuple[int, int]] = field(default_factory=dict, repr=False)
    """Of a role or member, by id: what is allowed, what is denied."""
    owner_id: int = 0
    recipient: User | None = None
    archived_ms: int | None = None
    """Of a thread: when it was archived; None while it is active."""
    thread_members: set[int] = field(default_factory=set)
    history: History = field(default_factory=History, repr=False)

    @property
    def is_thread(self) -> bool:
        return self.kind in THREADS

    @property
    def is_private(self) -> bool:
        return self.kind is Kind.PRIVATE_THREAD

    @property
    def mention(self) -> str:
        return f"<#{self.id}>"


@dataclass(eq=False, slots=True)
class Guild:
    world: World = field(repr=False)
    id: int
    name: str
    owner_id: int
    everyone: Role = field(repr=False)
    roles: dict[int, Role] = field(default_factory=dict, repr=False)
    members: dict[int, Member] = field(default_factory=dict, repr=False)
    channels: dict[int, Channel] = field(default_factory=dict, repr=False)
    """Threads, too."""
    is_out: bool = False
    """Discord has an outage there."""

    def channel(self, name: str) -> Channel:
        """The channel or thread of that name."""
        return next(channel for channel in self.channels.values() if channel.name == name)

    def role(self, name: str) -> Role:
        return next(role for role in self.roles.values() if role.name == name)

    def member(self, name: str) -> Member:
        return next(member for member in self.members.values() if member.name == name)

    @property
    def me(self) -> Member | None:
        """The bot, while it is here."""
        return self.members.get(self.world.bot.id)

    def threads_of(self, channel: Channel) -> list[Channel]:
        return [thread for thread in self.channels.values() if thread.is_thread and thread.parent is channel]
