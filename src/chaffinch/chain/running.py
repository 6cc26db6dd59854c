"""Calls on chains that are opened on demand: on the threads of a pool, with what is due merged behind them."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from chaffinch.chain.aside import aside
from chaffinch.chain.engine import Chain
from chaffinch.chain.measures import Measures
from chaffinch.chain.names import check_tenant
from chaffinch.chain.open_chains import OpenChains
from chaffinch.chain.pool import Pool
from chaffinch.chain.results import Options
from chaffinch.chain.slot import Slot
from chaffinch.config import ChainSettings
from chaffinch.errors import ChaffinchError
from chaffinch.metrics import memory
from chaffinch.metrics.registry import Registry

log = logging.getLogger("chaffinch.chain")

T = TypeVar("T")

MERGE_AGAIN_SECONDS: Final = 30.0
"""After a background merge that failed, the next one of that tenant waits so long, and twice as long each time."""

MERGE_AGAIN_LIMIT: Final = 1800.0
"""The longest of these waits."""

MERGE_REST: Final = 10
"""A chain that counts who said what is merged whenever it learned something: it rests that many times what its last
merge took. One that is due right after a merge rests once as long."""


BEHIND: Final = 0.5
"""Who learns much at once waits for a merge while so much of what a segment may take is learned and not merged: at
least twice what makes a merge due.
"""


def most_long(threads: int) -> int:
    """How many long calls, such as trainings and merges, run at once on that many threads."""
    return max(1, threads // 2)


class Ran:
    """How a call went: 0 nanoseconds if it never ran."""

    __slots__ = ("error", "ns", "result")

    def __init__(self) -> None:
        self.ns = 0
        self.result: Any = None
        self.error: BaseException | None = None


class Running:
    """The open chains of a state directory, and the calls that run on them."""

    def __init__(self, state: Path, pool: Pool, settings: ChainSettings, registry: Registry | None) -> None:
        self._pool = pool
        self._behind_bytes = int(settings.segment_memory * BEHIND)
        self._chains = OpenChains(state, pool, settings)
        self._measures = Measures(registry or pool.registry)
        self._measures.show(self._chains)
        self._most_long = most_long(pool.threads)
        self._long = asyncio.Semaphore(self._most_long)
        """Long calls take at most half of the threads, so that short ones go on beside them."""

    async def caught_up(self, tenant: str, *, anew: bool = False) -> None:
        """Wait while the tenant's chain, or the one `anew`, is merged and has learned too much meanwhile (`BEHIND`).

        For who learns much at once and has time: others go on learning meanwhile. A merge that fails ends the wait.
        """
        slot = self._chains.found(tenant, anew=anew)
        while slot is not None and slot.unmerged > self._behind_bytes:
            if slot.merging is None or slot.merging.done():
                return
            await asyncio.wait((slot.merging,))

    async def _run(
        self,
        tenant: str,
        operation: str,
        call: Callable[[Chain], T],
        *,
        long: bool = False,
        size: int = 0,
        write: bool = False,
        create: Options | None = None,
        anew: bool = False,
        wait: bool = False,
        account: Callable[[Ran], None] | None = None,
    ) -> T:
        check_tenant(tenant)
        if long:
            await self._begin_long(wait)
        try:
            slot = await self._chains.acquire(tenant, write=write, create=create, wait=wait, anew=anew)
        except BaseException:
            if long:
                self._long.release()
            raise
        return await self._on([slot], operation, tenant, lambda: call(slot.open_chain), size, wait, account, long=long)

    async def _begin_long(self, wait: bool) -> None:
        if self._long.locked() and not wait:
            raise self._pool.refusal(f"{self._most_long} long calls, such as trainings and merges, run already")
        await self._long.acquire()

    async def _on(
        self,
        slots: Sequence[Slot],
        operation: str,
        tenant: str,
        call: Callable[[], T],
        size: int,
        wait: bool,
        account: Callable[[Ran], None] | None,
        *,
        long: bool = False,
    ) -> T:
        """Run a call on chains that are held, and give them back when it has ended, whoever awaits it."""
        ran = Ran()

        def work() -> T:
            started = time.perf_counter_ns()
            try:
                ran.result = result = aside(call) if long else call()
            except BaseException as error:
                ran.error = error
                raise
            else:
                return result
            finally:
                ran.ns = time.perf_counter_ns() - started
                for slot in slots:
                    slot.measure()
                if operation in ("merge", "train"):
                    memory.give_back()  # what was merged leaves free pages here and there

        def ended() -> None:
            if long:
                self._long.release()
            learns, learned = operation in ("add", "train"), ran.result is not None
            try:
                if ran.ns and account is not None:
                    account(ran)
            finally:
                ran.result = ran.error = None  # whose traceback leads here
                for slot in slots:
                    slot.unheard |= slot.counts_support and learned and operation == "add"
                    slot.made &= not (learns and learned)
                    if slot.made and slot.users == 1:  # what was to be learned was refused: it goes with this call
                        self._chains.retire(slot)
                    self._merge_behind(slot)
                    self._chains.release(slot)

        return await self._pool.submit(
            work, operation=operation, tenant=tenant, size=size, wait=wait, ended=ended, long=long
        )

    def _merge_behind(self, slot: Slot) -> None:
        """Merge a chain in the background if it is due: now, or when it may be."""
        if slot.leaves or not slot.is_due or slot.merge_after == math.inf:
            return
        pause = slot.merge_after - time.monotonic()
        slot.merge_after = math.inf
        if pause > 0:
            asyncio.get_running_loop().call_later(pause, self._merge_now, slot)
        else:
            self._merge_now(slot)

    def _merge_now(self, slot: Slot) -> None:
        if not slot.leaves:
            slot.users += 1
            slot.merging = self._chains.spawn(self._merge(slot), f"merge chain {slot.tenant}")

    async def _merge(self, slot: Slot) -> None:
        """With the chain held, which the merge gives back."""

        def account(ran: Ran) -> None:
            self._measures.merged(ran.ns, ran.error)
            if ran.error is None:
                rest = 1 if slot.wants_merge else MERGE_REST if slot.counts_support else 0
                slot.merges_failed, pause = 0, rest * ran.ns / 1e9
            else:
                slot.unheard = slot.counts_support
                pause = min(MERGE_AGAIN_LIMIT, MERGE_AGAIN_SECONDS * 2**slot.merges_failed)
                slot.merges_failed += 1
            slot.merge_after = time.monotonic() + pause

        await self._long.acquire()
        if slot.leaves:  # it is merged when it is closed, if that is worth it
            self._long.release()
            self._chains.release(slot)
            return
        slot.unheard = False
        merge, tenant = slot.open_chain.merge, slot.tenant
        try:
            await self._on([slot], "merge", tenant, merge, slot.memory, True, account, long=True)
        except ChaffinchError as error:  # nothing is lost: what was not merged is in the log
            log.warning("chain not merged: tenant=%s error=%s", tenant, error)
