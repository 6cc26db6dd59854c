"""The bot and Discord: events reach the parts, guilds come and go, connections break, faults stay where they are."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import discord
import pytest

from chaffinch.chat import client as clients
from chaffinch.chat.commands.table import MODULES
from chaffinch.chat.deploying import deploy
from chaffinch.chat.guild import Channel
from chaffinch.chat.names import tenant_of
from chaffinch.config import BotSettings
from chaffinch.errors import ChaffinchError, InputError
from tests.chat.connected import Connected, connected, run
from tests.chat.discord.fake import Fake
from tests.chat.discord.intents import Intent
from tests.chat.discord.permissions import Permission
from tests.chat.discord.world import World

PUT_COMMANDS = "POST /applications/{application_id}/commands"
PUT_GUILD_COMMANDS = "POST /applications/{application_id}/guilds/{guild_id}/commands"
CALLBACK = "POST /interactions/{interaction_id}/{token}/callback"


async def learned(one: Connected) -> int:
    """Messages that the guild's chain has."""
    tenant = tenant_of(one.world.guild.id)
    return (await one.tenants.stats(tenant)).messages if tenant in await one.tenants.list() else 0


async def until_learned(one: Connected, messages: int) -> None:
    for _ in range(400):
        if await learned(one) == messages:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{await learned(one)} learned, not {messages}")


async def listen(one: Connected, *names: str) -> None:
    channels = [Channel(one.channel(name).id, listens=True) for name in names]
    await one.book.set_channels(one.world.guild.id, channels)


# Events ---------------------------------------------------------------------------------------------------------------


def test_messages_of_channels_and_their_threads_are_learned(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one, "general", "forum")
            member = one.member("member")
            for name in ("general", "plans", "question", "talk", "voice"):
                one.fake.say(member, one.channel(name), f"something said in {name} today")
            one.fake.say(one.member("robot"), one.channel("general"), "a robot speaks here")
            one.fake.say(member, one.channel("general"), "!mark help")
            one.fake.say(member, one.channel("general"), "!mark my words, they are learned")
            thread = one.fake.create_thread(member, one.channel("general"), "a new thread")
            one.fake.say(member, thread, "said in the new thread")
            one.fake.archive_thread(one.channel("old plans"), archived=False)
            one.fake.say(member, one.channel("old plans"), "said in one that was archived")
            await until_learned(one, 6)
            assert set(one.book.threads_of(one.world.guild.id, one.channel("general").id)) == {
                one.channel("plans").id,
                one.channel("old plans").id,
                thread.id,
            }

    run(test)


def test_a_flood_of_commands_is_not_answered_for_hours(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path, settings=BotSettings(min_score=0, answers_at_once=3)) as one:
            await one.teach()
            held = one.fake.faults.add("POST /channels/{channel_id}/messages", times=3, delay=1.0)
            before = len(one.fake.posted(one.channel("general")))
            for number in range(40):
                one.fake.say(one.member("member"), one.channel("general"), ("!mark", "!mark help")[number % 2])
            await one.fake.wait_for(lambda: held.met == 3)
            await one.settled()
            assert len(one.fake.posted(one.channel("general"))) - before == 3
            assert one.counted("bot_commands", outcome="refused") == 37
            assert one.client._under_way == {}
            assert (await one.told("member", "!mark help")).embeds

    run(test)


def test_a_channel_that_went_while_the_bot_was_away_is_unlearned_and_one_that_is_hidden_not(tmp_path: Path) -> None:
    async def test() -> None:
        async with Fake(World.small()) as fake:
            async with connected(tmp_path, fake=fake) as one:
                member = one.member("member")
                rooms = [fake.create_channel(one.world.guild, name) for name in ("gone", "hidden", "kept")]
                for room in rooms:
                    await one.book.set_channels(one.world.guild.id, [Channel(room.id, listens=True)])
                    thread = fake.create_thread(member, room, f"thread of {room.name}")
                    fake.say(member, room, f"something said in {room.name} today")
                    fake.say(member, thread, f"something said in the thread of {room.name}")
                await until_learned(one, 6)
            fake.delete_channel(rooms[0])
            fake.hide(rooms[1])
            async with connected(tmp_path, fake=fake) as one:
                await until_learned(one, 4)
                assert [channel.id for channel in one.book.channels(one.world.guild.id)] == [
                    room.id for room in rooms[1:]
                ]
                await one.settled()
                assert await learned(one) == 4

    run(test)


def test_what_is_taken_back_is_unlearned(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one, "general")
            member, general = one.member("member"), one.channel("general")
            said = [one.fake.say(member, general, f"number {number} of what is said") for number in range(8)]
            thread = one.fake.create_thread(member, general, "a thread")
            for number in range(3):
                one.fake.say(member, thread, f"in the thread for the time number {number}")
            await until_learned(one, 11)
            one.fake.delete(said[0])
            await until_learned(one, 10)
            one.fake.bulk_delete(said[1:4])
            await until_learned(one, 7)
            one.fake.edit(said[4], "something else altogether")
            one.fake.embed(said[5])
            await one.settled()
            assert await learned(one) == 7
            references = await one.tenants.references(tenant_of(one.world.guild.id), "something else altogether")
            assert references[0].text == "something else altogether"
            assert references[0].id == str(said[4].id)
            one.fake.delete_thread(thread)
            await until_learned(one, 4)
            one.fake.delete_channel(general)
            await until_learned(one, 0)
            await one.settled()
            assert not one.book.channels(one.world.guild.id)
            assert one.counted("bot_events_failed") == 0

    run(test)


def test_a_message_deleted_before_it_was_seen_learned_is_not_kept(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one, "general")
            for number in range(20):
                one.fake.delete(one.fake.say(one.member("member"), one.channel("general"), f"taken back {number}"))
            await one.settled()
            assert await learned(one) == 0

    run(test)


def test_a_mention_is_answered_and_pings_nobody(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await one.teach()
            bot = one.world.bot.id
            for text in (f"<@{bot}> the wren", f"hello <@!{bot}>"):
                answer = await one.told("member", text)
                assert answer.content
                assert answer.reply_to is not None
                assert answer.pinged == []
                assert answer.allowed_mentions == {"parse": [], "replied_user": False}

    run(test)


def test_a_handlers_fault_ends_with_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one, "general")
            edited = one.bot.learner.edited

            async def broken(_: Any) -> None:
                raise ZeroDivisionError

            one.bot.learner.edited = broken  # type: ignore[method-assign]
            said = one.fake.say(one.member("member"), one.channel("general"), "something said here")
            one.fake.edit(said, "something else")
            await one.fake.wait_for(lambda: one.counted("bot_events_failed", event="edited") == 1)
            one.bot.learner.edited = edited  # type: ignore[method-assign]
            one.fake.edit(said, "something else altogether")
            await one.settled()
            assert await learned(one) == 1

    run(test)
    assert "bot.event_failed" in caplog.text
    assert "something" not in caplog.text


# Commands by prefix ---------------------------------------------------------------------------------------------------


def test_commands_by_prefix_reply_and_ping_nobody(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            answer = await one.told("member", "!mark help")
            assert answer.reply_to is not None
            assert answer.reply_to.content == "!mark help"
            assert answer.pinged == []
            shown = str(answer.embeds)
            for path in one.bot.table.leaves:
                assert path in shown, path
            invite = str((await one.told("member", "!MARK invite")).embeds)
            assert f"client_id={one.world.bot.id}" in invite
            assert "permissions=274878024704" not in invite
            in_thread = len(one.fake.posted(one.channel("plans")))
            one.fake.say(one.member("member"), one.channel("plans"), "!mark help")
            assert (await one.said(one.channel("plans"), in_thread)).embeds

    run(test)


def test_what_is_no_command_of_ours_is_left_alone(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            general = one.channel("general")
            for text in ("!mark twain", "!markov help", "say !mark help", "!mark <@5> help"):
                one.fake.say(one.member("member"), general, text)
            one.fake.say(one.member("robot"), general, "!mark help")
            one.fake.say(one.member("owner"), general, "!mark listen modify", webhook=True)
            await one.settled()
            assert not one.fake.posted(general)

    run(test)


def test_a_wrong_command_is_explained(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            assert "followed by one of" in (await one.told("moderator", "!mark listen")).content
            assert "needs `channel-1`" in (await one.told("moderator", "!mark listen add")).content
            await one.fake.wait_for(lambda: one.counted("bot_commands", command="listen", outcome="refused") == 1)

    run(test)


def test_permissions_of_one_channel_give_no_say_in_the_guild(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            talk, member = one.channel("talk"), one.member("member")
            # As bots give it to who opens a voice channel of their own.
            one.channel("general").overwrites[member.id] = (1 << 4 | 1 << 24, 0)
            one.fake.rename_channel(one.channel("general"), "general")
            said = await one.told("member", f"!mark listen add <#{talk.id}>")
            assert "moderators" in said.content
            asked = await one.asked("member", "listen add", {"channel-1": talk})
            assert asked.is_ephemeral
            assert "moderators" in asked.content
            assert "for moderators" in (await one.asked("member", "mark", {"debug": True})).content
            assert one.book.channels(one.world.guild.id) == []
            assert "I learn from" in (await one.told("moderator", f"!mark listen add <#{talk.id}>")).content
            owner = await one.told("owner", f"!mark listen remove <#{talk.id}>")
            assert "no longer learn" in owner.content
            one.channel("general").overwrites[one.member("moderator").id] = (0, 1 << 4 | 1 << 1 | 1 << 24)
            one.fake.rename_channel(one.channel("general"), "general")
            assert "I learn from" in (await one.told("moderator", f"!mark listen add <#{talk.id}>")).content

    run(test)


@pytest.mark.parametrize(
    "one_of_four",
    [Permission.ADMINISTRATOR, Permission.MANAGE_CHANNELS, Permission.KICK_MEMBERS, Permission.MOVE_MEMBERS],
)
def test_any_one_of_the_four_permissions_makes_a_moderator_wherever_they_write(
    tmp_path: Path, one_of_four: Permission
) -> None:
    async def test() -> None:
        world = World.small()
        role = world.add_role(world.guild, "helpers", int(one_of_four))
        helper = world.add_member(world.guild, "helper", [role])
        async with Fake(world) as fake, connected(tmp_path, fake=fake) as one:
            for name in ("general", "plans", "question", "voice"):
                place = one.channel(name)
                before = len(fake.posted(place))
                fake.say(helper, place, f"!mark listen add <#{one.channel('talk').id}>")
                assert "I learn from" in (await one.said(place, before)).content, name

    run(test)


def test_where_the_bot_may_not_write_a_command_ends_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            one.fake.faults.refuse("POST /channels/{channel_id}/messages", 403, 50013, times=9)
            one.fake.say(one.member("member"), one.channel("general"), "!mark help secret-word")
            await one.fake.wait_for(lambda: one.counted("bot_commands", outcome="refused") == 1)
            one.fake.faults.clear()
            await one.settled()

    caplog.set_level(logging.INFO)
    run(test)
    assert "bot.refusal_not_told" in caplog.text
    assert "secret-word" not in caplog.text


# Slash commands -------------------------------------------------------------------------------------------------------


def test_a_command_that_is_no_more_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            one.fake.commands.deploy(one.fake, 0, [{"name": "older", "description": "Of a release before."}])
            answer = await one.asked("member", "older")
            assert answer.is_ephemeral
            assert answer.content == "I do not know that any more: give the command again."

    run(test)


def test_a_fault_of_ours_is_told_with_the_id_that_it_has_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            text = "what somebody wrote"

            async def say(*_: Any, **__: Any) -> None:
                raise KeyError(text)

            one.bot.talker.say = say  # type: ignore[method-assign,assignment]
            asked = one.slash("member", "mark")
            answer = await one.answered(asked)
            assert asked.original in asked.removed
            assert answer.is_ephemeral
            name = answer.content.rpartition(" ")[2].rstrip(".")
            assert f"id={name}" in caplog.text
            assert "error=KeyError" in caplog.text
            assert "in say" in caplog.text
            assert "what somebody wrote" not in caplog.text
            await one.fake.wait_for(lambda: one.counted("bot_commands", command="mark", outcome="failed") == 1)
            assert (await one.asked("member", "help")).embeds

    run(test)


def test_an_interaction_that_lapsed_harms_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            one.fake.faults.refuse(CALLBACK, 404, 10062, "Unknown interaction", times=2)  # the answer, and the refusal
            one.slash("member", "mark")
            await one.fake.wait_for(lambda: one.counted("bot_commands", outcome="failed") == 1)
            assert (await one.asked("member", "help")).embeds

    run(test)
    assert "code=10062" in caplog.text


def test_slow_commands_are_counted_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with connected(tmp_path, settings=BotSettings(slow_ms=5.0)) as one:
            one.fake.faults.add(CALLBACK, delay=0.05)
            await one.asked("member", "help")
            await one.fake.wait_for(lambda: one.counted("bot_slow_operations", operation="help") == 1)

    run(test)
    assert "operation=help" in caplog.text


# Deployment -----------------------------------------------------------------------------------------------------------


def test_what_discord_has_already_is_not_sent_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with Fake(World.small()) as fake:
            async with connected(tmp_path, fake=fake) as one:
                commands = one.bot.table.commands
                assert len(fake.requested(PUT_COMMANDS)) == len(commands)
                assert {one["name"] for one in fake.commands.by_guild[0]} == {command.name for command in commands}
            async with connected(tmp_path, fake=fake):
                assert len(fake.requested(PUT_COMMANDS)) == len(commands)
            changed = [one for one in fake.commands.by_guild[0] if one["name"] != "help"]
            changed[0]["description"] = "Something else."
            fake.commands.by_guild[0] = [*changed, {"name": "older", "description": "Gone.", "id": "5", "type": 1}]
            async with connected(tmp_path, fake=fake):
                assert len(fake.requested(PUT_COMMANDS)) == len(commands) + 2
                assert {one["name"] for one in fake.commands.by_guild[0]} == {command.name for command in commands}

    run(test)


def test_commands_are_sent_again_until_discord_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(clients, "AGAIN_SECONDS", 0.02)

    async def test() -> None:
        async with Fake(World.small()) as fake:
            fake.faults.refuse(PUT_COMMANDS, 403, 50001, times=2, after=3)
            async with connected(tmp_path, fake=fake) as one:
                names = {command.name for command in one.bot.table.commands}
                assert {command["name"] for command in fake.commands.by_guild[0]} == names
                await one.fake.wait_for(lambda: one.counted("bot_events_failed", event="deployment") == 2)

    run(test)
    assert "bot.commands_not_deployed" in caplog.text


def test_commands_that_a_guild_has_besides_are_cleared(tmp_path: Path) -> None:
    async def test() -> None:
        async with Fake(World.small()) as fake:
            guild = fake.world.guild.id
            fake.commands.deploy(fake, guild, [{"name": "help", "description": "Twice."}])
            async with connected(tmp_path, fake=fake):
                assert fake.commands.by_guild[guild] == []

    run(test)


def test_a_guild_for_development_has_them_alone(tmp_path: Path) -> None:
    async def test() -> None:
        async with Fake(World.small()) as fake:
            guild = fake.world.guild.id
            fake.commands.deploy(fake, 0, [{"name": "help", "description": "For all."}])
            async with connected(tmp_path, settings=BotSettings(dev_guild=guild), fake=fake) as one:
                assert fake.commands.by_guild[0] == []
                assert len(fake.commands.by_guild[guild]) == len(one.bot.table.commands)
                assert (await one.asked("member", "help")).embeds
                asked = len(fake.requested(PUT_GUILD_COMMANDS))
                await deploy(one.client.http, one.bot.application_id, one.bot.table, [], guild)
                assert len(fake.requested(PUT_GUILD_COMMANDS)) == asked == len(one.bot.table.commands), (
                    "nothing changed"
                )

    run(test)


def test_a_guild_for_development_that_the_bot_is_not_in_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            with pytest.raises(discord.Forbidden):
                await deploy(one.client.http, one.bot.application_id, one.bot.table, [one.world.guild.id], 4711)
            assert one.fake.commands.by_guild[0], "what all have stays"

    run(test)
    assert "bot.dev_guild_unknown guild=4711 why=the bot is in no such server" in caplog.text


def test_the_guild_for_development_before_has_them_no_more(tmp_path: Path) -> None:
    async def test() -> None:
        world = World.many(2)
        first, second = world.guilds
        async with Fake(world) as fake:
            for number, guild in enumerate((first, second)):
                async with connected(tmp_path / str(number), settings=BotSettings(dev_guild=guild), fake=fake) as one:
                    assert len(fake.commands.by_guild[guild]) == len(one.bot.table.commands)
            assert fake.commands.by_guild[first] == []

    run(test)


def test_every_command_is_taken_by_discord_as_it_is(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await deploy(one.client.http, one.bot.application_id, one.bot.table, [], 0)
            assert len(one.fake.requested(PUT_COMMANDS)) == len(one.bot.table.commands), "nothing changed"

    run(test)
    assert {"mark", "listen", "settings", "train", "privacy", "help"} == set(MODULES)


def test_it_is_shown_what_it_listens_to(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path, settings=BotSettings(min_score=0, activity="the reeds")) as one:
            (identified,) = one.fake.gateway.identified
            assert [shown["name"] for shown in [identified["presence"]["game"]]] == ["the reeds"]

    run(test)


def test_what_somebody_writes_to_it_alone_is_neither_answered_nor_learned(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await one.teach()
            alone = one.world.conversation(one.member("admin").user)
            for text in ("!mark", "!mark train", f"<@{one.world.bot.id}> hello", "something said to it alone"):
                one.fake.say(one.member("admin").user, alone, text)
            await one.settled()
            assert one.fake.posted(alone) == []
            assert one.counted("bot_learned") == one.counted("bot_events_failed") == 0

    run(test)


# Guilds ---------------------------------------------------------------------------------------------------------------


def test_guilds_come_and_go(tmp_path: Path) -> None:
    async def test() -> None:
        world = World.many(3)
        first, second, third = world.guilds.values()
        async with Fake(world) as fake:
            async with connected(tmp_path, fake=fake) as one:
                assert set(one.book.guilds()) == {first.id, second.id, third.id}
                fake.kick_bot(second)
                await fake.wait_for(lambda: one.book.left_at(second.id) is not None)
                fake.outage(first)
                await asyncio.sleep(0.05)
                assert one.book.left_at(first.id) is None
                fake.end_outage(first)
                fake.invite_bot(second)
                await fake.wait_for(lambda: one.book.left_at(second.id) is None)
            fake.kick_bot(third)
            async with connected(tmp_path, fake=fake) as one:
                assert one.book.left_at(third.id) is not None, "it left while it was off"
                assert one.book.left_at(second.id) is None

    run(test)


def test_guilds_that_come_and_go_while_those_there_are_noted(tmp_path: Path) -> None:
    async def test() -> None:
        world = World.many(3)
        first, second, third = world.guilds.values()
        async with Fake(world) as fake, connected(tmp_path, fake=fake) as one:
            fake.kick_bot(third)
            await fake.wait_for(lambda: one.book.left_at(third.id) is not None)
            joined, waits, goes_on = one.book.joined, asyncio.Event(), asyncio.Event()

            async def slow(guild: int) -> None:
                if not waits.is_set() and guild == first.id:
                    waits.set()
                    await goes_on.wait()
                await joined(guild)

            one.book.joined = slow  # type: ignore[method-assign]
            ready = asyncio.create_task(one.client.on_ready())
            await waits.wait()
            fake.kick_bot(second)
            await fake.wait_for(lambda: one.book.left_at(second.id) is not None)
            fake.invite_bot(third)
            await fake.wait_for(lambda: one.book.left_at(third.id) is None)
            goes_on.set()
            await ready
            assert one.book.left_at(second.id) is not None
            assert one.book.left_at(third.id) is None

    run(test)


# The connection -------------------------------------------------------------------------------------------------------


def test_after_a_lost_connection_nothing_begins_twice(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            begun: list[str] = []

            async def go_on() -> None:
                begun.append("go on")

            one.bot.trainer.go_on = go_on  # type: ignore[method-assign]
            deployed = len(one.fake.requested("GET /applications/{application_id}/commands"))
            one.fake.gateway.reconnect()
            assert (await one.asked("member", "help")).embeds, "resumed"
            one.fake.gateway.drop()
            assert (await one.asked("member", "help")).embeds
            one.fake.gateway.invalidate(resumable=False)
            await one.fake.wait_for(lambda: len(one.fake.gateway.identified) == 2)
            await one.fake.wait_for(lambda: len(one.client.guilds) == 1)
            assert (await one.asked("member", "help")).embeds
            assert begun == []
            assert len(one.fake.requested("GET /applications/{application_id}/commands")) == deployed
            await one.fake.wait_for(lambda: one.counted("bot_connected") == 1)

    run(test)


async def refused(tmp_path: Path, fake: Fake, why: str) -> None:
    with pytest.raises(ChaffinchError, match=why) as raised:
        async with connected(tmp_path, fake=fake):
            pass
    assert raised.value.exit_code == 2


def test_a_token_that_discord_refuses(tmp_path: Path) -> None:
    async def test() -> None:
        async with Fake(World.small()) as fake:
            fake.faults.refuse("GET /users/@me", 401, 0, "401: Unauthorized")
            await refused(tmp_path, fake, "Reset Token")

            async def changed() -> None:
                async with connected(tmp_path, fake=fake) as one:
                    fake.gateway.close(4004)
                    await one.serving

            with pytest.raises(InputError, match="Reset Token"):
                await changed()

    run(test)


def test_an_application_that_may_not_read_messages(tmp_path: Path) -> None:
    async def test() -> None:
        async with Fake(World.small()) as fake:
            why = f"Message Content Intent .*{fake.world.bot.id}/bot"
            allowed = fake.gateway.allowed
            fake.gateway.allowed = allowed & ~Intent.MESSAGE_CONTENT
            await refused(tmp_path, fake, why)
            assert not fake.gateway.identified, "told before it is asked for"
            fake.gateway.allowed = allowed

            async def changed() -> None:
                async with connected(tmp_path, fake=fake) as one:
                    fake.gateway.close(4014)
                    await one.serving

            with pytest.raises(InputError, match=why):
                await changed()

    run(test)


@pytest.mark.parametrize(("code", "said"), [(4011, "2,500"), (4013, "too old")])
def test_what_starting_again_does_not_mend_is_not_tried_again(tmp_path: Path, code: int, said: str) -> None:
    """Discord resets the token of who starts a thousand sessions a day, as a service manager would make it do."""

    async def test() -> None:
        async with Fake(World.small()) as fake, connected(tmp_path, fake=fake) as one:
            fake.gateway.close(code)
            await one.serving

    with pytest.raises(ChaffinchError, match=said) as raised:
        run(test)
    assert raised.value.exit_code == 2


def test_until_discord_can_be_reached_it_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with Fake(World.small()) as fake:
            fake.faults.add("GET /users/@me", resets=True, times=1)
            fake.faults.refuse("GET /users/@me", 429, times=1)  # without `Via`: an address that is shut out
            async with connected(tmp_path, fake=fake) as one:
                assert (await one.asked("member", "help")).embeds

    caplog.set_level(logging.WARNING)
    run(test)
    assert "bot.not_connected" in caplog.text


def test_until_the_gateway_can_be_reached_for_the_first_time_it_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with Fake(World.small()) as fake:
            fake.gateway.refuses = 1
            async with connected(tmp_path, fake=fake) as one:
                assert (await one.asked("member", "help")).embeds
            assert not fake.gateway.refuses

    caplog.set_level(logging.WARNING)
    run(test)
    assert "bot.not_connected" in caplog.text


def test_past_a_bound_messages_are_left_out_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "MOST_EVENTS", 5)

    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one, "general")
            async with one.book.turn(one.world.guild.id):
                said = [
                    one.fake.say(one.member("member"), one.channel("general"), f"message number {number}")
                    for number in range(12)
                ]
                await one.fake.wait_for(lambda: one.counted("bot_events_failed", event="too_many") >= 5)
                one.fake.delete(said[0])
            await one.settled()
            assert await learned(one) <= 6

    run(test)


def test_no_message_is_in_the_log_at_any_level(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await one.teach()
            await listen(one, "general")
            said = one.fake.say(one.member("member"), one.channel("general"), f"<@{one.world.bot.id}> xylophone")
            await one.said(one.channel("general"), 0)
            one.fake.edit(said, "xylophone again")
            await one.asked("member", "mark", {"seed": "xylophone"})
            await one.told("member", "!mark seed:xylophone xylophone")
            one.fake.delete(said)
            await one.settled()

    caplog.set_level(logging.DEBUG, logger="chaffinch")
    run(test)
    assert caplog.records
    assert "xylophone" not in caplog.text
    assert not [record for record in caplog.records if "a.bot.token" in record.getMessage()]
