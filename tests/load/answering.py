"""A web server on a thread of the test: what a path is called says how it behaves."""

import asyncio
import contextlib
import functools
import threading
from collections.abc import Iterator


class Answering(asyncio.Protocol):
    """`/missing` is a 404, `/slow` takes half a second, `/garbage` is no HTTP, `/silent` says nothing, else `ok`."""

    def __init__(self, connections: set[asyncio.Transport]) -> None:
        self.connections = connections
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.connections.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.connections.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        *heads, self.rest = (self.rest + data).split(b"\r\n\r\n")
        for head in heads:
            self.answer(head.split()[1].decode())

    def answer(self, path: str) -> None:
        if path.startswith("/slow"):
            asyncio.get_running_loop().call_later(0.5, self.put, "200 OK")
        elif path.startswith("/garbage"):
            self.transport.write(b"\x00\xff" * 100)
        elif not path.startswith("/silent"):
            self.put("404 Not Found" if path.startswith("/missing") else "200 OK")

    def put(self, status: str) -> None:
        self.transport.write(f"HTTP/1.1 {status}\r\nContent-Length: 3\r\n\r\nok\n".encode())


@contextlib.contextmanager
def answering() -> Iterator[str]:
    """The URL of the server, without a path."""
    loop = asyncio.new_event_loop()
    connections: set[asyncio.Transport] = set()
    made = functools.partial(Answering, connections)
    server = loop.run_until_complete(loop.create_server(made, "127.0.0.1", 0, backlog=1000))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def close() -> None:
        server.close()
        for transport in list(connections):
            transport.abort()
        await asyncio.sleep(0.01)

    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(close(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
