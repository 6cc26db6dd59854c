"""What a worker is given: nothing global, nothing imported for it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Any

from chaffinch.config import Config

if TYPE_CHECKING:
    from chaffinch.decoys.acceptor import SharedByDecoys
    from chaffinch.journal.protocol import Journal
    from chaffinch.metrics.registry import Registry
    from chaffinch.network.listeners import Listener
    from chaffinch.store.protocol import Store


class Context:
    """One worker's view of its group.

    `stopping` is set when the worker is to return. `listeners` are bound sockets of the whole fleet. What is costly
    to make (`decoys`, `store`) is made when it is first asked for, once in a process.
    """

    def __init__(
        self,
        name: str,
        group: str,
        *,
        config: Config,
        state: Path,
        journal: "Journal",
        metrics: "Registry",
        listeners: "tuple[Listener, ...]",
        make_store: "Callable[[], Store]",
        make_decoys: "Callable[[], SharedByDecoys]",
        ask_supervisor: Callable[[], Awaitable[bytes]],
        budget_bytes: int,
        page: socket | None = None,
    ) -> None:
        self.name = name
        self.group = group
        self.config = config
        self.state = state
        self.journal = journal
        self.metrics = metrics
        self.listeners = listeners
        self.budget_bytes = budget_bytes
        self.page = page
        self.stopping = asyncio.Event()
        self.fleet_metrics = ask_supervisor
        self.lag: Callable[[], int] = lambda: 0
        self._make_store = make_store
        self._make_decoys = make_decoys

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
