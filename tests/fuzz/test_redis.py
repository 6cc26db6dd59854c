"""Anything at all, sent to redis: the handler never fails, and each session is recorded as closed."""

import asyncio
import os

from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.events import SessionClosed
from tests.decoys.harness import decoy, persona

EXAMPLES = 2000 if os.environ.get("CHAFFINCH_TEST_FUZZ") == "long" else 40

WORDS = [
    *(b"*1\r\n", b"*3\r\n", b"*-1\r\n", b"$3\r\n", b"$-1\r\n", b"$0\r\n\r\n", b"\r\n", b"\n", b" ", b"\0", b'"', b"'"),
    *(
        b"set a 1\r\n",
        b"get a\r\n",
        b"append a x\r\n",
        b"lpush l 1 2\r\n",
        b"lpop l -1\r\n",
        b"hset h f v\r\n",
        b"hdel h f\r\n",
    ),
    *(
        b"zadd z 1 m nan n\r\n",
        b"zrange z 0 -1 withscores\r\n",
        b"sadd s 1\r\n",
        b"spop s 3\r\n",
        b"multi\r\n",
        b"exec\r\n",
    ),
    *(
        b"info all\r\n",
        b"client list\r\n",
        b"config get *\r\n",
        b"config set dir /tmp\r\n",
        b"save\r\n",
        b"hello 3\r\n",
    ),
    *(
        b"subscribe a\r\n",
        b"reset\r\n",
        b"eval 'return 1' 0\r\n",
        b"client reply skip\r\n",
        b"object encoding a\r\n",
        b"setbit a 99 1\r\n",
    ),
    *(
        b"scan 0 match [ count 3\r\n",
        b"keys [a-\r\n",
        b"expire a 9\r\n",
        b"sort s\r\n",
        b"rename a b\r\n",
        b"command getkeys set\r\n",
    ),
]
requests = st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=60)), max_size=25).map(b"".join)


@settings(max_examples=EXAMPLES, deadline=None)
@given(sent=st.one_of(requests, st.binary(max_size=400)), chunk=st.sampled_from((0, 3, 64)), cut=st.integers(0, 400))
def test_nothing_breaks_the_session(sent: bytes, chunk: int, cut: int) -> None:
    async def run() -> None:
        async with decoy("redis", persona("redis", address="127.77.42.1")) as running:
            for data in (sent, sent[:cut]):
                await running.talk(data, wait=0.01, chunk=chunk)
            await running.settled()
            closed = running.recorded.of(SessionClosed)
            assert len(closed) == 2
            assert all(fact.reason != "error" for fact in closed)

    asyncio.run(run())
