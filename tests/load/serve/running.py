"""A control API of a test: on a free port of loopback, in a thread of its own, asked by a real HTTP client."""

import asyncio
import contextlib
import http.client
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from chaffinch.http.limits import Bounds
from chaffinch.load import load_text
from chaffinch.load.loaded import Control, Loaded, Node
from chaffinch.load.serve import serve as serving_module
from chaffinch.load.serve.serve import Served, Serving
from tests.http.client import Answer


class Running:
    """The server, in a thread."""

    def __init__(self, serving: Serving, loaded: Loaded | None, file: Path | None, *, begin: bool) -> None:
        self.serving = serving
        self._listener = serving_module.bound(serving.control)
        self.port: int = self._listener.getsockname()[1]
        self._given = (loaded, file, begin)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.served: Served | None = None
        self.thread = threading.Thread(target=self._run, name="control API")

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._listener.close()
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.served = Served(self.serving)
        loaded, file, begin = self._given
        await self.served.run(self._listener, loaded, file, None, begin=begin, signals=False, ready=self._ready.set)

    def start(self) -> None:
        self.thread.start()
        assert self._ready.wait(20)

    def call(self, doing: Callable[[Served], object]) -> None:
        assert self._loop is not None
        assert self.served is not None
        self._loop.call_soon_threadsafe(doing, self.served)

    def stop(self) -> None:
        if self.thread.is_alive():
            with contextlib.suppress(RuntimeError):
                self.call(lambda served: served.stop())
        self.thread.join(30)
        assert not self.thread.is_alive()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        fields = dict(headers or {})
        shown = self.serving.control.token if token is None else token
        if shown:
            fields["Authorization"] = f"Bearer {shown}"
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, body.encode() if isinstance(body, str) else body, fields)
            got = connection.getresponse()
            return Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read())

    @property
    def health(self) -> Any:
        return self.ask("GET", "/health").json

    @property
    def page(self) -> str:
        return self.ask("GET", "/metrics").body.decode()

    def until(self, true: Callable[[], object], seconds: float = 15.0) -> None:
        """Wait until something is so."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, self.health
            time.sleep(0.02)

    def until_state(self, state: str, seconds: float = 15.0) -> None:
        self.until(lambda: self.health["state"] == state, seconds)


@contextlib.contextmanager
def running(
    text: str = "", *, file: Path | None = None, begin: bool = True, bounds: Bounds | None = None, **settings: Any
) -> Iterator[Running]:
    """A server with a scenario loaded, if there is one; `settings` are those of `Serving`."""
    control = settings.pop("control", Control(port=0))
    node = settings.pop("node", Node(name="here", region="west"))
    serving = Serving(control=control, node=node, bounds=bounds or Bounds(), **settings)
    one = Running(serving, load_text(text, "a test") if text else None, file, begin=begin)
    one.start()
    try:
        yield one
    finally:
        one.stop()


def values(page: str, name: str) -> dict[str, float]:
    """The samples of a name on a page, by what stands in their braces."""
    found = {}
    for line in page.splitlines():
        head, _, value = line.rpartition(" ")
        bare, _, inside = head.partition("{")
        if bare == name and not line.startswith("#"):
            found[inside.rstrip("}")] = float(value)
    return found
