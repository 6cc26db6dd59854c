"""A session of one datagram: the handler of a UDP service is given the same `Session` as any other."""

import socket
from collections.abc import Callable
from typing import Any

from chaffinch.decoys.session import Session

Answer = Callable[[socket.socket, bytes, tuple[str, int], str], int]
"""Sends one datagram: (socket, data, peer, address to answer from)."""


class DatagramSession(Session):
    """What the peer sent is there to be read, then the end of input; each `write` is one datagram back."""

    transport = "udp"

    __slots__ = ("_answer",)

    def __init__(self, sock: socket.socket, data: bytes, *, answer: Answer, **session: Any) -> None:
        super().__init__(sock, **session)
        self._answer = answer
        self._buffer += data
        self._at_eof = True
        self.bytes_in = len(data)

    def write(self, data: bytes) -> None:
        """Answer with one datagram from the address that was asked. One that the kernel does not take is lost, as
        on any network.
        """
        if self._closing:
            return
        try:
            self._answer(self._socket, data, (self.source, self.source_port), self.address)
        except OSError:
            return
        self.bytes_out += len(data)

    async def shut(self) -> None:
        """There is no side to end: the socket belongs to the listener."""

    def close(self, *, reset: bool = False) -> None:
        """The socket belongs to the listener and stays open."""
        self._closing = True
