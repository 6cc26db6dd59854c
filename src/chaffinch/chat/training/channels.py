"""What a training reads: the listened channels of a guild and their threads, each found once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from chaffinch.chat.book.book import Cursor
from chaffinch.chat.payloads import created_ms
from chaffinch.chat.seen import Place
from chaffinch.chat.training.patience import patiently
from chaffinch.chat.training.source import Archived, History, RefusedError, Room


class Finding:
    """One search. `told` gets the reason of what has to be asked for again, and nothing once that is over."""

    def __init__(self, history: History, guild: int, newest: int, at_once: int, told: Callable[[str], None]) -> None:
        self._history = history
        self._guild = guild
        self._newest = newest
        self._told = told
        self._turns = asyncio.Semaphore(at_once)
        self.refused: dict[int, str] = {}
        """Channels whose archived threads Discord does not tell, and the status that it answered."""

    async def rooms(self) -> dict[int, Room]:
        """The guild's channels by id. Raises `RefusedError` where the bot is not in the guild."""
        rooms = await patiently(lambda: self._history.rooms(self._guild), self._told)
        return {room.id: room for room in rooms}

    async def threads(self, parents: Sequence[int]) -> list[Place]:
        """The threads of channels that were there when the training began: active and archived ones."""
        found: dict[int, Place] = {}
        self._keep(found, await self._active(), parents)
        async with asyncio.TaskGroup() as group:
            for parent in parents:
                group.create_task(self._archived(found, parent), name=f"find threads of {parent}")
        return list(found.values())

    async def _active(self) -> list[Place]:
        try:
            return await patiently(lambda: self._history.active(self._guild), self._told)
        except RefusedError:
            return []

    async def _archived(self, found: dict[int, Place], parent: int) -> None:
        async with self._turns:
            try:
                async for page in self._pages(parent, private=False):
                    self._keep(found, page.threads, (parent,))
            except RefusedError as error:
                if error.reason == "403":  # all else: such a channel has none, or it is gone, as its pages tell
                    self.refused[parent] = error.reason
            # Not every kind of channel has private ones, and few bots may see those that they are not in.
            with contextlib.suppress(RefusedError):
                async for page in self._pages(parent, private=True):
                    self._keep(found, page.threads, (parent,))

    async def _pages(self, parent: int, *, private: bool) -> AsyncIterator[Archived]:
        before = ""
        while True:
            asked = before
            page = await patiently(
                lambda: self._history.archived(parent, private=private, before=asked),  # noqa: B023 - awaited here
                self._told,
            )
            yield page
            before = page.before
            if not before or before == asked:
                return

    def _keep(self, found: dict[int, Place], threads: Iterable[Place], parents: Sequence[int]) -> None:
        for thread in threads:
            if thread.parent in parents and thread.id < self._newest:
                found.setdefault(thread.id, thread)


def cursor_of(place: Place, newest: int, *, done: bool = False) -> Cursor:
    """That of a channel or thread of which nothing was read yet."""
    return Cursor(
        channel=place.id,
        parent=place.parent,
        name=place.name,
        before=newest,
        newest_ms=created_ms(newest),
        oldest_ms=created_ms(place.id),
        learned=0,
        done=done,
    )
