"""The whole bot, connected to the fake Discord."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaffinch.chain.pool import Pool
from chaffinch.chain.results import Message as Learned
from chaffinch.chain.tenants import Tenants
from chaffinch.chat.book.book import Book
from chaffinch.chat.bot import Bot
from chaffinch.chat.client import Client
from chaffinch.chat.guild import GuildSettings
from chaffinch.chat.measures import Measures
from chaffinch.chat.names import tenant_of
from chaffinch.config import BotSettings, ChainSettings
from chaffinch.metrics.registry import Registry
from tests.chat.discord.fake import Fake
from tests.chat.discord.interactions import Asked
from tests.chat.discord.messages import Message
from tests.chat.discord.people import Member
from tests.chat.discord.places import Channel
from tests.chat.discord.world import World

BIRDS, VERBS, PLACES = (
    ("finch", "owl", "wren", "lark"),
    ("sings", "flies", "sleeps", "waits"),
    ("hill", "barn", "river", "mill"),
)
CORPUS = [
    f"the {bird} {verb} over the {place} at {hour}"
    for number, hour in enumerate(("dawn", "noon", "night"))
    for first, bird in enumerate(BIRDS)
    for second, verb in enumerate(VERBS)
    for third, place in enumerate(PLACES)
    if (number + first + second + third) % 4 == 0
]
"""Enough to say something new from."""


@dataclass
class Connected:
    """What a test of the bot has."""

    fake: Fake
    world: World
    client: Client
    bot: Bot
    book: Book
    tenants: Tenants
    registry: Registry
    stopping: asyncio.Event
    serving: asyncio.Task[None]

    def counted(self, name: str, **labels: str) -> float:
        """The value of a counter; all of them together where labels are left out."""
        families = [family for family in self.registry.snapshot().families if family.name == name]
        return sum(
            sample.value
            for family in families
            for sample in family.samples
            if labels.items() <= dict(sample.labels).items()
        )

    def channel(self, name: str) -> Channel:
        """A channel or thread of the first guild."""
        return self.world.guild.channel(name)

    def member(self, name: str) -> Member:
        """Somebody of the first guild."""
        return self.world.guild.member(name)

    def slash(self, member: str, command: str, options: Mapping[str, Any] | None = None) -> Asked:
        """Somebody gives a command in `general`."""
        return self.fake.slash(self.member(member), self.channel("general"), command, options)

    async def asked(self, member: str, command: str, options: Mapping[str, Any] | None = None) -> Message:
        """What the bot answers to a command at first."""
        return await self.answered(self.slash(member, command, options))

    async def told(self, member: str, text: str, **more: Any) -> Message:
        """What the bot replies to a message in `general`."""
        before = len(self.fake.posted(self.channel("general")))
        self.fake.say(self.member(member), self.channel("general"), text, **more)
        return await self.said(self.channel("general"), before)

    async def settled(self) -> None:
        """Until no event is being handled, of all that were sent before."""
        await self.answered(self.fake.slash(self.member("member"), self.channel("talk"), "help"))
        await self.fake.wait_for(lambda: not self.client._events)

    async def answered(self, asked: Asked) -> Message:
        """The first answer to a command, once it is there."""
        await self.fake.wait_for(lambda: self.fake.answers(asked))
        return self.fake.answers(asked)[0]

    async def said(self, channel: Channel, before: int) -> Message:
        """What the bot says in a channel, after so many messages."""
        await self.fake.wait_for(lambda: len(self.fake.posted(channel)) > before)
        return self.fake.posted(channel)[before]

    async def teach(self) -> None:
        """Have the guild's chain know something. What it says comes without pictures."""
        await self.book.set_settings(self.world.guild.id, GuildSettings(image_chance=0))
        messages = [
            Learned(text, id=str(number + 1), author="1", channel="2", time_ms=number)
            for number, text in enumerate(CORPUS)
        ]
        await self.tenants.add(tenant_of(self.world.guild.id), messages)


@asynccontextmanager
async def connected(
    tmp_path: Path,
    world: World | None = None,
    settings: BotSettings | None = None,
    fake: Fake | None = None,
    chain: ChainSettings | None = None,
) -> AsyncIterator[Connected]:
    """A bot that is ready; at the end it is stopped as a shutdown stops it. A `fake` that is given runs already."""
    settings = settings or BotSettings(min_score=0)
    registry = Registry()
    measures = Measures(registry, settings)
    async with (
        nullcontext(fake) if fake is not None else Fake(world or World.small()) as there,
        Pool(2, registry=registry) as pool,
        Tenants(tmp_path, pool, chain, registry) as tenants,
        await Book.open(tmp_path) as book,
    ):
        with there.redirect():
            client = Client(book, tenants, settings, measures, guild_ready_timeout=0.05)
            stopping = asyncio.Event()
            serving = asyncio.create_task(client.serve(there.world.token, stopping), name="bot")
            try:
                await there.wait_for(lambda: serving.done() or client.is_deployed)
                if serving.done():
                    await serving
                yield Connected(there, there.world, client, client.bot, book, tenants, registry, stopping, serving)
            finally:
                stopping.set()
                await asyncio.wait_for(serving, 20)


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Run a test on a loop of its own."""

    async def bounded() -> None:
        await asyncio.wait_for(test(), 60)

    asyncio.run(bounded())
