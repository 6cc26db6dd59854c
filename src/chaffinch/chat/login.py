"""Logging in: what is worth trying again, and what somebody has to put right first."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, NoReturn

import aiohttp
import discord
from discord.backoff import ExponentialBackoff
from discord.http import Route
from discord.utils import MISSING

from chaffinch.chat.token import PORTAL
from chaffinch.errors import InputError, RunError

UNAUTHORIZED: Final = 401
"""HTTP's, and so Discord's, for a token that is not taken."""

AUTHENTICATION_FAILED: Final = 4004
"""The gateway's code for a token that it refuses."""

SHARDING_REQUIRED: Final = 4011
"""The gateway's code for a bot in more servers than one connection is given, which are about 2,500."""

BUSY: Final = frozenset((408, 429))
"""HTTP's: not now. 429 is what an address gets that Discord shuts out for minutes to an hour: it passes, and who ends
because of it and is started again by a service manager makes it last longer.
"""

REFUSED: Final = (
    f"Discord refuses the token: copy it anew from the page Bot of your application ({PORTAL}); Reset Token there"
    " gives another one"
)

CHECK_SECONDS: Final = 60.0
"""How long it rests after an answer that said the token is not taken, where another one did not say so too."""

log = logging.getLogger("chaffinch.bot")


class TokenRefusedError(InputError):
    """Discord takes the token not, or no more."""

    def __init__(self) -> None:
        super().__init__(REFUSED)


class OneLine(logging.Filter):
    """On discord.py's log: a network that is down is no fault of anybody here, and needs no traceback each time that it
    is tried again.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass the record, with the kind of the error in the place of its traceback."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, OSError | TimeoutError | aiohttp.ClientError | discord.ConnectionClosed):
            record.msg, record.args = f"{record.getMessage()} ({type(error).__name__})", None
            record.exc_info = record.exc_text = None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


async def log_in(client: discord.Client, token: str, stopping: asyncio.Event) -> bool:
    """Log in, trying again while Discord cannot be reached; whether that was done before it was to stop.

    Raises `InputError` for a token that is refused and for an application that may not read messages, `RunError` if
    Discord does not let the bot in for another reason.
    """
    pauses = ExponentialBackoff[bool]()
    while not stopping.is_set():
        try:
            if not await _unless(stopping, client.login(token)):
                return False
        except discord.LoginFailure:
            raise TokenRefusedError from None
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


def noting(unauthorized: asyncio.Event) -> aiohttp.TraceConfig:
    """For discord.py's session: sets the event at each answer that says that the token is not taken."""

    async def ended(_: aiohttp.ClientSession, __: object, told: aiohttp.TraceRequestEndParams) -> None:
        if told.response.status == UNAUTHORIZED:
            unauthorized.set()

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(ended)
    return trace


async def until_refused(client: discord.Client, unauthorized: asyncio.Event) -> NoReturn:
    """Of a token that is revoked the gateway tells as well, if it is heard; what is asked meanwhile is all in vain.

    Raises `TokenRefusedError` once the bot itself is unknown too: a single answer may have been about something else.
    """
    while True:
        await unauthorized.wait()
        try:
            await client.http.request(Route("GET", "/users/@me"))
        except discord.HTTPException as error:
            if error.status == UNAUTHORIZED:
                raise TokenRefusedError from None
        except (aiohttp.ClientError, OSError, TimeoutError, RuntimeError):
            pass  # it is asked again as soon as anything else is
        await asyncio.sleep(CHECK_SECONDS)
        unauthorized.clear()


def refusal(client: discord.Client, error: discord.DiscordException) -> InputError:
    """What it means that the gateway closed the connection for good. Starting again mends none of it, and a bot that
    does so a thousand times a day has its token reset by Discord (docs, "Session Start Limit").
    """
    if isinstance(error, discord.PrivilegedIntentsRequired):
        return unread(client)
    code = error.code if isinstance(error, discord.ConnectionClosed) else 0
    if code == AUTHENTICATION_FAILED:
        return TokenRefusedError()
    if code == SHARDING_REQUIRED:
        return InputError(
            "the bot is in more servers than Discord serves over one connection (about 2,500), and it has only one:"
            " take it out of some, or run a second application for them"
        )
    return InputError(
        f"Discord closed the connection for good (code {code}), as it does with programs that are too old for it:"
        " upgrade chaffinch and discord.py"
    )


def unread(client: discord.Client) -> InputError:
    """The bot sees messages without their text: what to do about it."""
    return InputError(
        "the bot may not read messages: switch on Message Content Intent under Privileged Gateway Intents at"
        f" {PORTAL}/{client.application_id}/bot and start again (a bot in 100"
        " servers or more has to ask Discord for it there)"
    )


async def _unless(stopping: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Await it; whether it was done before it was to stop, which does not wait for a network that swallows all."""
    task, waiting = asyncio.ensure_future(work), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            return False
        task.result()
        return True
    finally:
        waiting.cancel()
        task.cancel()
        await asyncio.wait((task,))


async def _begin_anew(client: discord.Client) -> None:
    """discord.py begins a session of HTTP with each login, and does not end the one before."""
    await client.http.close()
    client.http.connector = MISSING
