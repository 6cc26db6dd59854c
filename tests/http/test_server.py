"""How a server ends: who is idle is closed, who is answered gets the answer, who takes too long is told so."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.http.client import Streams, closed_with, request, rest
from tests.http.running import Bare, running

Scene = Callable[[Bare], Awaitable[None]]

HALF = request("POST", "/body", headers={"Content-Length": "10"}) + b"12345"


def play(scene: Scene) -> None:
    async def run() -> None:
        async with running() as server, asyncio.timeout(20):
            await scene(server)

    asyncio.run(run())


async def answering(server: Bare) -> Streams:
    """A connection whose request is answered, but has not come whole."""
    streams = await server.connect()
    streams[1].write(HALF)
    while not any(one.task is not None for one in server.doors.open):
        await asyncio.sleep(0.01)
    return streams


def test_a_request_that_runs_is_answered_and_no_other_is_taken() -> None:
    async def scene(server: Bare) -> None:
        idle = await server.connect()
        streams = await answering(server)
        server.server.stop()
        assert await rest(idle) == b""
        streams[1].write(b"67890" + request("GET", "/healthz"))
        assert (await closed_with(streams)).json == {"bytes": 10}
        assert server.counted("chain_http_requests") == {("body", "200"): 1}

    play(scene)


def test_a_second_time_it_is_interrupted_and_told_so() -> None:
    async def scene(server: Bare) -> None:
        streams = await answering(server)
        server.server.stop()
        server.server.stop()
        answer = await closed_with(streams)
        assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (503, "stopping", "5")

    play(scene)
