# ruff: noqa: A005  (it is named after the service; nothing here imports the standard library's http)
"""Requests per second of the http decoy on one core, with every request recorded.

One process, pinned to the first core, serves with a recorder that makes an event of each fact, encodes it as the
journal would, and counts it; another, pinned to the second, keeps 64 connections busy. Prints requests/s and the
server's CPU time per request, and fails when a request was not recorded.
"""

import argparse
import asyncio
import collections
import contextlib
import os
import selectors
import socket
import sys
import time

import msgspec

from chaffinch import events
from chaffinch.decoys import registry, runner
from chaffinch.decoys.session import Session
from chaffinch.personas.persona import OperatingSystem, Persona, Service

CONNECTIONS = 64
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: 127.77.3.9\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\n"
    b"Accept-Language: en\r\nX-Number: %08d\r\n\r\n"
)
DEBIAN = OperatingSystem("debian-12", "linux", "Debian GNU/Linux 12 (bookworm)", "12", "6.1.0-28-amd64")


class Result(msgspec.Struct, frozen=True):
    """What the server counted: facts by kind, bytes of encoded events, CPU seconds."""

    requests: int
    opened: int
    closed: int
    event_bytes: int
    cpu: float


class CountingRecorder:
    """Encodes each fact as an event, counts it and lets it go."""

    def __init__(self) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self.event_bytes = 0

    def record(self, session: Session, fact: events.Fact) -> None:
        event = events.Event(
            events.now(), fact, session.spec.name, session.address, session.source, session.id  # type: ignore[arg-type]
        )  # fmt: skip
        self.event_bytes += len(events.encode(event))
        self.counts[fact.kind] += 1

    def keep(self, data: bytes) -> tuple[str, bool]:
        del data
        return "", False


def persona() -> Persona:
    service = Service("http", 80, "nginx", "1.22.1")
    return Persona(
        "127.77.3.9",
        "web-server",
        "atlas",
        "corp.example",
        DEBIAN,
        (service,),
        (),
        "52:54:00:12:34:56",
        b"b" * 32,
        86400,
        0,
    )


async def serve(listener: socket.socket, stop: socket.socket) -> Result:
    host, handler, recorder = persona(), registry.load("http"), CountingRecorder()
    running: set[asyncio.Task[None]] = set()

    async def accept() -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock, peer = await loop.sock_accept(listener)
            sock.setblocking(False)
            session = Session(
                sock,
                persona=host,
                service=host.services[0],
                spec=handler.spec,
                local=sock.getsockname(),
                peer=peer,
                recorder=recorder,
                quarantine=recorder,
            )
            task = runner.start(session, handler)
            running.add(task)
            task.add_done_callback(running.discard)

    accepting = asyncio.create_task(accept(), name="accept")
    await asyncio.get_running_loop().sock_recv(stop, 1)
    accepting.cancel()
    if running:
        await asyncio.wait(running, timeout=5)
    counts = recorder.counts
    cpu = time.process_time()
    return Result(counts["request"], counts["session.opened"], counts["session.closed"], recorder.event_bytes, cpu)


def drive(address: tuple[str, int], seconds: float) -> int:
    """Keep `CONNECTIONS` connections busy that long, one request at a time each; returns how many were answered."""
    selector = selectors.DefaultSelector()
    answered = sent = 0

    def connect() -> None:
        sock = socket.create_connection(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(sock, selectors.EVENT_READ)
        ask(sock)

    def ask(sock: socket.socket) -> None:
        nonlocal sent
        sent += 1
        sock.sendall(REQUEST % sent)

    for _ in range(CONNECTIONS):
        connect()
    until = time.monotonic() + seconds
    while selector.get_map():
        for key, _ in selector.select(1):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            got = sock.recv(65536)
            assert got.startswith(b"HTTP/1.1 200 OK\r\n"), got[:80]
            assert got.endswith(b"</html>\n"), "an answer came in parts"
            answered += 1
            closes = b"\r\nConnection: close\r\n" in got
            over = time.monotonic() > until
            if closes or over:
                selector.unregister(sock)
                sock.close()
                if not over:
                    connect()
            else:
                ask(sock)
    assert answered == sent
    return answered


def pin(core: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[core % len(cores)]})


def run_server(listener: socket.socket, stop: socket.socket, out: int) -> None:
    pin(0)
    listener.setblocking(False)
    stop.setblocking(False)
    result = asyncio.run(serve(listener, stop))
    os.write(out, msgspec.json.encode(result))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    seconds = parser.parse_args().seconds
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    ours, theirs = socket.socketpair()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(KeyboardInterrupt):
            run_server(listener, theirs, write)
        os._exit(0)
    pin(1)
    os.close(write)
    began = time.monotonic()
    answered = drive(listener.getsockname(), seconds)
    took = time.monotonic() - began
    ours.send(b"x")
    result = msgspec.json.decode(os.read(read, 4096), type=Result)
    os.waitpid(child, 0)
    print(f"{answered / took:,.0f} requests/s on one core, {result.cpu / answered * 1e6:.0f} us of CPU each, ", end="")
    print(f"{answered:,} sent, {result.requests:,} recorded, {result.event_bytes / answered:.0f} bytes an event")
    whole = answered == result.requests and result.opened == result.closed
    if not whole:
        print(f"not accounted for: {result}", file=sys.stderr)
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
