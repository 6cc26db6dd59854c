"""Changes of chains that cannot be made now: another process writes the chain, or the disk is full.

They wait in the order in which they came, and are tried again. There is room for a bounded number; past it what was to
be learned goes before what is to be unlearned, of the guild first of which most waits: a chain that cannot be written
for days costs other guilds nothing. What goes is counted and logged, unless the book has it: what is to be unlearned is
not lost by a restart or for want of room, but done later.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from chaffinch.chat.book.book import Book
from chaffinch.chat.measures import Measures
from chaffinch.errors import RunError

log = logging.getLogger("chaffinch.bot")

AGAIN_SECONDS: Final = 5.0
"""How long what waits is left alone between two tries."""

Change = Callable[[], Awaitable[None]]
"""Made under its guild's turn, and again after a `RunError`: what it did before it failed must do no harm twice."""


Redo = Callable[[int], Awaitable[None]]
"""Does what the book says is still to be unlearned of a guild, under its turn."""


class Postponed:
    """What waits, of all guilds together. One task tries again, for as long as anything does."""

    def __init__(
        self, book: Book, measures: Measures, most: int, redo: Redo, *, again_seconds: float = AGAIN_SECONDS
    ) -> None:
        self._book = book
        self._redo = redo
        self._measures = measures
        self._most = most
        self._again_seconds = again_seconds
        self._of: dict[int, deque[tuple[Change, bool, bool]]] = {}
        self._count = 0
        self._lost: dict[int, int] = {}
        """Since its changes began to wait."""
        self._retrying: asyncio.Task[None] | None = None
        self._is_closed = False
        measures.waiting(lambda: self._count)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, guild: int) -> bool:
        return guild in self._of

    async def begin(self, guilds: Iterable[int]) -> None:
        """Do what an earlier run left in the book, or have it wait; what comes then waits behind it."""
        for guild in guilds:
            self._of.setdefault(guild, deque())
        for guild in list(self._of):
            await self._make(guild, logging.WARNING)
        if self._of:
            self._begin_retrying()

    def put(self, guild: int, change: Change, *, unlearns: bool, is_kept: bool = False) -> None:
        """Have a change wait behind the others of its guild. `is_kept`: the book has all that it is to do."""
        if self._is_closed or (self._count >= self._most and not self._make_room(guild, unlearns)):
            self._lose(guild, 0 if is_kept else 1)
            return
        self._of.setdefault(guild, deque()).append((change, unlearns, is_kept))
        self._count += 1
        self._begin_retrying()

    def _begin_retrying(self) -> None:
        if self._retrying is None or self._retrying.done():
            self._retrying = asyncio.get_running_loop().create_task(self._retry(), name="bot: changes that wait")

    async def close(self) -> None:
        """Try once more; what still cannot be done is lost, and so is what is put afterwards, but for what is kept."""
        self._is_closed = True
        if self._retrying is not None:
            self._retrying.cancel()
            await asyncio.gather(self._retrying, return_exceptions=True)
        for guild in list(self._of):
            await self._make(guild)
        for guild, left in self._of.items():
            lost = sum(not is_kept for _, _, is_kept in left)
            if lost:
                self._measures.lost(guild, lost)
                log.warning("bot.changes_lost guild=%d changes=%d why=not_written", guild, lost)
            if len(left) > lost:
                log.info("bot.unlearning_kept guild=%d changes=%d", guild, len(left) - lost)
        self._of.clear()
        self._count = 0

    def _make_room(self, guild: int, unlearns: bool) -> bool:
        """Lose the oldest of what was to be learned, or, where nothing is, the oldest of what was to be unlearned; for
        what is to be learned only of a guild of which more waits, and nothing that the book has not.
        """
        most_first = sorted(self._of, key=lambda one: len(self._of[one]), reverse=True)
        if not unlearns:
            least = len(self._of.get(guild, ()))
            most_first = [one for one in most_first if len(self._of[one]) > least]
        for only_learning in (True, False):
            for one in most_first:
                for number, (_, takes, is_kept) in enumerate(self._of[one]):
                    if not takes or (not only_learning and (unlearns or is_kept)):
                        del self._of[one][number]
                        self._count -= 1
                        self._lose(one, 0 if is_kept else 1)
                        return True
        return False

    def _lose(self, guild: int, changes: int) -> None:
        if not changes:
            return
        self._measures.lost(guild, changes)
        if guild not in self._lost:
            log.warning("bot.changes_lost guild=%d waiting=%d why=no_room", guild, self._count)
        self._lost[guild] = self._lost.get(guild, 0) + changes

    async def _retry(self) -> None:
        while self._of:
            await asyncio.sleep(self._again_seconds)
            for guild in list(self._of):
                await self._make(guild)

    async def _make(self, guild: int, level: int = logging.DEBUG) -> None:
        """Make what waits of a guild, as far as it goes. `level`: at which it is logged that it goes no further."""
        async with self._book.turn(guild):
            waiting = self._of[guild]
            made = 0
            while waiting:
                change, *_ = first = waiting.popleft()
                try:
                    await change()
                except RunError as error:
                    waiting.appendleft(first)
                    log.log(level, "bot.changes_still_wait guild=%d error=%s", guild, error)
                    return
                except asyncio.CancelledError:
                    waiting.appendleft(first)
                    raise
                except Exception as error:  # noqa: BLE001 - the boundary of a change: the others are to be made
                    log.warning("bot.change_refused guild=%d error=%s", guild, type(error).__name__)
                    self._measures.lost(guild, 1)
                self._count -= 1
                made += 1
            try:
                await self._redo(guild)
            except RunError as error:
                log.log(level, "bot.unlearning_waits guild=%d error=%s", guild, error)
                return
            except Exception as error:  # noqa: BLE001 - the book keeps it, and nothing else is to wait for it
                log.warning("bot.unlearning_refused guild=%d error=%s", guild, type(error).__name__)
            del self._of[guild]
        lost = self._lost.pop(guild, 0)
        log.info("bot.changes_made guild=%d changes=%d lost=%d", guild, made, lost)
