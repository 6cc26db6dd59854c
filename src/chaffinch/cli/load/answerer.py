"""A web server that answers everything at once: what `load plan --check` sends to, in a process of its own.

`python -m chaffinch.cli.load.answerer` prints its URL and ends when its standard input does.
"""

import asyncio
import contextlib
import resource
import sys
from typing import Final

ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n"
END: Final = b"\r\n\r\n"
MOST_HEAD: Final = 64 << 10
QUEUE: Final = 4096


class Answering(asyncio.Protocol):
    """One connection: an answer for each end of a head. Bodies are not expected."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take its transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Answer what is whole."""
        *heads, self._rest = (self._rest + data).split(END)
        if len(self._rest) > MOST_HEAD:
            self._transport.abort()
        elif heads:
            self._transport.write(ANSWER * len(heads))


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", 0, backlog=QUEUE)
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(f"http://127.0.0.1:{port}\n")
    sys.stdout.flush()
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)  # nothing is ever written to it: it was closed
    await ended.wait()


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C is for who started it
        asyncio.run(_serve())
