"""What a worker is given: nothing global, nothing imported for it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Any

from chaffinch.config import Config

if TYPE_CHECKING:
    from chaffinch.capture.ring import Ring
    from chaffinch.decoys.acceptor import SharedByDecoys
    from chaffinch.journal.protocol import Journal
    from chaffinch.metrics.registry import Registry
    from chaffinch.network.listeners import Listener
    from chaffinch.store.protocol import Store


class Context:
    """One worker's view of its group.

    `stopping` is set when the worker is to return. `listeners` are bound sockets of the whole fleet. What is costly
    to make (`journal`, `decoys`, `store`) is made when it is first asked for, once in a process.
    """

    def __init__(
        self,
        name: str,
        group: str,
        *,
        config: Config,
        state: Path,
        metrics: "Registry",
        listeners: "tuple[Listener, ...]",
        make_journal: "Callable[[], Journal]",
        ring: "Ring | None" = None,
        make_store: "Callable[[], Store]",
        make_decoys: "Callable[[], SharedByDecoys]",
        ask_supervisor: Callable[[], Awaitable[bytes]],
        budget_bytes: int,
        page: socket | None = None,
        prepared: Callable[[], object] = lambda: None,
    ) -> None:
        self.name = name
        self.group = group
        self.config = config
        self.state = state
        self.metrics = metrics
        self.listeners = listeners
        self._ring = ring
        self.budget_bytes = budget_bytes
        self.page = page
        self.stopping = asyncio.Event()
        self.fleet_metrics = ask_supervisor
        self.lag: Callable[[], int] = lambda: 0
        self._prepared = prepared
        self._make_journal = make_journal
        self._make_store = make_store
        self._make_decoys = make_decoys

    @property
    def journal(self) -> "Journal":
        return self._make_journal()

    @property
    def ring(self) -> "Ring":
        """Packets that no listener gets. Raises `LookupError` in a fleet that has no raw socket."""
        if self._ring is None:
            raise LookupError("this fleet has no raw socket: set `enabled = true` in [capture]")
        return self._ring

    @property
    def prepared(self) -> object:
        """What the worker's module prepared before its process gave up rights. Raises what kept it from that."""
        return self._prepared()

    @property
    def store(self) -> "Store":
        return self._make_store()

    @property
    def decoys(self) -> "SharedByDecoys":
        return self._make_decoys()

    def counter(self, name: str, read: Callable[[], int], **labels: str) -> None:
        """Show a number that only grows, read when it is asked for."""
        self.metrics.counter_from(name, read, **labels)

    def gauge(self, name: str, read: Callable[[], float], **labels: str) -> None:
        """Show a number that goes up and down, read when it is asked for."""
        self.metrics.gauge(name, read, **labels)

    async def pause(self, seconds: float, failed: "asyncio.Future[None] | None" = None) -> None:
        """Wait that long, or until the worker is to stop; raises what `failed` holds as soon as it does."""
        stopping = asyncio.ensure_future(self.stopping.wait())
        waited: list[asyncio.Future[Any]] = [stopping] if failed is None else [stopping, failed]
        try:
            await asyncio.wait(waited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
        if failed is not None and failed.done():
            failed.result()
