"""Many tenants, each with a chain of its own, for one event loop: `await tenants.generate("room-7", 3)`.

Chains are opened on demand and closed again (`open_chains`), and what is asked of them runs on the threads of a `Pool`.
A call whose awaiting task is cancelled still ends, and its chain stays open until it has.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar, Unpack

from chaffinch._core import Ask, redact
from chaffinch.chain import engine, removal
from chaffinch.chain.aside import aside
from chaffinch.chain.candidate import Candidate
from chaffinch.chain.engine import Asked, Chain, Report
from chaffinch.chain.errors import UnknownTenantError, translating
from chaffinch.chain.measures import Measures
from chaffinch.chain.names import check_tenant, tenants_in
from chaffinch.chain.open_chains import OpenChains
from chaffinch.chain.pool import Pool
from chaffinch.chain.results import Added, Merged, Message, Options, Reference, Said, Stats, Trained, Verified
from chaffinch.chain.slot import Slot
from chaffinch.config import ChainSettings
from chaffinch.errors import ChaffinchError, InputError
from chaffinch.metrics.registry import Registry

log = logging.getLogger("chaffinch.chain")

T = TypeVar("T")
Names = list[str]
Voices = Sequence[tuple[str, int]]
References = list[Reference]
Sayings = list[Said]

MERGE_AGAIN_SECONDS: Final = 30.0
"""After a background merge that failed, the next one of that tenant waits so long, and twice as long each time."""

MERGE_AGAIN_LIMIT: Final = 1800.0
"""The longest of these waits."""

MERGE_REST: Final = 10
"""A chain that counts who said what is merged whenever it learned something: it rests that many times what its last
merge took. One that is due right after a merge rests once as long."""


class _Ran:
    """How a call went: 0 nanoseconds if it never ran."""

    __slots__ = ("error", "ns", "result")

    def __init__(self) -> None:
        self.ns = 0
        self.result: Any = None
        self.error: BaseException | None = None


class Tenants:
    """The chains of a state directory; an async context manager that closes them, and not the pool.

    Raises `InputError` for settings that no chain can be opened with.

    Every method raises `InputError` for a name that no tenant can have, `UnknownTenantError` if there is no chain,
    `BusyError` when the queue of the pool is full, or what else there is room for, unless `wait` is true, and what the
    method of `Chain` raises.
    """

    def __init__(
        self, state: Path, pool: Pool, settings: ChainSettings | None = None, registry: Registry | None = None
    ) -> None:
        self.state = state
        self.settings = settings or ChainSettings()
        self.candidate = Candidate(self.settings)
        _check_names(self.settings.names)
        self._pool = pool
        self._chains = OpenChains(state, pool, self.settings)
        self._measures = Measures(registry or pool.registry)
        self._measures.show(self._chains)
        self._most_long = max(1, pool.threads // 2)
        self._long = asyncio.Semaphore(self._most_long)
        """Long calls take at most half of the threads, so that short ones go on beside them."""
        self._silent: set[str] = set()
        """Tenants of the candidate's mix that have no chain, which was logged."""

    async def add(self, tenant: str, messages: Sequence[Message], *, wait: bool = False) -> Added:
        """Learn messages, durably; the tenant's chain is made if there is none."""

        def account(ran: _Ran) -> None:
            if ran.error is None:
                self._measures.added(ran.ns, ran.result)

        return await self._run(
            tenant,
            "add",
            lambda chain: chain.add(messages),
            size=len(messages),
            write=True,
            create=self._options(tenant),
            wait=wait,
            account=account,
        )

    async def train(
        self,
        tenant: str,
        path: Path,
        *,
        key: str | None = None,
        format: str | None = None,  # noqa: A002 - as in `Chain.train`
        skip_bad: bool = False,
        report: Report | None = None,
        wait: bool = False,
    ) -> Trained:
        """Learn a file; the tenant's chain is made if there is none. `report` is called on a thread of the pool."""

        def account(ran: _Ran) -> None:
            if ran.error is None:
                self._measures.trained(ran.ns, ran.result.added)

        return await self._run(
            tenant,
            "train",
            lambda chain: chain.train(path, key=key, format=format, skip_bad=skip_bad, report=report),
            long=True,
            write=True,
            create=self._options(tenant),
            wait=wait,
            account=account,
        )

    async def generate(
        self, tenant: str, n: int = 1, *, rng_seed: int | None = None, wait: bool = False, **ask: Unpack[Asked]
    ) -> Names:
        """Up to `n` new messages; fewer when no more could be made. Raises `NothingNewError` when there is none."""
        voices = self.candidate.voices(check_tenant(tenant))
        asked = engine.asked(self.candidate.asked(tenant, ask))
        if len(voices) > 1:
            said = await self._mix(tenant, voices, n, rng_seed, asked, wait, along=True)
            return [one.text for one in said]
        return await self._speak(tenant, n, lambda chain: chain.generate(n, rng_seed=rng_seed, ask=asked), wait)

    async def say(
        self, tenant: str, n: int = 1, *, rng_seed: int | None = None, wait: bool = False, **ask: Unpack[Asked]
    ) -> Sayings:
        """The same as `generate`, each message with its score and the tries it took."""
        voices = self.candidate.voices(check_tenant(tenant))
        asked = engine.asked(self.candidate.asked(tenant, ask))
        if len(voices) > 1:
            return await self._mix(tenant, voices, n, rng_seed, asked, wait, along=True)
        return await self._speak(tenant, n, lambda chain: chain.say(n, rng_seed=rng_seed, ask=asked), wait)

    async def mix(
        self, voices: Voices, n: int = 1, *, rng_seed: int | None = None, wait: bool = False, **ask: Unpack[Asked]
    ) -> Sayings:
        """Messages from several tenants with weights; see `engine.mix`. The first one's configuration is measured."""
        first = check_tenant(voices[0][0]) if voices else ""
        return await self._mix(first, voices, n, rng_seed, engine.asked(self.candidate.asked(first, ask)), wait)

    async def references(self, tenant: str, text: str, most: int = 5, *, wait: bool = False) -> References:
        """The source messages that share most with a text, the closest first. Reads every message: for debugging."""
        return await self._run(
            tenant, "references", lambda chain: chain.references(text, most), long=True, size=most, wait=wait
        )

    async def forget(
        self,
        tenant: str,
        *,
        message: str | None = None,
        author: str | None = None,
        channel: str | None = None,
        before: datetime | None = None,
        wait: bool = False,
    ) -> int:
        """Forget what matches exactly one of these; how many messages that were."""

        def account(ran: _Ran) -> None:
            if ran.error is None:
                self._measures.forgotten(ran.result)

        return await self._run(
            tenant,
            "forget",
            lambda chain: chain.forget(message=message, author=author, channel=channel, before=before),
            write=True,
            wait=wait,
            account=account,
        )

    async def merge(
        self, tenant: str, *, whole: bool = False, options: Options | None = None, wait: bool = False
    ) -> Merged:
        """Merge now; what is due is merged in the background without being asked for."""
        return await self._run(
            tenant,
            "merge",
            lambda chain: chain.merge(whole=whole, options=options),
            long=True,
            write=True,
            wait=wait,
            account=lambda ran: self._measures.merged(ran.ns, ran.error),
        )

    async def stats(self, tenant: str, *, wait: bool = False) -> Stats:
        """The tenant's chain in numbers."""
        return await self._run(tenant, "stats", Chain.stats, wait=wait)

    async def verify(self, tenant: str, *, wait: bool = False) -> Verified:
        """Read every file of the tenant's chain against its checksums."""
        return await self._run(tenant, "verify", Chain.verify, long=True, wait=wait)

    async def export(self, tenant: str, path: Path, *, wait: bool = False) -> int:
        """Write a portable archive to a file that is not there yet; how many messages it holds."""
        return await self._run(tenant, "export", lambda chain: chain.export(path), long=True, wait=wait)

    async def remove(self, tenant: str) -> None:
        """Remove the tenant's chain with all its files, and what a killed `train --clean` or import left of it.

        Calls that run end first; later ones find no chain.
        """
        slot = await self._chains.seclude(check_tenant(tenant))
        await self._pool.submit(
            lambda: removal.remove(self.state, tenant),
            operation="remove",
            tenant=tenant,
            wait=True,
            ended=lambda: self._chains.readmit(slot),
        )

    async def list(self) -> Names:
        """The tenants that have a chain, sorted."""
        return await self._pool.submit(lambda: tenants_in(self.state), operation="list", wait=True)

    async def close(self) -> None:
        """Close every chain, each as soon as its calls have ended. May be called again."""
        await self._chains.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _options(self, tenant: str) -> Options:
        return self.candidate.options(check_tenant(tenant))

    async def _speak(self, tenant: str, n: int, call: Callable[[Chain], T], wait: bool) -> T:
        configuration = self.candidate.configuration_of(tenant)
        try:
            slot = await self._chains.acquire(tenant, wait=wait)
        except ChaffinchError as error:
            self._measures.generated(configuration, 0, error)
            raise

        def account(ran: _Ran) -> None:
            self._measures.generated(configuration, ran.ns, ran.error)

        return await self._on([slot], "generate", tenant, lambda: call(slot.open_chain), n, wait, account)

    async def _mix(
        self,
        tenant: str,
        voices: Voices,
        n: int,
        rng_seed: int | None,
        asked: Ask,
        wait: bool,
        *,
        along: bool = False,
    ) -> Sayings:
        """`along`: the others only speak along, as the settings say, and who has no chain does not."""
        configuration = self.candidate.configuration_of(tenant)
        held: dict[str, Slot] = {}
        try:
            for name in sorted({check_tenant(name) for name, _ in voices}):
                try:
                    held[name] = await self._chains.acquire(name, wait=wait, beside=bool(held))
                    self._silent.discard(name)
                except UnknownTenantError:
                    if not along or name == tenant:
                        raise
                    self._keep_silent(name)
            if along and not any(weight for name, weight in voices if name in held):
                raise UnknownTenantError(
                    f"{tenant} lets others speak, and none has a chain: add messages to one of them"
                )
        except BaseException as error:
            for slot in held.values():
                self._chains.release(slot)
            if isinstance(error, ChaffinchError):
                self._measures.generated(configuration, 0, error)
            raise

        def call() -> Sayings:
            return engine.mix(
                [(held[name].open_chain, weight) for name, weight in voices if name in held],
                n,
                rng_seed=rng_seed,
                ask=asked,
            )

        def account(ran: _Ran) -> None:
            self._measures.generated(configuration, ran.ns, ran.error)

        return await self._on(list(held.values()), "mix", tenant, call, n, wait, account)

    def _keep_silent(self, name: str) -> None:
        if name not in self._silent:
            self._silent.add(name)
            log.warning("chain.candidate.mix names a tenant without a chain, which is left out: tenant=%s", name)

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
        wait: bool = False,
        account: Callable[[_Ran], None] | None = None,
    ) -> T:
        check_tenant(tenant)
        if long:
            await self._begin_long(wait)
        try:
            slot = await self._chains.acquire(tenant, write=write, create=create, wait=wait)
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
        account: Callable[[_Ran], None] | None,
        *,
        long: bool = False,
    ) -> T:
        """Run a call on chains that are held, and give them back when it has ended, whoever awaits it."""
        ran = _Ran()

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

        return await self._pool.submit(work, operation=operation, tenant=tenant, size=size, wait=wait, ended=ended)

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
            self._chains.spawn(self._merge(slot), f"merge chain {slot.tenant}")

    async def _merge(self, slot: Slot) -> None:
        """With the chain held, which the merge gives back."""

        def account(ran: _Ran) -> None:
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


def _check_names(names: tuple[str, ...]) -> None:
    """Every opening of a chain takes them: say now what would be wrong with each."""
    if names:
        try:
            translating(redact)("", names)
        except InputError as error:
            raise InputError(f"chain.names: {error}") from None
