"""What a store counts for a source: never less than it holds, whatever is asked of it."""

import random
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chaffinch.decoys import registry
from chaffinch.decoys.redis.client import STORES, Client
from chaffinch.decoys.redis.dispatch import execute
from chaffinch.decoys.redis.store import cost
from tests.decoys.harness import persona

registry.load("redis")


def client() -> Client:
    """A connection to a host without keys of its own, from a source that left nothing."""
    host = persona("redis", keyspace="empty")
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
