"""The chains that are open now: an LRU under a cap of bytes, a cap of their number, and an age without use.

Until the slot of a tenant is gone nobody opens its chain again, so that there is never a second one. It is closed only
when nothing uses it. Everything here runs on one event loop; what takes time runs in the pool.
"""

import asyncio
import collections
import contextlib
import logging
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Final

from chaffinch.chain import swap
from chaffinch.chain.engine import Chain
from chaffinch.chain.errors import UnknownTenantError
from chaffinch.chain.names import MANIFEST, directory_of
from chaffinch.chain.places import reported, still
from chaffinch.chain.pool import Pool
from chaffinch.chain.results import Options
from chaffinch.chain.slot import MOVES, Slot, State, key_of
from chaffinch.config import ChainSettings
from chaffinch.errors import ChaffinchError, RunError

log = logging.getLogger("chaffinch.chain")

BASE_BYTES: Final = 24 << 10
"""What an open chain is counted with besides its `memory_bytes`: tables of its files, locks, Python objects. Measured:
1 KB of private memory for an empty chain, 15 KB for one with a small segment; the rest is what an allocator has lying
about when chains come and go (`bench/chain_tenants.py`)."""

READER_SECONDS: Final = 1.0
"""A chain that another process writes is shown as it was at most so long ago."""

MERGE_AT_CLOSE: Final = 1 << 20
"""A chain of which so many bytes in memory are not merged is merged before it is evicted: opening it would read its log
again."""

SWEEP_SECONDS: Final = 30.0
"""How often chains without use are looked for at least."""


class OpenChains:
    """Opens chains on demand and closes them again. `hits`, `misses`, `evicted` and `expired` only grow."""

    def __init__(self, state: Path, pool: Pool, settings: ChainSettings) -> None:
        self._state = state
        self._pool = pool
        self._settings = settings
        self._slots: collections.OrderedDict[str, Slot] = collections.OrderedDict()
        """By key, the least recently used first."""
        self._in: collections.Counter[State] = collections.Counter()
        """How many slots are in each state."""
        self._line: collections.deque[Slot] = collections.deque()
        """Those that wait for room, in order."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.Task[None] | None = None
        self._closed = False
        self.bytes = 0
        """What chains that are open and not closing are counted with."""
        self.hits = 0
        self.misses = 0
        self.evicted = 0
        self.expired = 0

    def __len__(self) -> int:
        """Chains that are open, or being opened or closed."""
        return self._in[State.OPENING] + self._in[State.OPEN] + self._in[State.CLOSING]

    @property
    def hit_ratio(self) -> float:
        """The share of hits among all that asked, 0 to 1; 0 before anybody did."""
        return self.hits / max(1, self.hits + self.misses)

    async def acquire(
        self,
        tenant: str,
        *,
        write: bool = False,
        create: Options | None = None,
        wait: bool = False,
        beside: bool = False,
        anew: bool = False,
    ) -> Slot:
        """The tenant's open chain, or the one that is made `anew`, kept open until `release`.

        It is open for writing, or, unless `write`, for reading when it cannot be written, such as when another process
        does. Whoever holds several acquires them in the order of their names, the others `beside` the first: these do
        not wait for room, so that no two wait for each other. Whoever waits for the chain anew while that is published
        gets the tenant's, which that is then. Raises `UnknownTenantError` if there is no chain and no `create`,
        `LockedError`, and `BusyError` unless `wait`.
        """
        wanted = (write, create is not None, wait)
        missed = False
        while True:
            if self._closed:
                raise RunError("the chains were closed: no more can be asked of them")
            slot = self._slots.get(key_of(tenant, anew=anew))
            if slot is None:
                missed = True
                slot = Slot(tenant, anew=anew, write=write, create=create, wait=wait)
                self._slots[slot.key] = slot
                self._in[State.WAITING] += 1
                self.spawn(self._open(slot, beside), f"open chain {tenant}")
            elif slot.leaves or _is_stale(slot, write):
                self.retire(slot)
                await slot.gone.wait()
                anew &= not slot.published
                continue
            elif beside and slot in self._line:
                self._give_room(slot)
            slot.users += 1
            try:
                await asyncio.shield(slot.opened)
            except asyncio.CancelledError:
                self.release(slot)
                raise
            except ChaffinchError:
                if slot.wants() == wanted:
                    raise
                continue  # whoever began to open it wanted something else
            if write and not slot.writes:
                self.release(slot)
                continue
            self.misses += missed
            self.hits += not missed
            return slot

    def found(self, tenant: str, *, anew: bool) -> Slot | None:
        """The slot of a tenant's chain, or of the one `anew`, if there is one now."""
        return self._slots.get(key_of(tenant, anew=anew))

    def release(self, slot: Slot) -> None:
        """Give a chain back. It is closed now if it had to wait for that."""
        slot.users -= 1
        slot.used_at = time.monotonic()
        if slot.state is State.OPEN:
            self._slots.move_to_end(slot.key)
            self._count(slot, BASE_BYTES + slot.memory)
            self._trim()
        else:
            self._close_unused(slot)

    def retire(self, slot: Slot) -> None:
        """Close a chain as soon as nobody uses it. Nobody new gets it."""
        slot.leaves = True
        if slot.state is State.OPEN:
            self._move(slot, State.CLOSING)
            self._count(slot, 0)
            self._close_unused(slot)

    async def seclude(self, tenant: str, *, anew: bool = False) -> Slot:
        """Close a tenant's chain, or the one anew, and keep everybody from opening it until `readmit`.

        It is not merged before: it is to be moved or thrown away.
        """
        while (slot := self._slots.get(key_of(tenant, anew=anew))) is not None:
            slot.goes = True
            self.retire(slot)
            await slot.gone.wait()
        if self._closed:
            raise RunError("the chains were closed: no more can be asked of them")
        slot = Slot(tenant, anew=anew, state=State.SECLUDED)
        self._slots[slot.key] = slot
        self._in[State.SECLUDED] += 1
        return slot

    def readmit(self, slot: Slot) -> None:
        """The end of a slot: the tenant may be opened again."""
        self._move(slot, State.GONE)
        del self._slots[slot.key]
        slot.gone.set()
        while self._line and len(self) < self._settings.open_chains:
            self._give_room(self._line[0])

    async def close(self) -> None:
        """Close every chain, each as soon as its calls have ended, and end the tasks of this."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for slot in list(self._slots.values()):
            self.retire(slot)
        while self._line:
            turn = self._line.popleft().turn
            if not turn.cancelled():
                turn.set_exception(RunError("the chains were closed before there was room to open another"))
        while self._tasks:
            await asyncio.wait(self._tasks)
        for slot in list(self._slots.values()):
            await slot.gone.wait()

    def spawn(self, running: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        """Run something as a task that `close` waits for."""
        task = asyncio.get_running_loop().create_task(running, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _open(self, slot: Slot, beside: bool) -> None:
        self._sweep_from_now_on()
        try:
            await self._take_room(slot, beside)
            slot.chain = await self._pool.submit(
                lambda: self._open_now(slot), operation="open", tenant=slot.tenant, wait=slot.wait
            )
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                slot.opened.cancel()
            else:
                slot.opened.set_exception(error)
                slot.opened.exception()  # seen: whoever waited may be gone
            self.readmit(slot)
            if isinstance(error, Exception):  # who waits for the chain gets it
                return
            raise
        slot.opened_at = slot.used_at = time.monotonic()
        slot.opened.set_result(None)
        if slot.leaves:
            self._move(slot, State.CLOSING)
            self._close_unused(slot)
        else:
            self._move(slot, State.OPEN)
            self._count(slot, BASE_BYTES + slot.memory)
            self._trim()

    async def _take_room(self, slot: Slot, beside: bool) -> None:
        """Wait until one more may be open; who may not wait waits only for what is being closed anyway."""
        if self._closed:
            raise RunError("the chains were closed: no more can be asked of them")
        self._line.append(slot)
        if beside or len(self) < self._settings.open_chains:
            self._give_room(slot)
        self._trim()
        try:
            if slot in self._line and not slot.wait and len(self._line) > self._in[State.CLOSING]:
                raise self._pool.refusal(f"{len(self)} chains are open and in use")
            await slot.turn
        finally:
            if slot in self._line:
                self._line.remove(slot)

    def _give_room(self, slot: Slot) -> None:
        self._line.remove(slot)
        self._move(slot, State.OPENING)
        if not slot.turn.cancelled():
            slot.turn.set_result(None)

    def _open_now(self, slot: Slot) -> Chain:
        """On a thread."""
        with reported(directory_of(self._state, slot.tenant)):  # what is looked at before the chain itself is
            chain = self._open_anew(slot) if slot.anew else self._open_tenants(slot)
        slot.memory, slot.unmerged = chain.memory_bytes, chain.unmerged_bytes
        slot.counts_support = chain.options.counts_support
        slot.unheard = slot.counts_support and slot.writes and chain.stats().delta_messages > 0
        return chain

    def _open_anew(self, slot: Slot) -> Chain:
        """It stays also if nothing is learned in it: whoever began it says what becomes of it."""
        slot.writes = True
        if slot.create is not None:
            with swap.begun(self._state, slot.tenant) as beside:
                return self._written(beside, slot)
        if not swap.is_anew(self._state, slot.tenant):
            raise UnknownTenantError(f"no chain is made anew for the tenant {slot.tenant}: add messages to one first")
        with swap.begun(self._state, slot.tenant) as beside:
            return self._written(beside, slot)

    def _written(self, directory: Path, slot: Slot) -> Chain:
        settings = self._settings
        return Chain.open(
            directory,
            write=True,
            create=slot.create,
            names=settings.names,
            segment_memory=settings.segment_memory,
        )

    def _open_tenants(self, slot: Slot) -> Chain:
        directory, absent = directory_of(self._state, slot.tenant), False
        try:
            with swap.settled(self._state, slot.tenant, make=slot.create is not None):
                absent = not (directory / MANIFEST).is_file()
                chain = self._written(directory, slot)
            slot.writes, slot.made = True, absent
        except UnknownTenantError:
            raise UnknownTenantError(f"there is no chain of the tenant {slot.tenant}: add messages first") from None
        except RunError:  # somebody else writes it, or the disk is full: it can speak still
            if absent:
                self._unmake(slot.tenant, directory)
            if slot.write:
                raise
            with still(self._state, slot.tenant):
                chain = Chain.open(directory)
        return chain

    def _unmake(self, tenant: str, directory: Path) -> None:
        """Of a chain whose making was refused nothing stays, unless somebody else went on with it."""
        with contextlib.suppress(ChaffinchError), swap.held(self._state, tenant):
            with Chain.open(directory) as chain:
                empty = _is_empty(chain)
            if empty:
                swap.withdraw(self._state, tenant)

    def _trim(self) -> None:
        """Close the least recently used chains until both caps hold, or all that are open are in use."""
        while self.bytes > self._settings.memory or (
            self._in[State.WAITING] + self._in[State.OPENING] + self._in[State.OPEN] > self._settings.open_chains
        ):
            idle = next((one for one in self._slots.values() if one.is_idle), None)
            if idle is None:
                return
            self.evicted += 1
            self.retire(idle)

    def _move(self, slot: Slot, state: State) -> None:
        assert state in MOVES[slot.state], f"a slot that is {slot.state.value} cannot be {state.value}"
        self._in[slot.state] -= 1
        self._in[state] += 1
        slot.state = state

    def _count(self, slot: Slot, now: int) -> None:
        self.bytes += now - slot.counted
        slot.counted = now

    def _close_unused(self, slot: Slot) -> None:
        if slot.state is State.CLOSING and slot.users == 0 and slot.chain is not None:
            self.spawn(self._close(slot, slot.chain), f"close chain {slot.tenant}")

    async def _close(self, slot: Slot, chain: Chain) -> None:
        much = slot.unmerged >= MERGE_AT_CLOSE or slot.unheard
        merge = slot.writes and much and not slot.goes and not self._closed
        try:
            await self._pool.submit(
                lambda: self._shut(slot, chain, merge), operation="close", tenant=slot.tenant, wait=True, long=merge
            )
        except RunError:
            log.debug("the pool was closed before chain %s", slot.tenant)
        finally:
            chain.close()
            self.readmit(slot)

    def _shut(self, slot: Slot, chain: Chain, merge: bool) -> None:
        """On a thread."""
        try:
            if merge:
                chain.merge()
        except ChaffinchError as error:  # nothing is lost: what was not merged is in the log
            log.warning("chain not merged: tenant=%s error=%s", slot.tenant, error)
        try:
            if slot.made and _is_empty(chain):
                swap.withdraw(self._state, slot.tenant)
        except ChaffinchError as error:
            log.warning("chain that learned nothing not removed: tenant=%s error=%s", slot.tenant, error)
        finally:
            chain.close()

    def _sweep_from_now_on(self) -> None:
        if self._settings.idle_seconds and (self._sweeper is None or self._sweeper.done()) and not self._closed:
            self._sweeper = self.spawn(self._sweep(), "sweep chains")

    async def _sweep(self) -> None:
        idle = self._settings.idle_seconds
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(min(SWEEP_SECONDS, idle / 4))
                before = time.monotonic() - idle
                for slot in list(self._slots.values()):
                    if slot.is_idle and slot.used_at <= before:
                        self.expired += 1
                        self.retire(slot)


def _is_stale(slot: Slot, write: bool) -> bool:
    """Whether it is open for reading, and too old or not enough."""
    if slot.state is not State.OPEN or slot.writes:
        return False
    return write or time.monotonic() - slot.opened_at > READER_SECONDS


def _is_empty(chain: Chain) -> bool:
    stats = chain.stats()
    return not stats.messages and not stats.forgotten and not stats.damage
