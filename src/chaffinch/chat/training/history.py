"""A guild's history from Discord, by discord.py's REST client and so within its rate limits; its members' roles by the
gateway, where that answers.

Pages stay what the JSON is: a `discord.Message` costs more than learning it.
"""

import asyncio
from collections.abc import Collection, Coroutine, Mapping, Sequence
from typing import Any, Final

import aiohttp
import discord
from discord.http import Route

from chaffinch.chat.members import Members
from chaffinch.chat.seen import Place
from chaffinch.chat.training.source import PAGE, Archived, FaultError, Raw, RefusedError, Room

FORUMS: Final = frozenset({15, 16})
"""Kinds of channel that hold nothing but posts: forum and media (API reference, "Channel Types")."""

ANSWER_SECONDS: Final = 60.0
"""How long one request may take, without the waits that rate limits ask for."""


class DiscordHistory:
    """The `History` of a client that has logged in."""

    def __init__(self, client: discord.Client, members: Members) -> None:
        self._http = client.http
        self._members = members
        self._timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        self._asked: set[asyncio.Task[Any]] = set()

    async def rooms(self, guild: int) -> list[Room]:
        """The guild's channels."""
        said = await self._get(list, "/guilds/{guild_id}/channels", guild_id=guild)
        return [Room(int(one["id"]), str(one.get("name", "")), one.get("type") in FORUMS) for one in said]

    async def page(self, channel: int, before: int) -> Sequence[Raw]:
        """The 100 messages below an id, the newest first."""
        asked = {"limit": PAGE, "before": before}
        page: list[Raw] = await self._get(list, "/channels/{channel_id}/messages", asked, channel_id=channel)
        return page

    async def active(self, guild: int) -> list[Place]:
        """The guild's threads that are not archived and that the bot may see."""
        said = await self._get(dict, "/guilds/{guild_id}/threads/active", guild_id=guild)
        return [_thread(one) for one in said.get("threads", ())]

    async def archived(self, channel: int, *, private: bool, before: str = "") -> Archived:
        """A page of a channel's archived threads; of the private ones those that the bot is in, if it may see no
        others.
        """
        asked: dict[str, str | int] = {"limit": PAGE} | ({"before": before} if before else {})
        if not private:
            path = "/channels/{channel_id}/threads/archived/public"
        elif before and before.isdecimal():  # the threads that it is in are paged by id, the others by time
            path = _JOINED
        else:
            path = "/channels/{channel_id}/threads/archived/private"
        try:
            said = await self._get(dict, path, asked, channel_id=channel)
        except RefusedError as error:
            if not private or before or error.reason != "403":
                raise
            path = _JOINED
            said = await self._get(dict, path, asked, channel_id=channel)
        threads = said.get("threads", ())
        return Archived(tuple(map(_thread, threads)), _next(threads, path) if said.get("has_more") else "")

    async def members(self, guild: int, users: Collection[int]) -> Mapping[int, frozenset[int] | None]:
        """The roles of up to 100 members, None of who is none; whom the gateway says nothing of is not among them."""
        return await self._members.roles(guild, users)

    async def roles(self, guild: int, user: int) -> frozenset[int] | None:
        """A member's roles; None of who is no member."""
        try:
            said = await self._get(dict, "/guilds/{guild_id}/members/{member_id}", guild_id=guild, member_id=user)
        except RefusedError as error:
            if error.reason != "404":
                raise
            return None
        return frozenset(map(int, said.get("roles", ())))

    async def _get(self, kind: type, path: str, asked: Mapping[str, str | int] | None = None, /, **places: int) -> Any:
        route = Route("GET", path, metadata=None, **places)
        try:
            said = await self._whole(self._http.request(route, params=asked or {}, timeout=self._timeout))
        except discord.HTTPException as error:
            raise _judged(error.status) from None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, RuntimeError, discord.RateLimited) as error:
            raise FaultError(_word(error)) from None
        if not isinstance(said, kind):
            raise FaultError("an answer that is not JSON")
        return said

    async def _whole(self, request: Coroutine[Any, Any, Any]) -> Any:
        """The answer to a request that goes on when its caller is cancelled: discord.py keeps a rate limit that was
        left in the middle for used up, and holds the next request back for half a minute.
        """
        task = asyncio.create_task(request, name="history request")
        self._asked.add(task)
        task.add_done_callback(self._answered)
        return await asyncio.shield(task)

    def _answered(self, task: asyncio.Task[Any]) -> None:
        self._asked.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked may be gone


_JOINED: Final = "/channels/{channel_id}/users/@me/threads/archived/private"


def _thread(raw: Raw) -> Place:
    return Place(int(raw["id"]), str(raw.get("name", "")), int(raw["parent_id"]))


def _next(threads: Sequence[Raw], path: str) -> str:
    if not threads:
        return ""
    last = threads[-1]
    return str(last["id"]) if path is _JOINED else str(last["thread_metadata"]["archive_timestamp"])


def _judged(status: int) -> RefusedError | FaultError:
    """Who may not, or asks for what is gone, need not ask again. A token that is no longer taken may be replaced."""
    is_final = 400 <= status < 500 and status not in (401, 408, 429)
    return RefusedError(status) if is_final else FaultError(f"Discord answers {status}")


def _word(error: BaseException) -> str:
    if isinstance(error, asyncio.TimeoutError):
        return "no answer in time"
    if isinstance(error, ValueError | aiohttp.ClientPayloadError):
        return "an answer that was cut off"
    if isinstance(error, discord.RateLimited):
        return "rate limited"
    return "no connection to Discord"
