"""Which roles members have, asked of Discord's gateway: up to a hundred of them at once, by their ids.

Opcode 8, Request Guild Members. By id it needs no privileged intent, as a list of all members would
(https://discord.com/developers/docs/events/gateway-events#request-guild-members). discord.py's `query_members` keeps
what the gateway says of who is no member to itself, and cannot tell that from no answer at all.
"""

import asyncio
import secrets
import time
from collections.abc import Collection, Mapping
from typing import Any, Final

import aiohttp
import discord

MOST_AT_ONCE: Final = 100
"""The most ids that one request may have."""

ANSWER_SECONDS: Final = 10.0
"""How long an answer is waited for, once it is asked for: Discord says what it knows, in a few parts of a second."""

AGAIN_SECONDS: Final = 60.0
"""After no answer came, nothing is asked of the gateway for so long."""

Roles = dict[int, frozenset[int] | None]


class _Answer:
    """What came of one request until now."""

    def __init__(self) -> None:
        self.roles: Roles = {}
        self.is_whole = asyncio.Event()


class Members:
    """The members of all guilds. What is sent stays within the gateway's 120 sends a minute: discord.py waits."""

    def __init__(self, client: discord.Client) -> None:
        self._client = client
        self._asked: dict[str, _Answer] = {}
        self._silent_until = 0.0

    async def roles(self, guild: int, users: Collection[int]) -> Roles:
        """The roles of these, at most `MOST_AT_ONCE`, and None of who is no member. Whom the gateway says nothing of is
        not among them; that may be all of them: the bot is not connected, or Discord is slow.
        """
        ws: Any = self._client.ws  # None before the first connection, whatever its type says
        is_there = ws is not None and ws.open and self._client.get_guild(guild) is not None
        if not is_there or time.monotonic() < self._silent_until:
            return {}
        nonce, answer = secrets.token_hex(16), _Answer()
        self._asked[nonce] = answer
        try:
            await ws.request_chunks(guild, user_ids=list(users), limit=MOST_AT_ONCE, nonce=nonce)
            async with asyncio.timeout(ANSWER_SECONDS):
                await answer.is_whole.wait()
        except (discord.DiscordException, aiohttp.ClientError, OSError):  # TimeoutError is one of the last
            self._silent_until = time.monotonic() + AGAIN_SECONDS
        finally:
            del self._asked[nonce]
        return {user: answer.roles[user] for user in users if user in answer.roles}

    def told(self, chunk: Mapping[str, Any]) -> None:
        """The gateway answers: GUILD_MEMBERS_CHUNK, one of several perhaps."""
        answer = self._asked.get(chunk.get("nonce", ""))
        if answer is None:
            return
        answer.roles |= {int(one["user"]["id"]): frozenset(map(int, one["roles"])) for one in chunk["members"]}
        answer.roles |= dict.fromkeys(map(int, chunk.get("not_found", ())), None)
        if chunk["chunk_index"] + 1 == chunk["chunk_count"]:
            answer.is_whole.set()
