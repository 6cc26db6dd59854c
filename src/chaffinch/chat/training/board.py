"""The message that a training is shown on: edited with the bot's token, which lasts; posted anew where it is gone."""

import logging

from chaffinch.chat.calls.call import Posted, Reply
from chaffinch.chat.poster import Poster, PostingError

log = logging.getLogger("chaffinch.bot")


GONE = (403, 404)
"""Who may not write there any more need not try again."""


class Board:
    """A training goes on whether or not it can be shown."""

    def __init__(self, poster: Poster, where: Posted) -> None:
        self.where = where
        """Message 0: there is none yet, or it is gone; channel 0: nowhere to show anything."""
        self._home = where.channel
        """Where the result is tried to be posted, whatever became of the rest: it may be writable again by then."""
        self._poster = poster
        self._shown: Reply | None = None

    async def show(self, reply: Reply) -> None:
        """Let the message say this."""
        if reply == self._shown or not self.where.channel:
            return
        if self.where.message and await self._edited(reply):
            self._shown = reply
        if not self.where.message:
            await self._posted(reply)

    async def end(self, last: Reply, result: Reply) -> None:
        """What it said last, and the result as a reply to it; alone, where the message is gone."""
        if self.where.channel and self.where.message:
            await self._edited(last)
        if self._home:
            answered = self.where if self.where.message else None
            try:
                await self._poster.post(self._home, result, answered)
            except PostingError as error:
                log.warning("bot.result_not_posted channel=%d error=%s", self._home, error)

    async def _edited(self, reply: Reply) -> bool:
        try:
            await self._poster.edit(self.where, reply)
        except PostingError as error:
            if error.status in GONE:
                self.where = Posted(self.where.channel, 0)
            return False
        return True

    async def _posted(self, reply: Reply) -> None:
        try:
            self.where = await self._poster.post(self.where.channel, reply)
            self._shown = reply
        except PostingError as error:
            if error.status in GONE:
                self.where = Posted(0, 0)
