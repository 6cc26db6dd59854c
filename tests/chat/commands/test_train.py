"""`/train`, through Discord; the training itself is tested in `training/`."""

import json
from pathlib import Path

from chaffinch.chat.guild import Channel
from chaffinch.chat.names import tenant_of
from tests.chat.connected import Connected, connected, run
from tests.chat.discord.messages import Message
from tests.chat.discord.received import File

FILE = File(
    "chat.json", json.dumps([{"message": f"word {number} of it", "attachments": []} for number in range(50)]).encode()
)


async def listen(one: Connected, *names: str) -> None:
    await one.book.set_channels(one.world.guild.id, [Channel(one.channel(name).id, listens=True) for name in names])


async def trained(one: Connected, shown: Message) -> int:
    """Messages of the chain, once the result stands below the progress."""
    await one.fake.wait_for(lambda: any(said.reply_to is shown for said in one.fake.posted(shown.channel)))
    return (await one.tenants.stats(tenant_of(one.world.guild.id))).messages


def test_channels_with_their_threads_are_learned(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            assert "moderators" in (await one.asked("member", "train")).content
            assert "/listen add" in (await one.asked("moderator", "train")).content
            await listen(one, "talk")
            shown = await one.asked("moderator", "train")
            assert not shown.is_ephemeral
            assert shown.embeds
            people = [each for each in one.channel("talk").history.all() if not each.author.is_bot and each.content]
            assert 0 < await trained(one, shown) <= len(people)

    run(test)


def test_by_prefix_with_a_file(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            shown = await one.told("moderator", "!mark train clean:false", attachments=[FILE])
            assert shown.embeds
            assert await trained(one, shown) == 50
            twice = await one.told("moderator", "!mark train", attachments=[FILE, FILE])
            assert "1 file at most" in twice.content

    run(test)


def test_a_file_by_slash_command(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            shown = await one.asked("admin", "train", {"json": FILE, "clean": True})
            assert await trained(one, shown) == 50

    run(test)


def test_the_button_below_the_progress_is_for_moderators(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one, "general")
            one.fake.faults.add("GET /channels/{channel_id}/messages", delay=0.3, times=50)
            shown = await one.asked("moderator", "train")
            await one.fake.wait_for(lambda: one.book.training(one.world.guild.id) is not None)
            (button,) = shown.components[0]["components"]
            refused = await one.answered(one.fake.press(one.member("member"), shown, button["custom_id"]))
            assert refused.is_ephemeral
            assert "moderators" in refused.content
            assert one.book.training(one.world.guild.id) is not None
            told = await one.answered(one.fake.press(one.member("admin"), shown, button["custom_id"]))
            assert told.is_ephemeral
            await one.fake.wait_for(lambda: one.book.training(one.world.guild.id) is None)

    run(test)
