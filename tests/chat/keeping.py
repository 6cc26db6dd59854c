"""A state directory with a book, chains and what a command needs of a bot, for tests of what is kept and forgotten."""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

from chaffinch.chain import Message, Pool, Tenants, tenants_in
from chaffinch.chat.book.book import Book
from chaffinch.chat.calls.call import Embed, Posted, Reply, Value
from chaffinch.chat.measures import Measures
from chaffinch.chat.seen import Member
from chaffinch.config import BotSettings
from chaffinch.metrics.registry import Registry

ROOT = Path(__file__).parents[2]

GUILD, USER, OTHER, CHANNEL = 10**18, 2 * 10**18, 2 * 10**18 + 1, 3 * 10**18
TENANT = f"guild-{GUILD}"
OWN = f"{TENANT}.user-{USER}"


@contextlib.asynccontextmanager
async def bot_on(state: Path, **settings: Any) -> AsyncIterator[Any]:
    """What commands, the keeper and privacy take: real chains, a real book."""
    registry = Registry()
    bot_settings = BotSettings(**settings)
    async with await Book.open(state) as book, Pool(threads=2) as pool, Tenants(state, pool) as tenants:
        measures = Measures(registry, bot_settings)
        yield SimpleNamespace(book=book, tenants=tenants, measures=measures, settings=bot_settings, registry=registry)


def said_by(author: int, number: int, first: int = 0, time_ms: int | None = None) -> list[Message]:
    """Messages of somebody, each with a word that nobody else has."""
    return [
        Message(f"word{author}x{n} goes on and on", str(author + n * 7), str(author), str(CHANNEL), time_ms)
        for n in range(first, first + number)
    ]


def on_disk(state: Path, author: int) -> list[str]:
    """Files of chains, those beside them too, in which a word of somebody's is."""
    return with_word(state, f"word{author}x")


def with_word(state: Path, word: str) -> list[str]:
    """Files in which a word is."""
    found = [path for path in state.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]
    return sorted(str(path.relative_to(state)) for path in found)


class Given:
    """A command that somebody gave, and what they were told."""

    def __init__(self, user: int = USER, **options: Value) -> None:
        self.guild, self.channel, self.parent = GUILD, CHANNEL, CHANNEL
        self.member = Member(user)
        self.options: Mapping[str, Value] = options
        self.chosen: Sequence[str] = ()
        self.shown: Sequence[str] = ()
        self.thought: list[bool] = []
        self.answers: list[tuple[Reply, bool]] = []

    async def think(self, *, hidden: bool = False) -> None:
        self.thought.append(hidden)

    async def answer(self, reply: Reply, *, hidden: bool = False) -> Posted | None:
        self.answers.append((reply, hidden))
        return None

    async def refuse(self, why: str) -> None:
        raise AssertionError("a command says why by raising")

    async def update(self, reply: Reply) -> None:
        raise AssertionError("there is no menu here")

    @property
    def told(self) -> str:
        """The text of the one answer, which the caller alone sees."""
        ((reply, hidden),) = self.answers
        assert hidden
        assert self.thought == [True], "the answer may take longer than three seconds"
        return reply.text

    @property
    def shown_embed(self) -> Embed:
        ((reply, hidden),) = self.answers
        assert hidden
        assert reply.embed is not None
        return reply.embed


def scene(run: Any) -> None:
    """Run a coroutine, for a minute at most."""
    asyncio.run(asyncio.wait_for(run, 60))


def chains(state: Path) -> list[str]:
    return tenants_in(state)


def killed(program: str, state: Path, seconds: float) -> list[str]:
    """What a program said that was killed so long after it said `open`."""
    command = [sys.executable, "-c", program, str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "open\n"
        time.sleep(seconds)
        running.kill()
        return running.stdout.read().split()


class Moments:
    """When to kill: some moments `step` seconds apart; if none came in the middle of what is done, ever closer ones."""

    def __init__(self, step: float, number: int) -> None:
        self.met = 0
        self._fixed = [step * each for each in range(number)]
        self._early, self._late = 0.0, step * number

    def __iter__(self) -> Iterator[float]:
        yield from self._fixed
        for _ in range(40):
            if self.met:
                return
            yield (self._early + self._late) / 2

    def came(self, seconds: float, when: Literal["before", "between", "after"]) -> None:
        """How a kill at a moment came: before anything was done, in between, or after all was."""
        if when == "between":
            self.met += 1
        elif when == "before":
            self._early = max(self._early, seconds)
            self._late = max(self._late, 2 * self._early)
        else:
            self._late = min(self._late, seconds)
