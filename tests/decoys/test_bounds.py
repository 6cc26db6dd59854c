"""The sum of all bounds: computed from the code's own, shown on the limits page, near what memory says."""

import contextlib
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from chaffinch.capture import packet
from chaffinch.config import Config, DecoySettings, JournalSettings
from chaffinch.decoys import bounds, registry, stream
from chaffinch.decoys.acceptor import share
from chaffinch.decoys.fitting import STEPS, fitted, value
from chaffinch.decoys.kept import SHRUNK
from chaffinch.decoys.memcached import cache as memcached
from chaffinch.decoys.rates import Rates
from chaffinch.decoys.recorder import EventRecorder
from chaffinch.decoys.redis import store as redis
from chaffinch.decoys.shell import streams
from chaffinch.decoys.ssh import hostkeys
from chaffinch.fleet import budget, workers
from chaffinch.personas.archetypes import archetypes
from chaffinch.personas.build import Personas

PAGE = (Path(__file__).parents[2] / "docs" / "limits.md").read_text(encoding="utf-8")
SMALL = Config(
    decoys=DecoySettings(sessions=2000, rate_entries=1024),
    journal=JournalSettings(queue_bytes=8 << 20, queue_events=50_000),
)
"""The smaller settings that the page names."""


def mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"


def table(rows: Sequence[bounds.Bound], *, idle: int = 0) -> str:
    """As the page shows it."""
    before = [bounds.Bound("idle, before anybody comes", "`fleet.budget`", idle, idle)] if idle else []
    lines = [f"| {row.what} | {row.how} | {mib(row.most)} | {mib(row.given_up)} |" for row in (*before, *rows)]
    total, left = sum(row.most for row in rows) + idle, sum(row.given_up for row in rows) + idle
    lines = ["| what | arithmetic | at most | given up |", "| --- | --- | --- | --- |", *lines]
    return "\n".join([*lines, f"| **all** | | **{mib(total)}** | **{mib(left)}** |"])


def test_the_page_adds_up_what_the_code_does() -> None:
    wanted = table(bounds.bounds(Config()))
    assert wanted in PAGE, f"docs/limits.md should have this table:\n{wanted}"
    assert f"the sum is {mib(bounds.worst(SMALL))}" in PAGE
    assert bounds.worst(Config()) > bounds.left(Config())


def test_the_page_adds_up_what_a_budget_leaves() -> None:
    groups = workers.arrange(workers.table(registry.BUILT_IN), "default")
    part = next(one for one in budget.divide(128 << 20, groups).parts if one.name == workers.DECOYS)
    rows = bounds.bounds(fitted(Config(), part.share_bytes - part.idle_bytes, registry.BUILT_IN))
    wanted = table(rows, idle=part.idle_bytes)
    assert wanted in PAGE, f"docs/limits.md should have this table:\n{wanted}"
    assert f"share is {mib(part.share_bytes)} ({part.share_bytes / 1e6:.1f} MB)" in PAGE


def test_the_page_has_the_steps() -> None:
    before: dict[str, int] = {}
    for step in STEPS:
        names = ", ".join(f"`{path}`" for path in step)
        first = " and ".join(number(path, before.get(path, value(Config(), path))) for path in step)
        last = " and ".join(number(path, floor) for path, floor in step.items())
        assert f"| {names} | {first} | {last} |" in PAGE
        before |= step


def number(path: str, of: int) -> str:
    return f"{of >> 20} MiB" if path.endswith("bytes") else f"{of:,}"


def test_what_a_process_does_not_serve_counts_for_nothing() -> None:
    def whats(*services: str) -> set[str]:
        return {row.what for row in bounds.bounds(Config(), services)}

    everything = whats(*registry.BUILT_IN)
    assert everything - whats("http") == {
        "output of shells' commands",
        "keys in redis",
        "items in memcached",
        "SSH host keys",
    }
    assert everything - whats("telnet", "redis", "memcached") == {"SSH host keys", "web sites and their answers"}
    assert whats() == {"events that wait for the disk"}
    (_, windows) = bounds.bounds(Config(), (), captures=True)
    assert windows.most == (Config().capture.windows + len(packet.KINDS)) * bounds.WINDOW_BYTES


def row(what: str) -> bounds.Bound:
    return next(row for row in bounds.bounds(Config()) if row.what == what)


def test_the_numbers_are_those_of_the_modules() -> None:
    assert bounds.UNCOUNTED_BYTES == stream.COUNTED_BYTES
    assert row("keys in redis").most == redis.TOTAL_BYTES
    assert row("output of shells' commands").most == streams.ALL_OUTPUT_BYTES
    items = memcached.CACHES * (memcached.CACHE_BYTES + memcached.CACHE_ITEMS * bounds.ITEM_BYTES)
    assert row("items in memcached").most == items
    assert row("SSH host keys").most == hostkeys.CACHED_KEYS * bounds.KEY_BYTES
    assert row("personas").most == Personas(b"x", archetypes()).most * bounds.PERSONA_BYTES
    for what in ("changes to files", "keys in redis", "items in memcached"):
        assert row(what).given_up == row(what).most // SHRUNK


def test_every_setting_counts() -> None:
    config = Config()
    for name in ("sessions", "session_bytes", "rate_entries", "overlay_bytes"):
        doubled = msgspec.structs.replace(config.decoys, **{name: 2 * getattr(config.decoys, name)})
        assert bounds.worst(msgspec.structs.replace(config, decoys=doubled)) > bounds.worst(config), name
    for name in ("queue_bytes", "queue_events"):
        more = msgspec.structs.replace(config.journal, **{name: 2 * getattr(config.journal, name)})
        assert bounds.worst(msgspec.structs.replace(config, journal=more)) > bounds.worst(config), name
    assert bounds.worst(config, ("redis",)) < bounds.worst(config)


def rates() -> Rates:
    kept = Rates(500, 5000, 2048)
    for number in range(3000):
        kept.allows((f"10.{number >> 8}.{number & 255}.9", "redis", "session"))
    return kept


def tallies() -> EventRecorder:
    recorder = EventRecorder(lambda event: None, DecoySettings(record_rate=1e-9, record_burst=1, rate_entries=2048))
    spec = registry.load("redis").spec
    for number in range(2048):
        peer: Any = SimpleNamespace(
            source=f"10.{number >> 8}.{number & 255}.9", address=f"127.77.{number >> 8}.9", port=6379, spec=spec
        )
        recorder._tally(peer, "session").count += 1
    return recorder


def items() -> memcached.Cache:
    kept = memcached.Cache()
    for number in range(10_000):
        kept.put(b"%d" % number, 0, b"x", 0)
    return kept


def keys() -> redis.Store:
    store = redis.Store(("127.77.0.1", 6379, "10.0.0.1"))
    with contextlib.suppress(redis.CommandError):
        for number in range(100_000):
            store.put(0, b"%d" % number, redis.Hash({b"f": b"v"}))
    return store


@pytest.mark.parametrize(
    ("make", "most"),
    [
        (rates, 2048 * bounds.RATE_BYTES * 1.1),
        (tallies, 2048 * bounds.TALLY_BYTES * 1.1),
        (items, memcached.CACHE_ITEMS * bounds.ITEM_BYTES * 1.1 + memcached.CACHE_BYTES),
        (keys, redis.STORE_BYTES * 1.25),
    ],
)
def test_what_an_entry_counts_for_is_what_it_takes(make: Callable[[], object], most: float) -> None:
    registry.load("redis")
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = make()
    took = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert took < most, kept


def test_a_process_has_as_many_sessions_as_the_setting_says(tmp_path: Path) -> None:
    """For all its services together: a bound for each of eight would be eight times as much."""
    made: Any = SimpleNamespace()
    shared = share(DecoySettings(sessions=77, session_bytes=3 << 20), tmp_path, made, made)
    assert (shared.room.most, shared.room.most_bytes) == (77, 3 << 20)
