"""Replies as they come to stand in a channel, by discord.py and against a Discord that refuses, fails and is slow."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import discord
import pytest

from chaffinch.chat.calls.call import Button, Choice, Embed, Field, File, Menu, Posted, Reply
from chaffinch.chat.poster import Poster, PostingError
from chaffinch.chat.posting import DiscordPoster
from tests.chat.discord.fake import Fake
from tests.chat.discord.permissions import Permission
from tests.chat.discord.world import World

POST = "POST /channels/{channel_id}/messages"
SECRET = "what was to be said"

Act = Callable[[Fake, Poster], Awaitable[None]]


def play(act: Act) -> None:
    async def run() -> None:
        async with Fake(World.small()) as fake:
            with fake.redirect():
                client = discord.Client(intents=discord.Intents.none())
                await client.login(fake.world.token)
                try:
                    await act(fake, DiscordPoster(client))
                finally:
                    await client.close()
                    await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(run(), 60))


def take(fake: Fake, permission: Permission) -> None:
    """The bot may not do something any more, anywhere."""
    for role in fake.world.guild.roles.values():
        role.permissions &= ~permission


def test_what_is_posted_pings_nobody_and_comes_as_a_reply() -> None:
    async def act(fake: Fake, poster: Poster) -> None:
        general, member = fake.world.guild.channel("general"), fake.world.guild.member("member")
        asked = fake.say(member, general, "hello")
        text = f"@everyone {member.mention} <@&{fake.world.guild.role('admins').id}>"
        posted = await poster.post(general.id, Reply(text, is_spoken=True), Posted(general.id, asked.id))
        (message,) = fake.posted(general)
        assert posted == Posted(general.id, message.id)
        assert (message.content, message.tts, message.pinged) == (text, True, [])
        assert message.reply_to is asked

    play(act)


def test_files_menus_buttons_and_embeds_come_as_they_are() -> None:
    async def act(fake: Fake, poster: Poster) -> None:
        general = fake.world.guild.channel("general")
        reply = Reply(
            "look",
            Embed("Title", "Text", (Field("Name", "Value"),)),
            (File("a.png", b"a" * (3 << 20)), File("SPOILER_b.png", b"b")),
            menu=Menu("m", "Choose", (Choice("One", "1", chosen=True), Choice("Two", "2"))),
            buttons=(Button("go", "Go"), Button("stop", "Stop", is_danger=True, is_off=True)),
        )
        await poster.post(general.id, reply)
        (message,) = fake.posted(general)
        assert [(one.name, one.size) for one in message.attachments] == [("a.png", 3 << 20), ("SPOILER_b.png", 1)]
        assert [one.content for one in message.attachments] == [file.content for file in reply.files]
        assert message.embeds[0]["title"] == "Title"
        menu, buttons = (row["components"] for row in message.components)
        assert [one["custom_id"] for one in (*menu, *buttons)] == ["m", "go", "stop"]

    play(act)


def test_an_edit_leaves_nothing_of_what_stood_there() -> None:
    async def act(fake: Fake, poster: Poster) -> None:
        general = fake.world.guild.channel("general")
        posted = await poster.post(general.id, Reply("before", Embed("Title"), buttons=(Button("go", "Go"),)))
        await poster.edit(posted, Reply("after"))
        (message,) = fake.posted(general)
        assert (message.content, message.embeds, message.components, message.pinged) == ("after", [], [], [])

    play(act)


def test_a_thread_takes_it_too_and_a_message_that_is_gone_is_not_replied_to() -> None:
    async def act(fake: Fake, poster: Poster) -> None:
        plans = fake.world.guild.channel("plans")
        asked = fake.say(fake.world.guild.member("member"), plans, "hello")
        fake.delete(asked)
        await poster.post(plans.id, Reply("hi"), Posted(plans.id, asked.id))
        assert [(one.content, one.reply_to) for one in fake.posted(plans)] == [("hi", None)]

    play(act)


def test_a_fault_of_discords_is_tried_again_with_the_same_files() -> None:
    async def act(fake: Fake, poster: Poster) -> None:
        general = fake.world.guild.channel("general")
        fake.faults.refuse(POST, 502, times=1)
        fake.faults.limit(POST, 0.05, times=1)
        await poster.post(general.id, Reply("hi", files=(File("a.png", b"content"),)))
        (message,) = fake.posted(general)
        assert message.attachments[0].content == b"content"
        tries = fake.requested(POST)
        assert len(tries) == 3
        assert len({one.body["nonce"] for one in tries if one.body}) == 1

    play(act)


def test_a_connection_that_is_closed_at_that_moment_is_made_anew() -> None:
    async def act(fake: Fake, poster: Poster) -> None:
        general = fake.world.guild.channel("general")
        fake.faults.add(POST, resets=True, times=1)
        await poster.post(general.id, Reply("hi", files=(File("a.png", b"content"),)))
        assert [one.content for one in fake.posted(general)] == ["hi"]

    play(act)


@pytest.mark.parametrize(
    "lacking", [Permission.ATTACH_FILES, Permission.READ_MESSAGE_HISTORY, Permission.SEND_TTS_MESSAGES]
)
def test_who_may_only_write_only_writes(lacking: Permission) -> None:
    async def act(fake: Fake, poster: Poster) -> None:
        general = fake.world.guild.channel("general")
        asked = fake.say(fake.world.guild.member("member"), general, "hello")
        take(fake, lacking)
        await poster.post(
            general.id, Reply("hi", files=(File("a.png", b"a"),), is_spoken=True), Posted(general.id, asked.id)
        )
        assert [(one.content, one.attachments) for one in fake.posted(general)] == [("hi", [])]

    play(act)


def test_where_no_links_may_be_embedded_an_embed_comes_as_text() -> None:
    async def act(fake: Fake, poster: Poster) -> None:
        general = fake.world.guild.channel("general")
        asked = fake.say(fake.world.guild.member("member"), general, "hello")
        take(fake, Permission.EMBED_LINKS)
        reply = Reply("look", Embed("Title", "Text", (Field("Name", "Value"),)), buttons=(Button("go", "Go"),))
        text = "look\n**Title**\nText\n**Name**\nValue"
        posted = await poster.post(general.id, reply, Posted(general.id, asked.id))
        (message,) = fake.posted(general)
        assert (message.content, message.embeds, len(message.components)) == (text, [], 1)
        await poster.edit(posted, Reply(embed=Embed("Other", "x" * 4000)))
        assert message.content.startswith("**Other**\nxxx")
        assert (len(message.content), message.embeds) == (2000, [])

    play(act)


def test_what_discord_refuses_is_an_error_without_what_was_to_be_said() -> None:
    async def act(fake: Fake, poster: Poster) -> None:
        general = fake.world.guild.channel("general")
        posted = await poster.post(general.id, Reply("hi"))
        fake.faults.refuse(POST, 400, 50035, message=f"Invalid Form Body: {SECRET}", times=1)
        with pytest.raises(PostingError) as refused:
            await poster.post(general.id, Reply(SECRET))
        assert (refused.value.status, refused.value.code) == (400, 50035)
        assert SECRET not in str(refused.value)
        take(fake, Permission.SEND_MESSAGES)
        with pytest.raises(PostingError) as refused:
            await poster.post(general.id, Reply(SECRET, files=(File("a.png", b"a"),)))
        assert refused.value.status == 403
        assert refused.value.__context__ is None or SECRET not in repr(refused.value.__context__)
        fake.delete(fake.posted(general)[0])
        with pytest.raises(PostingError) as refused:
            await poster.edit(posted, Reply(SECRET))
        assert refused.value.status == 404
        with pytest.raises(PostingError) as refused:
            await poster.post(1, Reply(SECRET))
        assert refused.value.status == 404

    play(act)


def test_a_discord_that_is_not_there_is_an_error_of_its_own() -> None:
    async def act(fake: Fake, poster: Poster) -> None:
        await fake.stop()
        with pytest.raises(PostingError) as refused:
            await poster.post(1, Reply(SECRET))
        assert refused.value.status == 0

    play(act)


def test_typing_is_shown_and_no_matter(caplog: pytest.LogCaptureFixture) -> None:
    async def act(fake: Fake, poster: Poster) -> None:
        await poster.typing(fake.world.guild.channel("general").id)
        assert len(fake.requested("POST /channels/{channel_id}/typing")) == 1
        await poster.typing(1)

    with caplog.at_level(logging.INFO, "chaffinch"):
        play(act)
    assert [record for record in caplog.records if record.name.startswith("chaffinch")] == []
