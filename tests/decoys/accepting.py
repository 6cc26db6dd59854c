"""The real accept loop of one service on a loopback port of its own: with its table, its room, its relief."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import TypeVar, cast

from chaffinch.config import DecoySettings
from chaffinch.decoys import registry
from chaffinch.decoys.acceptor import Acceptor, SharedByDecoys
from chaffinch.decoys.overlay import Overlays
from chaffinch.decoys.quarantine import FileQuarantine
from chaffinch.decoys.recorder import EventRecorder
from chaffinch.decoys.relief import Relief
from chaffinch.decoys.table import Room, SessionTable
from chaffinch.events import Event, Fact
from chaffinch.network.listeners import Listener
from chaffinch.network.plan import Plan, PortPlan
from chaffinch.personas.build import Personas
from chaffinch.personas.persona import Persona
from tests.decoys.harness import Recorded, persona

F = TypeVar("F", bound=Fact)


class OneHost:
    """Personas, and a plan, of one host that runs everything on every port."""

    forgotten = 0

    def __init__(self, host: Persona) -> None:
        self._host = host

    def of(self, address: str) -> Persona:
        return self._host

    def serves(self, address: str, port: int) -> bool:
        return True

    def shrink(self) -> int:
        return 0

    def grow(self) -> None:
        """Nothing was shrunk."""


class Accepting:
    """A running acceptor: connect to `address`, `port`; read `events`; short of memory through `relief`."""

    def __init__(self, name: str, host: Persona, settings: DecoySettings, handler: registry.Handler | None) -> None:
        service = host.service(name)
        assert service is not None
        one, overlays = OneHost(host), Overlays()
        self.events: list[Event] = []
        self.room = Room(settings.sessions, settings.session_bytes)
        self.relief = Relief(cast(Personas, one), overlays)
        shared = SharedByDecoys(
            cast(Plan, one), cast(Personas, one), cast(FileQuarantine, Recorded()), overlays, self.room, self.relief
        )
        self.recorder = EventRecorder(self.events.append, settings)
        self.table = SessionTable(settings.sessions, self.room)
        self.acceptor = Acceptor(handler or registry.load(name), shared, self.recorder, self.table)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.listener.setblocking(False)
        self.address, self.port = self.listener.getsockname()
        self.plan = PortPlan(name, service.port, self.port, "tcp")

    def of(self, kind: type[F]) -> list[F]:
        """The recorded facts of one type, in their order."""
        return [event.fact for event in self.events if isinstance(event.fact, kind)]

    async def until(self, reached: object, seconds: float = 5.0) -> None:
        """Wait until `reached()` is true."""
        assert callable(reached)
        async with asyncio.timeout(seconds):
            while not reached():
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def accepting(
    name: str,
    host: Persona | None = None,
    settings: DecoySettings | None = None,
    handler: registry.Handler | None = None,
) -> AsyncIterator[Accepting]:
    """Accept for the service `name` of `host` until the block ends."""
    running = Accepting(name, host or persona(), settings or DecoySettings(), handler)
    running.acceptor.open([Listener(running.plan, running.listener, silent=False)])
    try:
        yield running
        assert not running.acceptor.failed.done(), running.acceptor.failed.exception()
    finally:
        running.acceptor.close()
        await running.table.close(2)
        running.recorder.flush()
        running.listener.close()
