"""Whatever a peer sends to the http decoy: its session ends without a fault of ours, is recorded, and holds little."""

import asyncio
import contextlib
import os

from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.decoys.http import conditional, forms
from chaffinch.decoys.http.body import KEEP_BYTES, Body
from chaffinch.decoys.http.parser import Head, Refusal, resolve
from chaffinch.decoys.stream import READ_BYTES, WRITE_BYTES
from chaffinch.events import Request, SessionClosed, SessionOpened
from tests.clients.http_probes import PROBES
from tests.decoys.harness import Decoy, decoy, end_input, persona

EXAMPLES = 2000 if os.environ.get("CHAFFINCH_TEST_FUZZ") == "long" else 40

PIECES = st.sampled_from([
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"POST /login HTTP/1.1\r\nHost: a\r\n", b"Content-Length: 9\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n", b"0\r\n\r\n", b"username=a&password=b", b"\r\n", b"\n",
    b"\0", b"GET ", b" HTTP/1.1\r\n", b"Host: a\r\n", b"X: " + b"y" * 9000, b"Range: bytes=0-1,5-\r\n",
    b"If-None-Match: *\r\n", b"Authorization: Basic AAAA\r\n", b"Expect: 100-continue\r\n",
    b"Accept-Encoding: gzip\r\n", b"Content-Length: 5000000\r\n",
])  # fmt: skip
INPUT = st.one_of(
    st.lists(st.one_of(PIECES, st.binary(max_size=60)), max_size=12).map(b"".join),
    st.sampled_from([probe for probe in PROBES.values() if len(probe) < 20_000]),
)


async def throw(running: Decoy, sent: bytes, cut: int) -> None:
    reader, writer = await asyncio.open_connection(running.address, running.port)
    with contextlib.suppress(OSError, TimeoutError):
        writer.write(sent[:cut])
        await asyncio.sleep(0)
        writer.write(sent[cut:])
        end_input(writer)
        async with asyncio.timeout(2):
            while await reader.read(65536):
                pass
    writer.close()


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.tuples(INPUT, st.integers(0, 60)), min_size=1, max_size=4), st.sampled_from(["", "router"]))
def test_any_input_ends_a_session_without_an_error(sent: list[tuple[bytes, int]], page: str) -> None:
    async def run() -> None:
        async with decoy("http", persona("http", page=page, realm="x" if page else "")) as running:
            await asyncio.gather(*[throw(running, data, cut) for data, cut in sent])
            await running.settled()
            assert len(running.recorded.of(SessionOpened)) == len(running.recorded.of(SessionClosed)) == len(sent)
            assert {fact.reason for fact in running.recorded.of(SessionClosed)} <= {"peer", "service", "unread"}

    asyncio.run(run())


@given(st.binary(max_size=300))
def test_parsers_take_anything(data: bytes) -> None:
    for read in (Head().read, resolve):
        with contextlib.suppress(Refusal):
            read(data)
    forms.login(data)
    forms.basic(data)
    conditional.parse_date(data)
    fields = dict.fromkeys((b"range", b"if-range", b"if-match", b"if-none-match", b"accept-encoding"), data)
    conditional.precondition(fields, b'"e"', 5)
    conditional.ranges(fields | {b"range": b"bytes=" + data}, 100, b'"e"', 5)
    conditional.wants_gzip(fields, 1001)


@settings(deadline=None)
@given(st.sampled_from(list(PROBES.values())), st.integers(1, 500))
def test_a_head_reads_the_same_in_any_pieces(data: bytes, step: int) -> None:
    def outcome(pieces: list[bytes]) -> object:
        head, rest = Head(), b""
        try:
            for piece in pieces:
                rest += piece
                rest = rest[head.read(rest) :]
                if head.complete:
                    return head.method, head.path, head.headers, head.length, head.keep_alive
        except Refusal as refusal:
            return refusal.status, refusal.large
        return "unfinished"

    data = data[:40_000]
    assert outcome([data]) == outcome([data[at : at + step] for at in range(0, len(data), step)])


@given(st.lists(st.binary(max_size=5000), max_size=40))
def test_chunks_give_back_what_was_cut(parts: list[bytes]) -> None:
    body = Body(-1)
    for part in parts:
        if part:
            assert body.feed(b"%x\r\n%b\r\n" % (len(part), part)) == b""
    assert body.feed(b"0\r\n\r\nrest") == b"rest"
    assert body.done
    assert body.size == sum(map(len, parts))
    assert body.size > KEEP_BYTES or bytes(body.kept) == b"".join(parts)


def test_a_peer_that_never_reads_is_bounded() -> None:
    async def run() -> None:
        async with decoy("http") as running:
            reader, writer = await asyncio.open_connection(running.address, running.port)
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            sent = 0
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(1):
                    while sent < 64 << 20:
                        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 500)
                        sent += 13_500
                        await writer.drain()
            for session in running.sessions.values():
                assert session.buffered <= 2 * READ_BYTES
                assert len(session._out) <= WRITE_BYTES
                session.expire(session.last_read + 76)
            await running.settled()
            writer.transport.abort()
            assert running.recorded.of(SessionClosed)[0].reason in {"idle", "service", "unread", "peer"}
            assert len(running.recorded.of(Request)) <= 1000

    asyncio.run(run())
