"""A state directory with a book: what its tests have in common."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

from chaffinch.chat.book.book import Book, Cursor, Training
from chaffinch.chat.guild import Channel, GuildSettings
from tests.chain.test_open_chains import descriptors

ROOT = Path(__file__).parents[2]

TRAINING = Training(1, True, 2, 4, 5, 6, "bot/training-1.json", "reading")
CURSOR = Cursor(10, 11, "general", 12, 13, 14, 15, False, "")

Scene = Callable[[Book], Coroutine[None, None, None]]


def play(state: Path, *scenes: Scene) -> None:
    """Each scene with the book opened anew; nothing may stay open."""

    async def run() -> None:
        for scene in scenes:
            async with await Book.open(state) as book:
                await scene(book)

    asyncio.run(asyncio.wait_for(run(), 60))
    assert descriptors(state) == []


def file_of(state: Path) -> Path:
    """The book's file."""
    return state / "bot" / "bot.sqlite3"


async def some_writes(book: Book) -> None:
    """So many that the file has several pages."""
    await book.set_settings(1, GuildSettings(max_length=100))
    await book.set_channels(1, [Channel(n, listens=True) for n in range(400)])
    await asyncio.gather(*(book.set_out(1, user, True) for user in range(1000)))
    await book.set_training(TRAINING)


WRITING = """
import asyncio, sys
from pathlib import Path
from chaffinch.chat.book.book import Book, Cursor, Training
from chaffinch.chat.guild import Channel, GuildSettings

async def main(state, first):
    book = await Book.open(state)
    async def one(n):
        await book.set_out(1, n, True)
        await book.set_cursors(1, [Cursor(7, 7, "x", n, 0, 0, n, False)])
        await book.set_settings(2, GuildSettings(max_length=n % 1000 + 1))
        await book.set_channels(3, [Channel(n, listens=True)])
        print(n, flush=True)
    for n in range(first, first + 100_000, 4):
        await asyncio.gather(*(one(n + k) for k in range(4)))

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""
"""A bot that writes until it is killed, and says which writes were acknowledged."""
