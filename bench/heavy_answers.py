"""A target that makes its clients hold as much as they keep: heads of 60 KB and bodies, whose ends come seconds later.

`python -m bench.heavy_answers BODY_BYTES HOLD_SECONDS` prints its port and serves until its standard input ends.
"""

import asyncio
import resource
import sys

LINES = 15
LINE = 4000
"""15 header lines of 4,000 bytes: a head of 60 KB; 64 KB are the most that is taken."""
END = b"\r\n\r\n"


def answer(body_bytes: int) -> tuple[bytes, bytes, bytes]:
    """Most of a head; its end with most of the body; the end of that: JSON with a token and an item."""
    body = b'{"token":"abc123","items":[{"id":"1-1"}],"rest":"' + b"x" * body_bytes + b'"}'
    lines = "".join(f"X-Line-{number}: {'y' * LINE}\r\n" for number in range(LINES))
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{lines}".encode()
    end = f"Content-Length: {len(body)}\r\n\r\n".encode()
    return head, end + body[:-1], body[-1:]


class Heavy(asyncio.Protocol):
    """One connection. A request's body comes with its head, or is passed over as the beginning of the next head."""

    parts: tuple[bytes, bytes, bytes]
    hold_s: float

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        self._rest += data
        if END in self._rest:
            self._rest = b""
            self._write(0)

    def _write(self, number: int) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(self.parts[number])
        if number + 1 < len(self.parts):
            asyncio.get_running_loop().call_later(self.hold_s, self._write, number + 1)


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Heavy, "127.0.0.1", 0, backlog=8192)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    Heavy.parts, Heavy.hold_s = answer(int(sys.argv[1])), float(sys.argv[2])
    asyncio.run(serve())
