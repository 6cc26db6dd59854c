"""Whose training runs: some at once, the others in the order in which they came."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Turns:
    """At most `most` at once."""

    def __init__(self, most: int) -> None:
        self._free = asyncio.Semaphore(most)
        self._running: set[int] = set()
        self._waiting: list[int] = []

    @contextlib.asynccontextmanager
    async def turn(self, guild: int) -> AsyncIterator[None]:
        """A guild's turn, which this waits for."""
        self._waiting.append(guild)
        try:
            await self._free.acquire()
        finally:
            self._waiting.remove(guild)
        self._running.add(guild)
        try:
            yield
        finally:
            self._running.discard(guild)
            self._free.release()

    def before(self, guild: int) -> int:
        """How many trainings come before a guild's; 0: it runs, or there is none."""
        if guild not in self._waiting:
            return 0
        return len(self._running) + self._waiting.index(guild)
