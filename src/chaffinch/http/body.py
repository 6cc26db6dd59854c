"""The body of a request while it still comes, and what it is said to be."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from chaffinch.http.limits import BOUNDS, Bounds
from chaffinch.http.problem import RefusalError


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


def check_media_type(headers: Mapping[str, str], allowed: Sequence[str]) -> None:
    """Raise `RefusalError` 415 unless the body is said to be one of these, and as it is."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in allowed:
        raise RefusalError(415, "media_type", f"send the body with `Content-Type: {allowed[0]}`")
    check_encoding(headers)


def check_encoding(headers: Mapping[str, str]) -> None:
    """Raise `RefusalError` 415 unless the body is said to be as it is."""
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise RefusalError(415, "media_type", "send the body as it is, without Content-Encoding")


def _too_long(most: int) -> RefusalError:
    return RefusalError(413, "too_long", f"the body has more than {most:,} bytes: send it in parts")
