"""Data connections: a listener on the decoy's own address for each transfer. A decoy never connects out."""

import asyncio
import socket
import time
from collections import OrderedDict

from chaffinch.decoys.session import Session

MAX_LISTENERS = 64
"""How many data listeners a process holds: one more closes the oldest."""

ACCEPT_SECONDS = 60.0
TRANSFER_SECONDS = 300.0
"""How long a client may take to connect, and how long a transfer may stand still, as vsftpd has them by default."""

PIECE = 16 << 10

_open: OrderedDict["Passive", None] = OrderedDict()


def open_listener(address: str) -> socket.socket:
    """A listening socket on an ephemeral port of `address`. Raises `OSError`."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        listener.bind((address, 0))
        listener.listen(1)
    except OSError:
        listener.close()
        raise
    return listener


class DataError(Exception):
    """No data connection came about, or it broke."""


class Passive:
    """A listener that waits for the data connection of one transfer."""

    __slots__ = ("_listener", "port", "source")

    def __init__(self, address: str, source: str) -> None:
        self._listener = open_listener(address)
        self.port: int = self._listener.getsockname()[1]
        self.source = source
        _open[self] = None
        while len(_open) > MAX_LISTENERS:
            next(iter(_open)).close()

    async def accept(self) -> "Transfer":
        """The client's connection; others' are closed. Closes the listener. Raises `DataError`."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ACCEPT_SECONDS):
                while self._listener.fileno() >= 0:
                    sock, peer = await loop.sock_accept(self._listener)
                    if peer[0] == self.source:
                        sock.setblocking(False)
                        return Transfer(sock)
                    sock.close()
        except (TimeoutError, OSError):
            pass
        finally:
            self.close()
        raise DataError

    def close(self) -> None:
        """Stop waiting; a listener may be closed more than once."""
        _open.pop(self, None)
        self._listener.close()


class Transfer:
    """An open data connection."""

    __slots__ = ("_sock",)

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    async def send(self, session: Session, data: bytes) -> None:
        """Send it all. Raises `DataError` when the client goes or stops reading."""
        loop = asyncio.get_running_loop()
        view = memoryview(data)
        for at in range(0, len(view), PIECE):
            piece = view[at : at + PIECE]
            try:
                async with asyncio.timeout(TRANSFER_SECONDS):
                    await loop.sock_sendall(self._sock, piece)
            except (TimeoutError, OSError):
                raise DataError from None
            session.bytes_out += len(piece)
            session.last_read = time.monotonic()

    async def receive(self, session: Session) -> bytes:
        """The next bytes; empty at the end. Raises `DataError` when the client goes or stops sending."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(TRANSFER_SECONDS):
                piece = await loop.sock_recv(self._sock, PIECE)
        except (TimeoutError, OSError):
            raise DataError from None
        session.bytes_in += len(piece)
        session.last_read = time.monotonic()
        return piece

    def close(self) -> None:
        self._sock.close()
