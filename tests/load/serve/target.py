"""A target in this process: answers everything at once, and counts what came."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator


class Target:
    """Its port, what it was asked, and how long it waits before it answers."""

    def __init__(self) -> None:
        self.port = 0
        self.requests = 0
        self.wait = 0.0
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self) -> None:
        asyncio.run(self._serve())

    def stop(self) -> None:
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)

    def wait_until_ready(self) -> None:
        assert self._ready.wait(10)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await self._loop.create_server(lambda: _Answers(self), "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()


class _Answers(asyncio.Protocol):
    def __init__(self, target: Target) -> None:
        self._target = target
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._held += data
        while b"\r\n\r\n" in self._held:
            head, _, self._held = self._held.partition(b"\r\n\r\n")
            self._target.requests += 1
            status = b"404 Not Found" if b" /missing" in head.split(b"\r\n")[0] else b"200 OK"
            answer = b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nok"
            if self._target.wait:
                asyncio.get_running_loop().call_later(self._target.wait, self._transport.write, answer)
            else:
                self._transport.write(answer)


@contextlib.contextmanager
def target() -> Iterator[Target]:
    one = Target()
    thread = threading.Thread(target=one.run, name="target")
    thread.start()
    one.wait_until_ready()
    try:
        yield one
    finally:
        one.stop()
        thread.join()


def scenario(
    one: Target, *, rate: float | str = 50, duration: str = "30s", more: str = "", steps: str = "", requests: int = 0
) -> str:
    """A scenario of one step, or of `steps`; `more` are further lines of the file.

    With `requests` one user sends so many, however slow this machine is just now.
    """
    own = steps or "      - {name: front, request: {path: /}}\n"
    if requests:
        load = f"config: {{baseUrl: {one.url}, workers: 1, requests: {requests}}}\nload: {{model: concurrent}}\n"
    else:
        load = (
            f"config: {{baseUrl: {one.url}, workers: 4, duration: {duration}}}\nload: {{model: rps, target: {rate}}}\n"
        )
    return f'version: "1.0"\n{load}{more}scenarios:\n  - name: page\n    steps:\n{own}'
