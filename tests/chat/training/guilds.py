"""A guild in memory whose history is read as Discord's is, and the bot's parts around it."""

import asyncio
import contextlib
import gzip
import itertools
import json
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from chaffinch.chain import Pool, Tenants
from chaffinch.chat.book.book import Book
from chaffinch.chat.calls.call import Posted, Reply
from chaffinch.chat.commands.table import table
from chaffinch.chat.guild import Channel
from chaffinch.chat.learning.learner import Learner
from chaffinch.chat.measures import Measures
from chaffinch.chat.names import tenant_of
from chaffinch.chat.payloads import EPOCH_MS
from chaffinch.chat.poster import PostingError
from chaffinch.chat.seen import Attached, Member, Place, Seen
from chaffinch.chat.training.source import Archived, RefusedError, Room
from chaffinch.chat.training.trainer import Trainer
from chaffinch.config.tree import BotSettings, ChainSettings
from chaffinch.metrics.registry import Registry

GUILD = 700 << 22
BEGAN_MS = 1_700_000_000_000
WORDS = ("tea", "soup", "rain", "wind", "cat", "dog", "is", "was", "hot", "cold", "good", "old", "with", "under")

_LISTED = itertools.count()

Row = tuple[str, str, str, str]
"""Of a message in a chain: id, author, channel, text."""


def id_at(number: int, *, seconds: int = 60) -> int:
    """A message's id: one a minute since the guild was made."""
    return (BEGAN_MS + number * seconds * 1000 - EPOCH_MS) << 22 | number % 4096


def raw(number: int, channel: int, **changes: Any) -> dict[str, Any]:
    """A message as Discord gives it."""
    text = " ".join(WORDS[(number * 7 + place * (number % 5 + 1)) % len(WORDS)] for place in range(6)) + f" {number}"
    return {
        "id": str(id_at(number)),
        "channel_id": str(channel),
        "author": {"id": str(9000 + number % 7), "username": "somebody"},
        "content": text,
        "type": 0,
        "attachments": [],
        "mentions": [],
    } | changes


def row(message: Mapping[str, Any]) -> Row:
    return message["id"], message["author"]["id"], message["channel_id"], message["content"]


class Discord:
    """A `History` of one guild. `before_page` is awaited when a page is asked for, and may change or refuse things."""

    def __init__(self) -> None:
        self.is_here = True
        """Whether the bot is in the guild: else everything is refused."""
        self.rooms_there: dict[int, Room] = {}
        self.messages: dict[int, list[dict[str, Any]]] = {}
        """By channel, the oldest first."""
        self.active_threads: list[Place] = []
        self.public: dict[int, list[Place]] = {}
        self.private: dict[int, list[Place]] = {}
        self.roles_of: dict[int, frozenset[int]] = {}
        self.went: set[int] = set()
        """Who is no member any more."""
        self.asked: list[tuple[int, int]] = []
        self.looked_up: list[int] = []
        """One at a time."""
        self.asked_of: list[list[int]] = []
        """Members that were asked for at once."""
        self.unanswered: Callable[[int], bool] = lambda _: False
        """Of whom nothing is said where many are asked for at once."""
        self.threads_a_page = 2
        self.before_page: Callable[[int, int], Any] | None = None
        self.after_page: Callable[[int, int], Any] | None = None

    def add(self, channel: int, numbers: Iterable[int], *, forum: bool = False) -> None:
        self.rooms_there[channel] = Room(channel, f"room-{channel}", forum)
        self.messages[channel] = [raw(number, channel) for number in numbers]

    def add_thread(self, where: list[Place], thread: int, parent: int, numbers: Iterable[int]) -> None:
        where.append(Place(thread, f"thread {thread}", parent))
        self.messages[thread] = [raw(number, thread) for number in numbers]

    def rows(self) -> set[Row]:
        return {row(one) for page in self.messages.values() for one in page if one["content"]}

    async def rooms(self, guild: int) -> list[Room]:
        if not self.is_here:
            raise RefusedError(404)
        return list(self.rooms_there.values())

    async def page(self, channel: int, before: int) -> Sequence[dict[str, Any]]:
        self.asked.append((channel, before))
        await asyncio.sleep(0)
        if self.before_page is not None:
            await self.before_page(channel, before)
        if not self.is_here:
            raise RefusedError(403)
        if channel not in self.messages:
            raise RefusedError(404)
        older = [one for one in self.messages[channel] if int(one["id"]) < before]
        page = [dict(one) for one in older[-100:][::-1]]
        if self.after_page is not None:
            await self.after_page(channel, before)
        return page

    async def active(self, guild: int) -> list[Place]:
        return self.active_threads

    async def archived(self, channel: int, *, private: bool, before: str = "") -> Archived:
        there = (self.private if private else self.public).get(channel, [])
        start = int(before or 0)
        page = tuple(there[start : start + self.threads_a_page])
        end = start + len(page)
        return Archived(page, str(end) if end < len(there) else "")

    async def members(self, guild: int, users: Collection[int]) -> dict[int, frozenset[int] | None]:
        assert 0 < len(users) <= 100
        self.asked_of.append(list(users))
        return {user: self._roles(user) for user in users if not self.unanswered(user)}

    async def roles(self, guild: int, user: int) -> frozenset[int] | None:
        self.looked_up.append(user)
        return self._roles(user)

    def _roles(self, user: int) -> frozenset[int] | None:
        return None if user in self.went else self.roles_of.get(user, frozenset())


class Wall:
    """A `Poster` that keeps what it was given."""

    def __init__(self) -> None:
        self.posts: dict[int, Reply] = {}
        self.answers: list[tuple[Reply, Posted | None]] = []
        self.edits: list[Reply] = []
        self.gone: set[int] = set()
        self.is_closed = False

    async def post(self, channel: int, reply: Reply, reply_to: Posted | None = None) -> Posted:
        if self.is_closed:
            raise PostingError("closed", 403)
        number = len(self.posts) + 1
        self.posts[number] = reply
        if reply.embed is not None and not reply.buttons:
            self.answers.append((reply, reply_to))
        return Posted(channel, number)

    async def edit(self, where: Posted, reply: Reply) -> None:
        if where.message in self.gone or self.is_closed:
            raise PostingError("gone", 404)
        self.posts[where.message] = reply
        self.edits.append(reply)


@dataclass
class Given:
    """A call by a moderator."""

    wall: Wall
    guild: int = GUILD
    channel: int = 42
    parent: int = 42
    member: Member = field(default_factory=lambda: Member(1))
    options: Mapping[str, Any] = field(default_factory=dict)
    chosen: Sequence[str] = ()
    shown: Sequence[str] = ()
    hides: bool = True
    answers: bool = True
    """Whether its answer is one that the bot can edit later."""
    thought: int = 0
    refusals: list[str] = field(default_factory=list)

    async def think(self, *, hidden: bool = False) -> None:
        self.thought += 1

    async def answer(self, reply: Reply, *, hidden: bool = False) -> Posted | None:
        return await self.wall.post(self.channel, reply) if self.answers else None

    async def refuse(self, why: str) -> None:
        self.refusals.append(why)

    async def update(self, reply: Reply) -> None:
        raise NotImplementedError


@dataclass
class Stage:
    """The bot's parts around a guild."""

    state: Path
    book: Book
    tenants: Tenants
    learner: Learner
    trainer: Trainer
    discord: Discord
    wall: Wall

    async def listen(self, *channels: int, guild: int = GUILD) -> None:
        await self.book.set_channels(guild, [Channel(one, listens=True) for one in channels])

    async def train(self, *, clean: bool = True, file: Attached | None = None, guild: int = GUILD) -> None:
        await self.trainer.start(Given(self.wall, guild), clean=clean, file=file)

    async def over(self, guild: int = GUILD) -> None:
        """When the training has ended."""
        while self.trainer.progress(guild) is not None:
            await asyncio.sleep(0.002)

    async def rows(self, guild: int = GUILD) -> set[Row]:
        """What the guild's chain knows."""
        path = self.state / f"listed-{next(_LISTED)}"
        await self.tenants.export(tenant_of(guild), path)
        return rows_of(path)

    def told(self) -> str:
        """The result."""
        reply, _ = self.wall.answers[-1]
        assert reply.embed is not None
        return "\n".join([reply.embed.text, *(f"{one.name}: {one.value}" for one in reply.embed.fields)])


def rows_of(archive: Path) -> set[Row]:
    """Every message of an archive; none is in it twice."""
    with gzip.open(archive) as lines:
        read = [json.loads(line) for line in lines]
    rows = [(one["id"], one.get("author", ""), one.get("channel", ""), " ".join(one["tokens"])) for one in read[1:-1]]
    assert len(set(rows)) == len(rows)
    return set(rows)


@contextlib.asynccontextmanager
async def stage(state: Path, discord: Discord, **settings: Any) -> AsyncIterator[Stage]:
    """The parts, as the bot puts them together, until it stops."""
    bot = BotSettings(**settings)
    measures = Measures(Registry(), bot)
    wall = Wall()
    async with Pool(4) as pool, Tenants(state, pool, ChainSettings()) as tenants, await Book.open(state) as book:
        learner = Learner(book, tenants, measures, bot, table(bot))
        trainer = Trainer(book, tenants, learner, discord, wall, bot, measures, origins=("http:/",))
        try:
            yield Stage(state, book, tenants, learner, trainer, discord, wall)
        finally:
            await trainer.stop()
            await learner.close()


def seen(message: Mapping[str, Any], parent: int = 0, **changes: Any) -> Seen:
    """A message as an event tells it."""
    channel = int(message["channel_id"])
    return msgspec.structs.replace(
        Seen(
            guild=GUILD,
            channel=channel,
            parent=parent or channel,
            id=int(message["id"]),
            author=int(message["author"]["id"]),
            text=message["content"],
            time_ms=(int(message["id"]) >> 22) + EPOCH_MS,
        ),
        **changes,
    )
