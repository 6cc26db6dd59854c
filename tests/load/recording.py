"""A web server on a thread of the test that keeps what it was sent, over TLS too, and answers what the test says."""

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator

import msgspec


class Sent(msgspec.Struct, frozen=True):
    """One request as it came."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: str
    connection: int
    """Which connection it came on, from 1."""
    at: float

    def header(self, name: str) -> list[str]:
        """The values of a header."""
        return [value for known, value in self.headers if known.lower() == name.lower()]


class Reply(msgspec.Struct, frozen=True):
    """What is answered; a status of 0 answers nothing."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: str = "ok"
    wait_s: float = 0.0


Replies = Callable[[Sent], Reply]


class Recording:
    """What came, and where it listens."""

    def __init__(self, reply: Replies, tls: ssl.SSLContext | None) -> None:
        self.sent: list[Sent] = []
        self.connections = 0
        self.port = 0
        self.reply = reply
        self._scheme = "http" if tls is None else "https"

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                method, target, _ = head[0].split(" ")
                headers = tuple((name, value.strip()) for name, _, value in (one.partition(":") for one in head[1:-2]))
                length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
                body = (await reader.readexactly(length)).decode()
                one = Sent(method, target, headers, body, number, time.monotonic())
                self.sent.append(one)
                reply = self.reply(one)
                await asyncio.sleep(reply.wait_s)
                if reply.status:
                    writer.write(_answer(reply, has_body=method != "HEAD"))


def _answer(reply: Reply, *, has_body: bool) -> bytes:
    body = reply.body.encode()
    fields = "".join(f"{name}: {value}\r\n" for name, value in reply.headers)
    head = f"HTTP/1.1 {reply.status} -\r\n{fields}Content-Length: {len(body)}\r\n\r\n".encode()
    return head + (body if has_body else b"")


@contextlib.contextmanager
def recording(reply: Replies = lambda _: Reply(), tls: ssl.SSLContext | None = None) -> Iterator[Recording]:
    """The server, until the block is left."""
    one = Recording(reply, tls)
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(one.serve, "127.0.0.1", 0, ssl=tls, backlog=1000))
    one.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, name="recording")
    thread.start()

    async def close() -> None:
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    try:
        yield one
    finally:
        asyncio.run_coroutine_threadsafe(close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
