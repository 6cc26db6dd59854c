"""A request as handlers see it, its body while it still comes, and a response."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

import msgspec

from chaffinch.chain.http.limits import BOUNDS, Bounds
from chaffinch.chain.http.problem import CONTENT_TYPE, RefusalError

CHAINS: Final = "/v1/chains/"
"""What the path of a chain begins with; its tenant follows."""

HELD_BYTES: Final = 64 << 10
"""A body of which so much waits for its handler is not read on."""


class GoneError(Exception):
    """The peer closed before its request was whole: nobody waits for an answer."""


class Body:
    """The body of one request: the connection puts pieces in, one handler takes them out.

    `wanted` is called when the handler waits for more. What was taken is not there a second time.
    """

    def __init__(self, declared: int, wanted: Callable[[], None], bounds: Bounds = BOUNDS) -> None:
        self.whole = False
        """The connection has put in everything."""
        self.gone = False
        """Its peer has closed: nobody waits for an answer."""
        self._declared = declared
        self._wanted = wanted
        self._bounds = bounds
        self._held = bytearray()
        self._taken = 0
        self._failed: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def held(self) -> int:
        """Bytes that wait for the handler."""
        return len(self._held)

    def put(self, data: bytes | bytearray) -> None:
        """A piece has come."""
        self._held += data
        self._wake()

    def end(self) -> None:
        """It is whole."""
        self.whole = True
        self._wake()

    def fail(self, error: Exception) -> None:
        """Nothing more will come: who reads on gets this, once what has come is taken."""
        if self._failed is None and not self.whole:
            self._failed = error
            self._wake()

    def leave(self) -> None:
        """The peer has gone."""
        self.gone = True
        self.fail(GoneError())

    async def pieces(self, most: int) -> AsyncIterator[bytes]:
        """What comes. Raises `RefusalError` 413 for more than `most` bytes, 408 for too slow, and `GoneError`."""
        if self._declared > most:
            raise _too_long(most)
        until = asyncio.get_running_loop().time() + self._bounds.body_seconds
        while True:
            if self._held:
                piece = bytes(self._held)
                self._held.clear()
                self._taken += len(piece)
                if self._taken > most:
                    raise _too_long(most)
                yield piece
            elif self._failed is not None:
                raise self._failed
            elif self.whole:
                return
            else:
                await self._more(until)

    async def all(self, most: int) -> bytes:
        """All of it. Raises as `pieces` does."""
        return b"".join([piece async for piece in self.pieces(most)])

    async def _more(self, until: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        self._wanted()
        try:
            async with asyncio.timeout_at(min(until, loop.time() + self._bounds.quiet_seconds)):
                await self._waiter
        except TimeoutError:
            raise RefusalError(408, "slow", "the body came too slowly: send it without long pauses") from None
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Request(msgspec.Struct, frozen=True):
    """One request. Names of headers are in lower case; one that came twice has both values, with a comma."""

    method: str
    path: str
    """As it was sent: percent-encoded, without the query."""
    query: bytes
    headers: dict[str, str]
    body: Body

    @property
    def tenant(self) -> str:
        """The tenant that the path names, as it was sent; empty if it names none."""
        return self.path[len(CHAINS) :].partition("/")[0] if self.path.startswith(CHAINS) else ""


class Response(msgspec.Struct, frozen=True):
    """One answer, whole."""

    status: int
    body: bytes
    kind: str = "application/json"
    """Its media type."""
    headers: dict[str, str] = {}


def response_of(problem: RefusalError) -> Response:
    """The answer that a refusal is."""
    return Response(problem.status, problem.body(), CONTENT_TYPE, problem.headers)


def _too_long(most: int) -> RefusalError:
    return RefusalError(413, "too_long", f"the body has more than {most:,} bytes: send it in parts")
