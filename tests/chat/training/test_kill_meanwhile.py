"""The bot's process killed while it trains and people go on: what they did counts, whichever start was told of it."""

import asyncio
import os
import random
import sys
from pathlib import Path

import pytest

from chaffinch.chat.book.book import Book
from chaffinch.chat.guild import Channel as Used
from tests.chat.discord.fake import Fake
from tests.chat.discord.messages import Message
from tests.chat.discord.places import Channel
from tests.chat.discord.world import World
from tests.chat.running import ROOT, RUN
from tests.chat.test_token import TEXT
from tests.chat.training.test_kill import PAGES, expected, known

MESSAGES = 8000
CHANNELS = 3
KILLS = 3
POSTS = "POST /channels/{channel_id}/messages"
SETTLES_SECONDS = 1.0
"""What was told before an answer is on the disk so long after it."""


class Crowd:
    """People who write, edit and delete while the bot trains."""

    def __init__(self, fake: Fake, seed: int) -> None:
        self.fake, self.world, self.dice = fake, fake.world, random.Random(seed)
        self.guild = fake.world.guild
        self.said = 0

    def texts(self) -> list[Message]:
        """What people wrote, anywhere."""
        everywhere = [one for channel in self.guild.channels.values() for one in channel.history.all()]
        return [one for one in everywhere if one.content and not one.author.is_bot]

    def stirs(self) -> None:
        """Of old messages and new ones, in pages that were read and in those that were not."""
        texts = self.texts()
        for message in self.dice.sample(texts, 6):
            self.fake.edit(message, f"edited to {self.dice.random()}")
        for message in self.dice.sample(texts, 6):
            self.fake.delete(message)
        where = self.dice.choice(texts).channel
        self.fake.bulk_delete(self.dice.sample([one for one in self.texts() if one.channel is where], 8))
        for place in self.dice.sample([one for one in self.guild.channels.values() if one.archived_ms is None], 3):
            self.said += 1
            self.fake.say(self.guild.member("member"), place, f"said meanwhile, number {self.said}")

    async def heard(self, process: asyncio.subprocess.Process) -> None:
        """Until the bot answers, and what it was told before is on the disk."""
        channel, moderator = self.guild.channel("channel0"), self.guild.member("moderator")
        answers = len(self.fake.requested(POSTS))
        while len(self.fake.requested(POSTS)) <= answers:
            assert process.returncode is None
            probe = self.fake.say(moderator, channel, "!mark help")
            await asyncio.sleep(0.5)
            self.fake.delete(probe)
        await asyncio.sleep(SETTLES_SECONDS)


async def start(fake: Fake, state: Path) -> asyncio.subprocess.Process:
    command = (sys.executable, "-c", RUN, "bot", "discord", "--state", str(state), "--metrics-port", "0")
    named = {"CHAFFINCH_TEST_DISCORD": fake.url, "CHAFFINCH_BOT_TOKEN": fake.world.token, "PYTHONPATH": str(ROOT)}
    quiet = asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(*command, env=os.environ | named, cwd=ROOT, stderr=quiet)


def is_over(fake: Fake, channel: Channel) -> bool:
    said = [field["name"] for one in fake.posted(channel) for embed in one.embeds for field in embed.get("fields", ())]
    return "Took" in said


@pytest.mark.timeout(180)
def test_what_people_do_between_kills_is_in_the_new_chain(tmp_path: Path) -> None:
    async def scene() -> None:
        world = World.large(MESSAGES, channels=CHANNELS)
        world.token = TEXT
        async with Fake(world) as fake:
            guild, crowd = fake.world.guild, Crowd(fake, 1)
            channels = [guild.channel(f"channel{number}") for number in range(CHANNELS)]
            async with await Book.open(tmp_path) as book:
                await book.set_channels(guild.id, [Used(one.id, listens=True) for one in channels])
            for number in range(KILLS):
                process = await start(fake, tmp_path)
                fake.faults.add(PAGES, delay=0.4, times=10_000)
                try:
                    await crowd.heard(process)
                    if not number:
                        fake.say(guild.member("moderator"), channels[0], "!mark train")
                        await fake.wait_for(lambda: fake.requested(PAGES))
                    crowd.stirs()
                    if number == 1:
                        fake.delete_thread(guild.channel("thread0a"))
                    await crowd.heard(process)
                    assert not is_over(fake, channels[0])
                finally:
                    process.kill()
                    await process.wait()
                fake.faults.clear()
            process = await start(fake, tmp_path)
            try:
                await fake.wait_for(lambda: is_over(fake, channels[0]), 60)
            finally:
                process.terminate()
                await process.wait()
            assert known(tmp_path, guild.id) == expected(fake.world) - commands(fake.world)

    asyncio.run(scene())


def commands(world: World) -> set[tuple[str, str, str, str]]:
    return {row for row in expected(world) if row[3].startswith("!mark")}
