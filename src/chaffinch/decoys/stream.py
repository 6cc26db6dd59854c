"""The bytes of one connection, bounded both ways: what came and was not taken yet, and what is to be sent.

A stream owns a non-blocking socket and reads it through the event loop directly: an asyncio transport and stream pair
costs more than the rest of an idle session. All streams of a process share one receive buffer; a stream holds only
what its handler has not yet taken.
"""

import asyncio
import errno
import socket
import time
from collections.abc import Callable

from chaffinch.errors import LimitError, PeerClosedError

READ_BYTES = 16 << 10
"""How much one receive takes off the socket: also what a session may hold unread before it stops reading."""

WRITE_BYTES = 256 << 10
"""How much a peer may leave unread before its session ends."""

COUNTED_BYTES = 1 << 10
"""A session that holds less is not counted: what the many hold is bounded by their number."""

_receive_buffer = bytearray(READ_BYTES)
_TRY_AGAIN = (BlockingIOError, InterruptedError)


class Stream:
    """One connection's bytes. At most `most_in` bytes come in; past that, or past the bounds of what waits, it ends.

    Reads raise `PeerClosedError`, `PeerIdleError` or `LimitError`. `reason` says why it was ended, once it was.
    """

    __slots__ = (
        "_at_eof",
        "_buffer",
        "_closing",
        "_counted",
        "_loop",
        "_most_in",
        "_on_read",
        "_out",
        "_paused",
        "_reading",
        "_socket",
        "_waiter",
        "bytes_in",
        "bytes_out",
        "last_read",
        "reason",
    )

    def __init__(self, sock: socket.socket, most_in: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._most_in = most_in
        self._buffer = bytearray()
        self._out = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._on_read: Callable[[bytes], None] | None = None
        self._at_eof = False
        self._paused = False
        self._reading = False
        self._closing = False
        self._counted = 0
        """The bytes that `_count` counted last."""
        self.bytes_in = 0
        self.bytes_out = 0
        self.last_read = time.monotonic()
        self.reason = ""

    def end(self, error: Exception) -> None:
        """End it from outside: what waits for bytes raises `error`."""
        raise NotImplementedError

    def _count(self) -> None:
        """Say how much it holds, where that may have changed and is more than `COUNTED_BYTES` or was."""
        raise NotImplementedError

    # Reading -------------------------------------------------------------------------------------------------------

    async def read(self, limit: int = READ_BYTES) -> bytes:
        """What has arrived, at most `limit` bytes; waits for the first byte. Empty once the peer has closed its
        side.
        """
        while not self._buffer:
            if self._at_eof:
                return b""
            await self._more()
        return self._take(min(limit, len(self._buffer)))

    async def read_exactly(self, count: int) -> bytes:
        """Exactly `count` bytes. Raises `PeerClosedError` when the peer closes before."""
        while len(self._buffer) < count:
            await self._more_or_closed(count)
        return self._take(count)

    async def read_until(self, separator: bytes, limit: int = 4096) -> bytes:
        """Up to and with `separator`. Raises `PeerClosedError` when the peer closes before, and
        `LimitError("line")` when `limit` bytes hold none: the bytes stay to be read.
        """
        searched = 0
        while True:
            at = self._buffer.find(separator, max(0, searched - len(separator) + 1))
            if at >= 0 and at + len(separator) <= limit:
                return self._take(at + len(separator))
            if at >= 0 or len(self._buffer) >= limit:
                raise LimitError("line")
            searched = len(self._buffer)
            await self._more_or_closed(limit)

    async def read_line(self, limit: int = 4096) -> bytes:
        """A line with its `\\n`; otherwise as `read_until`."""
        return await self.read_until(b"\n", limit)

    def unread(self, data: bytes) -> None:
        """Put bytes back in front of what will be read next."""
        self._buffer[:0] = data

    @property
    def buffered(self) -> int:
        """How many bytes have arrived and are not yet taken."""
        return len(self._buffer)

    @property
    def at_eof(self) -> bool:
        """Whether the peer has closed its side and everything it sent was taken."""
        return self._at_eof and not self._buffer

    def _take(self, count: int) -> bytes:
        taken = bytes(memoryview(self._buffer)[:count])
        if count == len(self._buffer):
            self._buffer = bytearray()  # gives the memory back; `clear()` would keep it
        else:
            del self._buffer[:count]
        if self._counted:
            self._count()
        if self._paused and len(self._buffer) < READ_BYTES:
            self._resume()
        return taken

    async def _more_or_closed(self, wanted: int) -> None:
        if self._at_eof:
            raise PeerClosedError
        if self._paused and len(self._buffer) < wanted:
            self._resume()
        await self._more()

    async def _more(self) -> None:
        """Wait until something arrived or the peer closed. A wake by `expire` or `end` raises its error here."""
        if self._closing:
            raise PeerClosedError
        if not self._reading:
            self._resume()
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def feed_to(self, on_read: Callable[[bytes], None] | None) -> None:
        """Hand arriving bytes to a callback instead of the read methods, for a protocol library that takes them as
        they come.

        An empty bytes object says that the peer closed. None goes back to the read methods.
        """
        self._on_read = on_read
        if on_read is None:
            return
        if self._buffer:
            waiting, self._buffer = bytes(self._buffer), bytearray()
            self._count()
            on_read(waiting)
        if self._at_eof:
            on_read(b"")
        elif not self._reading:
            self._resume()

    def pause(self) -> None:
        """Stop taking bytes off the socket."""
        self._paused = True
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._socket)

    def _resume(self) -> None:
        self._paused = False
        if not (self._reading or self._at_eof or self._closing):
            self._reading = True
            self._loop.add_reader(self._socket, self._readable)

    resume = _resume

    def _readable(self) -> None:
        try:
            count = self._socket.recv_into(_receive_buffer)
        except _TRY_AGAIN:
            return None
        except OSError:
            count = 0  # a reset is the peer closing, less politely
        if count == 0:
            self._at_eof = True
            self.pause()
            if self._on_read is not None:
                self._on_read(b"")
            return self._wake(None)
        self.last_read = time.monotonic()
        self.bytes_in += count
        if self.bytes_in > self._most_in:
            self.pause()
            return self.end(LimitError("bytes"))
        if self.reason == "idle" and not self._closing:
            self.reason = ""  # it was silent while its handler waited for something else, and speaks again
        if self._on_read is not None:
            return self._on_read(bytes(memoryview(_receive_buffer)[:count]))
        self._buffer += memoryview(_receive_buffer)[:count]
        if len(self._buffer) >= READ_BYTES and self._waiter is None:
            self.pause()
        if len(self._buffer) >= COUNTED_BYTES or self._counted:
            self._count()
        return self._wake(None)

    def _wake(self, error: Exception | None) -> None:
        if self._waiter is not None and not self._waiter.done():
            if error is None:
                self._waiter.set_result(None)
            else:
                self._waiter.set_exception(error)

    # Writing -------------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Answer. What the socket does not take now is kept, up to `WRITE_BYTES`; past that the session ends as
        `unread`.
        """
        if self._closing or not data:
            return None
        self.bytes_out += len(data)
        if not self._out:
            try:
                sent = self._socket.send(data)
            except _TRY_AGAIN:
                sent = 0
            except OSError:
                return self.end(PeerClosedError())
            if sent == len(data):
                return None
            data = data[sent:]
            self._loop.add_writer(self._socket, self._writable)
        self._out += data
        if len(self._out) > WRITE_BYTES:
            self.end(LimitError("unread"))
        self._count()
        return None

    async def drain(self) -> None:
        """Wait until the peer has taken most of what was written: call it between the parts of a long answer."""
        while len(self._out) > WRITE_BYTES // 4 and not self._closing:
            if self.reason:  # ended from outside while we waited here
                raise LimitError(self.reason)
            await asyncio.sleep(0.01)

    async def flush(self, seconds: float = 2.0) -> None:
        """Wait until everything written has left, at most that long."""
        until = time.monotonic() + seconds
        while self._out and not self._closing and time.monotonic() < until:
            await asyncio.sleep(0.01)

    async def shut(self) -> None:
        """End our side once everything written has left: the peer sees the end, and may still send."""
        await self.flush()
        self._end_ours()

    def _end_ours(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno not in (errno.ENOTCONN, errno.EPIPE, errno.ECONNRESET):
                raise

    def _writable(self) -> None:
        try:
            sent = self._socket.send(self._out)
        except _TRY_AGAIN:
            return
        except OSError:
            self._out = bytearray()
            self._loop.remove_writer(self._socket)
            self.end(PeerClosedError())
            return
        del self._out[:sent]
        if self._counted:
            self._count()
        if not self._out:
            self._out = bytearray()
            self._loop.remove_writer(self._socket)

    # Ending

    @property
    def closing(self) -> bool:
        """Whether the session is over: writes go nowhere, reads raise."""
        return self._closing

    def close(self, *, reset: bool = False) -> None:
        """Give the socket back; with `reset` the peer gets a RST."""
        self._closing = True
        self.pause()
        if self._out:
            self._loop.remove_writer(self._socket)
        if reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        elif self._socket.fileno() >= 0:
            self._end_ours()
        self._socket.close()
