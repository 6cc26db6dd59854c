"""One websocket of the gateway: compressed or not, with a writer of its own so that whoever sends never waits."""

from __future__ import annotations

import asyncio
import time
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from tests.chat.discord.payloads import encode

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_BYTES = 4096
"""Of what a client sends at once."""
SUFFIX_BYTES = 4
"""What a sync flush ends with; clients look for it in one frame."""


class Connection:
    """`send` queues; frames go out in order. `on_sent` gets `time.monotonic_ns` just before one is written."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self._request = request
        self._compressor = zlib.compressobj() if request.query.get("compress") == "zlib-stream" else None
        self._queue: asyncio.Queue[tuple[bytes, Callable[[int], None] | None] | int] = asyncio.Queue()
        self._writer = asyncio.create_task(self._write(), name="gateway writer")
        self.is_closing = False
        """It is this side that closes it."""
        self.frame_bytes: int | None = None
        """Where set, what is compressed goes out in frames of at most that many bytes."""

    def send(self, payload: dict[str, Any]) -> None:
        self.send_encoded(encode(payload), None)

    def send_encoded(self, payload: bytes, on_sent: Callable[[int], None] | None) -> None:
        self._queue.put_nowait((payload, on_sent))

    def close(self, code: int) -> None:
        """Close it with that code once what is queued was written."""
        self.is_closing = True
        self._queue.put_nowait(code)

    def drop(self) -> None:
        """Cut it without a word, as a lost network does."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def _write(self) -> None:
        with suppress(ConnectionError):
            while True:
                queued = await self._queue.get()
                if isinstance(queued, int):
                    await self.socket.close(code=queued)
                    return
                payload, on_sent = queued
                if on_sent is not None:
                    on_sent(time.monotonic_ns())
                await self._put(payload)

    async def _put(self, payload: bytes) -> None:
        if self._compressor is None:
            await self.socket.send_str(payload.decode())
            return
        frame = self._compressor.compress(payload) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        while self.frame_bytes and len(frame) > self.frame_bytes + SUFFIX_BYTES:
            await self.socket.send_bytes(frame[: self.frame_bytes])
            frame = frame[self.frame_bytes :]
        await self.socket.send_bytes(frame)

    async def received(self) -> bytes | None:
        """What the client sends next; None once it is gone."""
        message = await self.socket.receive()
        if message.type is WSMsgType.TEXT:
            return str(message.data).encode()
        return bytes(message.data) if message.type is WSMsgType.BINARY else None

    async def end(self) -> None:
        """Nothing is written any more."""
        self._writer.cancel()
        with suppress(asyncio.CancelledError):
            await self._writer
