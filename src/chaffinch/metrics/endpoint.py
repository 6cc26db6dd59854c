"""The metrics page over HTTP/1.1: two paths, one request a connection, everything bounded.

It is meant for loopback and for whoever scrapes there: no TLS, no login, nothing that a request can change.
"""

import asyncio
import contextlib
import functools
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from chaffinch.errors import ChaffinchError, RunError

HEADER_BYTES: Final = 8 << 10
"""The longest request line and headers together."""

REQUEST_SECONDS: Final = 5.0
"""How long one connection may take from its first byte to the last of the answer."""

MOST_CONNECTIONS: Final = 16
"""Connections at once; further ones are closed unanswered."""

Read = Callable[[], Awaitable[bytes]]

log = logging.getLogger("chaffinch.metrics")


async def serve_metrics(
    host: str,
    port: int,
    snapshot: Read,
    stopping: asyncio.Event,
    bound: socket.socket | None = None,
    *,
    setting: str = "metrics.port",
) -> None:
    """Answer `GET /metrics` and `GET /health` until `stopping` is set.

    `snapshot` gives a snapshot's bytes. `bound` is the socket where it was bound before: it stays so afterwards, and
    refuses. Raises `RunError` when the port cannot be had; `setting` is where it comes from.
    """
    endpoint = Endpoint(snapshot)
    start = functools.partial(asyncio.start_server, endpoint.serve, limit=HEADER_BYTES, backlog=MOST_CONNECTIONS)
    try:
        server = await (start(host, port) if bound is None else start(sock=bound.dup()))
    except OSError as error:
        raise RunError(_refused(host, port, error, setting)) from None
    async with server:
        await stopping.wait()
        if bound is not None:
            bound.shutdown(socket.SHUT_RDWR)
        server.close()
        await endpoint.close()


def bind(host: str, port: int) -> socket.socket:
    """The page's socket, for a process that will not be on its network. Raises `RunError` when it cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind | socket.SOCK_CLOEXEC, protocol)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
        except OSError:
            sock.close()
            raise
    except OSError as error:
        raise RunError(_refused(host, port, error)) from None
    return sock


def _refused(host: str, port: int, error: OSError, setting: str = "metrics.port") -> str:
    return f"the metrics page cannot listen on {host} port {port}: {error.strerror or error}; set {setting}"


class Endpoint:
    """Its open connections, and how it answers one."""

    def __init__(self, snapshot: Read) -> None:
        self._snapshot = snapshot
        self._open: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close."""
        task = asyncio.current_task()
        assert task is not None
        if len(self._open) >= MOST_CONNECTIONS:
            writer.transport.abort()
            return
        self._open.add(task)
        try:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(REQUEST_SECONDS):
                    writer.write(await self._answer(reader))
                    await writer.drain()
                    writer.write_eof()
                    await reader.read(1)  # the peer closes first: a close of ours with input unread would be a reset
                    writer.close()
                    await writer.wait_closed()
        finally:
            self._open.discard(task)
            writer.transport.abort()

    async def close(self) -> None:
        """End all connections."""
        waiting = list(self._open)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            return error_page(400) if error.partial else b""
        except asyncio.LimitOverrunError:
            return error_page(431)
        found = parse_request(head)
        if isinstance(found, int):
            return error_page(found)
        method, path = found
        if path == "/health":
            return response(200, b"ok\n", head_only=method == "HEAD")
        if path != "/metrics":
            return error_page(404)
        from chaffinch.metrics.exposition import CONTENT_TYPE, render
        from chaffinch.metrics.snapshot import Snapshot

        try:
            page = render(Snapshot.from_bytes(await self._snapshot()))
        except (ChaffinchError, TimeoutError) as error:
            log.warning("metrics.unavailable why=%s", str(error) or "no answer in time")
            return error_page(503)
        return response(200, page, CONTENT_TYPE, head_only=method == "HEAD")


def parse_request(head: bytes) -> tuple[str, str] | int:
    """Method and path (without a query) of a request's head, or the status that refuses it."""
    line, *fields = head[:-4].split(b"\r\n")
    parts = line.split(b" ")
    if len(parts) != 3 or not all(part.isascii() and part for part in parts):
        return 400
    method, target, version = (part.decode("ascii") for part in parts)
    if version not in ("HTTP/1.0", "HTTP/1.1"):
        return 505 if version.startswith("HTTP/") else 400
    if not all(name and b" " not in name and colon for name, colon, _ in (field.partition(b":") for field in fields)):
        return 400
    if method not in ("GET", "HEAD"):
        return 405
    return method, target.partition("?")[0]


PLAIN_TEXT: Final = "text/plain; charset=utf-8"

_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


def error_page(status: int) -> bytes:
    """The answer with this status and its reason as text."""
    return response(status, f"{status} {_REASONS[status]}\n".encode())


def response(status: int, body: bytes, content_type: str = PLAIN_TEXT, head_only: bool = False) -> bytes:
    """A whole answer; the connection closes after it."""
    lines = [
        f"HTTP/1.1 {status} {_REASONS[status]}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(["Allow: GET, HEAD"] if status == 405 else []),
        "\r\n",
    ]
    return "\r\n".join(lines).encode() + (b"" if head_only else body)
