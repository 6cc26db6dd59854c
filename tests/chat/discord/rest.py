"""The REST API, version 10: who may ask, faults, limits, then the route."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.chat.discord import (
    faults,
    routes_account,
    routes_commands,
    routes_guilds,
    routes_interactions,
    routes_messages,
    routes_threads,
    routes_webhooks,
)
from tests.chat.discord.payloads import encode
from tests.chat.discord.received import Received, read_body
from tests.chat.discord.redirecting import PREFIX
from tests.chat.discord.refusals import Refused, unauthorized

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.chat.discord.fake import Fake

    Handler = Callable[[Fake, Received], Awaitable[Any]]

MOST_REMEMBERED = 20_000
"""Requests that are kept for tests to look at."""
OPEN = ("/interactions/", "/webhooks/", "/gateway")
"""These need no token: theirs stands in the address."""
ROUTES: dict[str, Handler] = {
    **routes_account.ROUTES,
    **routes_commands.ROUTES,
    **routes_guilds.ROUTES,
    **routes_interactions.ROUTES,
    **routes_messages.ROUTES,
    **routes_threads.ROUTES,
    **routes_webhooks.ROUTES,
}


class Rest:
    """A handler answers with JSON, with bytes that are JSON already, or with None (204); or raises `Refused`."""

    def __init__(self, fake: Fake) -> None:
        self.fake = fake
        self.requests: deque[Received] = deque(maxlen=MOST_REMEMBERED)
        self.unknown: list[str] = []
        """What was asked for that is no route of this Discord."""

    def add_to(self, application: web.Application) -> None:
        for route, handler in ROUTES.items():
            method, template = route.split(" ")
            application.router.add_route(method, PREFIX + template, self._serving(route, template, handler))
        application.router.add_route("*", "/api/{rest:.*}", self._serve_unknown)

    def _serving(self, route: str, template: str, handler: Handler) -> Callable[[web.Request], Any]:
        needs_token = not template.startswith(OPEN)

        async def serve(request: web.Request) -> web.StreamResponse:
            at_ns = time.monotonic_ns()
            path = request.path.removeprefix(PREFIX)
            parameters = dict(request.match_info)
            received = Received(request.method, route, path, parameters, request.query, at_ns)
            self.requests.append(received)
            answer = await self._answer(request, received, handler, needs_token=needs_token)
            received.status = answer.status
            return answer

        return serve

    async def _answer(
        self, request: web.Request, received: Received, handler: Handler, *, needs_token: bool
    ) -> web.StreamResponse:
        fault = self.fake.faults.next(received)
        if fault is not None and (answer := await faults.begin(fault, request)) is not None:
            return answer
        try:
            if needs_token and request.headers.get("Authorization") != f"Bot {self.fake.world.token}":
                raise unauthorized()
            verdict = self.fake.limits.judge(received.route, received.parameters)
            if verdict.retry_after is not None:
                body = {"message": "You are being rate limited.", "retry_after": verdict.retry_after}
                return _json(body | {"global": verdict.is_global}, 429, verdict.headers)
            await read_body(request, received)
            found = await handler(self.fake, received)
        except Refused as refused:
            return _json(refused.payload(), refused.status, {})
        whole = (
            web.Response(status=204, headers=verdict.headers) if found is None else _json(found, 200, verdict.headers)
        )
        if fault is not None and fault.cuts:
            return await faults.cut_short(request, whole)
        return whole

    async def _serve_unknown(self, request: web.Request) -> web.Response:
        self.unknown.append(f"{request.method} {request.path}")
        return _json({"message": "404: Not Found", "code": 0}, 404, {})


def _json(found: Any, status: int, headers: dict[str, str]) -> web.Response:
    """With the content type that discord.py compares to the letter."""
    body = found if isinstance(found, bytes) else encode(found)
    return web.Response(body=body, status=status, headers={"Content-Type": "application/json"} | headers)
