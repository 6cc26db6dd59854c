"""What goes wrong with the next requests: a schedule that tests fill."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.chat.discord.payloads import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chat.discord.received import Received


@dataclass
class Fault:
    """Of `route` (`GET /channels/{channel_id}/messages`), the requests after the first `after`, `times` of them."""

    route: str
    times: int = 1
    after: int = 0
    where: Callable[[Received], bool] | None = None
    """Only such requests."""
    status: int = 0
    """Answer with this."""
    body: dict[str, Any] | None = None
    headers: dict[str, str] | None = None
    delay: float = 0.0
    """Seconds before anything else happens."""
    cuts: bool = False
    """The answer ends in its middle."""
    resets: bool = False
    """The connection is reset before an answer."""
    act: Callable[[], object] | None = None
    """Something changes in the world just before the request is answered."""
    met: int = 0
    """Requests that it was applied to."""


class Faults:
    def __init__(self) -> None:
        self._scheduled: list[Fault] = []

    def add(self, route: str, **what: Any) -> Fault:
        """See `Fault`."""
        fault = Fault(route, **what)
        self._scheduled.append(fault)
        return fault

    def refuse(self, route: str, status: int, code: int = 0, message: str = "", **what: Any) -> Fault:
        """Answer with an error of Discord's: `refuse("GET /channels/{channel_id}/messages", 403, 50001)`."""
        return self.add(route, status=status, body={"message": message or f"{status}: refused", "code": code}, **what)

    def limit(self, route: str, retry_after: float, *, in_all: bool = False, **what: Any) -> Fault:
        """Answer with a 429."""
        body = {"message": "You are being rate limited.", "retry_after": retry_after, "global": in_all}
        headers = {"Via": "1.1 google", "Retry-After": str(int(retry_after) + 1)}
        return self.add(route, status=429, body=body, headers=headers, **what)

    def clear(self) -> None:
        self._scheduled.clear()

    def next(self, received: Received) -> Fault | None:
        """The first that is due for this request."""
        for fault in self._scheduled:
            if fault.route != received.route or (fault.where and not fault.where(received)):
                continue
            if fault.after:
                fault.after -= 1
            elif fault.times:
                fault.times -= 1
                fault.met += 1
                return fault
        return None


async def begin(fault: Fault, request: web.Request) -> web.Response | None:
    """What a fault does before a request is handled; the answer, if it has one."""
    if fault.delay:
        await asyncio.sleep(fault.delay)
    if fault.act is not None:
        fault.act()
    if fault.resets:
        return cut_off(request)
    if not fault.status:
        return None
    return web.Response(body=encode(fault.body), status=fault.status, headers=_plain(fault.headers))


def _plain(headers: dict[str, str] | None) -> dict[str, str]:
    """With the content type as Discord writes it: aiohttp would add a charset."""
    return {"Content-Type": "application/json"} | (headers or {})


def cut_off(request: web.Request) -> web.Response:
    """Reset the connection; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def cut_short(request: web.Request, whole: web.Response) -> web.StreamResponse:
    """Send half of an answer that says it is longer."""
    body = whole.body if isinstance(whole.body, bytes) else b""
    half = web.StreamResponse(status=whole.status, headers={"Content-Type": "application/json"})
    half.content_length = len(body)
    await half.prepare(request)
    await half.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return half
