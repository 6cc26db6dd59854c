"""A server of a test: on a free port of loopback, in this process, with a client that sees every byte."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import msgspec

from chaffinch.chain.http.app import Api
from chaffinch.chain.http.auth import Right, Token, Tokens, hash_of, new_token
from chaffinch.chain.http.doors import Doors
from chaffinch.chain.http.limits import Bounds
from chaffinch.chain.http.serve import bound
from chaffinch.chain.http.server import Server
from chaffinch.chain.pool import Pool
from chaffinch.chain.tenants import Tenants
from chaffinch.config import ChainSettings, ServeSettings
from chaffinch.metrics.registry import Registry

PEOPLE = ("the cat", "a dog", "my neighbour", "our teacher", "the old sailor", "her brother", "a child", "the baker")
VERBS = ("likes", "sees", "follows", "paints", "sings about", "dreams of", "forgets", "remembers")
THINGS = ("the river", "warm bread", "a red boat", "the long road", "winter mornings", "green tea", "the market")
TIMES = ("every day", "in the evening", "when it rains", "before breakfast", "on sundays", "without a word")


def sentences() -> list[str]:
    """A small corpus that leaves room for sentences that are not in it: a fifth of all that its words make."""
    made = [f"{who} {does} {what} {when}" for who in PEOPLE for does in VERBS for what in THINGS for when in TIMES]
    return made[::5]


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def lines(texts: Iterable[str]) -> bytes:
    """A body of NDJSON: one message a line, without ids."""
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)


class Answer(msgspec.Struct, frozen=True):
    """What the server said."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Running:
    """The server, its parts, and a token that may do everything."""

    def __init__(
        self, port: int, api: Api, tenants: Tenants, registry: Registry, doors: Doors, server: Server, pool: Pool
    ) -> None:
        self.port = port
        self.api = api
        self.tenants = tenants
        self.registry = registry
        self.doors = doors
        self.server = server
        self.pool = pool
        self.token = ""
        self.writers: list[asyncio.StreamWriter] = []

    def give_tokens(self, *given: tuple[str, Any, tuple[Right, ...]]) -> list[str]:
        """Replace the tokens: name, tenants and rights of each."""
        made = [new_token() for _ in given]
        tokens = zip(made, given, strict=True)
        self.api.tokens = Tokens([Token(name, hash_of(one), who, rights) for one, (name, who, rights) in tokens])
        return made

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
        """One request on a connection of its own. A dict is sent as JSON, several as NDJSON."""
        reader, writer = await self.connect()
        try:
            writer.write(request(method, path, body, self.token if token is None else token, headers))
            return await read_answer(reader)
        finally:
            writer.close()

    async def learn(self, tenant: str, texts: Iterable[str]) -> Answer:
        lines = [{"text": text, "id": f"m{number}"} for number, text in enumerate(texts)]
        return await self.ask("POST", f"/v1/chains/{tenant}/messages", lines)

    def counted(self, name: str) -> dict[tuple[str, ...], int]:
        """The samples of a counter, by the values of its labels."""
        families = {family.name: family for family in self.registry.snapshot().families}
        if name not in families:
            return {}
        return {tuple(value for _, value in one.labels): int(one.value) for one in families[name].samples}


def request(
    method: str,
    path: str,
    body: bytes | dict[str, Any] | Iterable[dict[str, Any]] | None = None,
    token: str = "",
    headers: dict[str, str] | None = None,
) -> bytes:
    """The bytes of a request."""
    fields = {"Host": "127.0.0.1"}
    if token:
        fields["Authorization"] = f"Bearer {token}"
    if isinstance(body, dict):
        body = json.dumps(body).encode()
        fields["Content-Type"] = "application/json"
    elif body is not None and not isinstance(body, bytes):
        body = b"".join(json.dumps(one).encode() + b"\n" for one in body)
        fields["Content-Type"] = "application/x-ndjson"
    if body is not None:
        fields["Content-Length"] = str(len(body))
    fields |= headers or {}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "\r\n"]
    return "\r\n".join(lines).encode() + (body or b"")


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """One answer with its body, as Content-Length says."""
    async with asyncio.timeout(20):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
        first, *fields = head[:-4].split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(int(first.split()[1]), headers, body)


@contextlib.asynccontextmanager
async def running(state: Path, **settings: Any) -> AsyncIterator[Running]:
    """A server of the chains below `state`; `settings` are those of `chain.serve`.

    Besides, `chain` is the table above it, and `bounds` how long a peer may take.
    """
    chain: ChainSettings = settings.pop("chain", ChainSettings())
    bounds: Bounds = settings.pop("bounds", Bounds())
    serving = ServeSettings(**{"port": 0, "drain_seconds": 2.0, **settings})
    registry = Registry()
    listener = bound(serving)
    async with Pool(chain.threads, chain.queue, registry) as pool:
        tenants = Tenants(state, pool, chain, registry)
        api = Api(tenants, pool, Tokens([]), serving, registry)
        doors = Doors(serving.connections, registry.counter("chain_http_connections_refused", "reason"), bounds)
        server = Server(api, doors, serving.drain_seconds)
        task = asyncio.create_task(server.run(listener), name="server")
        try:
            one = Running(listener.getsockname()[1], api, tenants, registry, doors, server, pool)
            (one.token,) = one.give_tokens(("all", "*", ("admin", "metrics")))
            yield one
        finally:
            server.stop()
            await task
            for writer in one.writers:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
            await tenants.close()
            listener.close()
