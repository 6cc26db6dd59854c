"""Calls on a member's own chain, where a damaged one holds nobody up: it is deleted, and begun anew.

It is not kept beside: what it has of a member's words nobody could forget any more, and a training reads them again.
"""

import logging
from collections.abc import Awaitable, Callable

from chaffinch.chain.errors import DamagedError, UnknownTenantError
from chaffinch.chain.tenants import Tenants
from chaffinch.chat.book.book import Book
from chaffinch.chat.measures import Measures
from chaffinch.chat.names import own_of

log = logging.getLogger("chaffinch.bot")


class OwnChains:
    """Those of all guilds."""

    def __init__(self, book: Book, tenants: Tenants, measures: Measures) -> None:
        self._book = book
        self._tenants = tenants
        self._measures = measures

    async def call(self, guild: int, user: int, change: Callable[[str], Awaitable[object]]) -> int:
        """What a call counted on the chain of that tenant; 0 if there is none. Raises what the call does, but for
        damage.
        """
        tenant = own_of(guild, user)
        for is_last in (False, True):
            try:
                counted = await change(tenant)
            except UnknownTenantError:
                return 0
            except DamagedError:
                if is_last:
                    raise
                await self._begin_anew(guild, user)
            else:
                break
        return counted if isinstance(counted, int) else 0

    async def _begin_anew(self, guild: int, user: int) -> None:
        """Noted first, so that the member is told also after a kill."""
        was_lost = self._book.is_own_lost(guild, user)
        await self._book.set_own_lost(guild, user, True)
        if await self._tenants.remove_damaged(own_of(guild, user)):
            self._measures.own_lost()
            log.warning("bot.own_chain_damaged guild=%d user=%d: it is deleted, and begun anew", guild, user)
        else:
            await self._book.set_own_lost(guild, user, was_lost)
