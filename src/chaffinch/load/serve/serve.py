"""`chaffinch load serve`: bind, answer and run tests until told to stop, let the test that runs drain, end."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from chaffinch.config import LOG_FORMAT
from chaffinch.errors import InputError, RunError
from chaffinch.http.doors import Doors
from chaffinch.http.limits import BOUNDS, LINGERING, Bounds
from chaffinch.http.listening import address_of, allow_files, is_loopback, shown_host
from chaffinch.http.server import Server, tell
from chaffinch.load import budget
from chaffinch.load.loaded import DEFAULT_NAMESPACE, Control, Loaded, Node
from chaffinch.load.scenario.faults import Faults
from chaffinch.load.serve.admission import Admission
from chaffinch.load.serve.app import Api
from chaffinch.load.serve.conductor import Conductor
from chaffinch.load.serve.following import Following
from chaffinch.load.serve.page import Page
from chaffinch.load.variables import read_variables
from chaffinch.metrics import memory
from chaffinch.metrics.registry import Registry

CONNECTIONS: Final = 16
"""Connections open at once. Each may send a scenario of 4 MiB, so this bounds what strangers make the server hold."""

ANSWER_SECONDS: Final = 2.0
"""How long requests that run may take once the test has ended."""

log = logging.getLogger("chaffinch.load.serve")


class Serving(msgspec.Struct, frozen=True):
    """What does not change with the test."""

    control: Control = Control()
    node: Node = Node()
    namespace: str = ""
    """The prefix of metric names that are kept as aliases; empty: there are none."""
    memory: int | None = None
    """Bytes that the process may hold, as a promise."""
    log_format: Literal["text", "json"] = "text"
    connections: int = CONNECTIONS
    bounds: Bounds = BOUNDS


def serving_of(loaded: Loaded, memory_bytes: int | None = None) -> Serving:
    """What a file or an environment says of it."""
    limit = memory_bytes if memory_bytes is not None else loaded.guard.limit
    return Serving(loaded.control, loaded.node, loaded.namespace, limit, loaded.log_format)


def serving_from(environment: Mapping[str, str]) -> Serving:
    """What the environment says of it, whether or not it says a test, too. Raises `InputError`."""
    faults = Faults("the environment")
    values = read_variables(environment, faults)
    faults.check()
    host, port = values.get("CLUSTER_HEALTH_ADDR", (Control().host, Control().port))
    return Serving(
        control=Control(host, port, values.get("API_AUTH_TOKEN", ""), values.get("HEALTH_AUTH_ENABLED", False)),
        node=Node(
            values.get("CLUSTER_NODE_ID", ""), values.get("CLUSTER_REGION", Node().region), values.get("TENANT", "")
        ),
        namespace=values.get("METRIC_NAMESPACE", DEFAULT_NAMESPACE),
        log_format=values.get("LOG_FORMAT", "text"),
    )


def serve(
    serving: Serving,
    loaded: Loaded | None = None,
    *,
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    begin: bool = True,
) -> int:
    """Serve until SIGTERM or SIGINT; a second one waits for no answers. The exit code.

    `loaded` is begun at once unless `begin` is false. `file` is where it came from: it is read again, with
    `environment` over it, whenever it is written anew. Raises `InputError` for an address that cannot be used or may
    not be without a token, `RunError` when it cannot be had.
    """
    _log_as(serving.log_format)
    _allow_descriptors(serving, loaded)
    with contextlib.closing(bound(serving.control)) as listener:
        asyncio.run(Served(serving).run(listener, loaded, file, environment, begin=begin))
    return 0


class Served:
    """The parts of one server, on one event loop."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        self.registry = Registry()
        own = serving.node
        self.node = msgspec.structs.replace(own, name=own.name or socket.gethostname())
        floor = max(budget.FLOOR, memory.resident_bytes())
        self.conductor = Conductor(self.registry, self.node, serving.memory, floor)
        page = Page(self.conductor, self.registry, self.node, serving.namespace)
        admission = Admission(serving.control.token, serving.control.health_needs_token)
        api = Api(self.conductor, page, admission, self.registry)
        refused = self.registry.counter("load_http_connections_refused", "reason")
        self.doors = Doors(serving.connections, refused, serving.bounds)
        self.registry.gauge("load_http_connections", lambda: len(self.doors.open))
        self.server = Server(api, self.doors, ANSWER_SECONDS)
        self._stopping: asyncio.Task[None] | None = None

    async def run(
        self,
        listener: socket.socket,
        loaded: Loaded | None,
        file: Path | None,
        environment: Mapping[str, str] | None,
        *,
        begin: bool = True,
        signals: bool = True,
        ready: Callable[[], object] = lambda: None,
    ) -> None:
        """Until `stop`, or a signal where this is the main thread; `ready` is called once it answers."""
        loop = asyncio.get_running_loop()
        if signals:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.stop)
        following: asyncio.Task[None] | None = None
        try:
            if loaded is not None:
                await self._first(loaded, begin=begin)
            if file is not None:
                named = loaded.files if loaded is not None else ()
                follower = Following(file, named, environment, self.conductor, self.registry)
                following = loop.create_task(follower.follow(), name="scenario file")
            _announce(listener, self.serving.control)
            ready()
            await self.server.run(listener)
        finally:
            if following is not None:
                following.cancel()
            await self.conductor.close()

    def stop(self) -> None:
        """End the test, then the server; a second time: wait for no answers."""
        if self._stopping is None:
            self._stopping = asyncio.get_running_loop().create_task(self._stop(), name="stop")
        else:
            self.conductor.hurry()
            self.server.stop()

    async def _stop(self) -> None:
        log.info("load.stopping")
        try:
            await self.conductor.close()
        finally:
            self.server.stop()

    async def _first(self, loaded: Loaded, *, begin: bool) -> None:
        """Have what was given at the start. A test that cannot begin ends the server: nobody reads its log yet."""
        for note in loaded.notes:
            log.info("load.note %s", note)
        await self.conductor.load(loaded)
        if begin:
            await self.conductor.start()


def bound(control: Control) -> socket.socket:
    """The listening socket. Raises `InputError` for no address, or one that strangers reach without a token."""
    address = address_of(control.host, control.port, "give another to --listen")
    if not control.token and not address.is_loopback:
        raise InputError(
            f"{control.host} can be reached from other machines, and whoever reaches the control API decides what is "
            "sent where: set a token (--token-file, API_AUTH_TOKEN), or listen on 127.0.0.1"
        )
    try:
        return address.listen(128)
    except OSError as error:
        why = error.strerror or error
        raise RunError(f"the control API cannot listen on {control.host} port {control.port}: {why}") from None


def _allow_descriptors(serving: Serving, loaded: Loaded | None) -> None:
    """Connections of tests take files, too. Raises `InputError` if this process may not open as many as it needs."""
    needed = serving.connections + LINGERING + 64 + (loaded.plan.users if loaded else 0)
    allow_files(needed, "raise the limit (`ulimit -n`)")


def _announce(listener: socket.socket, control: Control) -> None:
    host, port = listener.getsockname()[:2]
    shown = shown_host(host)
    tell(f"control API on http://{shown}:{port}; SIGTERM ends the test and stops")
    if not is_loopback(host):
        tell(
            f"warning: {shown} can be reached from other machines, and the token goes over the network as it is: put a "
            "proxy with TLS in front, or listen on 127.0.0.1"
        )
    elif not control.token:
        tell("no token is set: every program on this machine can start tests")


class _AsJson(logging.Formatter):
    """A line of JSON for each record."""

    def format(self, record: logging.LogRecord) -> str:
        said = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(said).decode()


def _log_as(form: Literal["text", "json"]) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_AsJson() if form == "json" else logging.Formatter(LOG_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
