"""Commands by prefix: their answers are replies, which all of the channel see."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import aiohttp
import discord

from chaffinch.chat.calls.call import Posted, Reply, Value

if TYPE_CHECKING:
    from chaffinch.chat.poster import Poster
    from chaffinch.chat.seen import Member, Seen

Type = Callable[[int], Awaitable[None]]
"""Shows in a channel that the bot types."""


class PrefixCall:
    """A message that is a command."""

    hides = False

    def __init__(
        self, seen: "Seen", member: "Member", options: Mapping[str, Value], poster: "Poster", typing: Type
    ) -> None:
        self.guild = seen.guild
        self.channel = seen.channel
        self.parent = seen.parent
        self.member = member
        self.options = options
        self.chosen: Sequence[str] = ()
        self.shown: Sequence[str] = ()
        self._message = Posted(seen.channel, seen.id)
        self._poster = poster
        self._type = typing

    async def think(self, *, hidden: bool = False) -> None:
        """Show that the bot types. Nobody waits for that: where it cannot be, the answer comes without it."""
        with suppress(discord.HTTPException, aiohttp.ClientError, OSError):
            await self._type(self.channel)

    async def answer(self, reply: Reply, *, hidden: bool = False) -> Posted | None:
        """Reply to the message, seen by all."""
        return await self._poster.post(self.channel, reply, self._message)

    async def refuse(self, why: str) -> None:
        """Reply with the reason."""
        await self.answer(Reply(why))

    async def update(self, reply: Reply) -> None:
        """A message is no message of the bot's."""
        raise NotImplementedError
