"""A server of a test: on a free port of loopback, in this process, with a client that sees every byte."""

import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

from chaffinch.chain.http.app import Api
from chaffinch.chain.http.auth import Right, Token, Tokens, hash_of, new_token
from chaffinch.chain.http.serve import bound
from chaffinch.chain.pool import Pool
from chaffinch.chain.tenants import Tenants
from chaffinch.config import ChainSettings, ServeSettings
from chaffinch.http.doors import Doors
from chaffinch.http.limits import Bounds
from chaffinch.metrics.registry import Registry
from tests.http import running as serving
from tests.http.client import Answer

PEOPLE = ("the cat", "a dog", "my neighbour", "our teacher", "the old sailor", "her brother", "a child", "the baker")
VERBS = ("likes", "sees", "follows", "paints", "sings about", "dreams of", "forgets", "remembers")
THINGS = ("the river", "warm bread", "a red boat", "the long road", "winter mornings", "green tea", "the market")
TIMES = ("every day", "in the evening", "when it rains", "before breakfast", "on sundays", "without a word")


def sentences() -> list[str]:
    """A small corpus that leaves room for sentences that are not in it: a fifth of all that its words make."""
    made = [f"{who} {does} {what} {when}" for who in PEOPLE for does in VERBS for what in THINGS for when in TIMES]
    return made[::5]


def lines(texts: Iterable[str]) -> bytes:
    """A body of NDJSON: one message a line, without ids."""
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)


class Running(serving.Running):
    """The server, its parts, and a token that may do everything."""

    def __init__(
        self, listener: socket.socket, api: Api, tenants: Tenants, registry: Registry, doors: Doors, pool: Pool
    ) -> None:
        super().__init__(listener, api, registry, doors)
        self.api = api
        self.tenants = tenants
        self.pool = pool

    def give_tokens(self, *given: tuple[str, Any, tuple[Right, ...]]) -> list[str]:
        """Replace the tokens: name, tenants and rights of each."""
        made = [new_token() for _ in given]
        tokens = zip(made, given, strict=True)
        self.api.tokens = Tokens([Token(name, hash_of(one), who, rights) for one, (name, who, rights) in tokens])
        return made

    async def learn(self, tenant: str, texts: Iterable[str]) -> Answer:
        lines = [{"text": text, "id": f"m{number}"} for number, text in enumerate(texts)]
        return await self.ask("POST", f"/v1/chains/{tenant}/messages", lines)


@contextlib.asynccontextmanager
async def running(state: Path, **settings: Any) -> AsyncIterator[Running]:
    """A server of the chains below `state`; `settings` are those of `chain.serve`.

    Besides, `chain` is the table above it, and `bounds` how long a peer may take.
    """
    chain: ChainSettings = settings.pop("chain", ChainSettings())
    bounds: Bounds = settings.pop("bounds", Bounds())
    served = ServeSettings(**{"port": 0, "drain_seconds": 2.0, **settings})
    registry = Registry()
    listener = bound(served)
    # Its log of slow operations is tested elsewhere: here it would say how busy the machine is.
    async with Pool(chain.threads, chain.queue, registry, slow_ms=60_000) as pool:
        tenants = Tenants(state, pool, chain, registry)
        api = Api(tenants, pool, Tokens([]), served, registry)
        doors = Doors(served.connections, registry.counter("chain_http_connections_refused", "reason"), bounds)
        one = Running(listener, api, tenants, registry, doors, pool)
        (one.token,) = one.give_tokens(("all", "*", ("admin", "metrics")))
        try:
            async with one.serving(listener):
                yield one
        finally:
            await tenants.close()
