"""What people and Discord do, as discord.py is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
import pytest

from tests.chat.discord.listening import CONTENT, with_client
from tests.chat.discord.places import Kind
from tests.chat.discord.received import File
from tests.chat.discord.world import World

if TYPE_CHECKING:
    from tests.chat.discord.fake import Fake
    from tests.chat.discord.listening import Listening

WITH_MEMBERS = CONTENT | discord.Intents(members=True)


@with_client(max_messages=None)
async def test_changes_of_messages_that_no_cache_has(fake: Fake, client: Listening) -> None:
    general = fake.world.guild.channel("general")
    old = list(general.history.all())[:5]
    fake.edit(old[0], "changed")
    fake.embed(old[1])
    fake.delete(old[2])
    fake.bulk_delete(old[3:])
    await fake.wait_for(lambda: client.of("raw_bulk_message_delete"))
    edited, embedded = client.of("raw_message_edit")
    assert (edited.message.content, edited.message.edited_at is None) == ("changed", False)
    assert embedded.message.edited_at is None
    assert [one.message_id for one in client.of("raw_message_delete")] == [old[2].id]
    (bulk,) = client.of("raw_bulk_message_delete")
    assert (bulk.message_ids, bulk.channel_id, bulk.guild_id) == (
        {old[3].id, old[4].id},
        general.id,
        fake.world.guild.id,
    )
    assert len(general.history) == 247


@with_client()
async def test_who_writes_and_what_comes_with_it(fake: Fake, client: Listening) -> None:
    guild, general = fake.world.guild, fake.world.guild.channel("general")
    text = f"<@{guild.member('admin').id}> <@!{guild.member('other').id}> {guild.role('admins').mention} @everyone"
    fake.say(guild.member("moderator"), general, text, attachments=[File("a.png", b"x" * 9)])
    fake.say(guild.member("robot"), general, "as a bot")
    fake.say(guild.member("member"), general, "as a webhook", webhook=True)
    fake.say(guild.member("member"), general, message_type=7)
    await fake.wait_for(lambda: len(client.texts()) == 4)
    first, robot, webhook, system = client.of("message")
    assert {one.name for one in first.mentions} == {"admin", "other"}
    assert ([one.name for one in first.role_mentions], first.mention_everyone) == (["admins"], True)
    assert ([one.name for one in first.author.roles], first.attachments[0].size) == (["@everyone", "moderators"], 9)
    assert (robot.author.bot, webhook.webhook_id is None, system.is_system()) == (True, False, True)


@with_client()
async def test_what_stands_in_hidden_channels_is_not_told(fake: Fake, client: Listening) -> None:
    guild, member = fake.world.guild, fake.world.guild.member("member")
    said = fake.say(member, guild.channel("hidden"), "secret")
    fake.edit(said, "still secret")
    fake.delete(said)
    fake.say(member, guild.channel("whispers"), "private")
    fake.hide(guild.channel("talk"))
    fake.say(member, guild.channel("talk"), "hidden now")
    fake.show(guild.channel("talk"))
    fake.say(member, guild.channel("talk"), "seen again")
    await fake.wait_for(lambda: client.texts() == ["seen again"])
    assert len(client.of("guild_channel_update")) == 2
    assert client.of("raw_message_edit") == client.of("raw_message_delete") == []


@with_client()
async def test_channels_come_change_and_go(fake: Fake, client: Listening) -> None:
    guild = fake.world.guild
    made = fake.create_channel(guild, "made")
    fake.create_channel(guild, "loud", Kind.VOICE)
    fake.rename_channel(made, "renamed")
    await fake.wait_for(lambda: client.of("guild_channel_update"))
    assert client.get_channel(made.id).name == "renamed"
    fake.delete_channel(guild.channel("general"))
    await fake.wait_for(lambda: client.of("guild_channel_delete"))
    assert [thread.name for thread in client.of("thread_delete")] == ["plans"]
    assert {thread.name for thread in guild.channels.values() if thread.is_thread} == {"question", "old question"}
    with pytest.raises(discord.NotFound):
        await client.fetch_channel(client.of("guild_channel_delete")[0].id)


@with_client(intents=WITH_MEMBERS)
async def test_members_come_change_and_go(fake: Fake, client: Listening) -> None:
    guild = fake.world.guild
    fake.set_roles(guild.member("member"), [guild.role("unlearned")])
    newcomer = fake.join(guild, "newcomer")
    fake.leave(newcomer)
    await fake.wait_for(lambda: client.of("member_remove"))
    member = client.guilds[0].get_member(guild.member("member").id)
    assert member is not None
    assert [role.name for role in member.roles] == ["@everyone", "unlearned"]
    assert [one.name for one in client.of("member_join")] == ["newcomer"]


@with_client()
async def test_the_bots_own_roles_are_told_without_the_intent(fake: Fake, client: Listening) -> None:
    guild = fake.world.guild
    assert guild.me is not None
    fake.set_roles(guild.me, [*guild.me.roles, guild.role("admins")])
    await fake.wait_for(lambda: client.guilds[0].me.guild_permissions.administrator)
    fake.set_roles(guild.member("member"), [guild.role("admins")])
    fake.say(guild.member("member"), guild.channel("talk"), "now")
    await fake.wait_for(client.texts)
    assert client.of("member_update") == [client.of("member_update")[0]]


@with_client(lambda: World.many(3))
async def test_guilds_come_and_go(fake: Fake, client: Listening) -> None:
    first, second, _ = fake.world.guilds.values()
    assert len(client.guilds) == 3
    fake.kick_bot(first)
    await fake.wait_for(lambda: client.of("guild_remove"))
    assert [guild.name for guild in client.of("guild_remove")] == ["town0"]
    with pytest.raises(discord.Forbidden):
        await client.http.logs_from(first.channel("general").id, 1)
    fake.say(first.member("member"), first.channel("general"), "unheard")
    fake.create_channel(first, "unseen")
    fake.outage(second)
    await fake.wait_for(lambda: client.of("guild_unavailable"))
    fake.end_outage(second)
    fake.invite_bot(first)
    await fake.wait_for(lambda: client.of("guild_join"))
    assert [guild.name for guild in client.of("guild_join")] == ["town0"]
    assert "town1" in [guild.name for guild in client.of("guild_available")]
    fake.say(first.member("member"), first.channel("general"), "heard")
    await fake.wait_for(lambda: client.texts() == ["heard"])
    assert client.of("socket_event_type").count("CHANNEL_CREATE") == 0
    await client.http.leave_guild(first.id)
    await fake.wait_for(lambda: len(client.of("guild_remove")) == 2)
