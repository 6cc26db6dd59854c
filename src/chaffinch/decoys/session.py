"""What a handler is given: one connection, bounded in bytes, time and memory.

A session owns a non-blocking socket and reads it through the event loop directly: an asyncio transport and stream
pair costs more than the rest of an idle session. All sessions of a process share one receive buffer; a session holds
only what its handler has not yet taken.
"""

import asyncio
import errno
import random
import socket
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Protocol

from chaffinch.decoys.registry import ServiceSpec
from chaffinch.decoys.session_ids import new_session_id
from chaffinch.errors import LimitError, PeerClosedError, PeerIdleError
from chaffinch.events import Fact
from chaffinch.personas.persona import Persona, Service

if TYPE_CHECKING:
    from chaffinch.decoys.overlay import Overlay, Overlays

READ_BYTES = 16 << 10
"""How much one receive takes off the socket: also what a session may hold unread before it stops reading."""

WRITE_BYTES = 256 << 10
"""How much a peer may leave unread before its session ends."""

COUNTED_BYTES = 1 << 10
"""A session that holds less is not counted: what the many hold is bounded by their number."""

_receive_buffer = bytearray(READ_BYTES)
_TRY_AGAIN = (BlockingIOError, InterruptedError)


class Recorder(Protocol):
    """Where a session's facts go."""

    def record(self, session: "Session", fact: Fact) -> None: ...


class Holdings(Protocol):
    """Where what sessions hold is added up, so that all of them together have a bound."""

    def count(self, session: "Session", held: int) -> None:
        """The session holds so many bytes now. May end it, or another one."""
        ...


class Quarantine(Protocol):
    """Where uploads are kept: under the name of their SHA-256, within a quota. Never executed, never served."""

    def keep(self, data: bytes) -> tuple[str, bool]:
        """The data's SHA-256 in hex, and whether its bytes are held now."""
        ...


class Session:
    """One connection to one service of one decoy host.

    A handler reads with the `read` methods, answers with `write`, says what it saw with `record`, and returns when
    the product would close. Reads raise `PeerClosedError`, `PeerIdleError` or `LimitError`; a handler lets them pass
    unless the product says something first.
    """

    transport = "tcp"

    __slots__ = (
        "_at_eof",
        "_buffer",
        "_closing",
        "_counted",
        "_holdings",
        "_kept",
        "_loop",
        "_on_read",
        "_out",
        "_overlays",
        "_paused",
        "_reading",
        "_recorder",
        "_socket",
        "_task",
        "_waiter",
        "address",
        "bytes_in",
        "bytes_out",
        "deadline",
        "id",
        "idle",
        "last_read",
        "opened",
        "persona",
        "port",
        "quarantine",
        "reason",
        "service",
        "source",
        "source_port",
        "spec",
        "started",
    )

    def __init__(
        self,
        sock: socket.socket,
        *,
        persona: Persona,
        service: Service,
        spec: ServiceSpec,
        local: tuple[str, int],
        peer: tuple[str, int],
        recorder: Recorder,
        quarantine: Quarantine,
        overlays: "Overlays | None" = None,
        holdings: Holdings | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._buffer = bytearray()
        self._out = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._on_read: Callable[[bytes], None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._at_eof = False
        self._paused = False
        self._reading = False
        self._closing = False
        self._holdings = holdings
        self._kept = 0
        self._counted = 0
        self._recorder = recorder
        self._overlays = overlays
        self.quarantine = quarantine
        self.persona = persona
        self.service = service
        self.spec = spec
        self.address, self.port = local
        self.source, self.source_port = peer
        self.id = new_session_id()
        self.started = time.time_ns()
        self.opened = self.last_read = time.monotonic()
        self.deadline = self.opened + spec.total
        self.idle = spec.idle
        self.bytes_in = 0
        self.bytes_out = 0
        self.reason = ""

    # What the handler says

    def record(self, fact: Fact) -> None:
        """Record what was seen in this session. Never blocks."""
        self._recorder.record(self, fact)

    def hold(self, count: int) -> None:
        """Say how many bytes the handler keeps for this session beside what is unread and unsent: uploads, bodies."""
        self._kept = count
        self._count()

    def hold_more(self, more: int) -> None:
        """The same, where several parts of a handler each say what they keep more, or less."""
        self.hold(self._kept + more)

    def _count(self) -> None:
        """Have what this session holds added up with what others hold, where it has changed."""
        held = len(self._buffer) + len(self._out) + self._kept
        if held < COUNTED_BYTES:
            held = 0
        if held != self._counted and self._holdings is not None and not self._closing:
            self._counted = held
            self._holdings.count(self, held)

    @property
    def task(self) -> asyncio.Task[None] | None:
        """What runs the session, once it was started."""
        return self._task

    @property
    def overlay(self) -> "Overlay":
        """What this session's source changed on this host."""
        if self._overlays is None:
            from chaffinch.decoys.overlay import Overlays

            self._overlays = Overlays()
        return self._overlays.of(self.address, self.source)

    @property
    def elapsed_ns(self) -> int:
        """Nanoseconds since the session began, from a clock that is never set back."""
        return int((time.monotonic() - self.opened) * 1e9)

    @property
    def elapsed_ms(self) -> int:
        """Milliseconds since the session began."""
        return self.elapsed_ns // 1_000_000

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
        if self.bytes_in > self.spec.bytes_in:
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

    async def sleep(self, seconds: float) -> None:
        """Wait as the product does before it answers."""
        await asyncio.sleep(seconds)

    @property
    def random(self) -> random.Random:
        """Randomness that does not repeat: for salts and challenges."""
        return _system_random

    # Running and ending

    def start(self, running: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run the session; the runner calls this once."""
        self._task = self._loop.create_task(running, name=f"session {self.id}")
        return self._task

    def end(self, error: Exception) -> None:
        """End the session from outside: what the handler waits for raises `error`; a handler that waits for
        something else is cancelled.
        """
        if not self.reason:
            self.reason = getattr(error, "reason", "peer")
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
        elif self._task is not None and self._task is not asyncio.current_task() and self._on_read is not None:
            self._task.cancel()
        self._closing = self._closing or isinstance(error, (LimitError, PeerClosedError))

    def expire(self, now: float) -> bool:
        """End the session if it was silent or has lasted too long at monotonic time `now`; says whether it did."""
        if now >= self.deadline:
            self.end(LimitError("time"))
            if self._task is not None:
                self._task.cancel()
            return True
        if now >= self.last_read + self.idle:
            self.last_read = now
            self.end(PeerIdleError())
            return True
        return False

    @property
    def closing(self) -> bool:
        """Whether the session is over: writes go nowhere, reads raise."""
        return self._closing

    def close(self, *, reset: bool = False) -> None:
        """Give the socket back; with `reset` the peer gets a RST. The runner calls this after the handler."""
        self._closing = True
        if self._counted and self._holdings is not None:
            self._holdings.count(self, 0)
        self.pause()
        if self._out:
            self._loop.remove_writer(self._socket)
        if reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        elif self._socket.fileno() >= 0:
            try:
                self._socket.shutdown(socket.SHUT_WR)
            except OSError as error:
                if error.errno not in (errno.ENOTCONN, errno.EPIPE, errno.ECONNRESET):
                    raise
        self._socket.close()


_system_random = random.SystemRandom()
