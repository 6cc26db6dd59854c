"""The connection to Discord: what happens goes to the parts of the bot, each event in a task of its own.

An event's handler calls the part that it is for before it waits for anything, so parts see events in Discord's order.
"""

import asyncio
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import discord
import msgspec
from discord.webhook.async_ import AsyncWebhookAdapter

from chaffinch.chat import login
from chaffinch.chat.calls import dispatch
from chaffinch.chat.calls.interactions import Interaction, interaction_of
from chaffinch.chat.calls.menus import MenuCall
from chaffinch.chat.calls.prefixed import PrefixCall
from chaffinch.chat.calls.slash import Answers, SlashCall
from chaffinch.chat.commands import words
from chaffinch.chat.deploying import deploy
from chaffinch.chat.faults import log_fault
from chaffinch.chat.invite import CONNECT
from chaffinch.chat.members import Members
from chaffinch.chat.parents import Parents
from chaffinch.chat.parts import assemble
from chaffinch.chat.payloads import attached_of, author_of, seen_of
from chaffinch.chat.seen import Place, Seen
from chaffinch.chat.state import State

if TYPE_CHECKING:
    from chaffinch.chain.tenants import Tenants
    from chaffinch.chat.book.book import Book
    from chaffinch.chat.measures import Measures
    from chaffinch.config import BotSettings

Json = dict[str, Any]

MOST_EVENTS: Final = 8192
"""Events that are being handled at once. Past that messages are left out, and counted; nothing that unlearns is."""

AGAIN_SECONDS: Final = 60.0
"""After a fault the keeper, or the deployment of commands, rests so long: the latter twice as long each time."""

MOST_AGAIN_SECONDS: Final = 3600.0

END_SECONDS: Final = 5.0
"""How long an end waits for answers that are on their way."""

UNKNOWN_CHANNEL: Final = 10003
"""Discord's code for a channel that is not there."""

VOCAL: Final = (discord.VoiceChannel, discord.StageChannel)
"""Channels that people speak in, each with a chat of its own."""

TEXT_CHANNELS: Final = (discord.TextChannel, discord.ForumChannel, *VOCAL)
"""Announcements are of the first kind, channels for media of the second."""

log = logging.getLogger("chaffinch.bot")


class Client(discord.Client):
    """The bot, as Discord knows it; `bot` are its parts."""

    def __init__(
        self,
        book: "Book",
        tenants: "Tenants",
        settings: "BotSettings",
        measures: "Measures",
        *,
        guild_ready_timeout: float = 2.0,
    ) -> None:
        """`guild_ready_timeout`: after so many seconds without another guild all of them are there."""
        self._unauthorized = asyncio.Event()
        # It would warn that it cannot speak in voice channels, which the bot does not.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        super().__init__(
            intents=discord.Intents(guilds=True, guild_messages=True, message_content=True),
            member_cache_flags=discord.MemberCacheFlags.none(),
            max_messages=None,
            chunk_guilds_at_startup=False,
            allowed_mentions=discord.AllowedMentions.none(),
            activity=discord.Activity(type=discord.ActivityType.listening, name=settings.activity),
            guild_ready_timeout=guild_ready_timeout,
            http_trace=login.noting(self._unauthorized),
        )
        self.members = Members(self)
        self.bot = assemble(self, book, tenants, settings, measures)
        self._settings = settings
        self._measures = measures
        self._parents = Parents(self, book, self.http.get_channel, lambda: measures.event_failed("parent"))
        self._events: set[asyncio.Task[None]] = set()
        self._under_way: Counter[int] = Counter()
        """Commands by prefix that are being carried out, by guild."""
        self._adapter = AsyncWebhookAdapter()  # type: ignore[no-untyped-call]
        self._session: aiohttp.ClientSession | None = None
        self._is_begun = False
        self.is_deployed = False
        """Whether Discord has the commands of the table."""
        self._begun = asyncio.Event()
        measures.gateway_latency(lambda: self.latency)
        measures.standing(self._is_connected, lambda: len(self.guilds))

    # The run --------------------------------------------------------------------------------------------------------

    async def serve(self, token: str, stopping: asyncio.Event) -> None:
        """Log in and serve until `stopping` is set; everything is closed when this returns.

        While Discord cannot be reached it is tried again. Raises `InputError` for a token that Discord refuses, at once
        or later, for an application that may not read messages and for what else starting again does not mend;
        `RunError` if Discord does not let the bot log in.
        """
        async with self:
            if not await login.log_in(self, token, stopping):
                return
            assert self.user is not None
            self.bot.bot_id = self.bot.learner.bot_id = self.user.id
            self.bot.application_id = self.application_id or 0
            async with aiohttp.ClientSession(connector=self.http.connector, connector_owner=False) as session:
                self._session = session
                await self.bot.learner.begin()
                gateway = asyncio.create_task(self._stay_connected(), name="bot gateway")
                refused = asyncio.create_task(login.until_refused(self, self._unauthorized), name="bot token")
                waiting = asyncio.create_task(stopping.wait(), name="bot stopping")
                beside = [
                    asyncio.create_task(self._keep(stopping), name="bot keeper"),
                    asyncio.create_task(self._deploy(), name="bot commands"),
                ]
                try:
                    await asyncio.wait((gateway, refused, waiting), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    await self._end([gateway, refused, waiting, *beside])
                for task in (gateway, refused):
                    if not task.cancelled() and (error := task.exception()) is not None:
                        raise error

    async def _stay_connected(self) -> None:
        """discord.py connects again whatever happens, unless no connection was ever made: then it trips over that."""
        pause = 0.0
        while True:
            try:
                return await self.connect()
            except (discord.PrivilegedIntentsRequired, discord.ConnectionClosed) as error:
                raise login.refusal(self, error) from None
            except AttributeError:
                if self._has_connected():
                    raise
                log.warning("bot.not_connected reason=gateway again_in_s=%.1f", pause)  # and it has waited as well
                await asyncio.sleep(pause)
                pause = min(2 * pause + 1, AGAIN_SECONDS)

    async def _keep(self, stopping: asyncio.Event) -> None:
        """The keeper, once it is known which guilds the bot has left; a fault of it costs a minute."""
        await self._begun.wait()
        while not stopping.is_set():
            try:
                await self.bot.keeper.run(stopping)
            except Exception as error:  # noqa: BLE001 - the boundary of one worker
                self._measures.event_failed("keeper")
                log_fault(log, "bot.keeper_failed", error)
                await asyncio.sleep(AGAIN_SECONDS)

    async def _deploy(self) -> None:
        """Give Discord the commands, once it is known which guilds there are; again, ever less often, until it has."""
        await self._begun.wait()
        pause, guilds = AGAIN_SECONDS, sorted(guild.id for guild in self.guilds)
        while not self.is_deployed:
            try:
                await deploy(self.http, self.bot.application_id, self.bot.table, guilds, self._settings.dev_guild)
                self.is_deployed = True
            except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
                self._measures.event_failed("deployment")
                log_fault(log, "bot.commands_not_deployed", error, again_in_s=pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, MOST_AGAIN_SECONDS)

    async def _end(self, tasks: list[asyncio.Task[Any]]) -> None:
        """No more events; what is being answered ends; trainings are left so that they go on at the next start."""
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.bot.trainer.stop()
        if self._events:
            await asyncio.wait(self._events, timeout=END_SECONDS)
        for event in self._events:
            event.cancel()
        await asyncio.gather(*self._events, return_exceptions=True)
        await self.bot.learner.close()
        await self.bot.pictures.close()

    def _has_connected(self) -> bool:
        ws: Any = self.ws  # None before the first connection, whatever its type says
        return ws is not None

    def _is_connected(self) -> bool:
        return self._has_connected() and bool(self.ws.open)

    # Events ---------------------------------------------------------------------------------------------------------

    def _get_state(self, **options: Any) -> State:
        return State(dispatch=self.dispatch, handlers=self._handlers, hooks=self._hooks, http=self.http, **options)

    def _schedule_event(
        self, coro: Callable[..., Coroutine[Any, Any, Any]], event_name: str, *args: Any, **kwargs: Any
    ) -> asyncio.Task[None]:
        """As discord.py's, but that the task is held, and that there are not too many."""
        if len(self._events) >= MOST_EVENTS and event_name == "on_told":
            self._measures.event_failed("too_many")
            coro, args = _nothing, ()
        task = asyncio.get_running_loop().create_task(
            self._run_event(coro, event_name, *args, **kwargs), name=f"bot {event_name}"
        )
        self._events.add(task)
        task.add_done_callback(self._events.discard)
        return task

    async def on_error(self, event_method: str, /, *_: Any, **__: Any) -> None:
        """A handler's fault ends with it."""
        error = sys.exc_info()[1]
        assert error is not None
        name = event_method.removeprefix("on_")
        self._measures.event_failed(name)
        log_fault(log, "bot.event_failed", error, event=name)

    async def on_ready(self) -> None:
        """Every session begins so; that the connection was lost for a while does not."""
        now_ms, book = int(time.time() * 1000), self.bot.book
        here = [guild.id for guild in self.guilds]
        # Guilds come and go meanwhile, each by an event of its own.
        for guild in here:
            if self.get_guild(guild) is not None:
                await book.joined(guild)
        for guild in book.guilds():
            if self.get_guild(guild) is None and book.left_at(guild) is None:
                await book.left(guild, now_ms)
        if self._is_begun:
            return
        self._is_begun = True
        log.info("bot.ready guilds=%d", len(here))
        try:
            await self._unlearn_gone()
            await self.bot.trainer.go_on()
        finally:
            self._begun.set()

    async def _unlearn_gone(self) -> None:
        """Channels that were deleted while the bot did not run: of these Discord tells by not having them any more."""
        for guild in [guild for guild in self.guilds if not guild.unavailable]:
            for channel in self.bot.book.channels(guild.id):
                if guild.get_channel(channel.id) is None and await self._is_gone(channel.id):
                    log.info("bot.channel_gone guild=%d channel=%d", guild.id, channel.id)
                    await self.bot.learner.channel_deleted(guild.id, channel.id)

    async def _is_gone(self, channel: int) -> bool:
        """Whether Discord says so; one that the bot may not see is another matter."""
        try:
            await self.http.get_channel(channel)
        except discord.NotFound as error:
            return error.code == UNKNOWN_CHANNEL
        except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
            log_fault(log, "bot.channel_not_looked_up", error, channel=channel)
        return False

    async def on_guild_join(self, guild: discord.Guild) -> None:
        """The bot was added to a guild, perhaps again."""
        await self._joined(guild)

    async def on_guild_available(self, guild: discord.Guild) -> None:
        """An outage is over; or the bot was added, where Discord tells that alike."""
        await self._joined(guild)

    async def _joined(self, guild: discord.Guild) -> None:
        await self.bot.book.joined(guild.id)
        if self._is_begun and self.bot.book.training(guild.id) is not None:
            await self.bot.trainer.go_on()

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """The bot was removed from a guild; an outage is none of these."""
        await self.bot.book.left(guild.id, int(time.time() * 1000))

    async def on_told(self, data: Json) -> None:
        """A message: it is answered and learned, or carried out."""
        if (seen := await self._seen(data)) is None:
            return
        given = words.parse(seen.text, self._settings.prefix, self.bot.table) if seen.is_human else None
        if given is not None:
            await self._take_up(data, seen, given.path)
        await self.bot.answerer.on_message(seen, self.bot.bot_id)

    async def on_edited(self, data: Json) -> None:
        """A message changed."""
        if (seen := await self._seen(data)) is not None:
            await self.bot.learner.edited(seen)

    async def on_deleted(self, data: Json, ids: list[int]) -> None:
        """Messages are gone."""
        if guild := _guild(data):
            await self._parents.settled(int(data["channel_id"]))
            await self.bot.learner.deleted(guild, ids)

    async def on_thread_gone(self, data: Json) -> None:
        """A thread is gone."""
        await self._parents.settled(int(data["id"]))
        await self.bot.learner.thread_deleted(_guild(data), int(data["id"]))

    async def on_channel_gone(self, data: Json) -> None:
        """A channel is gone."""
        if guild := _guild(data):
            await self.bot.learner.channel_deleted(guild, int(data["id"]))

    async def on_members(self, data: Json) -> None:
        """Members that were asked for."""
        self.members.told(data)

    async def on_asked(self, data: Json) -> None:
        """A slash command was given, or a button or menu was used."""
        asked = interaction_of(data)
        if asked is None:
            self._measures.event_failed("unreadable")
            return
        assert self._session is not None
        asked = self._moderating(asked)
        answers = Answers(self._session, self._adapter, asked)
        if asked.kind == "command":
            await self._command(asked, SlashCall(asked, answers))
        else:
            await self._component(asked, MenuCall(asked, answers))

    # Commands -------------------------------------------------------------------------------------------------------

    async def _command(self, asked: Interaction, call: SlashCall) -> None:
        leaf = self.bot.table.leaves.get(asked.name)
        if leaf is None:
            await dispatch.refuse(call, self.bot, "unknown", dispatch.UNKNOWN)
        else:
            await dispatch.command(call, self.bot, leaf)

    async def _component(self, asked: Interaction, call: MenuCall) -> None:
        found = self.bot.table.component(asked.name)
        if found is None:
            await dispatch.refuse(call, self.bot, "unknown", dispatch.UNKNOWN)
        else:
            await dispatch.component(call, self.bot, *found)

    async def _take_up(self, data: Json, seen: Seen, path: str) -> None:
        """Carry a command by prefix out. Past so many of a guild the next ones are left out, without a word: Discord
        takes one answer a second in a channel, so that who floods one would have the bot answer for hours.
        """
        under_way = self._under_way[seen.guild]
        if under_way >= self._settings.answers_at_once:
            self._measures.command(path, "refused")
            self._measures.unanswered("busy")
            return
        self._under_way[seen.guild] = under_way + 1
        try:
            await self._carry_out(data, seen)
        finally:
            self._under_way[seen.guild] -= 1
            self._under_way += Counter()  # guilds with none go

    async def _carry_out(self, data: Json, seen: Seen) -> None:
        given = words.parse(seen.text, self._settings.prefix, self.bot.table, attached_of(data))
        member = author_of(data, self._permissions(seen.guild, seen.author, seen.roles or ()))
        if given is None or member is None:
            return
        call = PrefixCall(seen, member, given.options, self.bot.poster, self.http.send_typing)
        if given.leaf is None or given.why:
            await dispatch.refuse(call, self.bot, given.path, given.why)
        else:
            await dispatch.command(call, self.bot, given.leaf)

    # Guilds ---------------------------------------------------------------------------------------------------------

    async def text_channels(self, guild: int) -> list[Place]:
        """As `bot.Places` says."""
        found = self.get_guild(guild)
        if found is None:
            return []
        return [
            Place(channel.id, channel.name, channel.id)
            for _, channels in found.by_category()
            for channel in channels
            if isinstance(channel, TEXT_CHANNELS)
        ]

    def permissions(self, guild: int, channel: int) -> int:
        """As `bot.Places` says."""
        found = self.get_guild(guild)
        place = None if found is None else found.get_channel(channel)
        if found is None or place is None:
            return ~0
        held = place.permissions_for(found.me).value
        # Who may not connect to a channel that people speak in may not read there either; elsewhere it takes nothing.
        return held if isinstance(place, VOCAL) else held | CONNECT

    async def _seen(self, data: Json) -> Seen | None:
        guild = _guild(data)
        if not guild:
            return None
        return seen_of(data, guild=guild, parent=await self._parents.of(guild, int(data["channel_id"])))

    def _permissions(self, guild: int, user: int, roles: Iterable[int]) -> int:
        """Of a member in a guild, as their roles say; 0 where that cannot be worked out.

        Not what a channel adds: who has Manage Channels in a channel of their own has nothing to say in the others.
        """
        found = self.get_guild(guild)
        if found is None:
            return 0
        if found.owner_id == user:
            return discord.Permissions.all().value
        held = (found.get_role(role) for role in (guild, *roles))  # that of everybody has the guild's id
        return reduce(or_, (role.permissions.value for role in held if role is not None), 0)

    def _moderating(self, asked: Interaction) -> Interaction:
        """The interaction, with the permissions that its member has in the guild in place of those in the channel."""
        member = asked.member
        held = self._permissions(asked.guild, member.id, member.roles)
        return msgspec.structs.replace(asked, member=msgspec.structs.replace(member, permissions=held))


def _guild(data: Json) -> int:
    """The guild that something happened in; 0: in none."""
    return int(data.get("guild_id") or 0)


async def _nothing() -> None:
    """For an event that is left out."""
