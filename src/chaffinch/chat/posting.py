"""Replies to channels and threads, by discord.py's HTTP client, which keeps to rate limits and tries again what Discord
could not do. Raw requests: nothing is kept of a channel or a message, and threads need not be known.
"""

import io
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import aiohttp
import discord
import msgspec
from discord.http import Route
from yarl import URL

from chaffinch.chat.calls.call import Posted, Reply
from chaffinch.chat.payloads import Json, body_of, edit_of, form_of, plain
from chaffinch.chat.poster import PostingError

NO_HISTORY: Final = 160002
"""Discord's code for who may write in a channel, and not reply there since they may not read what was written."""

MISSING_PERMISSIONS: Final = 50013
"""For who sees a channel and may not do all of what was asked; who does not see it gets another one."""

LACKS: Final = frozenset((MISSING_PERMISSIONS, NO_HISTORY))

MEDIA: Final = "https://media.discordapp.net"
"""Discord's CDN by the name by which it makes smaller pictures."""


_SENTENCE: Final = "Discord did not let the bot {} in channel {} ({})"


class _Pair(msgspec.Struct):
    original: str
    refreshed: str | None = None


class _Refreshed(msgspec.Struct):
    refreshed_urls: list[_Pair]


class DiscordPoster:
    """A `Poster`, and what else is asked of Discord about posts."""

    def __init__(self, client: discord.Client) -> None:
        self._client = client

    async def post(self, channel: int, reply: Reply, reply_to: Posted | None = None) -> Posted:
        """See `Poster`. Where the bot may write and not all else it says ever less."""
        *tries, last = _ever_less(reply, reply_to)
        for attempt, to in tries:
            try:
                return await self._post(channel, attempt, to)
            except PostingError as error:
                if error.code not in LACKS:
                    raise
        return await self._post(channel, *last)

    async def edit(self, posted: Posted, reply: Reply) -> None:
        """See `Poster`."""
        route = Route(
            "PATCH",
            "/channels/{channel_id}/messages/{message_id}",
            channel_id=posted.channel,
            message_id=posted.message,
        )
        with _told("edit", posted.channel):
            try:
                await self._send(route, reply, edit_of(reply))
            except discord.Forbidden as error:
                if error.code != MISSING_PERMISSIONS or reply.embed is None:
                    raise
                await self._send(route, reply, edit_of(plain(reply)))

    async def typing(self, channel: int) -> None:
        """See `Poster`."""
        with suppress(PostingError), _told("show that it types", channel):
            await self._client.http.send_typing(channel)

    async def refreshed(self, urls: Sequence[str]) -> Mapping[str, str]:
        """New addresses for those of attachments, which Discord lets lapse after a day. Raises `PostingError`."""
        route = Route("POST", "/attachments/refresh-urls")
        with _told("refresh attachments", 0):
            answer = await self._client.http.request(route, json={"attachment_urls": list(urls)})
        try:
            pairs = msgspec.convert(answer, _Refreshed).refreshed_urls
        except msgspec.ValidationError:
            raise PostingError("Discord's answer about attachments cannot be read: there is no picture") from None
        return {one.original: one.refreshed for one in pairs if one.refreshed}

    async def _post(self, channel: int, reply: Reply, reply_to: Posted | None) -> Posted:
        body = body_of(reply)
        # What was taken and not acknowledged is tried again: by its nonce Discord knows it.
        body |= {"nonce": secrets.token_hex(12), "enforce_nonce": True}
        if reply_to is not None:
            body["message_reference"] = {"message_id": str(reply_to.message), "fail_if_not_exists": False}
        route = Route("POST", "/channels/{channel_id}/messages", channel_id=channel)
        try:
            with _told("post", channel):
                said = await self._send(route, reply, body)
        except PostingError as error:
            if error.status:
                raise
            with _told("post", channel):  # the connection was closed at that moment: discord.py gives up at once
                said = await self._send(route, reply, body)
        return Posted(channel, int(said["id"]))

    async def _send(self, route: Route, reply: Reply, body: Json) -> Any:
        if not reply.files:
            return await self._client.http.request(route, json=body)
        # Their content as files: bytes would be written all at once, and a file begins anew when it is tried again.
        files = [discord.File(io.BytesIO(file.content), filename=file.name) for file in reply.files]
        parts = form_of(reply, body)
        contents = [{**part, "value": file.fp} for part, file in zip(parts[1:], files, strict=True)]
        try:
            return await self._client.http.request(route, files=files, form=[parts[0], *contents])
        finally:
            for file in files:
                file.close()


def attachment_origins() -> tuple[str, ...]:
    """Where Discord keeps attachments: what discord.py has for its CDN, and the other name of the same."""
    return str(URL(discord.asset.Asset.BASE).origin()), MEDIA


def _ever_less(reply: Reply, reply_to: Posted | None) -> list[tuple[Reply, Posted | None]]:
    """What to try to say, one after the other: all of it; unspoken, without files and as no reply; without an embed."""
    tries = [(reply, reply_to)]
    if reply.text or reply.embed:
        lesser = msgspec.structs.replace(reply, files=(), is_spoken=False)
        tries += [(lesser, None), (plain(lesser), None)]
    return [one for number, one in enumerate(tries) if not number or one != tries[number - 1]]


@contextmanager
def _told(what: str, channel: int) -> Iterator[None]:
    """Say what went wrong without a word of what was to be said: Discord's own texts quote it."""
    try:
        yield
    except discord.HTTPException as error:
        why = f"status {error.status}, code {error.code}"
        raise PostingError(_SENTENCE.format(what, channel, why), error.status, error.code) from None
    except (aiohttp.ClientError, discord.DiscordException, OSError) as error:
        raise PostingError(_SENTENCE.format(what, channel, type(error).__name__)) from None
