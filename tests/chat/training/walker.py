"""A training in a process of its own, with the real discord.py client, for tests that kill it and for benches.

`python -m tests.chat.training.walker STATE URL TOKEN GUILD CHANNEL...` begins a clean training of these channels, or
goes on with the one that was begun, and prints what it came to.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

import discord

from chaffinch.chain import Pool, Tenants
from chaffinch.chat.book.book import Book
from chaffinch.chat.commands.table import table
from chaffinch.chat.guild import Channel
from chaffinch.chat.learning.learner import Learner
from chaffinch.chat.measures import Measures
from chaffinch.chat.members import Members
from chaffinch.chat.posting import DiscordPoster, attachment_origins
from chaffinch.chat.training.history import DiscordHistory
from chaffinch.chat.training.trainer import Trainer
from chaffinch.config.tree import BotSettings, ChainSettings
from chaffinch.metrics.registry import Registry
from tests.chat.discord.redirecting import point_at
from tests.chat.training.guilds import Given, Wall


async def train(state: Path, token: str, guild: int, channels: list[int]) -> dict[str, object]:
    """One start of the bot: to the end of the training."""
    settings = BotSettings()
    measures = Measures(Registry(), settings)
    client = discord.Client(intents=discord.Intents.none(), max_messages=None)
    wall = Wall()
    async with (
        client,
        Pool(4) as pool,
        Tenants(state, pool, ChainSettings()) as tenants,
        await Book.open(state) as book,
    ):
        await client.login(token)
        learner = Learner(book, tenants, measures, settings, table(settings))
        poster = DiscordPoster(client)
        history, origins = DiscordHistory(client, Members(client)), attachment_origins()
        trainer = Trainer(book, tenants, learner, history, poster, settings, measures, origins=origins)
        began, cpu = time.perf_counter(), time.process_time()
        if book.training(guild) is None:
            await book.set_channels(guild, [Channel(channel, listens=True) for channel in channels])
            await trainer.start(Given(wall, guild, channels[0], channels[0]), clean=True)
        else:
            await trainer.go_on()
        holds = await _watched(trainer, guild)
        took, used = time.perf_counter() - began, time.process_time() - cpu
        await learner.close()
        return {"seconds": took, "cpu_seconds": used, "hold_p99_ms": holds[int(len(holds) * 0.99)] * 1000}


async def _watched(trainer: Trainer, guild: int) -> list[float]:
    """Until the training is over: how long the event loop was held, each few milliseconds."""
    holds = [0.0]
    while trainer.progress(guild) is not None:
        began = time.perf_counter()
        await asyncio.sleep(0)
        holds.append(time.perf_counter() - began)
        await asyncio.sleep(0.003)
    return sorted(holds)


def main() -> None:
    state, url, token, guild, *channels = sys.argv[1:]
    point_at(url)
    said = asyncio.run(train(Path(state), token, int(guild), [int(channel) for channel in channels]))
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
