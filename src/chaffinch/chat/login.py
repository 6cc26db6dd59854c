"""Logging in: what is worth trying again, and what somebody has to put right first."""

import asyncio
import logging
from contextlib import suppress
from typing import Final

import aiohttp
import discord
from discord.backoff import ExponentialBackoff
from discord.utils import MISSING

from chaffinch.chat.token import PORTAL
from chaffinch.errors import ChaffinchError, InputError, RunError

AUTHENTICATION_FAILED: Final = 4004
"""The gateway's code for a token that it refuses."""

SHARDING_REQUIRED: Final = 4011
"""The gateway's code for a bot in more servers than one connection is given, which are about 2,500."""

BUSY: Final = frozenset((408, 429))
"""HTTP's: not now. 429 is what an address gets that Discord shuts out for up to an hour."""

REFUSED: Final = (
    f"Discord refuses the token: copy it anew from the page Bot of your application ({PORTAL}); Reset Token there"
    " gives another one"
)

log = logging.getLogger("chaffinch.bot")


async def log_in(client: discord.Client, token: str, stopping: asyncio.Event) -> bool:
    """Log in, trying again while Discord cannot be reached; whether that was done before it was to stop.

    Raises `InputError` for a token that is refused and for an application that may not read messages, `RunError` if
    Discord does not let the bot in for another reason.
    """
    pauses = ExponentialBackoff[bool]()
    while not stopping.is_set():
        try:
            await client.login(token)
        except discord.LoginFailure:
            raise InputError(REFUSED) from None
        except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
            reason = f"status {error.status}" if isinstance(error, discord.HTTPException) else type(error).__name__
            if isinstance(error, discord.HTTPException) and error.status < 500 and error.status not in BUSY:
                raise RunError(f"Discord does not let the bot in ({reason}): see https://discordstatus.com") from None
            await _begin_anew(client)
            pause = pauses.delay()
            log.warning("bot.not_connected reason=%s again_in_s=%.1f", reason, pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), pause)
        else:
            application = client.application
            assert application is not None
            if not (application.flags.gateway_message_content or application.flags.gateway_message_content_limited):
                raise unread(client)
            return True
    return False


def refusal(client: discord.Client, error: discord.DiscordException) -> ChaffinchError:
    """What it means that the gateway closed the connection for good."""
    if isinstance(error, discord.PrivilegedIntentsRequired):
        return unread(client)
    code = error.code if isinstance(error, discord.ConnectionClosed) else 0
    if code == AUTHENTICATION_FAILED:
        return InputError(REFUSED)
    if code == SHARDING_REQUIRED:
        return RunError(
            "the bot is in more servers than Discord serves over one connection (about 2,500), and it has only one:"
            " take it out of some, or run a second application for them"
        )
    return RunError(f"Discord closed the connection for good (code {code}): see https://discordstatus.com")


def unread(client: discord.Client) -> InputError:
    """The bot sees messages without their text: what to do about it."""
    return InputError(
        "the bot may not read messages: switch on Message Content Intent under Privileged Gateway Intents at"
        f" {PORTAL}/{client.application_id}/bot and start again (a bot in 100"
        " servers or more has to ask Discord for it there)"
    )


async def _begin_anew(client: discord.Client) -> None:
    """discord.py begins a session of HTTP with each login, and does not end the one before."""
    await client.http.close()
    client.http.connector = MISSING
