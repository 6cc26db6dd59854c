"""Anything at all, over a connection or in a body: the control API is well after it, and what runs goes on."""

import asyncio
import contextlib
import json
import logging
import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.chain.http.limits import Bounds
from chaffinch.load.loaded import Control
from tests.load.serve.running import Running, running, values
from tests.load.serve.target import scenario, target

EXAMPLES = 3000 if os.environ.get("CHAFFINCH_TEST_FUZZ") == "long" else 150

QUICK = Bounds(head_seconds=5, quiet_seconds=5, linger_seconds=0.2, sweep_seconds=0.05)
TOKEN = "sesame-nobody-guesses"

METHODS = ("GET", "POST", "DELETE", "HEAD", "OPTIONS", "CONNECT", "PUT", "get", "", "G\tT")
TARGETS = (
    *("/health", "/ready", "/config", "/start", "/stop", "/load", "/metrics", "/result", "*", "//health"),
    *("/health/", "/Health", "/%68ealth", "http://a/health", "/health?a=b", "/stop?%ff", "/health#a", "/" + "x" * 3000),
)
SAFE = (("POST", "/load"), ("GET", "/health"), ("GET", "/metrics"), ("GET", "/result"), ("GET", "/ready"))
VERSIONS = (*("HTTP/1.1",) * 8, "HTTP/1.0", "HTTP/2.0", "HTTP/1.1 ", "")
HEADERS = (
    *("Host: a", "Content-Length: 3", "Content-Length: 7", "Content-Length: 99999999999", "Content-Length: x"),
    *("Transfer-Encoding: chunked", "Transfer-Encoding: gzip", "Expect: 100-continue", "Connection: close"),
    *("Connection: upgrade", "Upgrade: h2c", "Content-Type: application/json", "Accept: text/plain", "Origin: null"),
    *("Content-Encoding: gzip", "X: \x00", "X: " + "y" * 20_000, "X", ": x", " folded"),
)
CREDENTIALS = (f"Authorization: Bearer {TOKEN}", "Authorization: Basic eA==", "Authorization: Bearer", "X: y")
ENDS = (*("\r\n",) * 8, "\n", "\r", "")
BODIES = (
    *(b"", b"{}", b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"ffffffff\r\n", b'{"rate": 5}', b"\x00" * 100),
    b"0\r\n\r\nGET /health HTTP/1.1\r\n",
)

heads = st.builds(
    lambda asked, version, headers, end: end.join([" ".join((*asked, version)), *headers, "", ""]),
    st.one_of(st.sampled_from(SAFE), st.tuples(st.sampled_from(METHODS), st.sampled_from(TARGETS))),
    st.sampled_from(VERSIONS),
    st.tuples(st.sampled_from(CREDENTIALS), st.lists(st.sampled_from(HEADERS), max_size=3)).map(
        lambda drawn: ["Host: a", drawn[0], *drawn[1]]
    ),
    st.sampled_from(ENDS),
)
requests = st.builds(
    lambda head, body: head.encode("latin-1") + body, heads, st.one_of(st.sampled_from(BODIES), st.binary(max_size=60))
)
streams = st.one_of(st.lists(requests, min_size=1, max_size=4).map(b"".join), st.binary(max_size=300))

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
KEYS = st.sampled_from(("load", "rate", "workers", "users", "tenant", "model", "target", "version", "config"))
BODY = st.one_of(
    st.dictionaries(KEYS, VALUES, max_size=4).map(lambda value: json.dumps(value).encode()),
    VALUES.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=80),
    st.sampled_from((b"[" * 60_000, b"{a: " * 10_000, b"&a [*a]", b"!!python/object:os.system {}", b"\xef\xbb\xbf{}")),
    st.sampled_from((b"{rate: 1e400}", b"{rate: .nan}", b"{workers: 99999999999999999999}", b"{rate: 0x10}")),
)


@pytest.fixture
def server(caplog: pytest.LogCaptureFixture) -> Iterator[Running]:
    with target() as site, running(scenario(site), control=Control(port=0, token=TOKEN), bounds=QUICK) as one:
        yield one
        well(one)
        assert not [line for line in values(one.page, "chaffinch_load_http_requests_total") if 'status="500"' in line]
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def well(server: Running) -> None:
    """It answers the next good request, and nothing of the last peer is left."""
    assert server.ask("GET", "/ready").status == 200
    assert server.served is not None
    end = time.monotonic() + 10
    while server.served.doors.open:
        assert time.monotonic() < end
        time.sleep(0.001)


async def attempt(port: int, sent: bytes, cut: int, end: str) -> None:
    """Send, then close one half, or all of it, or wait a little."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent[:cut])
    await asyncio.sleep(0)
    writer.write(sent[cut:])
    if end == "abort":
        writer.transport.abort()
    elif end == "half":
        writer.write_eof()
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(0.02 if end == "wait" else 5):
            assert TOKEN.encode() not in await reader.read()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def test_any_bytes_leave_the_server_alive(server: Running) -> None:
    with asyncio.Runner() as runner:

        @given(streams, st.integers(0, 200), st.sampled_from(("half", "abort", "wait")))
        @settings(max_examples=EXAMPLES, deadline=None)
        def fuzz(sent: bytes, cut: int, end: str) -> None:
            runner.run(attempt(server.port, sent, cut, end))
            well(server)

        fuzz()
    said = "".join(values(server.page, "chaffinch_load_http_requests_total"))
    for status in ("200", "400", "401", "404", "405"):
        assert f'status="{status}"' in said, "requests that are none at all test little"


@pytest.mark.parametrize("path", ["/load", "/config", "/stop"])
def test_any_body_is_taken_or_refused(path: str, server: Running) -> None:
    @given(BODY)
    @settings(max_examples=EXAMPLES, deadline=None)
    def fuzz(body: bytes) -> None:
        answer = server.ask("POST", path, body)
        assert answer.status in {200, 400, 409}, answer
        if answer.status != 200:
            assert answer.json.keys() == {"title", "status", "code", "detail", "type"}
            assert answer.json["status"] == answer.status

    fuzz()
    if path != "/stop":
        assert server.health["run"] == "1"
