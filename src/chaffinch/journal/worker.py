"""The worker `retention`: keeps journal and store within their bounds in bytes and age."""

import asyncio
import contextlib
from typing import Protocol

from chaffinch.journal.retention import Dropped

INTERVAL_SECONDS = 30.0


class BoundedJournal(Protocol):
    """A journal with bounds of its own."""

    def enforce_retention(self) -> Dropped: ...


class BoundedStore(Protocol):
    """A store with bounds of its own."""

    def enforce_retention(self) -> int: ...


class Context(Protocol):
    """What this worker takes from its context."""

    @property
    def journal(self) -> BoundedJournal: ...

    @property
    def store(self) -> BoundedStore: ...

    @property
    def stopping(self) -> asyncio.Event: ...


async def run(context: Context) -> None:
    """Enforce the bounds at the start and then every half minute. Writers do it too, whenever they seal a segment."""
    while not context.stopping.is_set():
        await asyncio.to_thread(context.journal.enforce_retention)  # unlinking a large file takes a while
        await asyncio.to_thread(context.store.enforce_retention)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(context.stopping.wait(), INTERVAL_SECONDS)
