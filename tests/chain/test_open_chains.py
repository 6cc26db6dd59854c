"""Which chains are open: never two of a tenant, never one closed under somebody, never more than the caps."""

import asyncio
import contextlib
import errno
import os
import random
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

import pytest

from chaffinch.chain import (
    BusyError,
    Chain,
    DamagedError,
    LockedError,
    Message,
    Options,
    Pool,
    UnknownTenantError,
    directory_of,
    open_chains,
)
from chaffinch.chain.open_chains import BASE_BYTES, OpenChains
from chaffinch.chain.slot import State
from chaffinch.config import ChainSettings
from chaffinch.errors import InputError, RunError

Scene = Callable[[OpenChains], Coroutine[None, None, None]]


def play(state: Path, scene: Scene, pool: Pool | None = None, **settings: object) -> None:
    """A scene with chains that are closed after it, and checked to be."""

    async def run() -> None:
        async with pool or Pool() as threads:
            chains = OpenChains(state, threads, ChainSettings(**settings))  # type: ignore[arg-type]
            try:
                await scene(chains)
            finally:
                await chains.close()
            assert (len(chains), chains.bytes, chains._slots, chains._tasks) == (0, 0, {}, set())
            assert +chains._in == {State.GONE: chains._in[State.GONE]}

    asyncio.run(asyncio.wait_for(run(), 30))
    assert descriptors(state) == []


def make(state: Path, *tenants: str) -> None:
    for tenant in tenants:
        with Chain.open(directory_of(state, tenant), write=True, create=Options()) as chain:
            chain.add([Message(f"words of {tenant} alone", id="1")])


def descriptors(state: Path) -> list[str]:
    """Files below `state` that this process has open."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return sorted(path for path in found if path.startswith(str(state)))


@contextlib.asynccontextmanager
async def held(chains: OpenChains, tenant: str, *, write: bool = False) -> AsyncIterator[Chain]:
    slot = await chains.acquire(tenant, write=write)
    try:
        yield slot.open_chain
    finally:
        chains.release(slot)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


class Openings:
    """Which chains were opened, how many were open at once, and a gate that holds up openings while it is closed."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.of: list[str] = []
        self.open: set[Chain] = set()
        self.most = 0
        self.gate = threading.Event()
        self.gate.set()
        lock = threading.Lock()
        original, original_close = Chain.open, Chain.close

        def opened(directory: Path, **options: object) -> Chain:
            with lock:
                self.of.append(directory.name)
            self.gate.wait(10)
            chain = original(directory, **options)  # type: ignore[arg-type]
            with lock:
                assert directory not in {one.directory for one in self.open}
                self.open.add(chain)
                self.most = max(self.most, len(self.open))
            return chain

        def closed(chain: Chain) -> None:
            original_close(chain)
            with lock:
                self.open.discard(chain)

        patch.setattr(Chain, "open", opened)
        patch.setattr(Chain, "close", closed)


def test_many_at_once_share_one_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a", "b")
    openings = Openings(monkeypatch)

    async def scene(chains: OpenChains) -> None:
        slots = await asyncio.gather(*(chains.acquire("ab"[number % 2]) for number in range(100)))
        assert len({id(slot) for slot in slots}) == 2
        assert {slot.users for slot in slots} == {50}
        assert sorted(openings.of) == ["a", "b"]
        assert (chains.hits, chains.misses, chains.hit_ratio) == (98, 2, 0.98)
        for slot in slots:
            chains.release(slot)

    play(tmp_path, scene)


def test_an_opening_that_fails_is_told_to_all_and_tried_again_by_the_next(tmp_path: Path) -> None:
    async def scene(chains: OpenChains) -> None:
        waiting = [chains.acquire("a") for _ in range(5)]
        failures = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(one) for one in failures] == [UnknownTenantError] * 5
        assert str(failures[0]) == "there is no chain of the tenant a: add messages first"
        assert len(chains) == 0
        make(tmp_path, "a")
        async with held(chains, "a") as chain:
            assert chain.stats().messages == 1

    play(tmp_path, scene)


def test_who_may_create_is_not_refused_for_who_may_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    openings = Openings(monkeypatch)
    openings.gate.clear()

    async def scene(chains: OpenChains) -> None:
        reads = asyncio.ensure_future(chains.acquire("new"))
        await until(lambda: openings.of == ["new"] or len(chains) == 1)
        makes = asyncio.ensure_future(chains.acquire("new", write=True, create=Options(order=3)))
        await asyncio.sleep(0)
        openings.gate.set()
        with pytest.raises(UnknownTenantError):
            await reads
        slot = await makes
        assert slot.open_chain.options.order == 3
        chains.release(slot)

    play(tmp_path, scene)


@pytest.mark.parametrize("cap", [1, 3, 8])
def test_never_more_are_open_than_the_cap_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cap: int) -> None:
    tenants = [f"t{number}" for number in range(12)]
    make(tmp_path, *tenants)
    openings = Openings(monkeypatch)

    async def scene(chains: OpenChains) -> None:
        async def use(tenant: str) -> None:
            for _ in range(5):
                slot = await chains.acquire(tenant, wait=True)
                assert slot.open_chain.stats().messages == 1
                await asyncio.sleep(random.random() / 500)
                assert len(chains) <= cap
                chains.release(slot)

        await asyncio.gather(*(use(tenant) for tenant in tenants))
        assert chains.evicted > 0

    play(tmp_path, scene, open_chains=cap)
    assert openings.most == cap
    assert openings.open == set()


def test_who_may_not_wait_is_refused_when_all_are_in_use(tmp_path: Path) -> None:
    make(tmp_path, "a", "b", "c")

    async def scene(chains: OpenChains) -> None:
        first, second = await chains.acquire("a"), await chains.acquire("b")
        with pytest.raises(BusyError, match="2 chains are open and in use: try again in") as refused:
            await chains.acquire("c")
        assert refused.value.retry_after_seconds > 0
        waits = asyncio.ensure_future(chains.acquire("c", wait=True))
        await asyncio.sleep(0.01)
        assert not waits.done()
        chains.release(first)
        third = await waits
        assert {slot.tenant for slot in chains._slots.values()} == {"b", "c"}
        chains.release(third)
        async with held(chains, "a"):  # one is idle and makes room: that is waited for
            pass
        chains.release(second)

    play(tmp_path, scene, open_chains=2)


def test_who_holds_one_gets_others_beside_it(tmp_path: Path) -> None:
    """Two that hold one and want another would wait for each other for ever."""
    make(tmp_path, "a", "b", "c", "d")

    async def scene(chains: OpenChains) -> None:
        async def pair(one: str, other: str) -> None:
            first = await chains.acquire(one, wait=True)
            await asyncio.sleep(0.01)
            second = await chains.acquire(other, wait=True, beside=True)
            chains.release(first)
            chains.release(second)

        async def single(tenant: str) -> None:
            chains.release(await chains.acquire(tenant, wait=True))

        await asyncio.gather(pair("a", "b"), pair("c", "d"), single("b"), single("d"), pair("a", "d"))
        await until(lambda: len(chains) <= 2)

    play(tmp_path, scene, open_chains=2)


def test_the_byte_cap_closes_the_least_recently_used(tmp_path: Path) -> None:
    make(tmp_path, "a", "b", "c", "d")

    async def scene(chains: OpenChains) -> None:
        for tenant in ("a", "b", "c", "a"):
            async with held(chains, tenant):
                pass
        assert chains.bytes <= 4 * BASE_BYTES + 1000
        assert list(chains._slots) == ["b", "c", "a"]
        async with held(chains, "d"):
            assert "b" not in {slot.tenant for slot in chains._slots.values() if slot.state is State.OPEN}
        await until(lambda: len(chains) == 3)
        assert list(chains._slots) == ["c", "a", "d"]
        assert (chains.evicted, chains.expired) == (1, 0)

    one = BASE_BYTES + memory_of(tmp_path, "a")
    play(tmp_path, scene, memory=int(3.5 * one))


def memory_of(state: Path, tenant: str) -> int:
    with Chain.open(directory_of(state, tenant), write=True) as chain:
        return chain.memory_bytes


def test_what_a_chain_learns_counts_towards_the_cap(tmp_path: Path) -> None:
    make(tmp_path, "a", "big")

    async def scene(chains: OpenChains) -> None:
        async with held(chains, "a"):
            pass
        slot = await chains.acquire("big", write=True)
        slot.open_chain.add([Message(" ".join(f"w{n}x{m}" for m in range(20))) for n in range(500)])
        slot.measure()
        assert slot.memory > 256 << 10
        chains.release(slot)
        await until(lambda: len(chains) == 0)  # alone it is more than the cap
        assert chains.evicted == 2

    play(tmp_path, scene, memory=256 << 10)


def test_a_chain_in_use_is_not_closed(tmp_path: Path) -> None:
    make(tmp_path, *"abcdef")

    async def scene(chains: OpenChains) -> None:
        slot = await chains.acquire("a")
        for tenant in "bcdef" * 3:
            async with held(chains, tenant):
                pass
        assert chains.evicted >= 10
        assert slot.state is State.OPEN
        assert slot.open_chain.generate(novel=False) == ["words of a alone"]
        retiring = asyncio.ensure_future(chains.seclude("a"))
        await asyncio.sleep(0.01)
        assert slot.open_chain.generate(novel=False) == ["words of a alone"]
        assert not retiring.done()
        chains.release(slot)
        chains.readmit(await retiring)

    play(tmp_path, scene, memory=1 << 16, open_chains=2)


def test_a_chain_that_nobody_used_for_long_is_closed(tmp_path: Path) -> None:
    make(tmp_path, "a", "b")

    async def scene(chains: OpenChains) -> None:
        slot = await chains.acquire("a")
        async with held(chains, "b"):
            pass
        began = time.monotonic()
        await until(lambda: len(chains) == 1)
        assert 0.09 <= time.monotonic() - began < 5
        assert (chains.expired, chains.evicted) == (1, 0)
        assert slot.state is State.OPEN
        chains.release(slot)
        await until(lambda: len(chains) == 0)
        assert chains.expired == 2

    play(tmp_path, scene, idle_seconds=0.1)


def test_one_that_is_being_closed_is_opened_again_only_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a")
    closing, go = threading.Event(), threading.Event()
    original = OpenChains._shut

    def slowly(*args: object) -> None:
        closing.set()
        go.wait(10)
        original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(OpenChains, "_shut", slowly)
    openings = Openings(monkeypatch)

    async def scene(chains: OpenChains) -> None:
        slot = await chains.acquire("a", write=True)
        chains.release(slot)
        chains.retire(slot)
        await until(closing.is_set)
        again = [asyncio.ensure_future(chains.acquire("a", write=True)) for _ in range(3)]
        await asyncio.sleep(0.01)
        assert openings.of == ["a"]
        go.set()
        for one in again:
            chains.release(await one)
        assert openings.of == ["a", "a"]

    play(tmp_path, scene)


def test_many_bytes_in_memory_are_merged_before_an_eviction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_chains, "MERGE_AT_CLOSE", 1000)
    make(tmp_path, "a", "b")

    async def scene(chains: OpenChains) -> None:
        slot = await chains.acquire("a", write=True)
        slot.open_chain.add(Message(f"message number {n} of a") for n in range(100))
        slot.measure()
        chains.release(slot)
        async with held(chains, "b"):
            pass
        await until(lambda: "a" not in chains._slots)
        async with held(chains, "a") as chain:
            assert (chain.stats().segments, chain.stats().delta_messages, chain.stats().messages) == (1, 0, 101)

    play(tmp_path, scene, open_chains=1)


def test_a_chain_that_another_process_writes_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_chains, "READER_SECONDS", 0.05)
    make(tmp_path, "a")

    async def scene(chains: OpenChains) -> None:
        with Chain.open(directory_of(tmp_path, "a"), write=True) as writer:
            async with held(chains, "a") as chain:
                assert not chain.is_writer
                assert chain.stats().messages == 1
            writer.add([Message("something new")])
            await asyncio.sleep(0.06)
            async with held(chains, "a") as chain:
                assert chain.stats().messages == 2
            with pytest.raises(LockedError):
                await chains.acquire("a", write=True)
        async with held(chains, "a", write=True) as chain:
            assert chain.is_writer

    play(tmp_path, scene)


def test_a_chain_that_cannot_be_written_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a")
    original = Chain.open

    def full(directory: Path, **options: object) -> Chain:
        if options.get("write"):
            raise RunError("no space left on device")
        return original(directory)

    monkeypatch.setattr(Chain, "open", full)

    async def scene(chains: OpenChains) -> None:
        async with held(chains, "a") as chain:
            assert chain.generate(novel=False) == ["words of a alone"]
        with pytest.raises(RunError, match="no space left"):
            await chains.acquire("a", write=True)

    play(tmp_path, scene)


def test_damage_and_wrong_names_are_told(tmp_path: Path) -> None:
    make(tmp_path, "a")
    (directory_of(tmp_path, "a") / "manifest.json").write_text("{")

    async def scene(chains: OpenChains) -> None:
        with pytest.raises(DamagedError, match="damaged"):
            await chains.acquire("a")
        with pytest.raises(InputError, match="cannot name a tenant"):
            await chains.acquire("../a")

    play(tmp_path, scene)


def test_a_chain_of_another_user_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(chains: OpenChains) -> None:
        said = r"t/manifest.json cannot be changed \(Permission denied\): make the state writable"
        with pytest.raises(RunError, match=said):
            await chains.acquire("t", write=True, create=Options())

    def denied(path: Path) -> bool:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(Path, "is_file", denied)
    play(tmp_path, scene)


def test_whatever_an_opening_raises_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Chain:
        raise ZeroDivisionError

    monkeypatch.setattr(Chain, "open", broken)

    async def scene(chains: OpenChains) -> None:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await chains.acquire("a")
        assert len(chains) == 0

    play(tmp_path, scene)


def test_a_secluded_tenant_stays_closed(tmp_path: Path) -> None:
    make(tmp_path, "a")

    async def scene(chains: OpenChains) -> None:
        async with held(chains, "a"):
            pass
        slot = await chains.seclude("a")
        assert descriptors(tmp_path) == []
        waiting = asyncio.ensure_future(chains.acquire("a"))
        also = asyncio.ensure_future(chains.seclude("a"))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        waiting.cancel()
        chains.readmit(slot)
        chains.readmit(await also)
        with pytest.raises(asyncio.CancelledError):
            await waiting

    play(tmp_path, scene)


def test_who_no_longer_waits_for_an_opening_leaves_it_usable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a")
    openings = Openings(monkeypatch)
    openings.gate.clear()

    async def scene(chains: OpenChains) -> None:
        gone, stays = (asyncio.ensure_future(chains.acquire("a")) for _ in range(2))
        await until(lambda: openings.of == ["a"])
        gone.cancel()
        openings.gate.set()
        slot = await stays
        assert slot.users == 1
        chains.release(slot)
        assert gone.cancelled()

    play(tmp_path, scene)


def test_closing_while_chains_open_and_others_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a", "b", "c")
    openings = Openings(monkeypatch)
    openings.gate.clear()

    async def scene(chains: OpenChains) -> None:
        asked = [asyncio.ensure_future(chains.acquire(tenant, wait=True)) for tenant in "abc"]
        await until(lambda: len(openings.of) == 2)
        closing = asyncio.ensure_future(chains.close())
        await asyncio.sleep(0.01)
        openings.gate.set()
        slots = [await asked[0], await asked[1]]
        with pytest.raises(RunError, match="closed before there was room"):
            await asked[2]
        assert slots[0].open_chain.stats().messages == 1
        assert not closing.done()
        for slot in slots:
            chains.release(slot)
        await closing
        with pytest.raises(RunError, match="were closed"):
            await chains.acquire("a")
        with pytest.raises(RunError, match="were closed"):
            await chains.seclude("a")

    play(tmp_path, scene, open_chains=2)


def test_chains_close_also_after_their_pool(tmp_path: Path) -> None:
    make(tmp_path, "a")

    async def test() -> None:
        pool = Pool()
        chains = OpenChains(tmp_path, pool, ChainSettings())
        async with held(chains, "a"):
            pass
        await pool.close()
        await chains.close()

    asyncio.run(test())
    assert descriptors(tmp_path) == []
