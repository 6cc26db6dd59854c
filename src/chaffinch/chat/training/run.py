"""One training from its first page to its result, however often the bot is started anew meanwhile."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from typing import Final

import msgspec

from chaffinch.chain.errors import UnknownTenantError
from chaffinch.chain.results import Added
from chaffinch.chat.book.book import Training
from chaffinch.chat.calls.call import Posted
from chaffinch.chat.faults import log_fault
from chaffinch.chat.names import tenant_of
from chaffinch.chat.training import anew, progress
from chaffinch.chat.training.board import Board
from chaffinch.chat.training.importing import Import
from chaffinch.chat.training.job import AwayError, Job, LeftError
from chaffinch.chat.training.parts import Parts
from chaffinch.chat.training.patience import chain_faults, patiently
from chaffinch.chat.training.progress import Outcome, Progress
from chaffinch.chat.training.turns import Turns
from chaffinch.errors import InputError

log = logging.getLogger("chaffinch.bot")

SHOWN_SECONDS: Final = 5.0
"""How often the progress is shown anew; Discord takes five edits in a channel in five seconds."""

OLD_SECONDS: Final = 3000.0
"""Messages that are older than an hour Discord lets be edited less often (JSON error code 30046)."""

SHOWN_SECONDS_OLD: Final = 60.0

EDIT_SECONDS: Final = 30.0
"""How long the result waits for an edit that is on its way."""

PACE_SECONDS: Final = 60.0
"""Over how long the pace is taken."""


AGAIN_SECONDS: Final = 60.0
"""A training that failed by a fault of the bot's own is gone on with after so long."""


class Run:
    """A training while the bot runs."""

    def __init__(self, training: Training, parts: Parts, turns: Turns, file: str = "") -> None:
        self.training = training
        self.board = Board(parts.poster, Posted(training.channel, training.message))
        self._parts, self._turns = parts, turns
        self._tenant = tenant_of(training.guild)
        self._job = Job(training, parts)
        self._import = Import(training, parts, file or "the file") if training.file else None
        self._work: asyncio.Task[Outcome] | None = None
        self._is_cancelled = self._is_ending = False
        self._last_error = ""
        self._noting = asyncio.Lock()
        self._began = time.monotonic()
        self._began_at = progress.fraction_of_all(list(self._job.cursors.values()))
        self._paces: deque[tuple[float, int]] = deque(maxlen=int(PACE_SECONDS / SHOWN_SECONDS))

    async def go(self) -> None:
        """Carry the training out, show it meanwhile, and say what it came to.

        Cancelled, it can be gone on with; so it can where the bot is not in the guild any more.
        """
        guild, over = self.training.guild, asyncio.Event()
        self._work = asyncio.create_task(self._carry_out(), name=f"train guild {guild}")
        showing = asyncio.create_task(self._show(over), name=f"show the training of guild {guild}")
        try:
            try:
                outcome = await self._work
            except asyncio.CancelledError:
                if not self._is_cancelled:
                    raise
                outcome = await self._thrown_away(Outcome(self.training.clean, cancelled=True))
            except AwayError:
                log.warning("a training waits until the bot is in the guild again: guild=%d", self.training.guild)
                return
            over.set()  # an edit on its way is not cancelled: that would hold back the next ones, see `history`
            await asyncio.wait((showing,), timeout=EDIT_SECONDS)
        finally:
            for task in (self._work, showing):
                task.cancel()
            await asyncio.gather(self._work, showing, return_exceptions=True)
        await self._tell(outcome)
        await self._end()

    def cancel(self) -> bool:
        """Give the training up, and whether that was possible: what it learned is not in its place yet."""
        if self._work is None or self._work.done() or self.training.state != "reading":
            return False
        self._is_cancelled = self._is_ending = True
        return self._work.cancel()

    def end(self) -> None:
        """It is about to be cancelled, to be gone on with by the next start."""
        self._is_ending = True

    def progress(self) -> Progress:
        """How far it is."""
        shown = Progress(
            clean=self.training.clean,
            place=self._turns.before(self.training.guild),
            began_at=self._began_at,
            seconds=time.monotonic() - self._began,
            last_error=self._last_error,
        )
        if self._import is not None:
            return msgspec.structs.replace(
                shown,
                file=self._import.name,
                file_fraction=self._import.fraction,
                learned=self._import.records,
                waiting={0: self._shown(self._import.waiting)} if self._import.waiting else {},
            )
        cursors = list(self._job.cursors.values())
        return msgspec.structs.replace(
            shown,
            cursors=cursors,
            learned=sum(cursor.learned for cursor in cursors),
            reading=frozenset(self._job.reading),
            waiting={channel: self._shown(reason) for channel, reason in self._job.waiting.items()},
        )

    def _shown(self, reason: str) -> str:
        """Where on this machine the bot keeps things is nothing for a channel of a guild."""
        return reason.replace(f"{self._parts.tenants.state}/", "")

    # Carrying out ---------------------------------------------------------------------------------------------------

    async def _carry_out(self) -> Outcome:
        """A fault of ours ends nothing: it is logged, and the training goes on from its cursors after a while."""
        while True:
            try:
                return await self._learn_and_publish()
            except Exception as group:  # noqa: BLE001 - the boundary of one training
                error = _first(group)
                if isinstance(error, LeftError):
                    return self._came_to(Added())
                if isinstance(error, AwayError):
                    raise error from None
                if self._is_ending:  # a task that failed at the same moment does not undo that
                    raise asyncio.CancelledError from None
                name = log_fault(log, "bot.training_failed", error, guild=self.training.guild)
                self._last_error = f"a fault of the bot's, {name} in its log"
            await asyncio.sleep(AGAIN_SECONDS)
            self._last_error = ""
            self._job = Job(self.training, self._parts)

    async def _learn_and_publish(self) -> Outcome:
        outcome = None
        if self.training.state == "reading":
            async with self._turns.turn(self.training.guild):
                self._began = time.monotonic()
                await patiently(self._check, self._waits)
                try:
                    outcome = self._came_to(await self._learned())
                except InputError as error:  # of the file: nothing of it is learned
                    return await self._thrown_away(msgspec.structs.replace(self._came_to(Added()), error=str(error)))
                if self.training.clean and await self._is_empty(outcome):
                    return await self._thrown_away(msgspec.structs.replace(outcome, kept_old=True))
                await patiently(self._merge, self._waits)
        await patiently(self._publish, self._waits)
        return outcome or self._came_to(Added())

    async def _check(self) -> None:
        """A chain anew that somebody removed meanwhile is made from the start."""
        if self.training.clean and self._import is None and not await self._parts.tenants.is_anew(self._tenant):
            await self._job.begin_again()

    async def _learned(self) -> Added:
        if self._import is not None:
            return await self._import.learn()
        await self._job.read()
        return self._job.added

    def _came_to(self, added: Added) -> Outcome:
        cursors = list(self._job.cursors.values())
        return Outcome(
            self.training.clean,
            learned=added.learned if self._import else sum(cursor.learned for cursor in cursors),
            duplicates=added.duplicates,
            wordless=added.empty + self._job.wordless,
            unreadable=self._job.unreadable,
            left_out=self._import.left_out if self._import else 0,
            no_room=added.no_room,
            passed_over=[cursor for cursor in cursors if cursor.failed],
            seconds=max(0.001, time.time() - self.training.started_ms / 1000),
            file=self._import.name if self._import else "",
        )

    async def _is_empty(self, outcome: Outcome) -> bool:
        """Whether nothing was read that could take the old chain's place."""
        return not outcome.learned + outcome.duplicates or not await self._parts.tenants.is_anew(self._tenant)

    def _waits(self, reason: str) -> None:
        if reason:
            self._job.waiting[0] = reason
        else:
            self._job.waiting.pop(0, None)

    async def _merge(self) -> None:
        """Before the turn is taken, which others wait for: a publish merges what is left."""
        if self.training.clean:
            for tenant in (self._tenant, *anew.owns(self._parts.book, self.training.guild)):
                with chain_faults(), contextlib.suppress(UnknownTenantError):
                    await self._parts.tenants.merge(tenant, anew=True, wait=True)

    async def _publish(self) -> None:
        """The chains made anew take the others' places; a kill in between is gone on from by the next start.

        In one turn: no message is learned into a chain anew between this and the training's saying so.
        """
        book, tenants, guild = self._parts.book, self._parts.tenants, self.training.guild
        with chain_faults():
            async with book.turn(guild):
                if book.training(guild) is None:
                    raise LeftError
                if self.training.state == "reading":
                    await anew.complete(book, tenants, self.training)
                await self._note(state="publishing")
                if self.training.clean:
                    await anew.publish(book, tenants, self.training)
                    await self._note(clean=False)

    async def _thrown_away(self, outcome: Outcome) -> Outcome:
        """End the training without its chain anew. Ended first: a start in between would else go on in the middle."""

        async def ended() -> None:
            with chain_faults():
                async with self._parts.book.turn(self.training.guild):
                    await self._end_in_book()
                    if self.training.clean:
                        await anew.abandon(self._parts.book, self._parts.tenants, self.training.guild)

        await patiently(ended, self._waits)
        return outcome

    async def _end(self) -> None:
        async def ended() -> None:
            with chain_faults():
                await self._end_in_book()

        await patiently(ended, self._waits)
        if self._import is not None:
            await asyncio.to_thread(self._import.path.unlink, missing_ok=True)

    async def _end_in_book(self) -> None:
        async with self._noting:
            if self._parts.book.training(self.training.guild) is not None:
                await self._parts.book.end_training(self.training.guild)

    async def _note(self, **changes: object) -> None:
        """Nothing of a training that was ended meanwhile: the next start would go on with it."""
        async with self._noting:
            if self._parts.book.training(self.training.guild) is None:
                return
            changed = msgspec.structs.replace(self.training, **changes)
            await self._parts.book.set_training(changed)
            self.training = changed

    # Showing --------------------------------------------------------------------------------------------------------

    async def _show(self, over: asyncio.Event) -> None:
        while not over.is_set():
            try:
                await self._show_now()
            except Exception as error:  # noqa: BLE001 - the boundary of what is shown: a full disk, for one
                log_fault(log, "bot.training_not_shown", error, guild=self.training.guild)
            is_old = time.time() - self.training.started_ms / 1000 > OLD_SECONDS
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), SHOWN_SECONDS_OLD if is_old else SHOWN_SECONDS)

    async def _show_now(self) -> None:
        now = self.progress()
        self._paces.append((time.monotonic(), now.learned))
        (then, before), (at, learned) = self._paces[0], self._paces[-1]
        pace = (learned - before) / (at - then) if at > then else 0.0
        stood = self.board.where
        await self.board.show(progress.shown(msgspec.structs.replace(now, rate=pace)))
        if self.board.where.message and self.board.where != stood:
            await self._note(message=self.board.where.message)

    async def _tell(self, outcome: Outcome) -> None:
        now = msgspec.structs.replace(self.progress(), clean=outcome.clean)  # the training is none any more, once whole
        last = msgspec.structs.replace(progress.shown(now), buttons=())
        await self.board.end(last, progress.result(outcome))


def _first(error: BaseException) -> BaseException:
    """The cause, out of the groups that tasks which end together are told in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
