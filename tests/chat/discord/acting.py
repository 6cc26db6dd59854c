"""What people and Discord do: each changes the world and sends the events that tell of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.chat.discord import payloads, permissions, posting
from tests.chat.discord.commands import Commands, Filled, NotOfferedError
from tests.chat.discord.intents import NONE, Intent
from tests.chat.discord.interactions import Asked, Type
from tests.chat.discord.messages import REPLY, THREAD_START, THREAD_STARTED, Attachment, Flag, Message, find_mentions
from tests.chat.discord.people import Member
from tests.chat.discord.permissions import Permission
from tests.chat.discord.places import THREADS, Channel, Guild, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tests.chat.discord.gateway import Gateway
    from tests.chat.discord.people import Role, User
    from tests.chat.discord.received import File
    from tests.chat.discord.world import World

MOST_INTERACTIONS = 10_000


class Acting:
    """None of these waits: what is sent goes out in order on every connection."""

    world: World
    gateway: Gateway
    commands: Commands
    interactions: dict[str, Asked]
    """By token; the last ones."""
    tells_of_waking = True
    """Off: the bot is not told that a thread woke, as when that comes late or gets lost."""

    # Telling the bot.

    def tell(
        self,
        event: str,
        data: Any,
        needs: Intent = NONE,
        *,
        message: Message | None = None,
        on_sent: Callable[[int], None] | None = None,
    ) -> None:
        """Send an event: of a guild only while the bot is in it, of a `message` only if it sees the channel."""
        guild = self.world.guilds.get(int(data.get("guild_id", 0)))
        if guild is not None and (guild.me is None or guild.is_out):
            return
        if message is not None:
            if not self.is_seen(message.channel):
                return
            if message.channel.guild is None:
                needs = Intent.DIRECT_MESSAGES
        self.gateway.dispatch(event, data, needs, message=message, on_sent=on_sent)

    def is_seen(self, channel: Channel) -> bool:
        """Whether the bot sees a channel."""
        guild = channel.guild
        return guild is None or (guild.me is not None and not guild.is_out and permissions.may(guild.me, channel, 0))

    def attach(self, channel: Channel, file: File) -> Attachment:
        return posting.made_attachment(self, channel, file)

    # Messages.

    def say(
        self,
        member: Member | User,
        channel: Channel,
        text: str = "",
        *,
        attachments: Sequence[File] = (),
        reply_to: Message | None = None,
        message_type: int = 0,
        tts: bool = False,
        webhook: bool = False,
    ) -> Message:
        """Somebody writes a message; a `webhook` does with their name."""
        author = member.user if isinstance(member, Member) else member
        message = Message(self.world.new_id(), channel, author, text, tts=tts, reply_to=reply_to)
        message.type = message_type or (REPLY if reply_to else 0)
        message.attachments = [self.attach(channel, file) for file in attachments]
        message.webhook_id = self.world.new_id() if webhook else None
        find_mentions(message)
        self.place(message)
        return message

    def place(self, message: Message) -> None:
        """A message stands in its channel from now on, and the bot is told; it wakes an archived thread."""
        channel = message.channel
        if channel.archived_ms is not None and self.tells_of_waking:
            self.archive_thread(channel, archived=False)
        channel.archived_ms = None
        channel.history.keep(message)

        def note(at_ns: int) -> None:
            message.sent_ns = at_ns

        event = payloads.message_event(message)
        self.tell("MESSAGE_CREATE", event, Intent.GUILD_MESSAGES, message=message, on_sent=note)

    def edit(self, message: Message, text: str) -> None:
        message.content, message.edited_ms = text, self.world.clock.now_ms()
        find_mentions(message)
        message.channel.history.keep(message)
        self.tell("MESSAGE_UPDATE", payloads.message_event(message), Intent.GUILD_MESSAGES, message=message)

    def embed(self, message: Message) -> None:
        """Discord shows what a link in a message leads to: an update that is no edit."""
        message.embeds = [{"type": "link", "url": "https://example.org/", "title": "a page"}]
        message.channel.history.keep(message)
        self.tell("MESSAGE_UPDATE", payloads.message_event(message), Intent.GUILD_MESSAGES, message=message)

    def delete(self, message: Message) -> None:
        if message.channel.history.remove(message.id):
            self._tell_of_channel("MESSAGE_DELETE", {"id": str(message.id)}, message.channel)

    def bulk_delete(self, messages: Sequence[Message]) -> None:
        """Of one channel, as moderation bots and bans do."""
        ids = [str(one.id) for one in messages if one.channel.history.remove(one.id)]
        self._tell_of_channel("MESSAGE_DELETE_BULK", {"ids": ids}, messages[0].channel)

    def _tell_of_channel(self, event: str, data: dict[str, Any], channel: Channel) -> None:
        if self.is_seen(channel):
            data["channel_id"] = str(channel.id)
            if channel.guild is not None:
                data["guild_id"] = str(channel.guild.id)
            self.tell(event, data, Intent.GUILD_MESSAGES if channel.guild else Intent.DIRECT_MESSAGES)

    # Channels and threads.

    def create_channel(self, guild: Guild, name: str, kind: Kind = Kind.TEXT) -> Channel:
        channel = self.world.add_channel(guild, name, kind, made_ms=self.world.clock.now_ms())
        self.tell("CHANNEL_CREATE", payloads.channel(channel), Intent.GUILDS)
        return channel

    def rename_channel(self, channel: Channel, name: str) -> None:
        channel.name = name
        self._tell_of_update(channel)

    def _tell_of_update(self, channel: Channel) -> None:
        event = "THREAD_UPDATE" if channel.is_thread else "CHANNEL_UPDATE"
        self.tell(event, payloads.channel(channel), Intent.GUILDS)

    def delete_channel(self, channel: Channel) -> None:
        """Its threads go with it, of which Discord says nothing."""
        assert channel.guild is not None
        event = payloads.channel(channel)
        for thread in channel.guild.threads_of(channel):
            self.world.remove_channel(thread)
        self.world.remove_channel(channel)
        self.tell("CHANNEL_DELETE", event, Intent.GUILDS)

    def create_thread(
        self,
        member: Member,
        channel: Channel,
        name: str,
        *,
        private: bool = False,
        start: Message | None = None,
        text: str = "",
    ) -> Channel:
        """A thread by itself, or one that `start` begins: it has that message's id. In a forum a post of `text`."""
        kind = Kind.PRIVATE_THREAD if private else Kind.PUBLIC_THREAD
        kind = Kind.NEWS_THREAD if channel.kind is Kind.NEWS else kind
        assert channel.guild is not None
        thread = self.world.add_channel(channel.guild, name, kind, parent=channel, made_ms=self.world.clock.now_ms())
        if start is not None:
            self.world.rename(thread, start.id)
        thread.owner_id, thread.thread_members = member.id, {member.id}
        if self.is_seen(thread):
            self.tell("THREAD_CREATE", payloads.thread(thread) | {"newly_created": True}, Intent.GUILDS)
        if start is not None:
            start.flags |= Flag.HAS_THREAD
            start.channel.history.keep(start)
            self.tell("MESSAGE_UPDATE", payloads.message_event(start), Intent.GUILD_MESSAGES, message=start)
            self.say(member, thread, message_type=THREAD_START, reply_to=start)
        elif channel.kind is Kind.FORUM:
            self.place(Message(thread.id, thread, member.user, text or name))
        elif not private:
            self.say(member, channel, name, message_type=THREAD_STARTED)
        return thread

    def archive_thread(self, thread: Channel, *, archived: bool = True) -> None:
        thread.archived_ms = self.world.clock.now_ms() if archived else None
        if self.is_seen(thread):
            self._tell_of_update(thread)

    def delete_thread(self, thread: Channel) -> None:
        assert thread.kind in THREADS
        assert thread.guild is not None
        assert thread.parent is not None
        was_seen = self.is_seen(thread)
        self.world.remove_channel(thread)
        ids = {"id": thread.id, "guild_id": thread.guild.id, "parent_id": thread.parent.id}
        if was_seen:
            event = {name: str(one) for name, one in ids.items()} | {"type": thread.kind}
            self.tell("THREAD_DELETE", event, Intent.GUILDS)

    def hide(self, channel: Channel) -> None:
        """The bot may not see a channel any more."""
        self._overwrite(channel, (0, int(Permission.VIEW_CHANNEL)))

    def show(self, channel: Channel) -> None:
        """It may again: Discord tells of the threads, too."""
        self._overwrite(channel, (int(Permission.VIEW_CHANNEL), 0))
        assert channel.guild is not None
        threads = [one for one in channel.guild.threads_of(channel) if one.archived_ms is None and self.is_seen(one)]
        event = {
            "guild_id": str(channel.guild.id),
            "channel_ids": [str(channel.id)],
            "threads": [payloads.thread(one) for one in threads],
            "members": [],
        }
        self.tell("THREAD_LIST_SYNC", event, Intent.GUILDS)

    def _overwrite(self, channel: Channel, bits: tuple[int, int]) -> None:
        channel.overwrites[self.world.bot.id] = bits
        self._tell_of_update(channel)

    # Members and guilds.

    def set_roles(self, member: Member, roles: Iterable[Role]) -> None:
        member.roles = list(roles)
        event = payloads.member(member) | {"guild_id": str(member.guild.id)}
        is_me = member.user is self.world.bot
        self.tell("GUILD_MEMBER_UPDATE", event, NONE if is_me else Intent.GUILD_MEMBERS)

    def join(self, guild: Guild, name: str) -> Member:
        """A new person."""
        member = self.world.add_member(guild, name)
        member.joined_ms = self.world.clock.now_ms()
        event = payloads.member(member) | {"guild_id": str(guild.id)}
        self.tell("GUILD_MEMBER_ADD", event, Intent.GUILD_MEMBERS)
        return member

    def leave(self, member: Member) -> None:
        """Somebody goes; what they wrote stays."""
        del member.guild.members[member.id]
        event = {"guild_id": str(member.guild.id), "user": payloads.user(member.user)}
        self.tell("GUILD_MEMBER_REMOVE", event, Intent.GUILD_MEMBERS)

    def kick_bot(self, guild: Guild) -> None:
        """The bot is no member any more: GUILD_DELETE without `unavailable`."""
        role = next((role for role in guild.roles.values() if role.is_managed), None)
        guild.members.pop(self.world.bot.id, None)
        if role is not None:
            del guild.roles[role.id]
        self.tell("GUILD_DELETE", {"id": str(guild.id)}, Intent.GUILDS)

    def invite_bot(self, guild: Guild, permissions: int = permissions.INVITED) -> None:
        self.world.add_bot(guild, permissions).joined_ms = self.world.clock.now_ms()
        self.gateway.announce(guild, joined=True)

    def outage(self, guild: Guild) -> None:
        """Discord cannot reach a guild: GUILD_DELETE with `unavailable`."""
        guild.is_out = True
        self.tell("GUILD_DELETE", {"id": str(guild.id), "unavailable": True}, Intent.GUILDS)

    def end_outage(self, guild: Guild) -> None:
        guild.is_out = False
        self.gateway.announce(guild)

    # Commands, buttons, menus.

    def slash(self, member: Member, channel: Channel, command: str, options: Mapping[str, Any] | None = None) -> Asked:
        """Give a command as it was deployed: `slash(member, channel, "listen add", {"channel-1": channel})`.

        Options are text, numbers, switches, a `Channel`, `Member` or `Role`, or a `File`. `NotOfferedError` if Discord
        would not have let anybody do that.
        """
        data = Filled(self, member, channel, command, options or {}).data
        return self._ask(Asked(self.world.new_id(), Type.COMMAND, member, channel, data, self.world.clock.now()))

    def press(self, member: Member, message: Message, custom_id: str) -> Asked:
        """Press a button that a message has."""
        self._component(message, custom_id, {2})
        return self._use(member, message, {"custom_id": custom_id, "component_type": 2})

    def choose(self, member: Member, message: Message, custom_id: str, values: Sequence[str]) -> Asked:
        """Take some lines of a menu that a message has."""
        menu = self._component(message, custom_id, {3})
        offered = [option["value"] for option in menu["options"]]
        if not set(values) <= set(offered):
            raise NotOfferedError(
                f"the menu {custom_id!r} has no {sorted(set(values) - set(offered))}; there are {offered}"
            )
        if not menu.get("min_values", 1) <= len(values) <= menu.get("max_values", 1):
            raise NotOfferedError(f"the menu {custom_id!r} does not take {len(values)} values")
        data = {"custom_id": custom_id, "component_type": 3, "values": list(values)}
        return self._use(member, message, data)

    def _component(self, message: Message, custom_id: str, kinds: set[int]) -> dict[str, Any]:
        parts = [part for row in message.components for part in row["components"] if part["type"] in kinds]
        for part in parts:
            if part.get("custom_id") == custom_id:
                if part.get("disabled"):
                    raise NotOfferedError(f"{custom_id!r} is switched off")
                return part
        raise NotOfferedError(
            f"the message has no {custom_id!r}; there are {[part.get('custom_id') for part in parts]}"
        )

    def _use(self, member: Member, message: Message, data: dict[str, Any]) -> Asked:
        if message.is_ephemeral and message.interaction.member is not member:
            raise NotOfferedError(f"{member.name} does not see that message")
        now = self.world.clock.now()
        return self._ask(Asked(self.world.new_id(), Type.COMPONENT, member, message.channel, data, now, message))

    def _ask(self, asked: Asked) -> Asked:
        self.interactions[asked.token] = asked
        if len(self.interactions) > MOST_INTERACTIONS:
            del self.interactions[next(iter(self.interactions))]

        def note(at_ns: int) -> None:
            asked.sent_ns = at_ns

        self.tell("INTERACTION_CREATE", asked.payload(self.world), on_sent=note)
        return asked
