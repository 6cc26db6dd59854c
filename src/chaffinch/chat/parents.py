"""Which channel a message counts for, where discord.py knows neither channel nor thread: it forgets a thread that is
archived, and a message may come before the event that tells of its thread.

The book knows threads of which something was learned; about all others Discord is asked.
"""

import asyncio
import time
import weakref
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any, Final

import aiohttp
import discord

from chaffinch.caches import Recent
from chaffinch.chat.book.book import Book
from chaffinch.chat.calls.interactions import THREADS

MOST_KNOWN: Final = 1024
"""Channels and threads of all guilds of which it is kept what Discord said of them."""

ASKING_SECONDS: Final = 10.0
"""How long an answer is waited for: all that happens in that channel waits for it."""

AGAIN_SECONDS: Final = 60.0
"""After Discord gave no answer, or did not let the bot know, it is not asked again for so long."""


class Parents:
    """`ask` gets a channel's JSON from Discord; `failed` is told that it could not."""

    def __init__(
        self, client: discord.Client, book: Book, ask: Callable[[int], Awaitable[Any]], failed: Callable[[], None]
    ) -> None:
        self._client = client
        self._book = book
        self._ask = ask
        self._failed = failed
        self._told: Recent[int, tuple[int, float]] = Recent(MOST_KNOWN)
        """By channel: what it counts for, and until when that holds."""
        self._turns: weakref.WeakValueDictionary[int, asyncio.Lock] = weakref.WeakValueDictionary()

    async def of(self, guild: int, channel: int) -> int:
        """The channel that a channel or thread counts for; itself, where nobody knows. Known, it is there at once.

        Who waits for an answer goes on in the order in which they came, and before whoever comes later.
        """
        turn = self._turns.get(channel)
        if turn is None:
            if (found := self._known(guild, channel)) is not None:
                return found
            turn = self._turns.setdefault(channel, asyncio.Lock())
        async with turn:
            found = self._known(guild, channel)
            return await self._answered(channel) if found is None else found

    async def settled(self, channel: int) -> None:
        """While Discord is being asked about a channel, wait for its answer, in turn."""
        if (turn := self._turns.get(channel)) is not None:
            async with turn:
                pass

    def _known(self, guild: int, channel: int) -> int | None:
        there = self._client.get_guild(guild)
        if there is None or there.get_channel(channel) is not None:
            return channel
        if (thread := there.get_thread(channel)) is not None:
            return thread.parent_id
        told, until = self._told.get(channel) or (None, 0.0)
        return told if time.monotonic() < until else self._book.parent_of(guild, channel)

    async def _answered(self, channel: int) -> int:
        parent, until = channel, time.monotonic() + AGAIN_SECONDS
        try:
            async with asyncio.timeout(ASKING_SECONDS):
                told = await self._ask(channel)
            parent, until = int(told["parent_id"]) if told["type"] in THREADS else channel, inf
        except (discord.Forbidden, discord.NotFound):
            pass  # nor does it tell the bot what is written there
        except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError, KeyError, TypeError, ValueError):
            self._failed()
        self._told.put(channel, (parent, until))
        return parent
