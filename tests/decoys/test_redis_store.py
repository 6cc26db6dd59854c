"""What a store counts for a source: never less than it holds, whatever is asked of it."""

import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.decoys import registry
from chaffinch.decoys.redis.client import STORES, Client
from chaffinch.decoys.redis.dispatch import execute
from chaffinch.decoys.redis.store import Store, Stores, cost
from chaffinch.personas.persona import Persona
from tests.decoys.harness import memory_of, persona

registry.load("redis")


def client(host: Persona | None = None) -> Client:
    """A connection to a host, by default without keys of its own, from a source that left nothing."""
    host = host or persona("redis", keyspace="empty")
    STORES._by_key.clear()
    STORES._held = 0
    session: Any = SimpleNamespace(
        persona=host, service=host.services[0], address=host.address, source="10.0.0.1", source_port=1, started=1,
        id="x", random=random.Random(1), record=lambda fact: None,
    )  # fmt: skip
    return Client(session)


WORDS = st.sampled_from([b"a", b"b", b"c", b"1", b"2", b"-1", b"xx"])
CHANGES = st.one_of(
    st.tuples(
        st.sampled_from([b"set", b"append", b"lpush", b"rpush", b"sadd", b"srem", b"getset", b"lrem"]), WORDS, WORDS
    ),
    st.tuples(st.sampled_from([b"hset", b"zadd", b"hincrby", b"zincrby"]), WORDS, st.sampled_from([b"1", b"2"]), WORDS),
    st.tuples(st.sampled_from([b"lpop", b"rpop", b"spop", b"del", b"getdel", b"persist"]), WORDS),
    st.tuples(st.sampled_from([b"hdel", b"zrem", b"rename", b"smembers", b"zrange"]), WORDS, WORDS),
    st.tuples(st.just(b"ltrim"), WORDS, st.just(b"0"), st.just(b"1")),
    st.tuples(st.just(b"config"), st.just(b"set"), st.just(b"logfile"), WORDS),
    st.tuples(st.just(b"script"), st.just(b"load"), WORDS),
    st.tuples(st.sampled_from([b"flushall", b"flushdb"])),
)


@given(st.lists(CHANGES, max_size=60))
def test_a_store_counts_at_least_what_it_holds(changes: list[tuple[bytes, ...]]) -> None:
    """A peer that finds an uncounted byte finds as many as it likes."""
    one = client()
    for change in changes:
        execute(one, list(change))
        store = one.store
        values = sum(cost(value) + len(key) for base in store.databases.values() for key, value in base.values.items())
        assert store.held >= values + sum(map(len, store.scripts.values()))


def run(one: Client, *commands: str) -> None:
    for command in commands:
        assert not execute(one, command.encode().split()).startswith(b"-"), command


def emptied(one: Client) -> None:
    for number in range(300):
        run(one, f"set {number} x ex 9000")
    for number in range(300):
        run(one, f"del {number}")


def all_but_one_member_removed(one: Client) -> None:
    for number in range(300):
        run(one, f"sadd s {number}", f"hset h {number} x", f"zadd z 1 {number}", f"rpush l {number}")
    for number in range(1, 300):
        run(one, f"srem s {number}", f"hdel h {number}", f"zrem z {number}", "rpop l")


def in_every_database(one: Client) -> None:
    run(one, *(text for number in range(16) for text in (f"select {number}", "set k x", "del k")))


def small_keys(one: Client) -> None:
    run(one, *(f"set {number} x ex 9000" for number in range(300)))


def scripts(one: Client) -> None:
    run(one, *(f"script load {number}" for number in range(64)))


@pytest.mark.parametrize("keyspace", ["app", "empty"])
@pytest.mark.parametrize("asked", [emptied, all_but_one_member_removed, in_every_database, small_keys, scripts])
def test_stores_count_at_least_what_they_take(asked: Callable[[Client], None], keyspace: str) -> None:
    """Whatever a source takes back: else many sources, or one on many hosts, would hold more than their bound."""
    host = persona("redis", keyspace=keyspace)
    kept: list[Store] = []

    def fill(sources: int) -> None:
        for source in range(sources):
            one = client(host)
            one.session.source = f"source {source}"
            asked(one)
            kept.append(one.store)

    fill(1)
    taken = memory_of(lambda: fill(5))
    stores = Stores(total_bytes=1 << 30)
    for store in kept[1:]:
        store.key = (*store.key[:2], f"{len(stores._by_key)}")
        stores.keep(store)
    assert taken < stores.held
