"""Taking connections, and letting what runs end when that is over."""

import asyncio
import contextlib
import socket
import sys
from typing import Final

from chaffinch.http.doors import Doors
from chaffinch.http.protocol import Answer, Connection

LAST_WORDS_SECONDS: Final = 1.0
"""How long the answers to interrupted requests may take to be sent."""


class Server:
    """Takes connections from a listener until it is stopped."""

    def __init__(self, answer: Answer, doors: Doors, drain_seconds: float) -> None:
        self._answer = answer
        self._doors = doors
        self._drain_seconds = drain_seconds
        self._stopping = asyncio.Event()
        self._hurrying = asyncio.Event()

    def stop(self) -> None:
        """Take no more requests, and end when those that run have been answered; a second time: interrupt them."""
        if self._stopping.is_set():
            self._hurrying.set()
        self._stopping.set()

    async def run(self, listener: socket.socket) -> None:
        """Serve until `stop`, then until what runs has ended or the time for that is over."""
        loop = asyncio.get_running_loop()
        watching = loop.create_task(self._doors.watch(), name="slow connections")
        listening = await loop.create_server(lambda: Connection(self._answer, self._doors), sock=listener)
        try:
            await self._stopping.wait()
        finally:
            listening.close()
            try:
                await self._drain()
            finally:
                watching.cancel()
                for connection in list(self._doors.open):
                    connection.abort()

    async def _drain(self) -> None:
        doors = self._doors
        doors.stopping = True
        for connection in list(doors.open):
            connection.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._drain_seconds):
                while doors.open and not self._hurrying.is_set():
                    await asyncio.sleep(0.02)
        for connection in list(doors.open):
            if connection.task is not None:
                connection.task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                while doors.open:
                    await asyncio.sleep(0.02)


def tell(line: str) -> None:
    """A line for whoever started the server."""
    with contextlib.suppress(OSError):  # nobody reads it any more: no reason to stop
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
