"""What the fuzz tests of servers send: requests that are nearly right, streams of them, and any JSON value."""

import asyncio
import contextlib
import os
from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from chaffinch.http.limits import Bounds

QUICK = Bounds(head_seconds=5, quiet_seconds=5, linger_seconds=0.2, sweep_seconds=0.05)

METHODS = ("GET", "POST", "DELETE", "HEAD", "OPTIONS", "CONNECT", "PUT", "get", "", "G\tT")
TARGETS = ("*", "/" + "x" * 3000)
VERSIONS = (*("HTTP/1.1",) * 8, "HTTP/1.0", "HTTP/2.0", "HTTP/1.1 ", "")
HEADERS = (
    *("Host: a", "Content-Length: 3", "Content-Length: 7", "Content-Length: 99999999999", "Content-Length: x"),
    *("Transfer-Encoding: chunked", "Transfer-Encoding: gzip", "Expect: 100-continue", "Connection: close"),
    *("Connection: upgrade", "Upgrade: h2c", "Content-Type: application/json", "Content-Type: application/x-ndjson"),
    *("Accept: text/plain", "Origin: null", "Content-Encoding: gzip"),
    *("X: \x00", "X: " + "y" * 20_000, "X", ": x", " folded"),
)
NO_CREDENTIALS = ("Authorization: Basic eA==", "Authorization: Bearer", "X: y")
ENDS = (*("\r\n",) * 8, "\n", "\r", "")
BODIES = (b"", b"{}", b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"ffffffff\r\n", b"\x00" * 100, b"0\r\n\r\nGET / HTTP/1.1\r\n")

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
"""Whatever JSON can say."""

CUTS = st.integers(0, 200)
"""Where a stream is cut in two."""

LEAVINGS = st.sampled_from(("half", "abort", "wait"))
"""How a peer goes on once it has sent everything."""


def examples(few: int) -> int:
    """How many of them: few, unless `make fuzz` asks for more."""
    return 3000 if os.environ.get("CHAFFINCH_TEST_FUZZ") == "long" else few


def streams_of(
    operations: Sequence[tuple[str, str]],
    targets: Sequence[str],
    credentials: Sequence[str],
    headers: Sequence[str] = (),
    bodies: Sequence[bytes] = (),
) -> SearchStrategy[bytes]:
    """Streams of requests, or of any bytes: to operations that an API has, or to targets by whatever method.

    `headers` and `bodies` come to those above.
    """
    heads = st.builds(
        lambda asked, version, drawn, end: end.join([" ".join((*asked, version)), "Host: a", *drawn, "", ""]),
        st.one_of(
            st.sampled_from(operations), st.tuples(st.sampled_from(METHODS), st.sampled_from((*TARGETS, *targets)))
        ),
        st.sampled_from(VERSIONS),
        st.tuples(
            st.sampled_from((*credentials, *NO_CREDENTIALS)),
            st.lists(st.sampled_from((*HEADERS, *headers)), max_size=3),
        ).map(lambda drawn: [drawn[0], *drawn[1]]),
        st.sampled_from(ENDS),
    )
    requests = st.builds(
        lambda head, body: head.encode("latin-1") + body,
        heads,
        st.one_of(st.sampled_from((*BODIES, *bodies)), st.binary(max_size=60)),
    )
    return st.one_of(st.lists(requests, min_size=1, max_size=4).map(b"".join), st.binary(max_size=300))


async def attempt(port: int, sent: bytes, cut: int, leaving: str) -> bytes:
    """Send, then close one half, or all of it, or wait a little; what the server said by then."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = b""
    with contextlib.suppress(TimeoutError, OSError):  # the server may have closed before it was sent everything
        writer.write(sent[:cut])
        await asyncio.sleep(0)
        writer.write(sent[cut:])
        if leaving == "abort":
            writer.transport.abort()
        elif leaving == "half":
            writer.write_eof()
        async with asyncio.timeout(0.02 if leaving == "wait" else 5):
            while piece := await reader.read(1 << 16):
                said += piece
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return said
