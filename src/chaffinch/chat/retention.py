"""What is forgotten without anybody asking at that moment: old messages, guilds that were left, what was put off."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias, TypedDict

from chaffinch.chain import Tenants, UnknownTenantError, places
from chaffinch.chat.book.book import Book
from chaffinch.chat.measures import Measures
from chaffinch.chat.names import own_of, owns_in, tenant_of
from chaffinch.chat.own_chains import OwnChains
from chaffinch.chat.privacy import finish_forgetting
from chaffinch.config import BotSettings
from chaffinch.errors import ChaffinchError

log = logging.getLogger("chaffinch.bot")

Duty: TypeAlias = Literal["forgetting", "retention", "deletion"]

Key: TypeAlias = tuple[Duty, int, int]
"""What is to be done, in which guild, for which member (0: for none)."""

LOOK_SECONDS: Final = 60.0
"""How often the keeper looks whether something is due."""

LOOKS: Final = 360
"""In so many looks (six hours) all guilds' chains are looked through: not at once, since each is held open then."""

DAY_MS: Final = 86_400_000

AGAIN_MS: Final = 60_000
"""After a failure a duty waits so long, and twice as long each time."""

AGAIN_LIMIT_MS: Final = 3_600_000
"""The longest of these waits."""


class _What(TypedDict, total=False):
    author: str
    before: datetime


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Keeper:
    """Keeps what was promised. One duty after the other, so that it takes little from who talks.

    What cannot be done, since another process writes a chain or the disk is full, is logged, counted, and tried again.
    """

    def __init__(
        self,
        book: Book,
        tenants: Tenants,
        settings: BotSettings,
        measures: Measures,
        *,
        now_ms: Callable[[], int] = _now_ms,
    ) -> None:
        self._book = book
        self._tenants = tenants
        self._leave_ms = int(settings.leave_days * DAY_MS)
        self._measures = measures
        self._own = OwnChains(book, tenants, measures)
        self._now_ms = now_ms
        self._failed: dict[Key, tuple[int, int]] = {}
        """How often a duty failed, and when it is tried again."""
        measures.duties(lambda: len(book.forgettings()))

    async def run(self, stopping: asyncio.Event) -> None:
        """Look every minute, until `stopping` is set; a duty that was begun is ended."""
        while not stopping.is_set():
            await self.keep(stopping)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), LOOK_SECONDS)

    async def keep(self, stopping: asyncio.Event | None = None) -> None:
        """Do all that is due now."""
        known = list(self._due())
        self._failed = {key: failed for key, failed in self._failed.items() if key in known}
        left = 1 + len(self._book.guilds()) // LOOKS
        for key in known:
            if stopping is not None and stopping.is_set():
                return
            if self._failed.get(key, (0, 0))[1] > self._now_ms():
                continue
            if key[0] == "retention":
                if not left:
                    return
                left -= 1
            await self._try(key)

    def _due(self) -> Iterator[Key]:
        now = self._now_ms()
        for due in self._book.forgettings():
            yield "forgetting", due.guild, due.user
        staying: list[tuple[int, int]] = []
        for guild in self._book.guilds():
            left_ms, kept_ms = self._book.left_at(guild), self._book.kept_at(guild)
            if left_ms is not None and now - left_ms >= self._leave_ms:
                yield "deletion", guild, 0
            elif kept_ms is None or not 0 <= now - kept_ms < DAY_MS:
                staying.append((kept_ms or 0, guild))
        for _, guild in sorted(staying):
            yield "retention", guild, 0

    async def _try(self, key: Key) -> None:
        duty, guild, user = key
        try:
            if duty == "forgetting":
                self._count(guild, await finish_forgetting(self._book, self._tenants, guild, user))
            elif duty == "deletion":
                await self._delete(guild)
            else:
                await self._retain(guild)
        except ChaffinchError as error:
            times = self._failed.get(key, (0, 0))[0]
            pause = min(AGAIN_LIMIT_MS, AGAIN_MS * 2**times)
            self._failed[key] = (times + 1, self._now_ms() + pause)
            self._measures.put_off(duty)
            log.warning("bot.put_off duty=%s guild=%d again_s=%d error=%s", duty, guild, pause // 1000, error)
        else:
            self._failed.pop(key, None)

    async def _retain(self, guild: int) -> None:
        """Forget what is older than the guild keeps, and what an import brought of members who are out.

        What else was forgotten since, such as deleted messages, is then off the disk too.
        """
        days, tenant = self._book.settings(guild).retention_days, tenant_of(guild)
        old: list[_What] = []
        if days:
            old = [{"before": datetime.fromtimestamp(self._now_ms() / 1000, UTC) - timedelta(days=days)}]
        for owner in sorted(self._book.owners_of_chains(guild)):  # first: the guild's may be damaged
            await self._forget(own_of(guild, owner), old, anew=True)
            await self._own.call(guild, owner, lambda own: self._forget(own, old))
        out: list[_What] = [{"author": str(user)} for user in sorted(self._book.opted_out(guild))]
        anew = await self._forget(tenant, out + old, anew=True)
        self._count(guild, max(anew, await self._forget(tenant, out + old)))
        await self._book.set_kept(guild, self._now_ms())

    async def _forget(self, tenant: str, all_of: Sequence[_What], *, anew: bool = False) -> int:
        """Forget in one chain, which may not be there, and merge it if anything is forgotten and still on the disk."""
        tenants, forgotten = self._tenants, 0
        with contextlib.suppress(UnknownTenantError):
            for what in all_of:
                forgotten += await tenants.forget(tenant, **what, anew=anew, wait=True)
            if (await tenants.stats(tenant, anew=anew, wait=True)).forgotten:
                await tenants.merge(tenant, anew=anew, wait=True)
        return forgotten

    async def _delete(self, guild: int) -> None:
        """Chains first, the book last: who is killed in between goes on."""
        async with self._book.turn(guild):
            if self._book.left_at(guild) is None:
                return
            due = {one.user for one in self._book.forgettings() if one.guild == guild}
            owns = {own_of(guild, user) for user in due | self._book.owners_of_chains(guild)}  # some are only anew
            for tenant in (*sorted(owns.union(owns_in(guild, await self._tenants.list()))), tenant_of(guild)):
                with contextlib.suppress(UnknownTenantError):
                    await self._tenants.remove(tenant)
            training = self._book.training(guild)
            if training is not None and training.file:
                with places.reported(file := self._tenants.state / training.file):
                    file.unlink(missing_ok=True)
            await self._book.drop_guild(guild)
        self._measures.guild_deleted()
        log.info("bot.guild_deleted guild=%d", guild)

    def _count(self, guild: int, forgotten: int) -> None:
        if forgotten:
            self._measures.forgotten(guild, forgotten)
            log.info("bot.kept guild=%d forgotten=%d", guild, forgotten)
