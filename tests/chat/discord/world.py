"""Everything that is in this Discord: one bot, the guilds, the people."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from tests.chat.discord import growing, snowflakes
from tests.chat.discord.clock import Clock
from tests.chat.discord.people import Member, Role, User
from tests.chat.discord.permissions import EVERYONE, INVITED
from tests.chat.discord.places import THREADS, Channel, Guild, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.chat.discord.messages import Attachment

URL_SECONDS = 24 * 3600
"""How long the address of an attachment is good for."""
BEGAN_MS = 1_735_689_600_000
"""When the things of a generated world were made: the first moment of 2025."""
_KEY = b"the CDN's own"


class World:
    """Empty but for the bot; `small`, `large` and `many` make one with something in it."""

    def __init__(self, *, clock: Clock | None = None, token: str = "a.bot.token") -> None:
        self.clock = clock or Clock()
        self.token = token
        self.ids = snowflakes.Snowflakes()
        self.users: dict[int, User] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.attachments: dict[int, Attachment] = {}
        """Those that have content, or that somebody posted."""
        self.cdn = ""
        """The address of the CDN, once the fake is started."""
        self.bot = self.add_user("chaffinch", is_bot=True)
        self.owner = self.add_user("developer")
        """Who registered the bot."""

    @classmethod
    def small(cls, *, clock: Clock | None = None) -> World:
        return growing.small(cls(clock=clock))

    @classmethod
    def large(cls, messages: int = 1_000_000, *, channels: int = 8, clock: Clock | None = None) -> World:
        return growing.large(cls(clock=clock), messages, channels)

    @classmethod
    def many(cls, guilds: int = 50, *, clock: Clock | None = None) -> World:
        return growing.many(cls(clock=clock), guilds)

    @property
    def guild(self) -> Guild:
        """The first one."""
        return next(iter(self.guilds.values()))

    def new_id(self, time_ms: int | None = None) -> int:
        return self.ids.next(self.clock.now_ms() if time_ms is None else time_ms)

    def add_user(self, name: str, *, is_bot: bool = False) -> User:
        user = User(self.new_id(BEGAN_MS), name, is_bot)
        self.users[user.id] = user
        return user

    def add_guild(self, name: str, owner: User, *, with_bot: bool = True) -> Guild:
        """With everyone's role, which has the guild's id, and its owner."""
        guild_id = self.new_id(BEGAN_MS)
        everyone = Role(guild_id, "@everyone", EVERYONE)
        guild = Guild(self, guild_id, name, owner.id, everyone, {guild_id: everyone})
        self.guilds[guild_id] = guild
        self.add_member(guild, owner)
        if with_bot:
            self.add_bot(guild)
        return guild

    def add_bot(self, guild: Guild, permissions: int = INVITED) -> Member:
        """Invite the bot: Discord makes a role for it."""
        role = self.add_role(guild, self.bot.name, permissions)
        role.is_managed = True
        return self.add_member(guild, self.bot, [role])

    def add_role(self, guild: Guild, name: str, permissions: int = 0) -> Role:
        role = Role(self.new_id(BEGAN_MS), name, permissions, position=len(guild.roles))
        guild.roles[role.id] = role
        return role

    def add_member(self, guild: Guild, user: User | str, roles: Iterable[Role] = ()) -> Member:
        """`user` may be the name of a new one."""
        user = self.add_user(user) if isinstance(user, str) else user
        member = Member(user, guild, BEGAN_MS, list(roles))
        guild.members[user.id] = member
        return member

    def add_channel(
        self, guild: Guild, name: str, kind: Kind = Kind.TEXT, *, parent: Channel | None = None, made_ms: int = BEGAN_MS
    ) -> Channel:
        """A channel, or a thread of `parent`, whose owner is the guild's."""
        channel = Channel(self, guild, self.new_id(made_ms), name, kind, len(guild.channels), parent)
        if kind in THREADS:
            channel.owner_id = guild.owner_id
            channel.thread_members = {guild.owner_id}
        guild.channels[channel.id] = channel
        self.channels[channel.id] = channel
        return channel

    def conversation(self, user: User) -> Channel:
        """Between a user and the bot alone."""
        for channel in self.channels.values():
            if channel.recipient is user:
                return channel
        channel = Channel(self, None, self.new_id(), "", Kind.DM, recipient=user)
        self.channels[channel.id] = channel
        return channel

    def remove_channel(self, channel: Channel) -> None:
        self.channels.pop(channel.id, None)
        if channel.guild is not None:
            channel.guild.channels.pop(channel.id, None)

    def rename(self, channel: Channel, new_id: int) -> None:
        """Give it another id: a thread has that of the message that began it."""
        assert channel.guild is not None
        self.remove_channel(channel)
        channel.id = new_id
        channel.guild.channels[new_id] = self.channels[new_id] = channel

    def signed(self, attachment: Attachment) -> str:
        """The address of an attachment, good for a day from now."""
        path = f"/attachments/{attachment.channel_id}/{attachment.id}/{attachment.name}"
        return self.signed_path(path)

    def signed_path(self, path: str) -> str:
        issued = int(self.clock.now())
        query = f"ex={issued + URL_SECONDS:x}&is={issued:x}"
        return f"{self.cdn}{path}?{query}&hm={self.signature(path, query)}&"

    @staticmethod
    def signature(path: str, query: str) -> str:
        """Of `path` with its `ex` and `is`."""
        return hmac.new(_KEY, f"{path}?{query}".encode(), hashlib.sha256).hexdigest()
