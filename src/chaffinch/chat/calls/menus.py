"""Buttons and menus of the bot's own messages that somebody used."""

from typing import TYPE_CHECKING

from chaffinch.chat.calls.call import Posted, Reply
from chaffinch.chat.calls.slash import DEFERRED_MESSAGE, DEFERRED_UPDATE, MESSAGE, UPDATE, Answers, InteractionCall

if TYPE_CHECKING:
    from chaffinch.chat.calls.interactions import Interaction


class MenuCall(InteractionCall):
    """A component that was used. The message that it stands in stays until it is updated."""

    def __init__(self, asked: "Interaction", answers: Answers) -> None:
        super().__init__(asked, answers)
        self._announced = False
        """Whether a hidden answer is announced, which is what the next one takes the place of."""

    async def think(self, *, hidden: bool = False) -> None:
        """Announce that the message will change, or, `hidden`, that the caller is told something."""
        if not self._is_answered:
            if hidden:
                await self._answers.respond(DEFERRED_MESSAGE, hidden=True)
            else:
                await self._answers.respond(DEFERRED_UPDATE)
            self._is_answered, self._announced = True, hidden

    async def answer(self, reply: Reply, *, hidden: bool = False) -> Posted | None:
        """A message of its own."""
        if not self._is_answered:
            posted = await self._answers.respond(MESSAGE, reply, hidden=hidden)
            self._is_answered = True
            return posted
        announced, self._announced = self._announced, False
        if announced and hidden:
            await self._answers.edit(reply)
            return None
        if announced:
            await self._answers.delete()
        said = await self._answers.follow(reply, hidden=hidden)
        return None if hidden else said

    async def refuse(self, why: str) -> None:
        """To the caller alone; the message stays as it was."""
        await self.answer(Reply(why), hidden=True)

    async def update(self, reply: Reply) -> None:
        """Put something in the place of the message. Not after `think(hidden=True)`, which announced something else."""
        if self._is_answered:
            await self._answers.edit(reply)
        else:
            await self._answers.respond(UPDATE, reply)
            self._is_answered = True
