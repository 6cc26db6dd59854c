"""A server of a test: on a free port of loopback, in this process, with an API of almost nothing."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Iterable
from typing import Any

import msgspec

from chaffinch.errors import ChaffinchError
from chaffinch.http.doors import Doors
from chaffinch.http.endpoint import Endpoint, Service
from chaffinch.http.limits import Bounds
from chaffinch.http.listening import address_of
from chaffinch.http.message import Request, Response, json_response
from chaffinch.http.problem import RefusalError
from chaffinch.http.protocol import Answer as Answering
from chaffinch.http.server import Server
from chaffinch.metrics.registry import Registry
from tests.http.client import Answer, Streams, read_answer, request

SHORT = Bounds(
    head_seconds=0.2,
    idle_seconds=0.3,
    quiet_seconds=0.2,
    body_seconds=0.6,
    write_seconds=0.3,
    linger_seconds=0.3,
    sweep_seconds=0.05,
)
"""Bounds that a test can wait for."""


class Running:
    """A server, and a client of it. `token` is shown where no other is given."""

    def __init__(self, listener: socket.socket, answer: Answering, registry: Registry, doors: Doors) -> None:
        self.port: int = listener.getsockname()[1]
        self.registry = registry
        self.doors = doors
        self.server = Server(answer, doors, 2.0)
        self.token = ""
        self.writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> Streams:
        """A connection, closed at the end at the latest."""
        streams = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(streams[1])
        return streams

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes | dict[str, Any] | Iterable[dict[str, Any]] | None = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        reader, writer = await self.connect()
        try:
            writer.write(request(method, path, body, self.token if token is None else token, headers))
            return await read_answer(reader)
        finally:
            writer.close()

    def counted(self, name: str) -> dict[tuple[str, ...], int]:
        """The samples of a counter, by the values of its labels."""
        families = {family.name: family for family in self.registry.snapshot().families}
        if name not in families:
            return {}
        return {tuple(value for _, value in one.labels): int(one.value) for one in families[name].samples}

    @contextlib.asynccontextmanager
    async def serving(self, listener: socket.socket) -> AsyncIterator[None]:
        """It takes connections until the end, and all are closed then."""
        task = asyncio.create_task(self.server.run(listener), name="server")
        try:
            yield
        finally:
            self.server.stop()
            await task
            for writer in self.writers:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
            listener.close()


class Read(msgspec.Struct, frozen=True):
    """What became of a body."""

    bytes: int


class Api:
    """Paths that read, refuse, fail, and take away."""

    def __init__(self, registry: Registry, **said: Any) -> None:
        requests = registry.counter("chain_http_requests", "path", "status")
        given: dict[str, Any] = {
            "log": logging.getLogger("tests.http"),
            "problem_of": self.problem_of,
            "index": "the test",
        } | said
        service = Service(requests=requests, **given)
        self.removed = 0
        self._endpoints = {
            "/healthz": Endpoint("healthz", {"GET": self.health}, service),
            "/body": Endpoint("body", {"POST": self.read}, service),
            "/refused": Endpoint("refused", {"POST": self.refuse}, service),
            "/long": Endpoint("long", {"GET": self.long}, service),
            "/thing": Endpoint("thing", {"DELETE": self.remove}, service),
            "/failing": Endpoint("failing", {"GET": self.fail, "POST": self.err}, service),
        }
        self._nothing = Endpoint("none", {}, service)

    async def __call__(self, request: Request) -> Response | None:
        return await self._endpoints.get(request.path, self._nothing)(request)

    @staticmethod
    def problem_of(error: ChaffinchError) -> RefusalError:
        return RefusalError(503, "storage", "try again later")

    async def health(self, _: Request) -> Response:
        return Response(200, b'{"status":"ok"}')

    async def read(self, request: Request) -> Response:
        return json_response(Read(len(await request.body.all(1 << 20))))

    async def refuse(self, _: Request) -> Response:
        raise RefusalError(401, "unauthorized", "nobody may")

    async def long(self, _: Request) -> Response:
        return Response(200, b"x" * 30_000, "text/plain")

    async def remove(self, _: Request) -> Response:
        self.removed += 1
        return Response(200, b"{}")

    async def fail(self, _: Request) -> Response:
        raise ValueError("what nobody else may know")

    async def err(self, _: Request) -> Response:
        raise ChaffinchError("the disk is full")


class Bare(Running):
    """The server of that API."""

    def __init__(self, listener: socket.socket, api: Api, registry: Registry, doors: Doors) -> None:
        super().__init__(listener, api, registry, doors)
        self.api = api


@contextlib.asynccontextmanager
async def running(connections: int = 64, bounds: Bounds | None = None, **said: Any) -> AsyncIterator[Bare]:
    """Such a server; `said` are fields of its `Service`."""
    registry = Registry()
    listener = address_of("127.0.0.1", 0, "").listen(64)
    refused = registry.counter("chain_http_connections_refused", "reason")
    one = Bare(listener, Api(registry, **said), registry, Doors(connections, refused, bounds or Bounds()))
    async with one.serving(listener):
        yield one
