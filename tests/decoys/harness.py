"""One decoy service on a loopback port of its own, with what it recorded: what every protocol's tests stand on."""

import asyncio
import contextlib
import fcntl
import gc
import hashlib
import socket
import tracemalloc
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from chaffinch.decoys import registry, runner
from chaffinch.decoys.overlay import Overlays
from chaffinch.decoys.session import Session
from chaffinch.events import Fact
from chaffinch.personas.persona import OperatingSystem, Persona, Service, User

F = TypeVar("F", bound=Fact)

DEBIAN = OperatingSystem(
    id="debian-12",
    family="linux",
    name="Debian GNU/Linux 12 (bookworm)",
    version="12",
    kernel="6.1.0-28-amd64",
)

PRODUCTS = {
    "ssh": (22, "OpenSSH", "9.2p1 Debian-2+deb12u10"),
    "telnet": (23, "Linux telnetd", ""),
    "http": (80, "nginx", "1.22.1"),
    "ftp": (21, "vsftpd", "3.0.3"),
    "smtp": (25, "Postfix", ""),
    "redis": (6379, "Redis", "7.0.15"),
    "mysql": (3306, "MariaDB", "10.11.6-MariaDB-0+deb12u1"),
    "memcached": (11211, "memcached", "1.6.18"),
}


def persona(*names: str, address: str = "127.77.3.9", seed: bytes = b"test", **options: str) -> Persona:
    """A Debian host with these services (all eight unless named); `options` go to each of them."""
    services = tuple(
        Service(name, PRODUCTS[name][0], PRODUCTS[name][1], PRODUCTS[name][2], options=tuple(options.items()))
        for name in names or PRODUCTS
    )
    return Persona(
        address=address,
        archetype="linux-server",
        hostname="atlas",
        domain="corp.example",
        os=DEBIAN,
        services=services,
        users=(
            User("root", 0, "root", "/root", "/bin/bash", "letmein"),
            User("mdavis", 1000, "Mary Davis", "/home/mdavis", "/bin/bash"),
            User("backup", 1001, "Backup", "/home/backup", "/bin/bash", "backup123"),
        ),
        mac="52:54:00:12:34:56",
        secret=hashlib.blake2b(address.encode(), key=seed, digest_size=32).digest(),
        reboot_period=40 * 86400,
        reboot_phase=12345,
    )


SIOCOUTQNSD = 0x894B
"""How many bytes the kernel holds that it has not sent yet (linux/sockios.h): it sends a small one after another when
the first is acknowledged.
"""


class Recorded:
    """A recorder that keeps facts in a list, and a quarantine that keeps bytes in a dict."""

    def __init__(self) -> None:
        self.facts: list[tuple[str, Fact]] = []
        self.files: dict[str, bytes] = {}

    def record(self, session: Session, fact: Fact) -> None:
        self.facts.append((session.id, fact))

    def keep(self, data: bytes) -> tuple[str, bool]:
        name = hashlib.sha256(data).hexdigest()
        self.files[name] = data
        return name, True

    def of(self, kind: type[F]) -> list[F]:
        """The recorded facts of one type, in their order."""
        return [fact for _, fact in self.facts if isinstance(fact, kind)]


class Decoy:
    """A running service: connect to `address`, `port`; read `recorded`."""

    def __init__(self, name: str, host: Persona, recorded: Recorded) -> None:
        self.handler = registry.load(name)
        self.host = host
        self.recorded = recorded
        self.overlays = Overlays()
        self.sessions: dict[asyncio.Task[None], Session] = {}
        self.listener = socket.create_server((host.address, 0), backlog=1024)
        self.listener.setblocking(False)
        self.address, self.port = self.listener.getsockname()

    async def accept(self) -> None:
        loop = asyncio.get_running_loop()
        service = self.host.service(self.handler.spec.name)
        assert service is not None
        while True:
            sock, peer = await loop.sock_accept(self.listener)
            sock.setblocking(False)
            session = Session(
                sock,
                persona=self.host,
                service=service,
                spec=self.handler.spec,
                local=sock.getsockname()[:2],
                peer=peer,
                recorder=self.recorded,
                quarantine=self.recorded,
                overlays=self.overlays,
            )
            task = runner.start(session, self.handler)
            self.sessions[task] = session
            task.add_done_callback(lambda done: self.sessions.pop(done, None))

    async def talk(self, sent: bytes, *, wait: float = 0.3, chunk: int = 0) -> bytes:
        """Connect, send (in pieces of `chunk` bytes if given), and return all that comes until a close, until the
        session waits for more than was sent, or until `wait` seconds of silence."""
        reader, writer = await asyncio.open_connection(self.address, self.port)
        try:
            for at in range(0, len(sent), chunk or max(1, len(sent))):
                writer.write(sent[at : at + chunk] if chunk else sent)
                await writer.drain()
            return await self._answer(reader, writer.get_extra_info("sockname")[1], len(sent), wait)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, port: int, sent: int, wait: float) -> bytes:
        answering = asyncio.ensure_future(read_quietly(reader, wait))
        looks = 0  # what was written by the first look has arrived by the second
        while looks < 2 and not answering.done():
            looks = looks + 1 if self._waits_for_more(port, sent) else 0
            await asyncio.wait((answering,), timeout=0.004)
        if not answering.done():
            reader.feed_eof()
        return await answering

    def _waits_for_more(self, port: int, sent: int) -> bool:
        """Whether the session from that port of ours has taken all that was sent and has nothing left to say."""
        session = next((one for one in self.sessions.values() if one.source_port == port), None)
        if session is None or session.bytes_in != sent or session._waiter is None or session._waiter.done():
            return False
        return not session._out and not any(fcntl.ioctl(session._socket, SIOCOUTQNSD, bytes(4)))

    async def settled(self, seconds: float = 5.0) -> None:
        """Wait until no session is open."""
        async with asyncio.timeout(seconds):
            while self.sessions:
                await asyncio.sleep(0.01)


def end_input(writer: asyncio.StreamWriter) -> None:
    """End our side, unless the decoy has ended the connection already."""
    with contextlib.suppress(OSError):
        writer.write_eof()


async def read_quietly(reader: asyncio.StreamReader, wait: float) -> bytes:
    """What arrives until the peer closes or is silent for `wait` seconds."""
    got = bytearray()
    try:
        while data := await asyncio.wait_for(reader.read(65536), wait):
            got += data
    except ConnectionResetError:
        got += reader._buffer  # came before the reset, after which a reader gives nothing any more
    except TimeoutError:
        pass
    return bytes(got)


@contextlib.asynccontextmanager
async def decoy(name: str, host: Persona | None = None) -> AsyncIterator[Decoy]:
    """Serve the service `name` of `host` until the block ends."""
    running = Decoy(name, host or persona(), Recorded())
    accepting = asyncio.create_task(running.accept(), name=f"accept {name}")
    try:
        yield running
    finally:
        accepting.cancel()
        for task in list(running.sessions):
            task.cancel()
        await asyncio.gather(accepting, *running.sessions, return_exceptions=True)
        running.listener.close()


def memory_of(make: Callable[[], object]) -> int:
    """Bytes that Python's allocator holds more after `make` was called."""
    gc.collect()
    tracemalloc.start()
    try:
        make()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
