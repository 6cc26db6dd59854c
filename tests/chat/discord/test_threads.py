"""Threads, active and archived."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
import pytest

from tests.chat.discord.growing import BEGAN_MS, DAY_MS
from tests.chat.discord.listening import with_client
from tests.chat.discord.places import Kind
from tests.chat.discord.world import World

if TYPE_CHECKING:
    from tests.chat.discord.fake import Fake
    from tests.chat.discord.listening import Listening


def with_many_threads() -> World:
    """120 archived threads of one channel, some archived at the same moment."""
    world = World.small()
    general = world.guild.channel("quiet")
    for number in range(120):
        thread = world.add_channel(world.guild, f"old {number}", Kind.PUBLIC_THREAD, parent=general)
        thread.archived_ms = BEGAN_MS + number * DAY_MS
    return world


@with_client(with_many_threads)
async def test_archived_threads_come_in_pages_newest_first(fake: Fake, client: Listening) -> None:
    channel = client.get_channel(fake.world.guild.channel("quiet").id)
    assert isinstance(channel, discord.TextChannel)
    found = [thread.name async for thread in channel.archived_threads(limit=None)]
    assert found == [f"old {number}" for number in reversed(range(120))]
    assert len(fake.requested("GET /channels/{channel_id}/threads/archived/public")) == 2


@with_client()
async def test_private_archives_need_a_permission(fake: Fake, client: Listening) -> None:
    general = client.get_channel(fake.world.guild.channel("general").id)
    assert isinstance(general, discord.TextChannel)
    with pytest.raises(discord.Forbidden):
        [thread async for thread in general.archived_threads(private=True)]
    assert [thread async for thread in general.archived_threads(private=True, joined=True)] == []
    fake.world.guild.channel("old whispers").thread_members.add(fake.world.bot.id)
    joined = [thread.name async for thread in general.archived_threads(private=True, joined=True)]
    assert joined == ["old whispers"]
    me = fake.world.guild.me
    assert me is not None
    me.roles[0].permissions |= 1 << 34
    assert [thread.name async for thread in general.archived_threads(private=True)] == ["old whispers"]


@with_client()
async def test_active_threads_are_those_that_the_bot_sees(fake: Fake, client: Listening) -> None:
    assert [thread.name for thread in await client.guilds[0].active_threads()] == ["question", "plans"]
    forum = client.get_channel(fake.world.guild.channel("forum").id)
    assert isinstance(forum, discord.ForumChannel)
    assert [thread.name async for thread in forum.archived_threads()] == ["old question"]
    for name in ("old plans", "old question", "plans"):
        thread = fake.world.guild.channel(name)
        assert len(await client.http.logs_from(thread.id, 100)) == min(100, len(thread.history))


@with_client()
async def test_threads_come_change_and_go(fake: Fake, client: Listening) -> None:
    guild, member = fake.world.guild, fake.world.guild.member("member")
    start = fake.say(member, guild.channel("talk"), "let us talk")
    thread = fake.create_thread(member, guild.channel("talk"), "talks", start=start)
    assert thread.id == start.id
    fake.say(member, thread, "inside")
    await fake.wait_for(lambda: client.texts() == ["let us talk", "", "inside"])
    (updated,) = client.of("raw_message_edit")
    assert (updated.message_id, updated.message.edited_at) == (start.id, None)
    assert client.of("message")[1].type is discord.MessageType.thread_starter_message
    (created,) = client.of("thread_create")
    assert (created.name, created.parent.name) == ("talks", "talk")
    fake.archive_thread(thread)
    await fake.wait_for(lambda: client.of("raw_thread_update"))
    assert client.get_channel(thread.id) is None
    fake.say(member, thread, "it wakes")
    await fake.wait_for(lambda: len(client.texts()) == 4)
    assert isinstance(client.of("message")[3].channel, discord.Thread)
    fake.delete_thread(thread)
    await fake.wait_for(lambda: client.of("raw_thread_delete"))
    assert client.of("raw_thread_delete")[0].parent_id == guild.channel("talk").id


@with_client()
async def test_a_thread_by_itself_is_announced_in_its_channel(fake: Fake, client: Listening) -> None:
    member = fake.world.guild.member("member")
    fake.create_thread(member, fake.world.guild.channel("talk"), "alone")
    await fake.wait_for(lambda: client.of("message"))
    assert client.of("message")[0].type is discord.MessageType.thread_created
    fake.create_thread(member, fake.world.guild.channel("talk"), "hidden", private=True)
    fake.create_thread(member, fake.world.guild.channel("forum"), "post")
    await fake.wait_for(lambda: len(client.of("thread_create")) == 2)
    assert [thread.name for thread in client.of("thread_create")] == ["alone", "post"]
    await fake.wait_for(lambda: client.texts() == ["alone", "post"])
    post = client.of("message")[1]
    assert (post.id, post.type) == (post.channel.id, discord.MessageType.default)


@with_client()
async def test_threads_of_a_channel_that_is_shown_again(fake: Fake, client: Listening) -> None:
    general = fake.world.guild.channel("general")
    fake.hide(general)
    fake.say(fake.world.guild.member("member"), fake.world.guild.channel("plans"), "unheard")
    began = fake.create_thread(fake.world.guild.member("member"), general, "begun meanwhile")
    fake.show(general)
    fake.say(fake.world.guild.member("member"), began, "heard")
    await fake.wait_for(lambda: client.texts() == ["heard"])
    assert [one.name for one in client.guilds[0].threads] == ["question", "plans", "begun meanwhile"]
