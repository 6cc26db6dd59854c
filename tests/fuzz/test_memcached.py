"""Anything at all, sent to memcached: the handler never fails, and each session is recorded as closed."""

import asyncio
import os

from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.events import SessionClosed
from tests.decoys.harness import decoy, persona

EXAMPLES = 2000 if os.environ.get("CHAFFINCH_TEST_FUZZ") == "long" else 40

WORDS = [
    *(
        b"set a 0 0 3\r\n",
        b"abc\r\n",
        b"get a\r\n",
        b"gets a a\r\n",
        b"incr a 1\r\n",
        b"cas a 0 0 1 1\r\nx\r\n",
        b"\r\n",
        b"\n",
        b"\0",
    ),
    *(
        b"append a 0 0 1\r\nz\r\n",
        b"gat 0 a\r\n",
        b"touch a -1\r\n",
        b"delete a\r\n",
        b"stats\r\n",
        b"stats items\r\n",
        b"flush_all\r\n",
    ),
    *(
        b"mg a v t c\r\n",
        b"mg a N30 v\r\n",
        b"ms a 2 MA\r\nhi\r\n",
        b"md a I\r\n",
        b"ma a N0 J9 v\r\n",
        b"me a\r\n",
        b"mg a b\r\n",
    ),
    *(
        b"mg a T\r\n",
        b"ms a 1 C F T\r\nx\r\n",
        b"ma a Dx\r\n",
        b"md a Cx\r\n",
        b"stats cachedump 1 0\r\n",
        b"set a 0 0 99999999999\r\n",
    ),
    *(
        b"\x80\x01\0\1\x08\0\0\0\0\0\0\x0a" + bytes(20) + b"kv",
        b"\x80\0\0\1" + bytes(7) + b"\1" + bytes(12) + b"k",
        b"\x80\x10" + bytes(22),
    ),
]
requests = st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=60)), max_size=25).map(b"".join)


@settings(max_examples=EXAMPLES, deadline=None)
@given(sent=st.one_of(requests, st.binary(max_size=400)), chunk=st.sampled_from((0, 3, 64)), cut=st.integers(0, 400))
def test_nothing_breaks_the_session(sent: bytes, chunk: int, cut: int) -> None:
    async def run() -> None:
        async with decoy("memcached", persona("memcached", address="127.77.42.1")) as running:
            for data in (sent, sent[:cut]):
                await running.talk(data, wait=0.01, chunk=chunk)
            await running.settled()
            closed = running.recorded.of(SessionClosed)
            assert len(closed) == 2
            assert all(fact.reason != "error" for fact in closed)

    asyncio.run(run())
