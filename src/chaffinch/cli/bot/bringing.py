"""An import as it goes on: databases and older exports message by message, other files as `chain train` reads them."""

import itertools
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from chaffinch.chain.engine import Chain
from chaffinch.chain.results import Added, Message, Options
from chaffinch.chat.book.book import Book
from chaffinch.chat.guild import Channel
from chaffinch.chat.names import tenant_of
from chaffinch.chat.older import exports
from chaffinch.chat.older.database import Database
from chaffinch.chat.older.sources import Found
from chaffinch.cli.bot.brought import Brought
from chaffinch.cli.chain import learning, opening, sources
from chaffinch.cli.chain.progress import Bar, Stop
from chaffinch.config import ChainSettings
from chaffinch.errors import InputError

BATCH = 2000
"""Messages that become durable together."""


class Bringing:
    """One import into one chain."""

    def __init__(self, chain: Chain, guild: int, found: Found, *, skip_bad: bool) -> None:
        self.added = Added()
        self.files = self.damaged = 0
        self.channels: list[Channel] = []
        self.threads: list[tuple[int, int]] = []
        self.total = learning.Total()
        self.stopped = False
        self._chain = chain
        self._guild = guild
        self._found = found
        self._skip_bad = skip_bad

    def run(self) -> None:
        """Read everything, or up to a signal."""
        with Stop(gently=True) as stop:
            for path in self._found.databases:
                with closing(Database(path)) as database:
                    self._learn(path, database.messages(self._guild), stop, database.count(self._guild))
                    self.channels += database.channels(self._guild)
                    self.threads += database.threads(self._guild)
                    self.damaged += database.damaged
            for path, kind in self._found.exports:
                self._learn(path, exports.messages_of(path, kind, self._guild), stop)
        if self._found.files and not self.stopped:
            named = [str(path) for path in self._found.files]
            train = learning.Run(self._chain, sources.sources_of(named, (), "auto"), skip_bad=self._skip_bad)
            train.learn()
            self.total = train.total
            self.stopped = train.total.stopped

    def forget(self, users: Iterable[int]) -> int:
        """Forget what these members wrote; how many messages. A file knows nothing of what they said to the bot."""
        return sum(self._chain.forget(author=str(user)) for user in users)

    def _learn(self, path: Path, messages: Iterator[Message], stop: Stop, total: int | None = None) -> None:
        if self.stopped:
            return
        bar, done = Bar(total), 0
        while batch := list(itertools.islice(messages, BATCH)):
            self.added += self._chain.add(batch)
            if self._chain.wants_merge:
                self._chain.merge()
            done += len(batch)
            bar.draw(path.name, done, done)
            if stop.wanted:
                self.stopped = True
                break
        bar.clear()
        self.files += 1


def _refuse_foreign(state: Path) -> None:
    """What root writes into another user's state directory that user's bot could not read."""
    if os.geteuid() == 0 and state.exists() and (owner := state.stat().st_uid):
        raise InputError(
            f"{state} belongs to another user (uid {owner}), whose bot could not read what root writes there: import "
            "as that user, for a service as docs/bot.md says"
        )


async def bring(
    state: Path, guild: int, found: Found, made: Options, settings: ChainSettings, *, skip_bad: bool
) -> Brought:
    """Learn what was found. Raises `RunError` while a bot runs on the state directory, `InputError` for a bad file, and
    for root where the directory is another user's.
    """
    began = time.monotonic()
    _refuse_foreign(state)
    for path in found.databases:
        with closing(Database(path)) as database:
            database.count(guild)  # refused before anything is made
    for path in found.files:
        exports.refuse_other(path, guild)
    async with await Book.open(state) as book:
        with opening.writing(state, tenant_of(guild), settings, create=made, names=settings.names) as chain:
            one = Bringing(chain, guild, found, skip_bad=skip_bad)
            try:
                one.run()
            finally:  # a file that is damaged further on has taught what is before that
                forgotten = one.forget(book.opted_out(guild))
        new = [channel for channel in one.channels if book.channel(guild, channel.id) == Channel(channel.id)]
        await book.set_channels(guild, new)
        for thread, parent in one.threads:
            await book.note_thread(guild, thread, parent)
    trained, added = one.total.trained, one.added + one.total.trained.added
    return Brought(
        tenant=tenant_of(guild),
        files=one.files + one.total.files,
        passed_over=len(found.passed_over),
        learned=added.learned,
        duplicates=added.duplicates,
        empty=added.empty,
        no_room=added.no_room,
        left_out=trained.left_out,
        resumed=trained.resumed,
        bad=trained.bad,
        damaged=one.damaged,
        forgotten=forgotten,
        channels=len(new),
        seconds=round(time.monotonic() - began, 3),
        stopped=one.stopped,
    )
