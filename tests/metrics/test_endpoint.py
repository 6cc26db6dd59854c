"""The metrics page over HTTP: what it answers, and what it does not let a peer do."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.errors import RunError
from chaffinch.metrics import endpoint
from chaffinch.metrics.endpoint import MOST_CONNECTIONS, parse_request, serve_metrics
from chaffinch.metrics.registry import Registry
from tests.metrics.openmetrics import parse


async def a_snapshot() -> bytes:
    registry = Registry("back")
    registry.counter("requests", "service").add("http")
    return registry.snapshot_bytes()


@contextlib.asynccontextmanager
async def serving(snapshot: endpoint.Read = a_snapshot) -> AsyncIterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    stopping = asyncio.Event()
    server = asyncio.create_task(serve_metrics("127.0.0.1", port, snapshot, stopping), name="metrics")
    await asyncio.sleep(0.05)
    try:
        yield port
    finally:
        stopping.set()
        await asyncio.wait_for(server, 5)


async def ask(port: int, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        return await asyncio.wait_for(reader.read(), 8)
    finally:
        writer.close()


def request(path: str, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    return f"{method} {path} {version}\r\nHost: localhost\r\n\r\n".encode()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_the_page_and_its_neighbours() -> None:
    async def case() -> None:
        async with serving() as port:
            head, _, body = (await ask(port, request("/metrics?name=x"))).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"\r\nContent-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n" in head
            assert f"Content-Length: {len(body)}\r\n".encode() in head
            assert parse(body)["chaffinch_requests"].samples == {("_total", (("service", "http"),)): 1.0}
            head, _, body = (await ask(port, request("/metrics", "HEAD"))).partition(b"\r\n\r\n")
            assert b"200 OK" in head
            assert body == b""
            assert (await ask(port, request("/health"))).endswith(b"\r\n\r\nok\n")
            assert status(await ask(port, request("/"))) == 404
            refused = await ask(port, request("/metrics", "POST"))
            assert status(refused) == 405
            assert b"Allow: GET, HEAD\r\n" in refused

    asyncio.run(case())


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET  /metrics HTTP/1.1\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /m\xc3\xa9trics HTTP/1.1\r\n\r\n", 400),
        (b"GET /metrics HTTP/2.0\r\n\r\n", 505),
        (b"GET /metrics FTP/1.0\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.0\r\n\r\n", ("GET", "/metrics")),
    ],
)
def test_a_request_is_parsed_strictly(sent: bytes, expected: object) -> None:
    assert parse_request(sent) == expected


def test_a_long_page_reaches_a_peer_that_has_closed_its_side() -> None:
    async def long() -> bytes:
        registry = Registry()
        counter = registry.counter("requests", "path", most_labels=20_000)
        for number in range(20_000):
            counter.add(f"/a/rather/long/path/{number:050}")
        return registry.snapshot_bytes()

    async def case() -> None:
        async with serving(long) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request("/metrics"))
            writer.write_eof()
            await asyncio.sleep(0.5)
            _, _, body = (await reader.read()).partition(b"\r\n\r\n")
            assert len(parse(body)["chaffinch_requests"].samples) == 20_000
            writer.close()

    asyncio.run(case())


@given(st.binary(max_size=200).filter(lambda data: b"\r\n\r\n" not in data))
def test_any_head_is_a_request_or_a_status(data: bytes) -> None:
    found = parse_request(data + b"\r\n\r\n")
    assert found in (400, 405, 505) or (isinstance(found, tuple) and found[0] in ("GET", "HEAD"))


def test_headers_are_bounded() -> None:
    async def case() -> None:
        async with serving() as port:
            assert status(await ask(port, b"GET / HTTP/1.1\r\nX: " + b"a" * 9000)) == 431
            assert status(await ask(port, request("/health"))) == 200

    asyncio.run(case())


def test_a_slow_peer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "REQUEST_SECONDS", 0.2)

    async def case() -> None:
        async with serving() as port:
            with contextlib.suppress(ConnectionResetError):
                assert await ask(port, b"GET /metr") == b""
            assert status(await ask(port, request("/health"))) == 200

    asyncio.run(case())


def test_connections_are_bounded_and_those_that_wait_end_with_the_page() -> None:
    async def case() -> None:
        async with serving() as port:
            idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST_CONNECTIONS)]
            await asyncio.sleep(0.05)
            with contextlib.suppress(ConnectionResetError):
                assert await ask(port, request("/health")) == b""
            idle[0][1].close()
            await asyncio.sleep(0.05)
            assert status(await ask(port, request("/health"))) == 200
        for _, writer in idle:
            writer.close()

    asyncio.run(case())


def test_a_snapshot_that_cannot_be_had_is_said_so() -> None:
    async def late() -> bytes:
        raise TimeoutError

    async def damaged() -> bytes:
        return b"not a snapshot"

    async def case() -> None:
        for snapshot in (late, damaged):
            async with serving(snapshot) as port:
                assert status(await ask(port, request("/metrics"))) == 503
                assert status(await ask(port, request("/health"))) == 200

    asyncio.run(case())


def test_a_port_that_is_taken_is_one_sentence() -> None:
    async def case() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(RunError, match=rf"cannot listen on 127\.0\.0\.1 port {port}: .*; set metrics\.port"):
                await serve_metrics("127.0.0.1", port, a_snapshot, asyncio.Event())

    asyncio.run(case())
