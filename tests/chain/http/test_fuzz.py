"""Anything at all, over a connection or in a body: the server is well after it, and told nobody's secrets."""

import asyncio
import contextlib
import json
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chain.http.running import running, sentences
from tests.http.fuzzing import CUTS, LEAVINGS, QUICK, VALUES, attempt, examples, streams_of

EXAMPLES = examples(250)

MESSAGES = "/v1/chains/room/messages"

TARGETS = (
    *("/healthz", "/v1/chains", "/v1/chains/", "/v1/chains//stats", MESSAGES, "/v1/chains/room", "//healthz"),
    *("/v1/chains/%2e%2e/stats", "/v1/chains/..%2f/stats", "/v1/chains/%00/stats", "http://a/healthz", "/metrics"),
    *("/v1/chains?limit=1", "/v1/chains?after=%ff", "/healthz#a"),
)
OPERATIONS = (
    *(("POST", MESSAGES), ("POST", "/v1/chains/room/generate"), ("DELETE", MESSAGES + "?author=a")),
    *(("POST", "/v1/chains/secret/generate"), ("DELETE", "/v1/chains/secret"), ("GET", "/v1/chains/secret/stats")),
    *(("GET", "/v1/chains"), ("POST", "/v1/chains/room/merge"), ("DELETE", "/v1/chains/secret/messages?author=a")),
)
SHOWN = ("Authorization: Bearer TOKEN",)
streams = streams_of(OPERATIONS, TARGETS, SHOWN * 6, SHOWN * 3, (b'{"n":1}',))

members = st.sampled_from(("text", "id", "author", "channel", "time", "attachments", "colour"))
objects = st.dictionaries(members, st.one_of(st.text(max_size=30), VALUES), max_size=7)
good_lines = st.text(max_size=40).map(lambda text: json.dumps({"text": text}).encode())
any_lines = st.one_of(
    good_lines,
    objects.map(lambda value: json.dumps(value).encode()),
    VALUES.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=40),
    st.sampled_from((b"[" * 5000, b'{"text":"a"}' * 2, b"{", b"\r", b"\xef\xbb\xbf{}")),
    st.just(b'{"text":"' + b"\xf0\x9f\x90\xa6" * 300 + b'"}'),
)


class Session:
    """One server for all examples of a test, with a chain that the peer's token does not reach."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.stack = contextlib.AsyncExitStack()

    def __enter__(self) -> Self:
        self.runner.run(self._start())
        return self

    def __exit__(self, *error: object) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()

    async def _start(self) -> None:
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.server = await self.stack.enter_async_context(running(Path(folder), bounds=QUICK))
        await self.server.learn("secret", sentences())
        everything, self.token = self.server.give_tokens(
            ("all", "*", ("admin",)), ("mine", ["room"], ("read", "write", "admin"))
        )
        self.server.token = everything

    async def attempt(self, sent: bytes, cut: int, leaving: str) -> None:
        assert b"the old sailor" not in await attempt(self.server.port, sent, cut, leaving)
        await self.well()

    async def well(self) -> None:
        """It answers the next good request, has no fault to tell of, and nothing of the last peer is left."""
        server = self.server
        assert (await server.ask("GET", "/v1/chains/secret/stats")).json["messages"] == len(sentences())
        async with asyncio.timeout(10):
            while server.doors.open or server.pool.depth:
                await asyncio.sleep(0.001)
        server.writers.clear()
        assert not [key for key in server.counted("chain_http_requests") if key[1] == "500"]


@pytest.fixture
def session(caplog: pytest.LogCaptureFixture) -> Iterator[Session]:
    with Session() as one:
        yield one
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_any_bytes_leave_the_server_alive(session: Session) -> None:
    @given(streams, CUTS, LEAVINGS)
    @settings(max_examples=EXAMPLES, deadline=None)
    def fuzz(sent: bytes, cut: int, leaving: str) -> None:
        session.runner.run(session.attempt(sent.replace(b"TOKEN", session.token.encode()), cut, leaving))

    fuzz()
    answered = session.server.counted("chain_http_requests")
    assert {status for _, status in answered} >= {"401", "403", "404", "405"}, (
        "requests that are none at all test little"
    )


def test_any_lines_are_learned_or_refused_and_add_up(session: Session) -> None:
    async def attempt(body: bytes, skip_bad: bool) -> None:
        path = MESSAGES + ("?skip_bad=1" if skip_bad else "")
        headers = {"Content-Type": "application/x-ndjson"}
        answer = await session.server.ask("POST", path, body, token=session.token, headers=headers)
        assert answer.status in ((200,) if skip_bad else (200, 400))
        found = answer.json if answer.status == 200 else answer.json["learned"]
        outcomes = ("learned", "duplicates", "empty", "no_room", "bad")
        assert sum(found[name] for name in outcomes) == found["lines"]
        meant = [line for line in body.split(b"\n") if line.strip()]
        if answer.status == 200:
            assert found["lines"] == len(meant)
            assert bool(found["first_bad"]) == bool(found["bad"])
        else:
            number = found["first_bad"][0]["line"]
            assert answer.json["detail"].startswith(f"line {number}: ")
            assert found["bad"] == 1
        await session.well()

    @given(st.lists(any_lines, max_size=8).map(b"\n".join), st.booleans())
    @settings(max_examples=EXAMPLES, deadline=None)
    def fuzz(body: bytes, skip_bad: bool) -> None:
        session.runner.run(attempt(body, skip_bad))

    fuzz()
    assert {status for _, status in session.server.counted("chain_http_requests")} >= {"200", "400"}
