"""discord.py on the fake's gateway."""

import asyncio

import discord
import pytest

from tests.chat.discord.fake import Fake
from tests.chat.discord.intents import Intent
from tests.chat.discord.listening import CONTENT, Listening, with_client
from tests.chat.discord.world import World


@with_client()
async def test_a_client_is_told_of_the_guild_and_everything_in_it(fake: Fake, client: Listening) -> None:
    (guild,) = client.guilds
    assert (guild.name, guild.member_count) == ("meadow", 8)
    assert {channel.name for channel in guild.channels} > {"general", "voice", "forum", "news", "hidden"}
    assert [thread.name for thread in guild.threads] == ["plans", "question"]
    assert guild.me.guild_permissions.read_message_history
    assert not guild.get_channel(fake.world.guild.channel("hidden").id).permissions_for(guild.me).view_channel
    assert fake.gateway.identified[0]["intents"] == CONTENT.value
    assert client.latency < 1


@with_client()
async def test_messages_come_in_order_through_one_compressed_stream(fake: Fake, client: Listening) -> None:
    general, member = fake.world.guild.channel("general"), fake.world.guild.member("member")
    said = [fake.say(member, general, f"{number} " + "words " * number) for number in range(300)]
    await fake.wait_for(lambda: len(client.texts()) == 300)
    assert client.texts() == [message.content for message in said]
    first = client.of("message")[0]
    assert (first.author.name, first.channel.name, first.guild.name) == ("member", "general", "meadow")


def test_a_message_of_the_gateway_may_come_in_several_frames() -> None:
    async def run() -> None:
        async with Fake(World.small()) as fake:
            fake.gateway.frame_bytes = 7
            with fake.redirect():
                async with fake.connected(Listening()) as client:
                    fake.say(fake.world.guild.member("member"), fake.world.guild.channel("talk"), "hello")
                    await fake.wait_for(lambda: client.texts() == ["hello"])

    asyncio.run(run())


@with_client()
async def test_after_an_abrupt_end_a_client_is_told_what_it_missed_in_order(fake: Fake, client: Listening) -> None:
    general, member = fake.world.guild.channel("general"), fake.world.guild.member("member")
    fake.say(member, general, "before")
    await fake.wait_for(lambda: client.texts() == ["before"])
    fake.gateway.drop()
    for number in range(50):
        fake.say(member, general, str(number))
    await fake.wait_for(lambda: client.of("resumed"))
    fake.say(member, general, "after")
    await fake.wait_for(lambda: client.texts()[-1] == "after")
    assert client.texts() == ["before", *map(str, range(50)), "after"]
    assert len(fake.gateway.identified) == 1
    assert fake.gateway.resumed[0]["seq"] >= 3


@with_client()
async def test_a_session_that_cannot_be_resumed_begins_anew(fake: Fake, client: Listening) -> None:
    fake.gateway.resumes = False
    fake.gateway.drop()
    fake.say(fake.world.guild.member("member"), fake.world.guild.channel("general"), "missed")
    await fake.wait_for(lambda: len(client.of("ready")) == 2)
    assert len(fake.gateway.resumed) == 1
    assert len(fake.gateway.identified) == 2
    assert client.texts() == []


@pytest.mark.parametrize(("resumable", "identified"), [(True, 1), (False, 2)])
def test_an_invalid_session_is_resumed_or_begun_anew(resumable: bool, identified: int) -> None:
    @with_client()
    async def run(fake: Fake, client: Listening) -> None:
        fake.gateway.invalidate(resumable=resumable)
        await fake.wait_for(lambda: client.of("resumed") if resumable else len(client.of("ready")) == 2)
        assert len(fake.gateway.identified) == identified
        fake.say(fake.world.guild.member("member"), fake.world.guild.channel("general"), "on")
        await fake.wait_for(lambda: client.texts() == ["on"])

    run()


@with_client()
async def test_a_client_connects_anew_when_it_is_told_to(fake: Fake, client: Listening) -> None:
    fake.gateway.reconnect()
    await fake.wait_for(lambda: client.of("resumed"))
    assert len(fake.gateway.identified) == 1


@with_client()
async def test_a_close_that_is_no_refusal_is_resumed(fake: Fake, client: Listening) -> None:
    for code in (1000, 4000):
        fake.gateway.close(code)
        await fake.wait_for(lambda: client.of("resumed"))
        client.seen.clear()
    assert len(fake.gateway.identified) == 1


def test_a_connection_without_acknowledgements_is_given_up() -> None:
    async def run() -> None:
        async with Fake(World.small()) as fake:
            fake.gateway.heartbeat_ms = 100
            with fake.redirect():
                async with fake.connected(Listening(heartbeat_timeout=0.4)) as client:
                    await fake.wait_for(lambda: fake.gateway.heartbeats > 3)
                    assert client.of("resumed") == []
                    fake.gateway.acknowledges = False
                    await fake.wait_for(lambda: client.of("resumed"))
                    fake.gateway.acknowledges = True

    asyncio.run(run())


@pytest.mark.parametrize(
    ("token", "allowed", "raised"),
    [
        ("another", Intent.MESSAGE_CONTENT, discord.LoginFailure),
        ("a.bot.token", Intent(0), discord.PrivilegedIntentsRequired),
    ],
)
def test_a_wrong_token_and_an_intent_that_is_switched_off_are_refused(
    token: str, allowed: Intent, raised: type[Exception]
) -> None:
    async def run() -> None:
        async with Fake(World.small()) as fake:
            fake.gateway.allowed = allowed
            client = Listening()
            with fake.redirect(), pytest.raises(raised):
                await asyncio.wait_for(client.start(token), 5)
            await client.close()
            await asyncio.sleep(0)

    asyncio.run(run())


@with_client(intents=discord.Intents(guilds=True, guild_messages=True))
async def test_without_the_intent_messages_are_empty_but_for_mentions_of_the_bot(fake: Fake, client: Listening) -> None:
    member, general = fake.world.guild.member("member"), fake.world.guild.channel("general")
    fake.say(member, general, "secret")
    fake.say(member, general, f"hello {fake.world.bot.mention}")
    await fake.wait_for(lambda: len(client.texts()) == 2)
    assert client.texts() == ["", f"hello {fake.world.bot.mention}"]
    assert client.user in client.of("message")[1].mentions


@with_client(intents=discord.Intents(guilds=True, message_content=True))
async def test_without_intents_for_messages_none_come(fake: Fake, client: Listening) -> None:
    fake.say(fake.world.guild.member("member"), fake.world.guild.channel("general"), "unheard")
    fake.create_channel(fake.world.guild, "next")
    await fake.wait_for(lambda: client.of("guild_channel_create"))
    assert client.texts() == []


@with_client()
async def test_conversations_are_read_whatever_is_switched_off(fake: Fake, client: Listening) -> None:
    member = fake.world.guild.member("member")
    fake.say(member, fake.world.conversation(member.user), "between us")
    await fake.wait_for(lambda: client.texts() == ["between us"])
    assert client.of("message")[0].guild is None


@with_client(intents=discord.Intents(guilds=True, members=True))
async def test_members_come_when_they_are_asked_for(fake: Fake, client: Listening) -> None:
    (guild,) = client.guilds
    assert guild.chunked
    found = await guild.query_members("mo", limit=5)
    assert [member.name for member in found] == ["moderator"]
    assert found[0].guild_permissions.kick_members


@with_client()
async def test_members_are_told_by_id_without_an_intent_a_hundred_at_once(fake: Fake, client: Listening) -> None:
    (guild,) = client.guilds
    wanted = [
        fake.world.guild.member("talker").user.id,
        5,
        *range(1000, 1098),
        fake.world.guild.member("admin").user.id,
    ]
    found = await guild.query_members(user_ids=wanted, cache=False)
    assert [member.name for member in found] == ["talker"]
    await client.ws.request_chunks(guild.id, "", limit=0)
    assert not guild.chunked


@with_client()
async def test_what_the_bot_is_seen_to_do_is_noted(fake: Fake, client: Listening) -> None:
    await client.change_presence(activity=discord.Activity(type=discord.ActivityType.listening, name="!mark help"))
    await fake.wait_for(lambda: fake.gateway.presences)
    assert fake.gateway.presences[0]["activities"][0]["name"] == "!mark help"
