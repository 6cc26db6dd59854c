"""What a handler is given: one connection, bounded in bytes, time and memory.

Its bytes are those of a `Stream`; a session knows whose they are, records what was seen, and ends in time.
"""

import asyncio
import random
import socket
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Protocol

from chaffinch.decoys.registry import ServiceSpec
from chaffinch.decoys.session_ids import new_session_id
from chaffinch.decoys.stream import COUNTED_BYTES, Stream
from chaffinch.errors import LimitError, PeerClosedError, PeerIdleError
from chaffinch.events import Fact
from chaffinch.personas.persona import Persona, Service

if TYPE_CHECKING:
    from chaffinch.decoys.overlay import Overlay, Overlays


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


class Session(Stream):
    """One connection to one service of one decoy host.

    A handler reads with the `read` methods, answers with `write`, says what it saw with `record`, and returns when
    the product would close. Reads raise `PeerClosedError`, `PeerIdleError` or `LimitError`; a handler lets them pass
    unless the product says something first.
    """

    transport = "tcp"

    __slots__ = (
        "_holdings",
        "_kept",
        "_overlays",
        "_recorder",
        "_task",
        "address",
        "deadline",
        "id",
        "idle",
        "opened",
        "persona",
        "port",
        "quarantine",
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
        super().__init__(sock, spec.bytes_in)
        self._task: asyncio.Task[None] | None = None
        self._recorder = recorder
        self._overlays = overlays
        self._holdings = holdings
        self._kept = 0
        self.quarantine = quarantine
        self.persona = persona
        self.service = service
        self.spec = spec
        self.address, self.port = local
        self.source, self.source_port = peer
        self.id = new_session_id()
        self.started = time.time_ns()
        self.opened = self.last_read
        self.deadline = self.opened + spec.total
        self.idle = spec.idle

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

    def close(self, *, reset: bool = False) -> None:
        """Give the socket back; with `reset` the peer gets a RST. The runner calls this after the handler."""
        self._closing = True
        if self._counted and self._holdings is not None:
            self._holdings.count(self, 0)
        super().close(reset=reset)


_system_random = random.SystemRandom()
