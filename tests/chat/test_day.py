"""A day of a large guild, replayed at speed through the real client: the chain holds what was said and not taken back.

What the chain has to hold is worked out here, from what people did, by a model of a few lines.
"""

import asyncio
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chaffinch.chain.names import directory_of
from chaffinch.chat.names import tenant_of
from chaffinch.config import BotSettings
from chaffinch.config.variables import environment
from tests.chat.connected import connected
from tests.chat.discord.fake import Fake
from tests.chat.discord.messages import Message
from tests.chat.discord.people import Member
from tests.chat.discord.permissions import Permission
from tests.chat.discord.world import World
from tests.cli.chain.calling import exported

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.chat.discord.places import Channel

EVENTS = int(environment().get("CHAFFINCH_TEST_DAY_EVENTS", "6000"))
DAY_SECONDS = 86_400
SEED = 20261122

WORDS = (
    "the",
    "build",
    "is",
    "red",
    "green",
    "slow",
    "again",
    "who",
    "broke",
    "it",
    "coffee",
    "lunch",
    "cat",
    "\u732b",
    "na\u00efve",
    "\U0001f600",
)


class Day:
    """People who write, edit and delete, and the messages that are to be known in the end."""

    def __init__(self, fake: Fake, world: World) -> None:
        self.fake, self.world = fake, world
        self.random = random.Random(SEED)
        self.guild = world.add_guild("harbour", world.add_user("owner"))
        self.moderator = world.add_member(
            self.guild, "moderator", [world.add_role(self.guild, "moderators", Permission.MANAGE_CHANNELS)]
        )
        self.robot = world.add_member(self.guild, world.add_user("robot", is_bot=True))
        self.people = [world.add_member(self.guild, f"member{number}") for number in range(150)]
        self.channels = [world.add_channel(self.guild, f"channel{number}") for number in range(12)]
        self.threads: list[Channel] = []
        self.listening: set[int] = set()
        self.out: set[int] = set()
        self.known: dict[int, tuple[int, int, str]] = {}
        """By id: where, by whom, what."""
        self.said: list[Message] = []

    # The model ------------------------------------------------------------------------------------------------------

    def is_learned(self, message: Message) -> bool:
        return (
            not message.author.is_bot
            and message.webhook_id is None
            and message.author.id not in self.out
            and (message.channel.parent or message.channel).id in self.listening
        )

    def note(self, message: Message) -> None:
        self.known.pop(message.id, None)
        if self.is_learned(message):
            self.known[message.id] = (message.channel.id, message.author.id, message.content)

    def is_there(self, message: Message) -> bool:
        channel = message.channel
        return channel.id in self.world.channels and channel.history.get(message.id) is not None

    # What people do -------------------------------------------------------------------------------------------------

    def text(self) -> str:
        return " ".join(self.random.choices(WORDS, k=self.random.randint(1, 12)))

    def writes(self) -> None:
        drawn = self.random.random()
        who = self.robot if drawn < 0.05 else self.random.choice(self.people)
        where = self.random.choice(self.threads) if self.threads and drawn > 0.8 else self.random.choice(self.channels)
        message = self.fake.say(who, where, self.text(), webhook=0.05 <= drawn < 0.07)
        self.said.append(message)
        self.note(message)

    def edits(self) -> None:
        message = self.random.choice(self.said[-200:])
        if self.is_there(message) and message.webhook_id is None:
            self.fake.edit(message, self.text())
            self.note(message)

    def unfurls(self) -> None:
        """Discord's own update: nothing changes, also where learning has changed since the message came."""
        message = self.said[-1]
        if self.is_there(message):
            self.fake.embed(message)

    def deletes(self) -> None:
        self._delete([self.random.choice(self.said)])

    def purges(self) -> None:
        where = self.random.choice(self.said).channel
        self._delete([message for message in self.said[-400:] if message.channel is where])

    def _delete(self, messages: list[Message]) -> None:
        there = [one for one in messages if self.is_there(one)]
        if len(there) == 1:
            self.fake.delete(there[0])
        elif there:
            self.fake.bulk_delete(there)
        for message in there:
            self.known.pop(message.id, None)

    def opens_a_thread(self) -> None:
        where = self.random.choice(self.channels)
        thread = self.fake.create_thread(self.random.choice(self.people), where, "a thread")
        self.threads.append(thread)

    def deletes_a_thread(self) -> None:
        if self.threads:
            thread = self.threads.pop(self.random.randrange(len(self.threads)))
            self.fake.delete_thread(thread)
            self._gone({thread.id})

    def _gone(self, channels: set[int]) -> None:
        self.known = {message: one for message, one in self.known.items() if one[0] not in channels}

    def deletes_a_channel(self) -> None:
        channel = self.channels.pop(self.random.randrange(len(self.channels)))
        threads = [thread for thread in self.threads if thread.parent is channel]
        self.threads = [thread for thread in self.threads if thread.parent is not channel]
        self.fake.delete_channel(channel)
        self._gone({channel.id, *(thread.id for thread in threads)})
        self.listening.discard(channel.id)

    def loses_the_connection(self) -> None:
        self.fake.gateway.drop()

    # Commands: waited for, as nobody types faster than Discord shows that one was done -------------------------------

    async def asks(self, who: Member, command: str, options: dict[str, object] | None = None) -> None:
        await self.heard()
        asked = self.fake.slash(who, self.channels[0], command, options)
        await self.fake.wait_for(lambda: self.fake.answers(asked) and not self.fake.answers(asked)[0].is_loading)

    async def heard(self) -> None:
        """Until the bot has answered what was asked last: what came before it was taken in before it."""
        probe = self.fake.say(self.moderator, self.channels[0], "!mark help")
        before = len(self.fake.requested("POST /channels/{channel_id}/messages"))
        await self.fake.wait_for(lambda: len(self.fake.requested("POST /channels/{channel_id}/messages")) > before, 60)
        self.fake.delete(probe)

    async def listens_elsewhere(self) -> None:
        channel = self.random.choice(self.channels)
        if channel.id in self.listening and len(self.listening) > 4:
            await self.asks(self.moderator, "listen remove", {"channel-1": channel})
            self.listening.discard(channel.id)
        else:
            await self.asks(self.moderator, "listen add", {"channel-1": channel})
            self.listening.add(channel.id)

    async def is_forgotten(self) -> None:
        who = self.random.choice(self.people)
        await self.asks(who, "forgetme")
        self.out.add(who.id)
        self.known = {message: one for message, one in self.known.items() if one[1] != who.id}

    async def is_remembered(self) -> None:
        if self.out:
            who = self.random.choice([one for one in self.people if one.id in self.out])
            await self.asks(who, "rememberme")
            self.out.discard(who.id)

    async def act(self) -> None:
        acts: list[tuple[float, Callable[[], Awaitable[None] | None]]] = [
            (900, self.writes),
            (40, self.edits),
            (20, self.unfurls),
            (20, self.deletes),
            (1.5, self.purges),
            (2, self.opens_a_thread),
            (0.7, self.deletes_a_thread),
            (0.2, self.deletes_a_channel),
            (1.5, self.listens_elsewhere),
            (2, self.is_forgotten),
            (1, self.is_remembered),
            (1, self.loses_the_connection),
        ]
        (chosen,) = self.random.choices([act for _, act in acts], [weight for weight, _ in acts])
        if chosen == self.deletes_a_channel and len(self.channels) < 5:
            return
        waited = chosen()
        if waited is not None:
            await waited


@pytest.mark.timeout(300)
def test_a_chain_holds_what_a_day_left(tmp_path: Path) -> None:
    async def run() -> Day:
        world = World()
        async with Fake(world) as fake:
            day = Day(fake, world)
            async with connected(tmp_path, settings=BotSettings(), fake=fake):
                for channel in day.channels[:6]:
                    await day.asks(day.moderator, "listen add", {"channel-1": channel})
                    day.listening.add(channel.id)
                day.writes()
                for number in range(EVENTS):
                    await day.act()
                    world.clock.advance(DAY_SECONDS / EVENTS)
                    if number % 20 == 0:
                        await asyncio.sleep(0)
                await day.heard()
        return day

    day = asyncio.run(run())
    held = {
        int(line["id"]): (int(line["channel"]), int(line["author"]), " ".join(line["tokens"]))
        for line in exported(directory_of(tmp_path, tenant_of(day.guild.id)))
    }
    assert held == day.known
    assert len(held) > EVENTS / 10
