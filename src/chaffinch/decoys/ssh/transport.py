"""A session as the transport that asyncssh expects: it writes to the session and says when asyncssh is done with it."""

import asyncio

from chaffinch.decoys.session import Session


class SessionTransport(asyncio.Transport):
    """What asyncssh writes goes to the session; `closed` is set when asyncssh lets go of it. The session keeps the
    socket."""

    __slots__ = ("_session", "closed")

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.closed = asyncio.Event()

    def get_extra_info(self, name: str, default: object = None) -> object:
        if name == "sockname":
            return (self._session.address, self._session.port)
        if name == "peername":
            return (self._session.source, self._session.source_port)
        return default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._session.write(bytes(data))

    def is_closing(self) -> bool:
        return self.closed.is_set() or self._session.closing

    def close(self) -> None:
        self.closed.set()

    def abort(self) -> None:
        self.closed.set()

    def pause_reading(self) -> None:
        self._session.pause()

    def resume_reading(self) -> None:
        self._session.resume()
