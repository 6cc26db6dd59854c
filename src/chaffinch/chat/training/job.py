"""One guild's reading: walkers that fetch pages of several channels, and one learner of what they bring, in order."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from chaffinch.chain.results import Added
from chaffinch.chat.book.book import Cursor, Training
from chaffinch.chat.learning.flights import Flight
from chaffinch.chat.names import tenant_of
from chaffinch.chat.seen import Place, Seen
from chaffinch.chat.training.authors import Authors
from chaffinch.chat.training.boarding import Boarding, Boardings
from chaffinch.chat.training.channels import Finding, cursor_of
from chaffinch.chat.training.pages import Read, read_page
from chaffinch.chat.training.parts import Parts
from chaffinch.chat.training.patience import chain_faults, patiently
from chaffinch.chat.training.progress import is_finished
from chaffinch.chat.training.source import RefusedError, Room

PAGES_AHEAD: Final = 4
"""Pages that wait to be learned, for each channel that is read at once: what a training holds in memory."""

PAGES_LEARNED: Final = 8
"""Pages of one channel that are learned in one durable step: more do not pay, and hold the event loop for longer."""

DAY_SECONDS: Final = 86_400

NOT_LISTENED: Final = "it is not listened to any more"


class LeftError(Exception):
    """The guild was left, and all that is known of it is deleted."""


class AwayError(Exception):
    """The bot is not in the guild any more. It may be asked back, and the training is gone on with then."""


class Page(msgspec.Struct, frozen=True):
    """What a walker brings, and the flight that it was fetched under."""

    read: Read
    boarding: Boarding[Flight] | None = None


class Job:
    """The reading of one training: `read` returns when every channel is done or passed over.

    Cancelled, it leaves the cursors as they are in the book; the next job of the same training goes on from there.
    """

    def __init__(self, training: Training, parts: Parts) -> None:
        self.training = training
        self.cursors = {cursor.channel: cursor for cursor in parts.book.cursors(training.guild)}
        self.added = Added()
        """Of this start."""
        self.unreadable = 0
        self.wordless = 0
        """Messages of people without text and attachments; all of them, where Discord gives the bot none."""
        self.waiting: dict[int, str] = {}
        """Channels that Discord did not give a page of just now, and why; 0: the guild, or the chain."""
        self.reading: set[int] = set()
        self._book, self._learner, self._history = parts.book, parts.learner, parts.history
        self._tenants, self._measures = parts.tenants, parts.measures
        self._at_once = parts.settings.channels_at_once
        self._authors = Authors(parts, training.guild)
        self._boardings: Boardings[Flight] = Boardings(lambda: self._learner.in_flight(training.guild))
        self._pages: asyncio.Queue[Page | None] = asyncio.Queue(self._at_once * PAGES_AHEAD)
        self._unlisted: dict[int, str] = {}

    async def read(self) -> None:
        """Read and learn everything."""
        try:
            await self._find()
            left = [cursor for cursor in self.cursors.values() if not is_finished(cursor)]
            left.sort(key=lambda cursor: cursor.channel != cursor.parent)
            turns = iter(left)
            async with asyncio.TaskGroup() as group:
                guild = self.training.guild
                learning = group.create_task(self._learn(), name=f"learn guild {guild}")
                async with asyncio.TaskGroup() as walkers:
                    for number in range(min(self._at_once, len(left))):
                        walkers.create_task(self._walk_each(turns), name=f"walk guild {guild} {number}")
                await self._pages.put(None)
                await learning
        finally:
            self._boardings.close()

    async def begin_again(self) -> None:
        """Forget how far it was: what was learned is gone."""
        newest = self.training.newest
        begun = [cursor for cursor in self.cursors.values() if cursor.before != newest or cursor.failed]
        anew = [msgspec.structs.replace(one, before=newest, learned=0, done=False, failed="") for one in begun]
        if anew:
            await self._note(anew)

    def _told(self, channel: int) -> Callable[[str], None]:
        def tell(reason: str) -> None:
            if reason:
                self.waiting[channel] = reason
            else:
                self.waiting.pop(channel, None)

        return tell

    # What there is to read ------------------------------------------------------------------------------------------

    async def _find(self) -> None:
        """A cursor for every channel and thread. The channels are those that were listened to at the start."""
        guild, newest = self.training.guild, self.training.newest
        finding = Finding(self._history, guild, newest, self._at_once, self._told(0))
        rooms = await self._rooms(finding)
        if not self.cursors:
            listened = [channel.id for channel in self._book.channels(guild) if channel.listens]
            found = [rooms.get(channel) or Room(channel, str(channel)) for channel in listened]
            new = [cursor_of(Place(room.id, room.name, room.id), newest, done=room.is_forum) for room in found]
            await patiently(lambda: self._note(new), self._told(0))
        parents = [cursor.channel for cursor in self.cursors.values() if cursor.channel == cursor.parent]
        threads = [place for place in await finding.threads(parents) if place.id not in self.cursors]
        await patiently(lambda: self._note([cursor_of(place, newest) for place in threads]), self._told(0))
        self._unlisted = finding.refused
        forums = [one for one in self.cursors.values() if one.channel in self._unlisted and _is_forum(rooms, one)]
        told = [msgspec.structs.replace(one, failed=self._unlisted[one.channel]) for one in forums]
        await patiently(lambda: self._note(told), self._told(0))

    async def _rooms(self, finding: Finding) -> dict[int, Room]:
        """Raises `AwayError` where they are refused, as they are to nobody who is in the guild."""
        try:
            return await finding.rooms()
        except RefusedError:
            raise AwayError from None

    async def _note(self, cursors: list[Cursor]) -> None:
        """On the disk first. Not of a guild that was left and deleted meanwhile: nothing of it may be written again."""
        guild = self.training.guild
        with chain_faults():
            async with self._book.turn(guild):
                if self._book.training(guild) is None:
                    raise LeftError
                await self._book.set_cursors(guild, cursors)
        self.cursors.update({cursor.channel: cursor for cursor in cursors})

    # Walking --------------------------------------------------------------------------------------------------------

    async def _walk_each(self, turns: Iterator[Cursor]) -> None:
        for cursor in turns:
            self.reading.add(cursor.channel)
            try:
                await self._walk(cursor)
            finally:
                self.reading.discard(cursor.channel)
                self.waiting.pop(cursor.channel, None)

    async def _walk(self, cursor: Cursor) -> None:
        """One channel or thread, newest to oldest."""
        told = self._told(cursor.channel)
        while not is_finished(cursor):
            boarding, read = None, Read(msgspec.structs.replace(cursor, failed=NOT_LISTENED))
            if self._book.channel(self.training.guild, cursor.parent).listens:
                boarding = self._boardings.board()
                try:
                    read = await patiently(lambda: self._read(cursor), told)  # noqa: B023 - awaited here
                except RefusedError as error:
                    # Who was put out of the guild gets the same answer for each channel: none of them is passed over.
                    await self._rooms(Finding(self._history, self.training.guild, 0, 1, told))
                    read = Read(msgspec.structs.replace(cursor, failed=error.reason))
            await self._pages.put(Page(read, boarding))
            cursor = read.cursor

    async def _read(self, cursor: Cursor) -> Read:
        guild = self.training.guild
        raw = await self._history.page(cursor.channel, cursor.before)
        days = self._book.settings(guild).retention_days
        read = read_page(raw, guild, cursor, int(time.time() - days * DAY_SECONDS) * 1000 if days else 0)
        refused = self._unlisted.get(cursor.channel)
        if refused is None or not read.cursor.done:
            return read
        # Of a history that the bot may not read Discord gives empty pages.
        is_closed = not raw and cursor.before == self.training.newest
        failed = msgspec.structs.replace(
            read.cursor, failed=refused if is_closed else f"{refused} for its archived threads"
        )
        return msgspec.structs.replace(read, cursor=failed)

    # Learning -------------------------------------------------------------------------------------------------------

    async def _learn(self) -> None:
        """What walkers bring, several pages at a time, until they have brought everything."""
        is_over = False
        while not is_over:
            taken = [await self._pages.get()]
            while len(taken) < PAGES_LEARNED and not self._pages.empty():
                taken.append(self._pages.get_nowait())
            is_over = None in taken
            pages = [page for page in taken if page is not None]
            if pages:
                await self._learn_pages(pages)

    async def _learn_pages(self, pages: list[Page]) -> None:
        """The messages of each channel, durably; then the cursors."""
        for channel in dict.fromkeys(page.read.cursor.channel for page in pages):
            await self._learn_channel([page for page in pages if page.read.cursor.channel == channel])

    async def _learn_channel(self, pages: list[Page]) -> None:
        seens = [seen for page in pages for seen in page.read.seens]
        boardings = [page.boarding for page in pages if page.boarding is not None]
        cursor, told = pages[-1].read.cursor, self._told(0)
        learned = self.cursors[cursor.channel].learned
        if seens:
            await self._authors.look_up((seen.author for seen in seens if seen.is_human), told)
            # The oldest flight knows what all the others know.
            flight = min(boardings, key=lambda boarding: boarding.number).flight
            self._boardings.turn()
            added = await patiently(lambda: self._add(flight, seens), told)
            learned += added.learned
            self.added += added
            self.unreadable += sum(page.read.unreadable for page in pages)
            self.wordless += sum(seen.is_human and not (seen.text or seen.attachments) for seen in seens)
        self._boardings.leave(boardings)
        reached = msgspec.structs.replace(cursor, learned=learned)
        await patiently(lambda: self._note([reached]), told)

    async def _add(self, flight: Flight, seens: list[Seen]) -> Added:
        guild, clean = self.training.guild, self.training.clean
        await self._tenants.caught_up(tenant_of(guild), anew=clean)
        with chain_faults():
            added = await self._learner.learn_page(guild, flight, seens, clean)
        self._measures.trained(guild, added.learned)
        return added


def _is_forum(rooms: Mapping[int, Room], cursor: Cursor) -> bool:
    return cursor.channel in rooms and rooms[cursor.channel].is_forum
