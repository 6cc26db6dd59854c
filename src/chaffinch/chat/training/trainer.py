"""Which guilds train: beginning, going on after a start, stopping, and at most so many at once."""

import asyncio
import logging
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from chaffinch.chat.book.book import Training
from chaffinch.chat.calls.call import Call, Posted, Reply
from chaffinch.chat.faults import log_fault
from chaffinch.chat.payloads import EPOCH_MS
from chaffinch.chat.poster import PostingError
from chaffinch.chat.seen import Attached
from chaffinch.chat.training import anew, files, progress
from chaffinch.chat.training.parts import Parts
from chaffinch.chat.training.run import Run
from chaffinch.chat.training.turns import Turns
from chaffinch.errors import InputError

if TYPE_CHECKING:
    from chaffinch.chain.tenants import Tenants
    from chaffinch.chat.book.book import Book
    from chaffinch.chat.learning.learner import Learner
    from chaffinch.chat.measures import Measures
    from chaffinch.chat.poster import Poster
    from chaffinch.chat.training.source import History
    from chaffinch.config import BotSettings

log = logging.getLogger("chaffinch.bot")

OVERLAP_MS: Final = 60_000
"""So much later than the command is the newest message that is read: what was learned as it came, before the training
was known, is missing in a chain made anew otherwise. What is learned twice is a duplicate by its id.
"""

UNSEEN_MS: Final = 86_400_000
"""The same where the command was answered by nothing that has an id of Discord's: then this machine's clock alone says
what is newest, and it may be behind.
"""

STOP_SECONDS: Final = 0.9
"""How long a shutdown waits for what is being written."""


class Trainer:
    """The trainings of all guilds."""

    def __init__(
        self,
        book: "Book",
        tenants: "Tenants",
        learner: "Learner",
        history: "History",
        poster: "Poster",
        settings: "BotSettings",
        measures: "Measures",
        *,
        origins: Collection[str],
    ) -> None:
        """`origins` are where Discord keeps attachments: a file that is anywhere else is not fetched."""
        self._parts = Parts(book, tenants, learner, history, poster, settings, measures)
        self._turns = Turns(settings.trainings_at_once)
        self._runs: dict[int, Run] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._beginning: set[int] = set()
        self._origins = origins
        self._is_tidy = False

    async def start(self, call: Call, *, clean: bool, file: Attached | None = None) -> None:
        """Begin a training of the call's guild, and show it where the call was given.

        Raises `InputError` where there is nothing to learn or one runs already, and `RunError` for a file that could
        not be fetched.
        """
        guild, book = call.guild, self._parts.book
        if guild in self._beginning:
            raise InputError("A training begins here just now: wait for it.")
        self._beginning.add(guild)
        try:
            if book.training(guild) is not None:
                await self.go_on()
            if guild in self._runs:
                raise InputError(progress.told(self._runs[guild].progress()))
            if file is None and not any(channel.listens for channel in book.channels(guild)):
                raise InputError("No channel is listened to here: choose some with /listen add, then train.")
            await call.think()
            await self._begin(call, clean, file)
        finally:
            self._beginning.discard(guild)

    async def go_on(self) -> None:
        """Go on with every training that was begun and is not over, of the guilds that the bot is in.

        To be called once the client is ready, and when the bot comes back to a guild.
        """
        if not self._is_tidy:
            self._is_tidy = True
            await self._tidy()
        known = [self._parts.book.training(guild) for guild in self._parts.book.guilds()]
        for training in sorted((one for one in known if one is not None), key=lambda one: one.started_ms):
            if training.guild not in self._runs and self._parts.book.left_at(training.guild) is None:
                self._spawn(training, "")

    def progress(self, guild: int) -> progress.Progress | None:
        """How far a guild's training is; None: there is none."""
        run = self._runs.get(guild)
        return None if run is None else run.progress()

    async def cancel(self, guild: int) -> bool:
        """Give a guild's training up; whether there was one. The result says what became of it."""
        run = self._runs.get(guild)
        return run is not None and run.cancel()

    async def stop(self) -> None:
        """End what runs, within a second: the next start goes on where it was."""
        for run in self._runs.values():
            run.end()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_SECONDS)

    # ----------------------------------------------------------------------------------------------------------------

    async def _begin(self, call: Call, clean: bool, file: Attached | None) -> None:
        book, tenants, guild = self._parts.book, self._parts.tenants, call.guild
        name, path = "", tenants.state / files.name_of(guild)
        if file is not None:
            await files.fetch(file, path, self._parts.settings.import_bytes, self._origins)
            name = files.name_of(guild)
        first = progress.shown(progress.Progress(clean, file=file.name if file else ""))
        try:
            if file is not None:
                await asyncio.to_thread(files.refuse_other, file, path, guild)
            posted = await call.answer(first) or await self._posted(call.channel, first)
            now_ms, overlap_ms = int(time.time() * 1000), OVERLAP_MS if posted.message else UNSEEN_MS
            training = Training(
                guild=guild,
                clean=clean,
                started_ms=now_ms,
                channel=posted.channel,
                message=posted.message,
                newest=max(now_ms - EPOCH_MS << 22, posted.message) + (overlap_ms << 22),
                file=name,
                state="reading",
            )
            async with book.turn(guild):
                await anew.abandon(book, tenants, guild)
                await book.set_training(training)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self._spawn(training, file.name if file else "")

    async def _tidy(self) -> None:
        """Throw away what a kill left of trainings that were ended: nobody forgets in such a chain any more."""
        book, tenants = self._parts.book, self._parts.tenants
        for guild in book.guilds():
            if book.training(guild) is None and await anew.is_left(book, tenants, guild):
                async with book.turn(guild):
                    if book.training(guild) is None:
                        await anew.abandon(book, tenants, guild)
        used = {tenants.state / training.file for training in map(book.training, book.guilds()) if training is not None}
        await asyncio.to_thread(files.discard, tenants.state, used)

    async def _posted(self, channel: int, reply: Reply) -> Posted:
        """An answer that only Discord can edit shows no progress; nor does one where the bot may not write."""
        try:
            return await self._parts.poster.post(channel, reply)
        except PostingError:
            return Posted(0, 0)

    def _spawn(self, training: Training, file: str) -> None:
        guild = training.guild
        self._runs[guild] = Run(training, self._parts, self._turns, file)
        self._tasks[guild] = asyncio.create_task(self._keep(guild), name=f"training of guild {guild}")

    async def _keep(self, guild: int) -> None:
        try:
            await self._runs[guild].go()
        except Exception as error:  # noqa: BLE001 - the boundary of one training's result
            log_fault(log, "bot.training_not_ended", error, guild=guild)
        finally:
            del self._runs[guild], self._tasks[guild]
