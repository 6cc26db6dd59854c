"""What the metrics say after calls of which it is known what they did."""

import asyncio
import threading
from pathlib import Path

import pytest

from chaffinch.chain import BusyError, Chain, Message, NothingNewError, Pool, Tenants, UnknownTenantError
from chaffinch.config import CandidateSettings, ChainSettings
from chaffinch.metrics import catalogue, exposition
from chaffinch.metrics.registry import Registry
from tests.chain.test_open_chains import until

Counts = dict[tuple[tuple[str, str], ...], float]


def counted(registry: Registry, name: str) -> Counts:
    return {
        sample.labels: sample.value
        for family in registry.snapshot().families
        if family.name == name
        for sample in family.samples
    }


def timed(registry: Registry, name: str, label: str = "") -> dict[str, int]:
    """How many values a latency has, by label."""
    histograms = registry.latency(name, label).histograms
    return {name: histograms.totals(number).count for number, name in histograms.labels()}


def only(what: str, value: str) -> tuple[tuple[str, str], ...]:
    return ((what, value),)


def test_every_value_after_a_known_course(tmp_path: Path) -> None:
    registry = Registry("api")
    settings = ChainSettings(max_vocabulary=40, candidate=CandidateSettings(tenants=("new",)))
    file = tmp_path / "lines.txt"
    file.write_text("\n\n".join(["a line of words", "another line of words", " "]))

    async def course() -> None:
        async with Pool(registry=registry) as pool, Tenants(tmp_path / "state", pool, settings) as many:
            await many.add("old", [Message("some words", id="1"), Message("some words", id="1"), Message(" ")])
            await many.add("old", [Message(" ".join(f"word{n}" for n in range(1200)))])
            await many.train("new", file)
            await many.generate("old", 5, novel=False)
            await many.say("new", 2, novel=False)
            await many.mix([("old", 1), ("new", 1)], novel=False)
            with pytest.raises(NothingNewError):
                await many.generate("new", starting="unheard")
            for _ in range(2):
                with pytest.raises(UnknownTenantError):
                    await many.generate("absent")
            assert await many.forget("old", message="1") == 1
            await many.merge("old")

    asyncio.run(course())
    assert counted(registry, "chain_messages") == {
        only("outcome", "learned"): 3,
        only("outcome", "duplicate"): 1,
        only("outcome", "empty"): 1,
        only("outcome", "no_room"): 1,
    }
    assert counted(registry, "chain_generated") == {
        (("configuration", "current"), ("outcome", "said")): 2,
        (("configuration", "candidate"), ("outcome", "said")): 1,
        (("configuration", "candidate"), ("outcome", "nothing_new")): 1,
        (("configuration", "current"), ("outcome", "error")): 2,
    }
    assert timed(registry, "chain_generation_seconds", "configuration") == {"current": 2, "candidate": 2}
    assert timed(registry, "chain_add_seconds") == {"": 2}
    assert timed(registry, "chain_training_seconds") == {"": 1}
    assert timed(registry, "chain_merge_seconds") == {"": 1}
    assert counted(registry, "chain_forgotten") == {(): 1}
    assert counted(registry, "chain_merge_failed") == {(): 0}
    assert timed(registry, "chain_run_seconds", "operation") == {
        "open": 4,
        "add": 2,
        "train": 1,
        "generate": 3,
        "mix": 1,
        "forget": 1,
        "merge": 1,
        "close": 2,
    }
    assert timed(registry, "chain_wait_seconds") == {"": 15}
    assert counted(registry, "chain_cache_misses") == {(): 2}
    assert counted(registry, "chain_cache_hits") == {(): 8}
    assert counted(registry, "chain_cache_hit_ratio") == {only("group", "api"): 0.8}
    assert counted(registry, "chain_cache_open") == {only("group", "api"): 0}
    assert counted(registry, "chain_cache_bytes") == {only("group", "api"): 0}
    assert counted(registry, "chain_queue_depth") == {only("group", "api"): 0}
    assert counted(registry, "chain_busy_threads") == {only("group", "api"): 0}


def test_what_caps_and_the_guard_take_is_counted(tmp_path: Path) -> None:
    registry = Registry()

    async def course() -> None:
        async with Pool(registry=registry) as pool, Tenants(tmp_path, pool, ChainSettings(guarded=True)) as many:
            await many.add("t", [Message("mail me at jane@example.org or bob@example.org")])
            await many.add("t", [Message(" ".join(["o" * 300] * 1002))])

    asyncio.run(course())
    assert counted(registry, "chain_replaced") == {(): 2}
    cut = counted(registry, "chain_cut")
    assert cut[only("what", "tokens_dropped")] == 2
    assert cut[only("what", "messages_cut")] == 1
    assert cut[only("what", "tokens_shortened")] == 1000


def test_what_is_refused_counts_once_and_not_as_generating(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry, go = Registry(), threading.Event()
    original = Chain.stats

    def slowly(chain: Chain) -> object:
        go.wait(10)
        return original(chain)

    monkeypatch.setattr(Chain, "stats", slowly)

    async def course() -> None:
        async with Pool(1, 1, registry) as pool, Tenants(tmp_path, pool) as many:
            await many.add("t", [Message("some words")])
            running = asyncio.ensure_future(many.stats("t"))
            await until(lambda: counted(registry, "chain_busy_threads") == {(): 1})
            queued = asyncio.ensure_future(many.generate("t", novel=False))
            await until(lambda: counted(registry, "chain_queue_depth") == {(): 1})
            for _ in range(3):
                with pytest.raises(BusyError):
                    await many.generate("t", novel=False)
            go.set()
            await asyncio.gather(running, queued)

    asyncio.run(course())
    assert counted(registry, "chain_queue_refused") == {(): 3}
    assert sum(counted(registry, "chain_generated").values()) == 1


def test_each_metric_of_chains_is_in_the_catalogue_and_shown(tmp_path: Path) -> None:
    registry = Registry("api")

    async def course() -> None:
        async with Pool(registry=registry, slow_ms=0.000001) as pool, Tenants(tmp_path, pool) as many:
            await many.add("t", [Message("some words")])
            await many.generate("t", novel=False)

    asyncio.run(course())
    snapshot = registry.snapshot()
    made = {family.name for family in snapshot.families} | {latency.name for latency in snapshot.latencies}
    named = {metric.name for metric in catalogue.METRICS if metric.name.startswith("chain_")}
    assert {name for name in made if name.startswith("chain_")} == {
        name for name in named if not name.startswith("chain_http_")
    }
    page = exposition.render(snapshot).decode()
    assert 'chaffinch_chain_generation_seconds{configuration="current",quantile="0.99"}' in page
    assert 'chaffinch_chain_cache_hit_ratio{group="api"} 0.5' in page
