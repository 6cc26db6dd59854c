"""Connections as a peer sees them byte by byte: what is refused, what is waited for, and for how long."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from chaffinch.http.limits import HEAD_BYTES
from tests.http.client import chunk, closed_with, read_answer, request, rest
from tests.http.running import SHORT, Bare, running

Scene = Callable[[Bare], Awaitable[None]]

CHUNKED = {"Transfer-Encoding": "chunked"}


def play(scene: Scene, **settings: Any) -> None:
    """Run a scene against a server, then see that it still answers."""

    async def run() -> None:
        async with running(**settings) as server, asyncio.timeout(20):
            await scene(server)
            assert (await server.ask("GET", "/healthz")).status == 200

    asyncio.run(run())


@pytest.mark.parametrize(
    "head",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /health z HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused_as_a_problem(head: bytes) -> None:
    async def scene(server: Bare) -> None:
        streams = await server.connect()
        streams[1].write(head)
        answer = await closed_with(streams)
        assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
        assert answer.json["code"] == "malformed"
        assert server.counted("chain_http_connections_refused") == {("malformed",): 1}

    play(scene)


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 0",
        "Content-Length: 0\r\nContent-Length: 4",
        "Content-Length: 0, 4",
        "Content-Length: -1",
        "Content-Length: +0",
        "Content-Length: 0x0",
        "Content-Length : 0",
        "Content-Length: 9" + "9" * 30,
        "Transfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding:\x0bchunked",
        "Transfer-Encoding\x00: chunked",
        "X: a\r\n\tb\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
    ],
)
def test_a_request_whose_end_is_not_certain_smuggles_nothing(framing: str) -> None:
    async def scene(server: Bare) -> None:
        streams = await server.connect()
        outer = request("POST", "/body")[:-2] + f"{framing}\r\n\r\n".encode()
        streams[1].write(outer + b"0\r\n\r\n" + request("DELETE", "/thing"))
        answer = await closed_with(streams)
        assert answer.status in (400, 413, 501)
        assert answer.headers["content-type"] == "application/problem+json"
        assert server.api.removed == 0

    play(scene)


def test_the_same_length_said_twice_is_that_length_or_refused() -> None:
    async def scene(server: Bare) -> None:
        for framing in ("Content-Length: 3\r\nContent-Length: 3", "Content-Length: 3, 3"):
            streams = await server.connect()
            outer = request("POST", "/body")[:-2] + f"{framing}\r\n\r\n".encode()
            streams[1].write(outer + b"abc" + request("GET", "/healthz"))
            first = await read_answer(streams[0])
            if first.status == 400:
                assert await rest(streams) == b""
            else:
                assert (first.json, (await read_answer(streams[0])).status) == ({"bytes": 3}, 200)

    play(scene)


def test_chunks_of_an_older_version_are_refused() -> None:
    async def scene(server: Bare) -> None:
        streams = await server.connect()
        head = request("POST", "/body", headers=CHUNKED).replace(b"HTTP/1.1", b"HTTP/1.0")
        streams[1].write(head + b"0\r\n\r\n")
        assert (await closed_with(streams)).status == 400

    play(scene)


@pytest.mark.parametrize("bad", [b"zz\r\n", b"-1\r\n", b"5\r\nabcdefgh\r\n", b"f" * 40 + b"\r\n", b"4 ;x\r\nabcd\rX"])
def test_a_bad_chunk_ends_the_body(bad: bytes) -> None:
    async def scene(server: Bare) -> None:
        streams = await server.connect()
        streams[1].write(request("POST", "/body", headers=CHUNKED) + chunk(b"a" * 1000) + bad)
        answer = await closed_with(streams)
        assert (answer.status, answer.json["code"]) == (400, "malformed")

    play(scene)


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
def test_headers_are_bounded_whether_they_end_or_not(end: bytes) -> None:
    async def scene(server: Bare) -> None:
        streams = await server.connect()
        streams[1].write(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"x" * (HEAD_BYTES + 1) + end)
        assert (await closed_with(streams)).status == 431

    play(scene)


def test_requests_come_one_after_the_other_and_are_answered_in_order() -> None:
    async def scene(server: Bare) -> None:
        streams = await server.connect()
        bodies = b"".join(request("POST", "/body", b"a" * number) for number in range(1, 40))
        streams[1].write(bodies + request("GET", "/healthz", headers={"Connection": "close"}))
        for number in range(1, 40):
            assert (await read_answer(streams[0])).json == {"bytes": number}
        assert (await closed_with(streams)).json == {"status": "ok"}

    play(scene)


@pytest.mark.parametrize("version", ["0.9", "2.0", "3.0"])
def test_another_version_is_refused(version: str) -> None:
    async def scene(server: Bare) -> None:
        for method in ("GET", "HEAD"):
            streams = await server.connect()
            streams[1].write(request(method, "/healthz").replace(b"HTTP/1.1", f"HTTP/{version}".encode()))
            said = await rest(streams)
            assert said.startswith(b"HTTP/1.1 505 ")
            assert said.endswith(b"}") == (method == "GET")

    play(scene)


def test_an_older_version_is_answered_once() -> None:
    async def scene(server: Bare) -> None:
        streams = await server.connect()
        streams[1].write(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert (await closed_with(streams)).json == {"status": "ok"}

    play(scene)


def test_no_other_protocol_is_spoken() -> None:
    async def scene(server: Bare) -> None:
        streams = await server.connect()
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
        streams[1].write(request("GET", "/healthz", headers=upgrade) + request("GET", "/healthz"))
        assert [(await read_answer(streams[0])).status for _ in range(2)] == [200, 200]
        streams[1].write(request("CONNECT", "127.0.0.1:22"))
        assert (await read_answer(streams[0])).status == 404
        streams[1].close()

    play(scene)


def test_a_peer_that_asks_first_is_told_to_go_on_or_why_not() -> None:
    async def scene(server: Bare) -> None:
        headers = {"Expect": "100-continue", "Content-Length": "14"}
        streams = await server.connect()
        streams[1].write(request("POST", "/body", headers=headers))
        assert (await streams[0].readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        streams[1].write(b"fourteen bytes")
        assert (await read_answer(streams[0])).json == {"bytes": 14}
        streams[1].write(request("POST", "/refused", headers=headers))
        assert (await closed_with(streams)).status == 401

    play(scene)


def test_a_peer_that_only_sends_sees_why_it_was_refused() -> None:
    async def scene(server: Bare) -> None:
        streams = await server.connect()
        body = b" " * 900_000
        streams[1].write(request("POST", "/refused", headers={"Content-Length": "1000000"}) + body)
        await streams[1].drain()
        assert (await closed_with(streams)).status == 401

    play(scene)


def test_a_peer_that_sends_on_after_its_refusal_is_not_read_for_ever() -> None:
    async def scene(server: Bare) -> None:
        _, writer = await server.connect()
        writer.write(request("POST", "/refused", headers={"Content-Length": "1000000000"}))

        async def send() -> None:
            while True:
                writer.write(b" " * 65_536)
                await writer.drain()

        with pytest.raises(ConnectionError):
            await send()

    play(scene)


def test_who_leaves_in_the_middle_of_a_body_is_gone() -> None:
    async def scene(server: Bare) -> None:
        streams = await server.connect()
        streams[1].write(request("POST", "/body", headers=CHUNKED) + chunk(b"a"))
        streams[1].write_eof()
        assert await rest(streams) == b""
        while not server.counted("chain_http_requests"):
            await asyncio.sleep(0.01)
        assert server.counted("chain_http_requests") == {("body", "gone"): 1}

    play(scene)


def test_headers_that_do_not_come_are_not_waited_for() -> None:
    async def scene(server: Bare) -> None:
        slow = await server.connect()
        silent = await server.connect()
        sent = request("GET", "/healthz")
        for at in range(12):
            slow[1].write(sent[at : at + 1])
            await asyncio.sleep(0.02)
        assert (await closed_with(slow)).status == 408
        assert await rest(silent) == b""
        assert server.counted("chain_http_connections_refused") == {("slow_head",): 1}

    play(scene, bounds=SHORT)


def test_time_that_the_server_slept_is_not_held_against_its_peers() -> None:
    async def scene(server: Bare) -> None:
        reader, writer = await server.connect()
        while not server.doors.taken:
            await asyncio.sleep(0.001)
        time.sleep(2 * SHORT.head_seconds)  # noqa: ASYNC251 (the loop of the server stands still, and its peer goes on)
        await asyncio.sleep(0)
        writer.write(request("GET", "/healthz"))
        assert (await read_answer(reader)).status == 200

    play(scene, bounds=SHORT)


def test_a_connection_without_requests_is_closed_but_not_at_once() -> None:
    async def scene(server: Bare) -> None:
        streams = await server.connect()
        for _ in range(3):
            streams[1].write(request("GET", "/healthz"))
            assert (await read_answer(streams[0])).status == 200
            await asyncio.sleep(0.15)
        assert await rest(streams) == b""
        assert server.counted("chain_http_connections_refused") == {}

    play(scene, bounds=SHORT)


@pytest.mark.parametrize("pause", [30.0, 0.05])
def test_a_body_that_pauses_or_never_ends_is_not_waited_for(pause: float) -> None:
    async def scene(server: Bare) -> None:
        reader, writer = streams = await server.connect()
        writer.write(request("POST", "/body", headers=CHUNKED) + chunk(b"a"))

        async def dribble() -> None:
            while True:
                await asyncio.sleep(pause)
                writer.write(chunk(b" "))

        dribbling = asyncio.create_task(dribble())
        answer = await closed_with(streams)
        dribbling.cancel()
        assert (answer.status, answer.json["code"]) == (408, "slow")
        assert reader.at_eof()

    play(scene, bounds=SHORT)


def test_who_asks_and_does_not_read_is_cut_off() -> None:
    async def scene(server: Bare) -> None:
        with socket.socket() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.connect(("127.0.0.1", server.port))
            peer.setblocking(False)
            while server.counted("chain_http_connections_refused") != {("unread",): 1}:
                assert sum(one._transport.get_write_buffer_size() for one in server.doors.open) < 200_000
                try:
                    peer.send(request("GET", "/long") * 100)
                except BlockingIOError:
                    pass
                except ConnectionError:
                    break
                await asyncio.sleep(0.01)
        while server.doors.open:
            await asyncio.sleep(0.01)
        assert server.counted("chain_http_connections_refused") == {("unread",): 1}

    play(scene, bounds=SHORT)


def test_connections_past_the_cap_are_told_so() -> None:
    async def scene(server: Bare) -> None:
        first, second = await server.connect(), await server.connect()
        while len(server.doors.open) < 2:
            await asyncio.sleep(0.01)
        third = await server.connect()
        third[1].write(request("GET", "/healthz"))
        answer = await closed_with(third)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert server.counted("chain_http_connections_refused") == {("connections",): 1}
        first[1].write(request("GET", "/healthz"))
        assert (await read_answer(first[0])).status == 200
        first[1].close()
        second[1].close()
        while server.doors.taken:
            await asyncio.sleep(0.01)

    play(scene, connections=2)


def test_a_fault_of_ours_ends_one_connection_and_is_told_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(server: Bare) -> None:
        swept, answering, other = [await server.connect() for _ in range(3)]
        while len(server.doors.open) < 3:
            await asyncio.sleep(0.01)
        by_port = {one._transport.get_extra_info("peername")[1]: one for one in server.doors.open}
        by_port[swept[1].get_extra_info("sockname")[1]].sweep = None  # type: ignore[assignment]
        by_port[answering[1].get_extra_info("sockname")[1]]._answer = None  # type: ignore[assignment]
        with contextlib.suppress(ConnectionError):
            assert await rest(swept) == b""
        answering[1].write(request("GET", "/healthz"))
        with contextlib.suppress(ConnectionError):
            assert await rest(answering) == b""
        other[1].write(request("GET", "/healthz"))
        assert (await read_answer(other[0])).status == 200
        assert [record.message for record in caplog.records] == ["http.connection_failed"] * 2
        assert server.counted("chain_http_connections_refused") == {("failed",): 2}

    play(scene, bounds=SHORT)
