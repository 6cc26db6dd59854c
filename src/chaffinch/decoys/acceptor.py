"""The accept loop of one service: who is let in, whose persona answers, and what happens when descriptors run out."""

import asyncio
import errno
import functools
import logging
import resource
import socket
from collections.abc import Callable
from pathlib import Path

import msgspec

from chaffinch.config import DecoySettings
from chaffinch.decoys import runner
from chaffinch.decoys.datagram import DatagramSession
from chaffinch.decoys.overlay import Overlays
from chaffinch.decoys.quarantine import FileQuarantine
from chaffinch.decoys.recorder import EventRecorder
from chaffinch.decoys.registry import Handler
from chaffinch.decoys.relief import Relief
from chaffinch.decoys.session import Session
from chaffinch.decoys.table import Room, SessionTable
from chaffinch.events import Syn
from chaffinch.network import syn as syn_packet
from chaffinch.network.listeners import EXHAUSTED, TCP_SAVED_SYN, Listener, receive_datagram, send_datagram
from chaffinch.network.plan import Plan
from chaffinch.personas.build import Personas
from chaffinch.personas.persona import Persona, Service

log = logging.getLogger("chaffinch.decoys")

AT_ONCE = 128
"""Connections taken in one turn of the loop, so that open sessions are served between the turns of a flood."""

RETRY_SECONDS = 0.2
"""How long accepting rests when descriptors have run out."""

SPARE_DESCRIPTORS = 128
"""Descriptors left for the journal, the listeners and what else a process opens."""

_GONE = (errno.ECONNABORTED, errno.EINTR, errno.EPROTO)
_RESET = b"\1\0\0\0\0\0\0\0"


class SharedByDecoys(msgspec.Struct):
    """What the decoy workers of one process have in common."""

    plan: Plan
    personas: Personas
    quarantine: FileQuarantine
    overlays: Overlays
    room: Room
    relief: Relief

    def adopt(self, settings: DecoySettings, plan: Plan, personas: Personas) -> None:
        """Go on with another configuration: who connects from now on meets the new plan; what was kept stays."""
        self.plan, self.personas = plan, personas
        self.quarantine.quota_bytes = settings.upload_bytes
        self.overlays.bytes_per_source = settings.overlay_source_bytes
        self.overlays.total_bytes = settings.overlay_bytes
        self.overlays.ttl = settings.overlay_seconds
        self.room.limit_to(_most_sessions(settings), settings.session_bytes)
        self.relief.own(personas, self.overlays)
        self.relief.limit_to(settings.rate_entries)


def share(settings: DecoySettings, state: Path, plan: Plan, personas: Personas) -> SharedByDecoys:
    """Make what the decoy workers of this process have in common."""
    overlays = Overlays(settings.overlay_source_bytes, settings.overlay_bytes, settings.overlay_seconds)
    return SharedByDecoys(
        plan,
        personas,
        FileQuarantine(state / "quarantine", settings.upload_bytes),
        overlays,
        Room(_most_sessions(settings), settings.session_bytes),
        Relief(personas, overlays),
    )


def _most_sessions(settings: DecoySettings) -> int:
    return min(settings.sessions, _most_descriptors() - SPARE_DESCRIPTORS)


def _most_descriptors() -> int:
    """How many files this process may open; the soft limit is raised to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else 1 << 20


class Acceptor:
    """Takes connections off the listeners of one service and starts a session for each.

    A fault of ours inside the event loop's callbacks ends up in `failed`, which the worker awaits.
    """

    def __init__(self, handler: Handler, shared: SharedByDecoys, recorder: EventRecorder, table: SessionTable) -> None:
        self._handler = handler
        self._shared = shared
        self._recorder = recorder
        self._table = table
        self._loop = asyncio.get_running_loop()
        self._listeners: list[Listener] = []
        self._resting: asyncio.TimerHandle | None = None
        self.failed: asyncio.Future[None] = self._loop.create_future()
        self.unserved = 0
        self.refused = 0
        self.rests = 0

    def open(self, listeners: list[Listener]) -> None:
        """Begin to accept."""
        self._listeners = listeners
        self._shared.relief.follow(self._recorder)
        self._watch()

    def close(self) -> None:
        """Stop accepting. The sockets stay open: a restarted worker goes on with what waits in their backlog."""
        if self._resting is not None:
            self._resting.cancel()
        for listener in self._listeners:
            self._loop.remove_reader(listener.socket)

    def _watch(self) -> None:
        self._resting = None
        for listener in self._listeners:
            take = self._take_connections if listener.plan.transport == "tcp" else self._take_datagrams
            self._loop.add_reader(listener.socket, self._guarded, take, listener)

    def _guarded(self, take: Callable[[Listener], None], listener: Listener) -> None:
        try:
            take(listener)
        except BlockingIOError:
            return
        except Exception as error:  # noqa: BLE001 - the worker re-raises it
            self.close()
            if not self.failed.done():
                self.failed.set_exception(error)

    def _take_connections(self, listener: Listener) -> None:
        for _ in range(AT_ONCE):
            try:
                sock, peer = listener.socket.accept()
            except OSError as error:
                if error.errno in EXHAUSTED:
                    return self._rest(error)
                if error.errno in _GONE:
                    continue
                if error.errno == errno.EINVAL:  # it listens no more: the service's owner stops it
                    self._loop.remove_reader(listener.socket)
                    return None
                raise
            try:
                sock.setblocking(False)
                self._serve(sock, (peer[0], peer[1]), listener)
            except BaseException:
                sock.close()
                raise
        return None

    def _rest(self, error: OSError) -> None:
        """Descriptors have run out: make room once, and accept again a little later."""
        self.rests += 1
        if self.rests == 1 or self.rests % 100 == 0:
            log.warning(
                "accept.resting service=%s why=%s times=%d", self._handler.spec.name, error.strerror, self.rests
            )
        self._table.make_room(AT_ONCE // 8, full=True)
        self.close()
        self._resting = self._loop.call_later(RETRY_SECONDS, self._watch)

    def _serve(self, sock: socket.socket, peer: tuple[str, int], listener: Listener) -> None:
        local = sock.getsockname()[:2]
        found = self._asked(local[0], listener)
        if found is None:
            self.unserved += 1
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            sock.close()
            return
        persona, service = found
        if listener.plan.stack is None:  # the listener has hosts of several looks: from here on this one has its own
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, persona.os.ttl)
        session = Session(
            sock,
            persona=persona,
            service=service,
            spec=self._handler.spec,
            local=local,
            peer=peer,
            recorder=self._recorder,
            quarantine=self._shared.quarantine,
            overlays=self._shared.overlays,
            holdings=self._shared.room,
        )
        self._begin(session, _saved_syn(sock))

    def _take_datagrams(self, listener: Listener) -> None:
        for _ in range(AT_ONCE):
            data, peer, asked = receive_datagram(listener.socket)
            found = self._asked(asked, listener)
            if found is None:
                self.unserved += 1
                continue
            persona, service = found
            session = DatagramSession(
                listener.socket,
                data,
                answer=functools.partial(send_datagram, ttl=persona.os.ttl),
                persona=persona,
                service=service,
                spec=self._handler.spec,
                local=(asked, listener.plan.listen),
                peer=peer,
                recorder=self._recorder,
                quarantine=self._shared.quarantine,
                overlays=self._shared.overlays,
            )
            self._begin(session)

    def _begin(self, session: Session, syn: Syn | None = None) -> None:
        """Serve the session, or refuse it while memory is short: those that are open go on."""
        if self._shared.relief.refusing:
            self.refused += 1
            runner.refuse(session, self._handler, syn)
            return
        self._table.make_room()
        self._table.add(runner.start(session, self._handler, syn), session)

    def _asked(self, address: str, listener: Listener) -> tuple[Persona, Service] | None:
        """The persona at `address` and its service on this port, or None when it runs none there."""
        plan, port = self._shared.plan, listener.plan
        if not plan.serves(address, port.port):
            return None
        persona = self._shared.personas.of(address)
        for service in persona.services:
            if service.name == port.service and service.port == port.port:
                return persona, service
        return None


def _saved_syn(sock: socket.socket) -> Syn | None:
    try:
        return syn_packet.parse(sock.getsockopt(socket.IPPROTO_TCP, TCP_SAVED_SYN, 512))
    except OSError:
        return None
