"""Answers to what people say, and then learning it: so that no answer is made of the message that it answers.

While an answer is on its way the message is in flight: what is deleted or edited meanwhile is not learned as it was.
"""

import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import perf_counter_ns
from typing import Final

from chaffinch.caches import Recent
from chaffinch.chain.errors import BusyError, NothingNewError
from chaffinch.chat.book.book import Book
from chaffinch.chat.calls.call import File, Posted, Reply
from chaffinch.chat.faults import log_fault
from chaffinch.chat.learning.learner import Learner
from chaffinch.chat.measures import Measures
from chaffinch.chat.poster import Poster, PostingError
from chaffinch.chat.seen import Seen
from chaffinch.chat.talking.replies import Answer, decide
from chaffinch.chat.talking.talker import Talker
from chaffinch.config.tree import BotSettings
from chaffinch.errors import ChaffinchError, InputError, RunError

log = logging.getLogger("chaffinch.bot")

MOST_COOLING: Final = 1024
"""Channels of all guilds of which is known when they were last answered unasked; and of which, that they cannot be."""

CLOSED_SECONDS: Final = 60.0
"""Where the bot may not write, it does not try to answer unasked for so long: Discord shuts out who tries too often."""

FAULT: Final = "Something failed here that is no fault of yours: who runs me finds it in the log."


def now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


class Answerer:
    """Answers messages and has them learned. `clock` and `chance` are given by tests."""

    def __init__(
        self,
        book: Book,
        talker: Talker,
        learner: Learner,
        poster: Poster,
        settings: BotSettings,
        measures: Measures,
        *,
        clock: Callable[[], datetime] = now,
        chance: random.Random | None = None,
    ) -> None:
        self._book = book
        self._talker = talker
        self._learner = learner
        self._poster = poster
        self._settings = settings
        self._measures = measures
        self._clock = clock
        self._chance = chance or random.Random()
        self._last: Recent[int, datetime] = Recent(MOST_COOLING)
        self._closed: Recent[int, datetime] = Recent(MOST_COOLING)
        """Until when a channel or thread counts as one where the bot may not write."""
        self._under_way: dict[int, int] = {}
        """How many messages of a guild are being answered."""

    async def on_message(self, seen: Seen, bot_id: int) -> None:
        """Answer a message if it is to be answered, then learn it if it is to be learned.

        Call it before anything else that happens later is handled. Raises what the book raises.
        """
        if not seen.is_human:
            return
        is_wanted = self._learner.is_wanted(seen)
        with self._learner.in_flight(seen.guild) as flight:
            try:
                await self._answer(seen, bot_id)
            except Exception as error:  # noqa: BLE001 - the boundary of an answer: the message is learned all the same
                self._measures.event_failed("answer")
                log_fault(log, "bot.answer_failed", error, guild=seen.guild)
            await self._learner.learn(seen, flight, is_wanted=is_wanted)

    async def _answer(self, seen: Seen, bot_id: int) -> None:
        began = perf_counter_ns()
        answer = self._decided(seen, bot_id)
        if answer is None or (answer.cause == "autorespond" and self._is_closed(seen.channel)):
            return
        under_way = self._under_way.get(seen.guild, 0)
        if under_way >= self._settings.answers_at_once:
            self._measures.unanswered("busy")
            return
        before = self._last.get(seen.parent)
        if answer.cause == "autorespond":
            self._last.put(seen.parent, self._clock())
        self._under_way[seen.guild] = under_way + 1
        is_said = False
        try:
            is_said = await self._say(seen, answer, began)
        finally:
            left = self._under_way.pop(seen.guild) - 1
            if left:
                self._under_way[seen.guild] = left
            if answer.cause == "autorespond" and not is_said:
                self._last.put(seen.parent, before or datetime.min.replace(tzinfo=UTC))

    def _decided(self, seen: Seen, bot_id: int) -> Answer | None:
        if self._learner.is_command(seen.text):
            return None
        try:
            return decide(
                seen,
                self._book.settings(seen.guild),
                self._book.channel(seen.guild, seen.parent),
                self._settings,
                bot_id=bot_id,
                now=self._clock(),
                last=self._last.get(seen.parent),
                roll=self._chance.random(),
            )
        except InputError as error:  # a time zone that this machine does not know
            self._measures.unanswered("error")
            log.warning("bot.not_answered guild=%d error=%s", seen.guild, error)
            return None

    def _is_closed(self, channel: int) -> bool:
        until = self._closed.get(channel)
        return until is not None and self._clock() < until

    async def _say(self, seen: Seen, answer: Answer, began: int) -> bool:
        """Answer; whether something was said that was made for it."""
        to = Posted(seen.channel, seen.id)
        try:
            spoken = await self._talker.say(seen.guild, channel=seen.parent, seed=answer.seed)
        except ChaffinchError as error:
            await self._explain(to, answer, seen.guild, error)
            return False
        picture = spoken.picture
        files = () if picture is None else (File(picture.name, picture.content),)
        if not await self._post(to, Reply(spoken.text, files=files), seen.guild):
            return False
        self._measures.replied(seen.guild, perf_counter_ns() - began, spoken.tries, answer.cause)
        return True

    async def _explain(self, to: Posted, answer: Answer, guild: int, error: ChaffinchError) -> None:
        """Say why there is no answer to who asked for one; in a channel that only responds nobody did."""
        is_nothing = isinstance(error, NothingNewError)
        self._measures.unanswered("nothing_new" if is_nothing else "busy" if isinstance(error, BusyError) else "error")
        if not is_nothing:
            log.warning("bot.not_answered guild=%d error=%s", guild, _harmless(error))
        if answer.cause == "mention":
            await self._post(to, Reply(str(error) if is_nothing else FAULT), guild)

    async def _post(self, to: Posted, reply: Reply, guild: int) -> bool:
        try:
            await self._poster.post(to.channel, reply, to)
        except PostingError as error:
            if error.status in {403, 404}:
                self._closed.put(to.channel, self._clock() + timedelta(seconds=CLOSED_SECONDS))
            self._measures.unanswered("unposted")
            log.warning("bot.answer_not_posted guild=%d error=%s", guild, error)
            return False
        return True


def _harmless(error: ChaffinchError) -> str:
    """What of an error may be logged: what was asked wrongly may be quoted, and that is what somebody wrote."""
    return str(error) if isinstance(error, RunError) else type(error).__name__
