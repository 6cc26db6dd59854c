"""Slash commands, and how an interaction is answered.

Answers go over the interaction's own token, without the bot's: such requests have rate limits of their own.
"""

from typing import TYPE_CHECKING, Any, Final

import aiohttp
import discord
from discord.http import Route
from discord.webhook.async_ import AsyncWebhookAdapter

from chaffinch.chat.calls.call import Posted, Reply
from chaffinch.chat.calls.interactions import Interaction
from chaffinch.chat.payloads import HIDDEN, body_of, edit_of, form_of

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = dict[str, Any]

MESSAGE, DEFERRED_MESSAGE, DEFERRED_UPDATE, UPDATE = 4, 5, 6, 7
"""Ways to answer an interaction: with a message, with one that follows, with no change yet, with a changed message."""

DONE: Final = frozenset((40060, 10008))
"""Discord's codes for a first answer that it has, and for a message that is gone: what was asked twice was done."""

CALLBACK: Final = "/interactions/{webhook_id}/{webhook_token}/callback"
ANSWERS: Final = "/webhooks/{webhook_id}/{webhook_token}"
ORIGINAL: Final = ANSWERS + "/messages/@original"


class Answers:
    """The requests that answer one interaction."""

    def __init__(self, session: aiohttp.ClientSession, adapter: AsyncWebhookAdapter, asked: Interaction) -> None:
        self._session = session
        self._adapter = adapter
        self._asked = asked

    async def respond(self, kind: int, reply: Reply | None = None, *, hidden: bool = False) -> Posted | None:
        """The first answer, due within three seconds; where a message that it made stands."""
        data: Json = {"flags": HIDDEN} if hidden else {}
        if reply is not None:
            data = edit_of(reply) if kind == UPDATE else body_of(reply, hidden=hidden)
        body: Json = {"type": kind, "data": data}
        route = Route("POST", CALLBACK, webhook_id=self._asked.id, webhook_token=self._asked.token)
        made = await self._send(route, body, reply, with_response="true")
        message = (made.get("resource") or {}).get("message") if isinstance(made, dict) else None
        return None if hidden or message is None else self._posted(message)

    async def edit(self, reply: Reply) -> Posted:
        """Put something in the place of the first answer."""
        return self._posted(await self._send(self._route("PATCH", ORIGINAL), edit_of(reply), reply))

    async def follow(self, reply: Reply, *, hidden: bool = False) -> Posted:
        """Say something more."""
        body = body_of(reply, hidden=hidden)
        return self._posted(await self._send(self._route("POST", ANSWERS), body, reply, wait="true"))

    async def delete(self) -> None:
        """Take the first answer away."""
        await self._send(self._route("DELETE", ORIGINAL), None, None)

    def _route(self, method: str, path: str) -> Route:
        return Route(method, path, webhook_id=self._asked.application, webhook_token=self._asked.token)

    async def _send(self, route: Route, body: Json | None, reply: Reply | None, **params: str) -> Any:
        has_files = reply is not None and bool(reply.files)
        form = form_of(reply, body) if reply is not None and body is not None and has_files else None
        payload = None if has_files else body

        async def ask() -> Any:
            return await self._adapter.request(route, self._session, payload=payload, multipart=form, params=params)

        try:
            return await ask()
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionError):
            if route.path == ANSWERS:  # it would be said twice, if Discord had it
                raise
        try:  # the connection was closed at that moment: discord.py gives up at once
            return await ask()
        except discord.HTTPException as error:
            if error.code not in DONE:
                raise
            return None

    def _posted(self, message: Json) -> Posted:
        return Posted(int(message.get("channel_id", self._asked.channel)), int(message["id"]))


class InteractionCall:
    """What calls by an interaction have in common: what `think` announced is public or hidden, and stays so."""

    hides = True

    def __init__(self, asked: Interaction, answers: Answers) -> None:
        self.guild = asked.guild
        self.channel = asked.channel
        self.parent = asked.parent
        self.member = asked.member
        self.options = asked.options
        self.chosen: Sequence[str] = asked.chosen
        self.shown: Sequence[str] = asked.shown
        self._answers = answers
        self._is_answered = False
        self._announced: bool | None = None
        """Whether the message that `think` announced is hidden; None: none is announced."""

    async def answer(self, reply: Reply, *, hidden: bool = False) -> Posted | None:
        """In the place of what was announced where that can be: what is spoken has to be new, an edit is not heard."""
        if not self._is_answered:
            posted = await self._answers.respond(MESSAGE, reply, hidden=hidden)
            self._is_answered = True
            return posted
        announced, self._announced = self._announced, None
        if announced is hidden and not reply.is_spoken:
            edited = await self._answers.edit(reply)
            return None if hidden else edited
        if announced is not None:
            await self._answers.delete()
        said = await self._answers.follow(reply, hidden=hidden)
        return None if hidden else said

    async def refuse(self, why: str) -> None:
        """To the caller alone."""
        await self.answer(Reply(why), hidden=True)


class SlashCall(InteractionCall):
    """A slash command."""

    async def think(self, *, hidden: bool = False) -> None:
        """Announce an answer, once."""
        if not self._is_answered:
            await self._answers.respond(DEFERRED_MESSAGE, hidden=hidden)
            self._is_answered, self._announced = True, hidden

    async def update(self, reply: Reply) -> None:
        """A slash command stands in no message."""
        raise NotImplementedError
