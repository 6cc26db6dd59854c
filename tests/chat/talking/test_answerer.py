"""Answers to messages: what is posted where, that it is learned afterwards, and what goes wrong on the way."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import discord
import msgspec
import pytest

from chaffinch.chain import Message
from chaffinch.chain.errors import DamagedError, LockedError
from chaffinch.chat.calls.call import Posted, Reply
from chaffinch.chat.guild import Channel, GuildSettings
from chaffinch.chat.names import tenant_of
from chaffinch.chat.payloads import seen_of
from chaffinch.chat.poster import PostingError
from chaffinch.chat.posting import DiscordPoster, attachment_origins
from chaffinch.chat.seen import Seen
from chaffinch.chat.talking.answerer import FAULT, Answerer
from chaffinch.chat.talking.pictures import Pictures
from chaffinch.chat.talking.talker import Spoken, Talker
from tests.chat.discord import messages as discord_messages
from tests.chat.discord import payloads as discord_payloads
from tests.chat.discord.fake import Fake
from tests.chat.discord.received import File
from tests.chat.discord.world import World
from tests.chat.learning.test_learner import BOT, GUILD, LISTENED, OTHER, Parts, parts, song
from tests.chat.talking.test_talker import Scene as Talking
from tests.chat.talking.test_talker import corpus

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


class Wall:
    """Takes what is posted. `refuses` is raised instead; `open` lets posts through."""

    def __init__(self) -> None:
        self.posted: list[tuple[int, Reply, Posted | None]] = []
        self.refuses: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def post(self, channel: int, reply: Reply, reply_to: Posted | None = None) -> Posted:
        if self.refuses is not None:
            raise self.refuses
        await self.open.wait()
        self.posted.append((channel, reply, reply_to))
        return Posted(channel, len(self.posted))

    async def edit(self, posted: Posted, reply: Reply) -> None:
        raise AssertionError

    async def typing(self, channel: int) -> None:
        raise AssertionError


class Scene(Talking):
    def __init__(self, one: Parts) -> None:
        super().__init__(one)
        self.wall = Wall()
        self.now = NOON
        self.answerer = Answerer(
            one.book,
            self.talker,
            one.learner,
            self.wall,
            one.settings,
            one.measures,
            clock=lambda: self.now,
            chance=random.Random(1),
        )

    async def hear(self, text: str, **more: object) -> Seen:
        seen = self.parts.seen(text, **{"roles": frozenset(), **more})
        await self.answerer.on_message(seen, BOT)
        return seen

    async def respond(self, chance: float = 1.0) -> None:
        await self.parts.book.set_channels(GUILD, [Channel(LISTENED, listens=True, responds=True, chance=chance)])


def play(state: Path, act: Callable[[Scene], Awaitable[None]], **settings: object) -> None:
    async def run() -> None:
        async with parts(state, **settings) as one:
            await act(Scene(one))

    asyncio.run(asyncio.wait_for(run(), 60))


def songs() -> list[str]:
    return [song(text) for text in corpus(500)]


def test_a_mention_is_answered_about_what_it_says_and_then_learned(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.teach(songs())
        said: list[Spoken] = []
        say = scene.talker.say

        async def watched(*asked: object, **how: object) -> Spoken:
            said.append(await say(*asked, **how))  # type: ignore[arg-type]
            stats = await scene.parts.tenants.stats(tenant_of(GUILD))
            assert stats.messages == 500  # the message is not learned yet
            return said[-1]

        scene.talker.say = watched  # type: ignore[assignment, method-assign]
        seen = await scene.hear(f"<@{BOT}> the coffee", id=1001)
        ((channel, reply, reply_to),) = scene.wall.posted
        assert (channel, reply_to) == (LISTENED, Posted(LISTENED, seen.id))
        assert reply.text == said[0].text
        assert reply.text.startswith("the coffee ")
        assert (await scene.parts.tenants.stats(tenant_of(GUILD))).messages == 501
        assert scene.parts.count("bot_answers") == 1
        assert scene.parts.count("bot_tries") == said[0].tries

    play(tmp_path, act)


def test_where_it_responds_each_message_is_answered_and_all_else_only_learned(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.teach(songs())
        await scene.hear(song("first"), id=1001)
        assert scene.wall.posted == []
        await scene.respond()
        await scene.hear(song("second"), id=1002)
        await scene.hear(song("as a bot"), id=1003, is_human=False)
        await scene.hear("!mark help", id=1004)
        await scene.hear(song("elsewhere"), id=1005, channel=OTHER)
        assert [reply_to.message for _, _, reply_to in scene.wall.posted if reply_to] == [1002]
        assert {"1001", "1002"} <= set(await scene.parts.texts())
        assert not {"1003", "1004", "1005"} & set(await scene.parts.texts())

    play(tmp_path, act)


def test_the_chance_is_that_of_the_channel(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.teach(songs())
        await scene.respond(0.3)
        for number in range(200):
            await scene.hear("hello", id=1001 + number)
        assert 40 <= len(scene.wall.posted) <= 80

    play(tmp_path, act)


def test_the_cooldown_begins_with_an_answer_and_holds_in_one_channel_with_its_threads(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.respond()
        await scene.parts.book.set_channels(GUILD, [Channel(OTHER, responds=True)])
        await scene.parts.book.set_settings(GUILD, GuildSettings(cooldown_seconds=30))
        await scene.hear("nothing is known, so this is not answered")
        await scene.teach(songs())
        answered = []
        for seconds, where in [
            (0, {}),
            (1, {}),
            (2, {"channel": 77, "parent": LISTENED}),
            (3, {"channel": OTHER}),
            (29, {}),
            (30, {}),
            (31, {}),
        ]:
            scene.now = NOON + timedelta(seconds=seconds)
            before = len(scene.wall.posted)
            await scene.hear("hello", **where)
            answered.append(len(scene.wall.posted) > before)
        assert answered == [True, False, False, True, False, True, False]

    play(tmp_path, act)


def test_without_anything_learned_a_mention_is_told_so_and_nobody_else(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.respond()
        await scene.hear("hello")
        assert scene.wall.posted == []
        await scene.parts.tenants.remove(tenant_of(GUILD))
        await scene.hear(f"<@{BOT}>")
        assert "/train" in scene.wall.posted[0][1].text
        assert scene.parts.count("bot_refusals") == 2

    play(tmp_path, act)


@pytest.mark.parametrize("error", [DamagedError("/home/bot/chains/guild-1 is damaged"), LockedError("/home/bot")])
def test_what_is_the_machines_fault_is_not_told_to_all(
    tmp_path: Path, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(scene: Scene) -> None:
        async def fails(*_: object, **__: object) -> Spoken:
            raise error

        scene.talker.say = fails  # type: ignore[method-assign]
        await scene.hear(f"<@{BOT}> " + song("of this"))
        assert [reply.text for _, reply, _ in scene.wall.posted] == [FAULT]
        assert len(await scene.parts.texts()) == 1

    play(tmp_path, act)
    assert str(error) in caplog.text


def test_whatever_fails_the_message_is_learned_and_the_log_does_not_have_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(scene: Scene) -> None:
        await scene.teach(songs())
        for number, error in enumerate((PostingError("status 403", 403), ValueError(song("quoted")))):
            scene.wall.refuses = error
            await scene.hear(f"<@{BOT}> " + song(f"number {number}"), id=1001 + number)
        assert {"1001", "1002"} <= set(await scene.parts.texts())
        assert scene.parts.count("bot_events_failed") == 1
        assert scene.parts.count("bot_refusals") == 1

    play(tmp_path, act)
    assert "bot.answer_not_posted guild=1 error=status 403" in caplog.text
    assert re.search("bot.answer_failed id=[0-9a-f]{8} error=ValueError guild=1\n", caplog.text)
    assert "chaffinch sings" not in caplog.text


@pytest.mark.parametrize(("status", "tries"), [(403, 2), (404, 2), (500, 4), (0, 4)])
def test_where_the_bot_may_not_write_it_does_not_try_at_each_message(tmp_path: Path, status: int, tries: int) -> None:
    async def act(scene: Scene) -> None:
        await scene.teach(songs())
        await scene.respond()
        scene.wall.refuses = PostingError("refused", status)
        for seconds in (0, 1, 59, 60):
            scene.now = NOON + timedelta(seconds=seconds)
            await scene.hear("hello")
        assert scene.parts.count("bot_refusals") == tries
        await scene.hear(f"<@{BOT}>")
        assert scene.parts.count("bot_refusals") == tries + 1
        scene.wall.refuses = None
        scene.now += timedelta(seconds=60)
        await scene.hear("hello")
        assert len(scene.wall.posted) == 1

    play(tmp_path, act)


def test_a_zone_that_the_machine_does_not_know_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def act(scene: Scene) -> None:
        await scene.teach(songs())
        await scene.parts.book.set_settings(GUILD, GuildSettings(quiet_from="01:00", quiet_until="02:00"))
        await scene.hear(f"<@{BOT}> " + song("of this"), id=1001)
        assert scene.wall.posted == []
        assert "1001" in await scene.parts.texts()

    play(tmp_path, act, timezone="Nowhere/Land")
    assert "no time zone that this machine knows" in caplog.text


def test_only_so_many_messages_of_a_guild_are_answered_at_once(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.teach(songs())
        scene.wall.open.clear()
        hearing = [asyncio.create_task(scene.hear(f"<@{BOT}>", id=1001 + number)) for number in range(5)]
        await asyncio.wait(hearing, timeout=1, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.gather(*(task for task in hearing if task.done()))
        scene.wall.open.set()
        await asyncio.gather(*hearing)
        assert len(scene.wall.posted) == 2
        assert scene.parts.count("bot_refusals") == 3
        await scene.hear(f"<@{BOT}>")
        assert len(scene.wall.posted) == 3

    play(tmp_path, act, answers_at_once=2)


def test_what_is_deleted_or_edited_while_it_is_answered_is_not_learned_as_it_was(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.teach(songs())
        scene.wall.open.clear()
        gone, edited = (
            asyncio.create_task(scene.hear(f"<@{BOT}> " + song("before"), id=number)) for number in (1001, 1002)
        )
        await asyncio.sleep(0.05)
        await scene.parts.learner.deleted(GUILD, [1001])
        await scene.parts.learner.edited(scene.parts.seen(song("after"), id=1002))
        scene.wall.open.set()
        await asyncio.gather(gone, edited)
        texts = await scene.parts.texts()
        assert "1001" not in texts
        assert texts["1002"] == song("after")

    play(tmp_path, act)


def test_a_message_is_learned_if_the_bot_listened_when_it_came(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.teach(songs())
        for number, listens in ((1001, True), (1002, False)):
            await scene.parts.book.set_channels(GUILD, [Channel(LISTENED, listens=listens)])
            scene.wall.open.clear()
            hearing = asyncio.create_task(scene.hear(f"<@{BOT}> " + song("of this"), id=number))
            await asyncio.sleep(0.05)
            await scene.parts.book.set_channels(GUILD, [Channel(LISTENED, listens=not listens)])
            scene.wall.open.set()
            await hearing
        texts = await scene.parts.texts()
        assert "1001" in texts
        assert "1002" not in texts

    play(tmp_path, act)


# Against a Discord ----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def meadow(state: Path) -> AsyncIterator[tuple[Fake, Parts, Answerer]]:
    async with Fake(World.small()) as fake, parts(state) as one:
        with fake.redirect():
            client = discord.Client(intents=discord.Intents.none())
            await client.login(fake.world.token)
            poster = DiscordPoster(client)
            pictures = Pictures(poster.refreshed, one.settings, one.measures, origins=attachment_origins())
            talker = Talker(one.book, one.tenants, one.settings, pictures, one.measures)
            one.learner.bot_id = fake.world.bot.id
            try:
                yield fake, one, Answerer(one.book, talker, one.learner, poster, one.settings, one.measures)
            finally:
                await pictures.close()
                await client.close()
                await asyncio.sleep(0)


def seen_in(fake: Fake, message: discord_messages.Message) -> Seen:
    """As the gateway tells of it."""
    data = msgspec.json.decode(msgspec.json.encode(discord_payloads.message_event(message)))
    channel = message.channel
    parent = channel.parent if channel.is_thread and channel.parent else channel
    seen = seen_of(data, guild=fake.world.guild.id, parent=parent.id)
    assert seen is not None
    return seen


def test_a_mention_on_discord_is_answered_with_a_picture_and_pings_nobody(tmp_path: Path) -> None:
    async def run() -> None:
        async with meadow(tmp_path) as (fake, one, answerer):
            guild, member = fake.world.guild, fake.world.guild.member("member")
            general, plans = guild.channel("general"), guild.channel("plans")
            await one.book.set_channels(guild.id, [Channel(general.id, listens=True)])
            shown = fake.say(
                guild.member("other"), general, song("with a picture"), attachments=[File("cat.png", b"c")]
            )
            await answerer.on_message(seen_in(fake, shown), fake.world.bot.id)
            many = [Message(f"{text} @everyone {member.mention}", id=str(n)) for n, text in enumerate(songs())]
            await one.tenants.add(tenant_of(guild.id), many)
            fake.world.clock.advance(2 * 86_400)
            for channel in (general, plans):
                asked = fake.say(member, channel, f"{fake.world.bot.mention} the coffee")
                await answerer.on_message(seen_in(fake, asked), fake.world.bot.id)
                (answer,) = fake.posted(channel)
                assert answer.content.startswith("the coffee ")
                assert "@everyone" in answer.content
                assert answer.pinged == []
                assert answer.reply_to is asked
                assert [(file.name, file.content) for file in answer.attachments] == [("cat.png", b"c")]
            assert fake.cdn.expired == 0
            texts = await held_ids(one, guild.id)
            assert str(shown.id) in texts

    asyncio.run(asyncio.wait_for(run(), 60))


async def held_ids(one: Parts, guild: int) -> set[str]:
    """Of messages that have the words of `song`."""
    found = await one.tenants.references(tenant_of(guild), "the chaffinch sings", 10_000)
    return {source.id for source in found}


def test_a_reply_to_the_bot_is_answered_if_it_pings_and_everybody_is_no_mention(tmp_path: Path) -> None:
    async def run() -> None:
        async with meadow(tmp_path) as (fake, one, answerer):
            guild = fake.world.guild
            general, admin = guild.channel("general"), guild.member("admin")
            await one.tenants.add(tenant_of(guild.id), [Message(text) for text in songs()])
            role = next(role for role in guild.roles.values() if role.is_managed)
            for text in ("@everyone", role.mention, f"`{fake.world.bot.mention}`", "hello"):
                said = fake.say(admin, general, text)
                await answerer.on_message(seen_in(fake, said), fake.world.bot.id)
            assert fake.posted(general) == []
            asked = fake.say(admin, general, fake.world.bot.mention)
            await answerer.on_message(seen_in(fake, asked), fake.world.bot.id)
            (first,) = fake.posted(general)
            replied = fake.say(admin, general, "really", reply_to=first)
            await answerer.on_message(seen_in(fake, replied), fake.world.bot.id)
            assert fake.posted(general)[1].reply_to is replied

    asyncio.run(asyncio.wait_for(run(), 60))
