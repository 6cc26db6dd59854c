"""What decoys give up when memory is short, what stays as it is, and that nothing goes uncounted."""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch import caches
from chaffinch.config import DecoySettings
from chaffinch.decoys import registry
from chaffinch.decoys.memcached.cache import CACHES, Caches
from chaffinch.decoys.overlay import Change, Overlays
from chaffinch.decoys.recorder import EventRecorder
from chaffinch.decoys.redis.store import Store, Stores
from chaffinch.decoys.relief import MOST_HALVINGS, Relief
from chaffinch.decoys.shell import streams
from chaffinch.events import Collapsed, Command, Event, SessionClosed, SessionOpened
from chaffinch.personas.archetypes import archetypes
from chaffinch.personas.build import Personas
from tests.decoys.accepting import accepting
from tests.decoys.harness import persona

SPEC = registry.load("redis").spec


@pytest.fixture(autouse=True)
def grown() -> Iterator[None]:
    yield
    caches.grow()


def fresh() -> tuple[Relief, Personas, Overlays]:
    personas, overlays = Personas(b"relief", archetypes()), Overlays(1 << 20, 8 << 20)
    return Relief(personas, overlays), personas, overlays


def test_shrinking_keeps_personas_the_same_and_few() -> None:
    relief, personas, _ = fresh()
    before = [personas.of(f"127.77.0.{number}") for number in range(256)]
    assert relief.shrink()
    assert [personas.of(f"127.77.0.{number}") for number in range(256)] == before
    assert len(personas._held) == 16
    assert not relief.shrink(), "there is no second time"
    relief.grow()
    assert [personas.of(f"127.77.0.{number}") for number in range(256)] == before
    assert len(personas._held) == 256


def test_with_nothing_to_give_up_it_says_so_and_bounds_come_back() -> None:
    caches.shrink()
    caches.grow()  # whatever other tests left
    relief, personas, _ = fresh()
    assert not relief.shrink()
    relief.grow()
    for number in range(300):
        personas.of(f"127.77.1.{number % 256}")
    assert len(personas._held) == 256


def test_the_changes_of_sources_unused_for_longest_go_and_are_counted() -> None:
    relief, _, overlays = fresh()
    for number in range(16):
        overlays.of("127.77.0.1", f"10.0.0.{number}").put("/tmp/x", Change("file", data=bytes(500_000)))
    held, before = overlays.held, relief.forgotten
    assert relief.shrink()
    assert held > 7_500_000
    assert overlays.held <= 2 << 20
    assert relief.forgotten - before == overlays.forgotten == 12
    assert overlays.of("127.77.0.1", "10.0.0.15").get("/tmp/x")
    assert overlays.of("127.77.0.1", "10.0.0.0").empty
    overlays.of("127.77.0.1", "10.0.0.99").put("/tmp/x", Change("file", data=bytes(900_000)))
    assert overlays.held <= 2 << 20, "it does not grow back before it may"
    relief.grow()
    for number in range(7):
        overlays.of("127.77.0.1", f"10.0.1.{number}").put("/tmp/x", Change("file", data=bytes(900_000)))
    assert overlays.held > 6 << 20


def test_what_a_redis_source_left_goes_with_its_store_even_while_it_is_connected() -> None:
    stores = Stores()
    kept = []
    for number in range(8):
        store = Store(("127.77.0.1", 6379, f"10.0.0.{number}"))
        store.put(0, b"key", bytes(900_000))
        stores.keep(store)
        kept.append(store)
    assert stores.shrink() == 6 == stores.forgotten
    assert stores.held <= 2 << 20
    assert [store.is_gone for store in kept] == [True] * 6 + [False] * 2
    assert not kept[0].databases
    stores.grow()
    assert stores.find(kept[7].key) is kept[7]


def test_what_a_memcached_source_stored_goes_as_if_evicted() -> None:
    found = Caches()
    host = persona("memcached")
    kept = []
    for number in range(CACHES):
        cache = found.of(("127.77.0.1", 11211, f"10.0.0.{number}"), host)
        cache.put(b"key", 0, b"x", 0)
        found.keep(("127.77.0.1", 11211, f"10.0.0.{number}"), cache)
        kept.append(cache)
    assert found.shrink() == 6 == found.forgotten
    assert [cache.get(b"key") is None for cache in kept] == [True] * 6 + [False] * 2


# Collapsing earlier -----------------------------------------------------------------------------------------------


class Peer(SimpleNamespace):
    """As much of a session as a recorder looks at."""


_numbers = itertools.count()


def peer(source: str) -> Any:
    return Peer(id=f"{next(_numbers):x}", source=source, address="127.77.0.1", port=6379, spec=SPEC)


def closed(reason: str = "peer") -> SessionClosed:
    return SessionClosed(port=6379, source_port=1, started=0, duration_ns=1, bytes_in=3, bytes_out=5, reason=reason)


def test_each_step_halves_and_the_floor_holds() -> None:
    relief, _, _ = fresh()
    recorder = EventRecorder(lambda event: None, DecoySettings(record_rate=6.0, record_burst=100, rate_entries=64))
    assert not relief.collapse_earlier(), "nobody records yet"
    relief.follow(recorder)
    seen = []
    while relief.collapse_earlier():
        seen.append((recorder.rate, recorder._rates.burst, recorder._rates.entries))
    assert seen == [(3.0, 50, 32), (1.5, 25, 16), (1.0, 16, 16)]
    late = EventRecorder(lambda event: None, DecoySettings(record_rate=6.0))
    relief.follow(late)
    assert late.rate == 1.0, "a worker that starts while memory is short begins where the others are"
    for _ in range(9):
        relief.collapse_later()
    assert (recorder.rate, late.rate, relief.halvings) == (6.0, 6.0, 0)


def test_there_are_at_most_four_halvings() -> None:
    relief, _, _ = fresh()
    recorder = EventRecorder(lambda event: None, DecoySettings())
    relief.follow(recorder)
    assert [relief.collapse_earlier() for _ in range(6)] == [True] * MOST_HALVINGS + [False] * 2
    assert recorder.rate == 500 / 16


def test_the_number_of_sources_can_change_while_it_is_halved() -> None:
    relief, _, _ = fresh()
    recorder = EventRecorder(lambda event: None, DecoySettings(rate_entries=1024))
    relief.follow(recorder)
    relief.limit_to(512)
    assert (recorder._rates.entries, recorder._most_tallies, recorder.rate) == (512, 512, 500.0)
    relief.collapse_earlier()
    relief.limit_to(2048)
    assert (recorder._rates.entries, recorder._most_tallies, recorder.rate) == (1024, 1024, 250.0)
    relief.collapse_later()
    assert (recorder._rates.entries, recorder.rate) == (2048, 500.0)


Step = st.one_of(
    st.tuples(st.just("open"), st.integers(0, 60)),
    st.tuples(st.just("close"), st.integers(0, 60)),
    st.tuples(st.just("command"), st.integers(0, 60)),
    st.tuples(st.sampled_from(["earlier", "later", "flush", "press", "relax"]), st.just(0)),
    st.tuples(st.just("limit"), st.integers(16, 64)),
)


@settings(max_examples=200)
@given(st.lists(Step, max_size=300))
def test_every_session_and_fact_is_accounted_for_however_memory_goes(steps: list[tuple[str, int]]) -> None:
    events: list[Event] = []
    relief, _, _ = fresh()
    is_pressed = False
    rates = DecoySettings(record_rate=0.001, record_burst=2, rate_entries=32)
    recorder = EventRecorder(events.append, rates, pressed=lambda: is_pressed)
    relief.follow(recorder)
    opened: list[Any] = []
    commands = 0
    for what, number in steps:
        singly = sum(isinstance(event.fact, Command) for event in events)
        if what == "open":
            opened.append(peer(f"10.0.0.{number}"))
            recorder.record(opened[-1], SessionOpened(port=6379, source_port=1))
        elif what == "close" and opened:
            recorder.record(opened.pop(number % len(opened)), closed())
        elif what == "command" and opened:
            recorder.record(opened[number % len(opened)], Command("PING"))
            commands += 1
            assert not is_pressed or singly == sum(isinstance(event.fact, Command) for event in events)
        elif what in ("press", "relax"):
            is_pressed = what == "press"
        elif what == "limit":
            relief.limit_to(number)
        elif what == "earlier":
            relief.collapse_earlier()
        elif what == "later":
            relief.collapse_later()
        elif what == "flush":
            recorder.flush()
        counters = recorder.counters
        assert counters.opened == counters.recorded + counters.collapsed
        # Beside a place for each source, there is one for those that share one, by kind.
        assert len(recorder._tallies) <= recorder._most_tallies + 2
        assert len(recorder._rates) <= recorder._rates.entries
    for session in opened:
        recorder.record(session, closed())
    recorder.flush()
    collapsed = [event.fact for event in events if isinstance(event.fact, Collapsed)]
    began = {event.session for event in events if isinstance(event.fact, SessionOpened)}
    assert began == {event.session for event in events if isinstance(event.fact, SessionClosed)}
    assert sum(fact.count for fact in collapsed if fact.of == "session") == recorder.counters.collapsed
    told = sum(fact.count for fact in collapsed if fact.of == "command")
    assert told + sum(isinstance(event.fact, Command) for event in events) == commands


# What sessions hold -----------------------------------------------------------------------------------------------


def test_all_shells_together_print_within_a_bound() -> None:
    """A command that sleeps keeps what it printed, and there may be as many as there are sessions."""
    before = streams._held
    outputs = [streams.Output() for _ in range(12)]
    for output in outputs:
        output.write(bytes(2 << 20))
    assert sum(len(output.data) for output in outputs) == streams.ALL_OUTPUT_BYTES - before
    assert all(output.full for output in outputs)
    del outputs[:4], output
    assert not streams.Output().full
    outputs.clear()
    assert streams._held == before


HOLDERS = {
    "redis": (b"*2\r\n$3\r\nGET\r\n$900000\r\n" + bytes(800_000), 790_000),
    "memcached": (b"set key 0 0 900000\r\n" + bytes(800_000), 790_000),
    "http": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + bytes(190_000), 180_000),
    "smtp": (
        b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<root@atlas.corp.example>\r\nDATA\r\n"
        + b"x" * 70
        + b"\r\n" * 99_000,
        150_000,
    ),
    "mysql": (bytes((0, 0, 1, 1)) + bytes(10_000), 9_000),
}
"""What a client leaves unfinished, and how much of it the decoy has to hold at least."""


@pytest.mark.parametrize("name", HOLDERS)
def test_what_a_handler_holds_counts_and_is_given_back(name: str) -> None:
    """The sum over all sessions has a bound only if each handler says what it keeps."""
    sent, least = HOLDERS[name]

    async def holds() -> None:
        async with accepting(name) as running:
            with socket.create_connection((running.address, running.port)) as sock:
                await asyncio.to_thread(sock.sendall, sent)
                await running.until(lambda: running.room.held >= least)
            await running.until(lambda: not len(running.table))
            assert running.room.held == 0

    asyncio.run(holds())


def test_uploads_end_at_the_bound_of_the_process_and_others_go_on() -> None:
    async def holds() -> None:
        async with accepting("redis", settings=DecoySettings(session_bytes=1 << 20)) as running:
            with contextlib.ExitStack() as peers:
                for number in range(6):
                    sock = peers.enter_context(socket.create_connection((running.address, running.port)))
                    await asyncio.to_thread(sock.sendall, HOLDERS["redis"][0][: 200_000 + number * 10_000])
                    await asyncio.sleep(0.05)
                await running.until(lambda: running.table.evicted == 2)
                assert running.room.held <= 1 << 20
                assert len(running.table) == 4
            await running.until(lambda: not len(running.table))
            assert running.room.held == 0
            reasons = [fact.reason for fact in running.of(SessionClosed)]
            assert (reasons.count("evicted"), reasons.count("peer")) == (2, 4)

    asyncio.run(holds())
