"""Buttons and menus of the bot's own messages that somebody used."""

from chaffinch.chat.calls.call import Reply
from chaffinch.chat.calls.slash import DEFERRED_MESSAGE, DEFERRED_UPDATE, UPDATE, InteractionCall


class MenuCall(InteractionCall):
    """A component that was used. The message that it stands in stays until it is updated."""

    async def think(self, *, hidden: bool = False) -> None:
        """Announce that the message will change, or, `hidden`, that the caller is told something."""
        if not self._is_answered:
            if hidden:
                await self._answers.respond(DEFERRED_MESSAGE, hidden=True)
            else:
                await self._answers.respond(DEFERRED_UPDATE)
            self._is_answered, self._announced = True, hidden or None

    async def update(self, reply: Reply) -> None:
        """Put something in the place of the message. Not after `think(hidden=True)`, which announced something else."""
        if self._is_answered:
            await self._answers.edit(reply)
        else:
            await self._answers.respond(UPDATE, reply)
            self._is_answered = True
