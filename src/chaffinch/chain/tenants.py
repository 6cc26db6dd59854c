"""Many tenants, each with a chain of its own, for one event loop: `await tenants.generate("room-7", 3)`.

Chains are opened on demand and closed again (`open_chains`), and what is asked of them runs on the threads of a `Pool`.
A call whose awaiting task is cancelled still ends, and its chain stays open until it has.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, Unpack

from chaffinch._core import Ask, redact
from chaffinch.chain import engine, removal, swap
from chaffinch.chain.candidate import Candidate
from chaffinch.chain.engine import Asked, Chain, Report
from chaffinch.chain.errors import UnknownTenantError, translating
from chaffinch.chain.names import check_tenant, tenants_in
from chaffinch.chain.pool import Pool
from chaffinch.chain.results import Added, Merged, Message, Options, Reference, Said, Stats, Trained, Verified
from chaffinch.chain.running import Ran, Running
from chaffinch.config import ChainSettings
from chaffinch.errors import ChaffinchError, InputError
from chaffinch.metrics.registry import Registry

if TYPE_CHECKING:
    from chaffinch.chain.slot import Slot

log = logging.getLogger("chaffinch.chain")

T = TypeVar("T")
Names = list[str]
Voices = Sequence[tuple[str, int]]
References = list[Reference]
Sayings = list[Said]


class Tenants(Running):
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
        super().__init__(state, pool, self.settings, registry)
        self._silent: set[str] = set()
        """Tenants of the candidate's mix that have no chain, which was logged."""

    async def add(
        self,
        tenant: str,
        messages: Sequence[Message],
        *,
        anew: bool = False,
        options: Options | None = None,
        wait: bool = False,
    ) -> Added:
        """Learn messages, durably; the tenant's chain, or the one `anew`, is made if there is none.

        It is made with `options`, or those of the tenant's configuration.
        """

        def account(ran: Ran) -> None:
            if ran.error is None:
                self._measures.added(ran.ns, ran.result)

        return await self._run(
            tenant,
            "add",
            lambda chain: chain.add(messages),
            size=len(messages),
            write=True,
            create=options or self._options(tenant),
            anew=anew,
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
        anew: bool = False,
        options: Options | None = None,
        wait: bool = False,
    ) -> Trained:
        """Learn a file; a chain is made as by `add`. `report` is called on a thread of the pool."""

        def account(ran: Ran) -> None:
            if ran.error is None:
                self._measures.trained(ran.ns, ran.result.added)

        return await self._run(
            tenant,
            "train",
            lambda chain: chain.train(path, key=key, format=format, skip_bad=skip_bad, report=report),
            long=True,
            write=True,
            create=options or self._options(tenant),
            anew=anew,
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

    async def illustration(
        self, tenant: str, text: str, *, rng_seed: int | None = None, wait: bool = False
    ) -> Reference | None:
        """The source message with attachments that shares most with a text, else any with attachments, or None."""
        return await self._run(
            tenant, "illustration", lambda chain: chain.illustration(text, rng_seed=rng_seed), wait=wait
        )

    async def count(
        self, tenant: str, *, author: str | None = None, channel: str | None = None, wait: bool = False
    ) -> int:
        """How many messages there are of an author, or in a channel."""
        return await self._run(tenant, "count", lambda chain: chain.count(author=author, channel=channel), wait=wait)

    async def forget(
        self,
        tenant: str,
        *,
        message: str | None = None,
        messages: Sequence[str] | None = None,
        author: str | None = None,
        channel: str | None = None,
        before: datetime | None = None,
        anew: bool = False,
        wait: bool = False,
    ) -> int:
        """Forget what matches exactly one of these; how many messages that were."""

        def account(ran: Ran) -> None:
            if ran.error is None:
                self._measures.forgotten(ran.result)

        return await self._run(
            tenant,
            "forget",
            lambda chain: chain.forget(
                message=message, messages=messages, author=author, channel=channel, before=before
            ),
            size=len(messages or ()),
            write=True,
            anew=anew,
            wait=wait,
            account=account,
        )

    async def merge(
        self,
        tenant: str,
        *,
        whole: bool = False,
        options: Options | None = None,
        anew: bool = False,
        wait: bool = False,
    ) -> Merged:
        """Merge now; what is due is merged in the background without being asked for."""
        return await self._run(
            tenant,
            "merge",
            lambda chain: chain.merge(whole=whole, options=options),
            long=True,
            write=True,
            anew=anew,
            wait=wait,
            account=lambda ran: self._measures.merged(ran.ns, ran.error),
        )

    async def stats(self, tenant: str, *, anew: bool = False, wait: bool = False) -> Stats:
        """The tenant's chain, or the one anew, in numbers."""
        return await self._run(tenant, "stats", Chain.stats, anew=anew, wait=wait)

    async def verify(self, tenant: str, *, wait: bool = False) -> Verified:
        """Read every file of the tenant's chain against its checksums."""
        return await self._run(tenant, "verify", Chain.verify, long=True, wait=wait)

    async def export(self, tenant: str, path: Path, *, wait: bool = False) -> int:
        """Write a portable archive to a file that is not there yet; how many messages it holds."""
        return await self._run(tenant, "export", lambda chain: chain.export(path), long=True, wait=wait)

    async def is_anew(self, tenant: str) -> bool:
        """Whether a chain is being made anew, to take the tenant's place."""
        check_tenant(tenant)
        return await self._pool.submit(
            lambda: swap.is_anew(self.state, tenant), operation="is_anew", tenant=tenant, wait=True
        )

    async def publish(self, tenant: str) -> None:
        """Put the chain made anew into the tenant's place; done if nothing is made anew and the tenant has a chain.

        Calls that run end first. Those that come meanwhile wait, `anew` or not, and go on with the chain that is the
        tenant's then. After a kill the chain is the old or the new one, and the same call ends what was begun. Raises
        `LockedError` if another process writes one of both: then nothing is changed.
        """
        await self._merge_due(tenant)
        if not await self._secluded(tenant, "publish", lambda: swap.publish(self.state, tenant)):
            raise UnknownTenantError(f"no chain is made anew for the tenant {tenant}, and it has none: add messages")

    async def abandon(self, tenant: str) -> None:
        """Throw away the chain made anew, if there is one. The tenant's stays as it is."""
        await self._secluded(tenant, "abandon", lambda: swap.abandon(self.state, tenant, swap.ANEW))

    async def remove(self, tenant: str) -> None:
        """Remove the tenant's chain with all its files, the one anew, and what a killed command left of them.

        Calls that run end first; later ones find no chain.
        """
        await self._secluded(tenant, "remove", lambda: removal.remove(self.state, tenant))

    async def remove_damaged(self, tenant: str) -> bool:
        """Remove the tenant's chain if its files are damaged, and not the one anew; whether they were.

        Calls that run end first; later ones find no chain, or the same one opened afresh.
        """
        return await self._secluded(tenant, "remove", lambda: removal.remove_damaged(self.state, tenant))

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

    async def _merge_due(self, tenant: str) -> None:
        """Merge the chain anew before nobody can use it: it is to speak at once, and to be opened fast."""
        if not await self.is_anew(tenant):
            return
        try:
            await self.merge(tenant, anew=True, wait=True)
        except ChaffinchError as error:  # nothing is lost: what was not merged is in the log
            log.warning("chain not merged before it was published: tenant=%s error=%s", tenant, error)

    async def _secluded(self, tenant: str, operation: str, call: Callable[[], T]) -> T:
        """Run a call while both the tenant's chain and the one anew are closed, and nobody can open them."""
        slots = [await self._chains.seclude(check_tenant(tenant), anew=True)]

        def work() -> T:
            result = call()
            slots[0].published = operation == "publish" and bool(result)
            return result

        def ended() -> None:
            for slot in slots:
                self._chains.readmit(slot)

        try:
            slots.append(await self._chains.seclude(tenant))
        except BaseException:
            ended()
            raise
        return await self._pool.submit(work, operation=operation, tenant=tenant, wait=True, ended=ended)

    async def _speak(self, tenant: str, n: int, call: Callable[[Chain], T], wait: bool) -> T:
        configuration = self.candidate.configuration_of(tenant)
        try:
            slot = await self._chains.acquire(tenant, wait=wait)
        except ChaffinchError as error:
            self._measures.generated(configuration, 0, error)
            raise

        def account(ran: Ran) -> None:
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

        def account(ran: Ran) -> None:
            self._measures.generated(configuration, ran.ns, ran.error)

        return await self._on(list(held.values()), "mix", tenant, call, n, wait, account)

    def _keep_silent(self, name: str) -> None:
        if name not in self._silent:
            self._silent.add(name)
            log.warning("chain.candidate.mix names a tenant without a chain, which is left out: tenant=%s", name)


def _check_names(names: tuple[str, ...]) -> None:
    """Every opening of a chain takes them: say now what would be wrong with each."""
    if names:
        try:
            translating(redact)("", names)
        except InputError as error:
            raise InputError(f"chain.names: {error}") from None
