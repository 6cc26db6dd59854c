"""Every fault of a request ends as an answer, is counted, and is logged where it is ours."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.http.client import request
from tests.http.running import Bare, running

Scene = Callable[[Bare], Awaitable[None]]


def play(scene: Scene, **said: Any) -> None:
    async def run() -> None:
        async with running(**said) as server, asyncio.timeout(20):
            await scene(server)

    asyncio.run(run())


def test_what_is_not_there_says_where_to_look_and_another_method_what_to_use() -> None:
    async def scene(server: Bare) -> None:
        answer = await server.ask("GET", "/nowhere")
        assert (answer.status, answer.json["code"]) == (404, "no_such_path")
        assert "the page lists what there is" in answer.json["detail"]
        answer = await server.ask("POST", "/healthz")
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
        assert (await server.ask("GET", "/thing")).headers["allow"] == "DELETE"
        assert server.counted("chain_http_requests") == {
            ("none", "404"): 1,
            ("healthz", "405"): 1,
            ("thing", "405"): 1,
        }

    play(scene, index="the page")


def test_head_is_answered_as_get_without_the_body() -> None:
    async def scene(server: Bare) -> None:
        streams = await server.connect()
        streams[1].write(request("HEAD", "/healthz", headers={"Connection": "close"}))
        head, _, body = (await streams[0].read()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nContent-Length: 15\r\n" in head + b"\r\n"
        assert body == b""

    play(scene)


def test_a_fault_of_ours_is_a_500_without_details(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(server: Bare) -> None:
        answer = await server.ask("GET", "/failing")
        assert (answer.status, answer.json["code"]) == (500, "failed")
        assert b"nobody else" not in answer.body
        assert [record.message for record in caplog.records] == ["http.failed path=failing who=GET"]
        assert caplog.records[0].exc_info is not None

    play(scene, about=lambda request: f" who={request.method}")


@pytest.mark.parametrize(
    ("unlogged", "logged"), [((), ["http.refused path=failing status=503 why=the disk is full"]), (("storage",), [])]
)
def test_what_cannot_be_done_now_is_logged_unless_that_is_how_it_goes(
    unlogged: tuple[str, ...], logged: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(server: Bare) -> None:
        answer = await server.ask("POST", "/failing")
        assert (answer.status, answer.json["detail"]) == (503, "try again later")
        assert answer.headers["content-type"] == "application/problem+json"
        assert [record.message for record in caplog.records] == logged

    play(scene, unlogged=unlogged)
