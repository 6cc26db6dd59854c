"""What every journal does, wherever it keeps its events."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from chaffinch.events import Event


class Record(msgspec.Struct, frozen=True, gc=False):
    """An event with its place in the journal. `seq` starts at 1 and rises strictly over all processes that append."""

    seq: int
    event: Event


class Consumer(Protocol):
    """A named reader with a durable cursor.

    At least once: what was not committed is delivered again after a restart.
    """

    @property
    def name(self) -> str: ...

    @property
    def missed(self) -> int:
        """Events that this consumer will never see, because they were dropped or damaged before it came to them."""
        ...

    async def next_batch(self, timeout: float | None = None) -> list[Record]:  # noqa: ASYNC109
        """The next events in their order; waits for the first, at most `timeout` seconds, and is empty after that."""
        ...

    def commit(self, seq: int) -> None:
        """Everything up to and with `seq` is done: it is not delivered again."""
        ...

    @property
    def committed(self) -> int:
        """The seq up to which everything is done."""
        ...

    def rewind(self, seq: int) -> None:
        """Read again what follows `seq`: for a worker whose results did not survive what its cursor did."""
        ...

    def lag(self) -> int:
        """How many events are in the journal after the committed one."""
        ...

    def close(self) -> None: ...


class Journal(Protocol):
    """Append and read. `publish` never blocks and never waits for a disk."""

    def publish(self, event: Event) -> None: ...

    def publish_many(self, events: Sequence[Event]) -> None: ...

    @property
    def pressed(self) -> bool:
        """Whether events come faster than the disk takes them, so that they should be fewer before any is lost. Costs
        nothing.
        """
        ...

    def consumer(self, name: str, *, batch: int = 500) -> Consumer: ...

    async def flush(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Return when everything published before is durable. Raises `RunError` after `timeout` seconds."""
        ...

    def close(self) -> int:
        """Make durable what waits, then let go of every thread, file and socket; how many events could not be kept."""
        ...
