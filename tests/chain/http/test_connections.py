"""Connections of the API that break off, pause or leave: what was learned of a body by then, and what is given up."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from chaffinch.config import ChainSettings
from tests.chain.http.running import Running, lines, running, sentences
from tests.http.client import chunk, closed_with, read_answer, request, rest
from tests.http.running import SHORT

Scene = Callable[[Running], Awaitable[None]]

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
