"""Connections as a peer sees them byte by byte: what is refused, what is waited for, and for how long."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from chaffinch.chain.http.limits import HEAD_BYTES, Bounds
from chaffinch.config import ChainSettings
from tests.chain.http.running import Answer, Running, Streams, lines, read_answer, request, running, sentences

Scene = Callable[[Running], Awaitable[None]]

SHORT = Bounds(
    head_seconds=0.2,
    idle_seconds=0.3,
    quiet_seconds=0.2,
    body_seconds=0.6,
    write_seconds=0.3,
    linger_seconds=0.3,
    sweep_seconds=0.05,
)
NDJSON = {"Content-Type": "application/x-ndjson"}
CHUNKED = NDJSON | {"Transfer-Encoding": "chunked"}
MESSAGES = "/v1/chains/room/messages"


def play(state: Path, scene: Scene, **settings: object) -> None:
    """Run a scene against a server, then see that it still answers."""

    async def run() -> None:
        async with running(state, **settings) as server, asyncio.timeout(20):
            await scene(server)
            assert (await server.ask("GET", "/healthz", token="")).status == 200

    asyncio.run(run())


async def rest(streams: Streams) -> bytes:
    """What the server says until it closes."""
    try:
        return await streams[0].read()
    finally:
        streams[1].close()


async def closed_with(streams: Streams) -> Answer:
    """The one answer after which the server closes."""
    answer = await read_answer(streams[0])
    assert answer.headers["connection"] == "close"
    assert await rest(streams) == b""
    return answer


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


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
def test_what_is_not_http_is_refused_as_a_problem(tmp_path: Path, head: bytes) -> None:
    async def scene(server: Running) -> None:
        streams = await server.connect()
        streams[1].write(head)
        answer = await closed_with(streams)
        assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
        assert answer.json["code"] == "malformed"
        assert server.counted("chain_http_connections_refused") == {("malformed",): 1}

    play(tmp_path, scene)


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
def test_a_request_whose_end_is_not_certain_smuggles_nothing(tmp_path: Path, framing: str) -> None:
    async def scene(server: Running) -> None:
        await server.learn("room", sentences()[:5])
        streams = await server.connect()
        outer = request("POST", "/v1/chains/room/merge", token=server.token)[:-2] + f"{framing}\r\n\r\n".encode()
        streams[1].write(outer + b"0\r\n\r\n" + request("DELETE", "/v1/chains/room", token=server.token))
        answer = await closed_with(streams)
        assert answer.status in (400, 413, 501)
        assert answer.headers["content-type"] == "application/problem+json"
        assert (await server.ask("GET", "/v1/chains")).json["chains"] == ["room"]

    play(tmp_path, scene)


def test_the_same_length_said_twice_is_that_length_or_refused(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        for framing in ("Content-Length: 3\r\nContent-Length: 3", "Content-Length: 3, 3"):
            streams = await server.connect()
            outer = request("POST", "/v1/chains/room/merge", token=server.token)[:-2] + f"{framing}\r\n\r\n".encode()
            streams[1].write(outer + b"abc" + request("GET", "/healthz"))
            first = await read_answer(streams[0])
            if first.status == 400:
                assert await rest(streams) == b""
            else:
                assert (first.status, (await read_answer(streams[0])).status) == (415, 200)

    play(tmp_path, scene)


def test_chunks_of_an_older_version_are_refused(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        streams = await server.connect()
        head = request("POST", MESSAGES, token=server.token, headers=CHUNKED).replace(b"HTTP/1.1", b"HTTP/1.0")
        streams[1].write(head + b"0\r\n\r\n")
        assert (await closed_with(streams)).status == 400

    play(tmp_path, scene)


@pytest.mark.parametrize("bad", [b"zz\r\n", b"-1\r\n", b"5\r\nabcdefgh\r\n", b"f" * 40 + b"\r\n", b"4 ;x\r\nabcd\rX"])
def test_a_bad_chunk_ends_the_body_and_says_what_was_learned(tmp_path: Path, bad: bytes) -> None:
    async def scene(server: Running) -> None:
        streams = await server.connect()
        good = lines(sentences()[:512])
        streams[1].write(request("POST", MESSAGES, token=server.token, headers=CHUNKED) + chunk(good) + bad)
        answer = await closed_with(streams)
        assert (answer.status, answer.json["code"]) == (400, "malformed")
        assert answer.json["learned"]["learned"] == 512

    play(tmp_path, scene)


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
def test_headers_are_bounded_whether_they_end_or_not(tmp_path: Path, end: bytes) -> None:
    async def scene(server: Running) -> None:
        streams = await server.connect()
        streams[1].write(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"x" * (HEAD_BYTES + 1) + end)
        assert (await closed_with(streams)).status == 431

    play(tmp_path, scene)


def test_requests_come_one_after_the_other_and_are_answered_in_order(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        await server.learn("room", sentences())
        streams = await server.connect()
        asked = [{"n": number} for number in range(1, 40)]
        streams[1].write(
            b"".join(request("POST", "/v1/chains/room/generate", one, server.token) for one in asked)
            + request("GET", "/healthz", headers={"Connection": "close"})
        )
        for number in range(1, 40):
            assert len((await read_answer(streams[0])).json["messages"]) == number
        assert (await closed_with(streams)).json == {"status": "ok"}

    play(tmp_path, scene)


@pytest.mark.parametrize("version", ["0.9", "2.0", "3.0"])
def test_another_version_is_refused(tmp_path: Path, version: str) -> None:
    async def scene(server: Running) -> None:
        for method in ("GET", "HEAD"):
            streams = await server.connect()
            streams[1].write(request(method, "/healthz").replace(b"HTTP/1.1", f"HTTP/{version}".encode()))
            said = await rest(streams)
            assert said.startswith(b"HTTP/1.1 505 ")
            assert said.endswith(b"}") == (method == "GET")

    play(tmp_path, scene)


def test_an_older_version_is_answered_once(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        streams = await server.connect()
        streams[1].write(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert (await closed_with(streams)).json == {"status": "ok"}

    play(tmp_path, scene)


def test_no_other_protocol_is_spoken(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        streams = await server.connect()
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
        streams[1].write(request("GET", "/healthz", headers=upgrade) + request("GET", "/healthz"))
        assert [(await read_answer(streams[0])).status for _ in range(2)] == [200, 200]
        streams[1].write(request("CONNECT", "127.0.0.1:22"))
        assert (await read_answer(streams[0])).status == 404
        streams[1].close()

    play(tmp_path, scene)


def test_a_peer_that_asks_first_is_told_to_go_on_or_why_not(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        headers = NDJSON | {"Expect": "100-continue", "Content-Length": "14"}
        streams = await server.connect()
        streams[1].write(request("POST", MESSAGES, token=server.token, headers=headers))
        assert (await streams[0].readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        streams[1].write(b'{"text":"one"}')
        assert (await read_answer(streams[0])).json["learned"] == 1
        streams[1].write(request("POST", MESSAGES, headers=headers))
        assert (await closed_with(streams)).status == 401

    play(tmp_path, scene)


def test_a_peer_that_only_sends_sees_why_it_was_refused(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        streams = await server.connect()
        body = b" " * 900_000
        streams[1].write(request("POST", MESSAGES, headers=NDJSON | {"Content-Length": "1000000"}) + body)
        await streams[1].drain()
        assert (await closed_with(streams)).status == 401

    play(tmp_path, scene)


def test_a_peer_that_sends_on_after_its_refusal_is_not_read_for_ever(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        _, writer = await server.connect()
        writer.write(request("POST", MESSAGES, headers=NDJSON | {"Content-Length": "1000000000"}))

        async def send() -> None:
            while True:
                writer.write(b" " * 65_536)
                await writer.drain()

        with pytest.raises(ConnectionError):
            await send()

    play(tmp_path, scene)


def test_half_a_body_is_learned_as_far_as_it_came_in_batches(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        streams = await server.connect()
        streams[1].write(
            request("POST", MESSAGES, token=server.token, headers=CHUNKED) + chunk(lines(sentences()[:520]))
        )
        while server.counted("chain_messages").get(("learned",)) != 512:
            await asyncio.sleep(0.01)
        streams[1].write_eof()
        assert await rest(streams) == b""
        while not server.counted("chain_http_requests"):
            await asyncio.sleep(0.01)
        assert server.counted("chain_http_requests") == {("messages", "gone"): 1}
        assert (await server.ask("GET", "/v1/chains/room/stats")).json["messages"] == 512

    play(tmp_path, scene)


def test_who_leaves_gives_up_its_place_in_the_queue(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        await server.learn("room", sentences())
        free = threading.Event()
        blocking = asyncio.create_task(server.pool.submit(free.wait, operation="test"))
        try:
            streams = [await server.connect() for _ in range(3)]
            for _, writer in streams:
                writer.write(request("POST", "/v1/chains/room/generate", {}, server.token))
            while server.pool.depth < 3:
                await asyncio.sleep(0.01)
            for _, writer in streams:
                writer.transport.abort()
            while server.pool.depth:
                await asyncio.sleep(0.01)
        finally:
            free.set()
        await blocking
        assert server.counted("chain_http_requests")["generate", "gone"] == 3

    play(tmp_path, scene, chain=ChainSettings(threads=1))


def test_headers_that_do_not_come_are_not_waited_for(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        slow = await server.connect()
        silent = await server.connect()
        sent = request("GET", "/healthz")
        for at in range(12):
            slow[1].write(sent[at : at + 1])
            await asyncio.sleep(0.02)
        assert (await closed_with(slow)).status == 408
        assert await rest(silent) == b""
        assert server.counted("chain_http_connections_refused") == {("slow_head",): 1}

    play(tmp_path, scene, bounds=SHORT)


def test_a_connection_without_requests_is_closed_but_not_at_once(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        streams = await server.connect()
        for _ in range(3):
            streams[1].write(request("GET", "/healthz"))
            assert (await read_answer(streams[0])).status == 200
            await asyncio.sleep(0.15)
        assert await rest(streams) == b""
        assert server.counted("chain_http_connections_refused") == {}

    play(tmp_path, scene, bounds=SHORT)


@pytest.mark.parametrize("pause", [30.0, 0.05])
def test_a_body_that_pauses_or_never_ends_is_not_waited_for(tmp_path: Path, pause: float) -> None:
    async def scene(server: Running) -> None:
        reader, writer = streams = await server.connect()
        writer.write(request("POST", MESSAGES, token=server.token, headers=CHUNKED) + chunk(lines(sentences()[:512])))

        async def dribble() -> None:
            while True:
                await asyncio.sleep(pause)
                writer.write(chunk(b" "))

        dribbling = asyncio.create_task(dribble())
        answer = await closed_with(streams)
        dribbling.cancel()
        assert (answer.status, answer.json["code"], answer.json["learned"]["learned"]) == (408, "slow", 512)
        assert reader.at_eof()

    play(tmp_path, scene, bounds=SHORT)


def test_who_asks_and_does_not_read_is_cut_off(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        with socket.socket() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.connect(("127.0.0.1", server.port))
            peer.setblocking(False)
            while server.counted("chain_http_connections_refused") != {("unread",): 1}:
                assert sum(one._transport.get_write_buffer_size() for one in server.doors.open) < 200_000
                try:
                    peer.send(request("GET", "/openapi.json") * 100)
                except BlockingIOError:
                    pass
                except ConnectionError:
                    break
                await asyncio.sleep(0.01)
        while server.doors.open:
            await asyncio.sleep(0.01)
        assert server.counted("chain_http_connections_refused") == {("unread",): 1}

    play(tmp_path, scene, bounds=SHORT)


def test_connections_past_the_cap_are_told_so(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
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

    play(tmp_path, scene, connections=2)


def test_a_fault_of_ours_ends_one_connection_and_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(server: Running) -> None:
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

    play(tmp_path, scene, bounds=SHORT)


def test_a_fault_of_a_handler_is_a_500_without_details(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(server: Running) -> None:
        async def fail() -> list[str]:
            raise ValueError("what nobody else may know")

        server.tenants.list = fail  # type: ignore[method-assign]
        answer = await server.ask("GET", "/v1/chains")
        assert (answer.status, answer.json["code"]) == (500, "failed")
        assert b"nobody else" not in answer.body
        assert [record.message for record in caplog.records] == ["http.failed path=chains tenant="]
        assert server.token not in caplog.text

    play(tmp_path, scene)
