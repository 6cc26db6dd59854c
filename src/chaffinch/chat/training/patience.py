"""Asking again what may yet succeed, for as long as it takes: a history is given up by its readers alone."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, TypeVar

from chaffinch.chain.errors import UnknownTenantError
from chaffinch.chat.training.source import FaultError
from chaffinch.errors import ChaffinchError

T = TypeVar("T")

FIRST_SECONDS: Final = 0.5
"""discord.py has already waited for what Discord's rate limits ask, and tried five times where the server failed."""

LONGEST_SECONDS: Final = 60.0


async def patiently(ask: Callable[[], Awaitable[T]], told: Callable[[str], None]) -> T:
    """The first answer that is no `FaultError`. `told` gets the reason of each of them, and nothing once it is over.

    The waits double with jitter, up to a minute.
    """
    pause = FIRST_SECONDS
    while True:
        try:
            answer = await ask()
        except FaultError as fault:
            told(fault.reason)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(LONGEST_SECONDS, pause * 2)
        else:
            told("")
            return answer


@contextlib.contextmanager
def chain_faults() -> Iterator[None]:
    """What a chain or the book cannot do just now (a full disk, a full queue, another writer) is waited for as well.

    That there is no chain stays an `UnknownTenantError`.
    """
    try:
        yield
    except UnknownTenantError:
        raise
    except ChaffinchError as error:
        raise FaultError(str(error)) from None
