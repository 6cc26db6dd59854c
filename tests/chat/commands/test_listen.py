"""Which channels are learned from and answered in."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.chat.commands.listen import MOST_LISTED, listed
from chaffinch.chat.guild import Channel
from chaffinch.chat.names import tenant_of
from tests.chat.connected import Connected, connected, run
from tests.chat.discord.fake import Fake
from tests.chat.discord.messages import Message
from tests.chat.discord.permissions import Permission
from tests.chat.discord.places import Kind
from tests.chat.discord.received import File
from tests.chat.discord.world import World


def listens(one: Connected) -> set[int]:
    return {channel.id for channel in one.book.channels(one.world.guild.id) if channel.listens}


def responds(one: Connected) -> set[int]:
    return {channel.id for channel in one.book.channels(one.world.guild.id) if channel.responds}


@pytest.mark.parametrize(("command", "used"), [("listen", listens), ("autorespond", responds)])
def test_channels_are_added_and_removed(tmp_path: Path, command: str, used: Any) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            general, news, forum = (one.channel(name) for name in ("general", "news", "forum"))
            both = {"channel-1": general, "channel-2": news, "channel-25": forum}
            added = await one.asked("moderator", f"{command} add", both)
            assert f"<#{general.id}>, <#{news.id}>, <#{forum.id}>" in added.content
            assert used(one) == {general.id, news.id, forum.id}
            removed = await one.asked("admin", f"{command} remove", {"channel-1": news})
            assert used(one) == {general.id, forum.id}
            assert f"<#{news.id}>" in removed.content
            shown = await one.asked("member", f"{command} list")
            assert shown.is_ephemeral
            assert shown.embeds[0]["description"] == f"<#{general.id}>\n<#{forum.id}>"
            by_prefix = await one.told("moderator", f"!mark {command} add <#{news.id}> <#{general.id}>")
            assert f"<#{news.id}>" in by_prefix.content
            assert used(one) == {general.id, news.id, forum.id}
            assert f"<#{news.id}>" in str((await one.told("member", f"!MARK {command} list")).embeds)

    run(test)


def test_a_change_says_that_what_was_learned_stays(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            channel = {"channel-1": one.channel("general")}
            assert "What was learned before stays" in (await one.asked("owner", "listen add", channel)).content
            assert "What was learned before stays" in (await one.asked("owner", "listen remove", channel)).content

    run(test)


def test_who_adds_a_channel_is_told_what_the_bot_may_not_do_there(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            hidden, general = one.channel("hidden"), one.channel("general")
            both = {"channel-1": general, "channel-2": hidden}
            told = (await one.asked("moderator", "listen add", both)).content
            assert told.endswith(f"First let me have View Channel and Read Message History in <#{hidden.id}>.")
            assert listens(one) == {general.id, hidden.id}
            one.fake.show(hidden)
            assert "First let me" not in (await one.asked("moderator", "listen add", both)).content
            one.fake.hide(hidden)
            assert "First let me" not in (await one.asked("moderator", "listen remove", both)).content

    run(test)


@pytest.mark.parametrize("command", ["listen", "autorespond"])
def test_only_moderators_change_them(tmp_path: Path, command: str) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            general = one.channel("general")
            for options in ({"channel-1": general}, None):
                asked = f"{command} {'add' if options else 'modify'}"
                refused = await one.asked("member", asked, options)
                assert refused.is_ephemeral
                assert "moderators" in refused.content
                assert not refused.components
            assert "moderators" in (await one.told("talker", f"!mark {command} add <#{general.id}>")).content
            assert not one.book.channels(one.world.guild.id)
            assert (await one.asked("member", f"{command} list")).embeds[0]["description"] == "None."

    run(test)


def test_the_chats_of_voice_channels_and_stages_are_channels_like_others(tmp_path: Path) -> None:
    async def test() -> None:
        world = World.small()
        shut = world.add_channel(world.guild, "shut", Kind.STAGE)
        shut.overwrites[world.guild.id] = (0, int(Permission.CONNECT))
        async with connected(tmp_path, world) as one:
            voice = one.channel("voice")
            told = await one.asked("moderator", "listen add", {"channel-1": voice, "channel-2": shut})
            assert told.content.endswith(f"First let me have Connect in <#{shut.id}>.")
            assert listens(one) == {voice.id, shut.id}
            shown = await one.asked("moderator", "listen modify")
            named = {one["label"] for one in shown.components[0]["components"][0]["options"]}
            assert named >= {"#voice", "#shut", "#general"}
            progress = await one.asked("moderator", "train")
            posted = one.fake.posted
            await one.fake.wait_for(lambda: any(said.reply_to is progress for said in posted(one.channel("general"))))
            (done,) = [said for said in posted(one.channel("general")) if said.reply_to is progress]
            assert f"<#{shut.id}>: 403" in str(done.embeds)
            people = [each for each in voice.history.all() if not each.author.is_bot and each.content]
            tenant = tenant_of(one.world.guild.id)
            assert (await one.tenants.stats(tenant)).messages == len(people) > 0
            await one.asked("moderator", "autorespond add", {"channel-1": voice})
            one.fake.say(one.member("member"), voice, "something that is said beside a call")
            await one.said(voice, 0)
            await one.settled()
            assert (await one.tenants.stats(tenant)).messages == len(people) + 1

    run(test)


def test_what_is_no_text_channel_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            for name in ("place", "plans"):
                refused = await one.told("moderator", f"!mark listen add <#{one.channel(name).id}>")
                assert "no text channel" in refused.content
            assert "no text channel" in (await one.told("moderator", "!mark listen add <#1>")).content
            assert not listens(one)

    run(test)


def test_how_often_messages_are_answered(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            general = one.channel("general")
            said = await one.asked("moderator", "autorespond chance", {"channel": general, "percent": 12.5})
            assert "12.5" in said.content
            assert "once it is added" in said.content
            await one.asked("moderator", "autorespond add", {"channel-1": general})
            channel = one.book.channel(one.world.guild.id, general.id)
            assert (channel.chance, channel.responds, channel.listens) == (0.125, True, False)
            assert "(12.5 of 100)" in (await one.asked("member", "autorespond list")).embeds[0]["description"]
            await one.told("moderator", f"!mark autorespond chance <#{general.id}> 100%")
            assert one.book.channel(one.world.guild.id, general.id).chance == 1

    run(test)


def test_how_often_an_attachment_goes_with_what_is_said(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            general, guild = one.channel("general"), one.world.guild.id
            said = await one.asked("moderator", "autorespond images", {"channel": general, "percent": 12.5})
            assert f"12.5 of 100 things that I say in <#{general.id}>" in said.content
            assert one.book.channel(guild, general.id) == Channel(general.id, images=0.125)
            shown = (await one.asked("member", "settings show")).embeds[0]["fields"]
            assert f"<#{general.id}> 0.125" in next(one["value"] for one in shown if one["name"] == "image_chance")
            await one.told("moderator", f"!mark autorespond images <#{general.id}>")
            assert one.book.channels(guild) == []

    run(test)


def test_an_attachment_goes_along_as_often_as_the_channel_of_a_thread_says(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await one.teach()
            general, talk, plans = (one.channel(name) for name in ("general", "talk", "plans"))
            await one.book.set_channels(one.world.guild.id, [Channel(general.id, listens=True, images=1)])
            one.fake.say(one.member("member"), general, "the lark has a photo", attachments=[File("c.png", b"c")])
            await one.settled()
            for place, files in ((general, ["c.png"]), (plans, ["c.png"]), (talk, [])):
                before = len(one.fake.posted(place))
                one.fake.say(one.member("member"), place, f"<@{one.world.bot.id}>")
                assert [file.name for file in (await one.said(place, before)).attachments] == files, place.name
                asked = one.fake.slash(one.member("member"), place, "mark")
                assert [file.name for file in (await one.answered(asked)).attachments] == files, place.name

    run(test)


def test_changes_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            general = one.channel("general")
            asked = [
                one.slash("moderator", "listen add", {"channel-1": general}),
                one.slash("admin", "autorespond add", {"channel-1": general}),
                one.slash("owner", "autorespond chance", {"channel": general, "percent": 50.0}),
            ]
            for each in asked:
                await one.answered(each)
            channel = one.book.channel(one.world.guild.id, general.id)
            assert (channel.listens, channel.responds, channel.chance) == (True, True, 0.5)

    run(test)


def options(message: Message) -> list[dict[str, Any]]:
    return list(message.components[0]["components"][0]["options"])


def test_a_menu_chooses_them(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            general, talk, news = (one.channel(name) for name in ("general", "talk", "news"))
            await one.asked("moderator", "listen add", {"channel-1": general, "channel-2": news})
            menu = await one.asked("moderator", "listen modify")
            assert menu.is_ephemeral
            assert [option["value"] for option in options(menu) if option["default"]] == [str(general.id), str(news.id)]
            assert "#talk" in {option["label"] for option in options(menu)}
            assert not {"#place", "#plans"} & {option["label"] for option in options(menu)}
            chosen = one.fake.choose(one.member("moderator"), menu, "listen/pick:0", [str(talk.id), str(news.id)])
            await one.fake.wait_for(lambda: listens(one) == {talk.id, news.id})
            await one.fake.wait_for(lambda: one.fake.answers(chosen) or "Done" in menu.content)
            assert {option["value"] for option in options(menu) if option["default"]} == {str(talk.id), str(news.id)}
            one.fake.choose(one.member("moderator"), menu, "listen/pick:0", [])
            await one.fake.wait_for(lambda: not listens(one))

    run(test)


def crowded() -> World:
    world = World.small()
    for number in range(60):
        world.add_channel(world.guild, f"room{number}")
    return world


def test_a_menu_of_many_channels_has_pages_and_outlives_a_restart(tmp_path: Path) -> None:
    async def test() -> None:
        fake = Fake(crowded())
        async with fake:
            async with connected(tmp_path, fake=fake) as one:
                menu = await one.asked("moderator", "listen modify")
                assert len(options(menu)) == 25
                assert "Page 1 of 3" in menu.content
                one.fake.press(one.member("moderator"), menu, "listen/page:1")
                await one.fake.wait_for(lambda: "Page 2 of 3" in menu.content)
                second = [option["value"] for option in options(menu)]
                one.fake.choose(one.member("moderator"), menu, "listen/pick:1", second[:3])
                await one.fake.wait_for(lambda: len(listens(one)) == 3)
                one.fake.press(one.member("moderator"), menu, "listen/page:2")
                await one.fake.wait_for(lambda: "Page 3 of 3" in menu.content)
            async with connected(tmp_path, fake=fake) as one:
                one.fake.press(one.member("moderator"), menu, "listen/page:1")
                await one.fake.wait_for(lambda: "Page 2 of 3" in menu.content)
                assert {option["value"] for option in options(menu) if option["default"]} == set(second[:3])
                last = one.fake.create_channel(one.world.guild, "afterwards")
                one.fake.choose(one.member("moderator"), menu, "listen/pick:1", second[2:4])
                await one.fake.wait_for(lambda: listens(one) == {int(second[2]), int(second[3])})
                one.fake.press(one.member("moderator"), menu, "listen/page:2")
                await one.fake.wait_for(lambda: str(last.id) in {option["value"] for option in options(menu)})

    run(test)


def test_a_page_that_is_there_no_more_is_the_last(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path, crowded()) as one:
            menu = await one.asked("moderator", "autorespond modify")
            one.fake.press(one.member("moderator"), menu, "autorespond/page:1")
            await one.fake.wait_for(lambda: "Page 2 of 3" in menu.content)
            for number in range(20, 60):
                one.fake.delete_channel(one.channel(f"room{number}"))
            one.fake.press(one.member("moderator"), menu, "autorespond/page:2")
            await one.fake.wait_for(lambda: "Page 2 of 2" in menu.content or "Page 1 of 2" in menu.content)

    run(test)


def test_who_is_no_moderator_chooses_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            menu = await one.told("moderator", "!mark listen modify")  # seen by all
            asked = one.fake.choose(one.member("member"), menu, "listen/pick:0", [options(menu)[0]["value"]])
            refused = await one.answered(asked)
            assert refused.is_ephemeral
            assert "moderators" in refused.content
            assert not listens(one)
            one.fake.choose(one.member("admin"), menu, "listen/pick:0", [options(menu)[0]["value"]])
            await one.fake.wait_for(lambda: len(listens(one)) == 1)

    run(test)


@given(st.lists(st.text(min_size=1, max_size=40), max_size=200))
def test_a_long_list_says_how_many_more_there_are(lines: list[str]) -> None:
    text = listed(lines, ", ")

    assert len(text) <= MOST_LISTED + 60
    if not text.endswith("more"):
        assert text == ", ".join(lines)


def test_no_channel_is_dropped_from_a_list_unsaid() -> None:
    lines = [f"<#{number}>" for number in range(10**18, 10**18 + 500)]

    text = listed(lines).split("\n")

    assert text[-1] == f"and {500 - (len(text) - 1)} more"
