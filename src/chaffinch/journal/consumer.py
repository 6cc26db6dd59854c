"""A named reader of the journal: its own durable cursor, at least once."""

import asyncio
import time
from collections.abc import Callable

from chaffinch.journal.catalog import Catalog
from chaffinch.journal.protocol import Record
from chaffinch.journal.reader import Reader
from chaffinch.journal.wake import POLL_SECONDS, Listener


class SqliteConsumer:
    """See `protocol.Consumer`.

    Belongs to one task; `listener` gives the running loop's listener, made when first waited.
    """

    def __init__(
        self, name: str, batch: int, reader: Reader, catalog: Catalog, listener: Callable[[], Listener | None]
    ) -> None:
        self._name = name
        self._batch = batch
        self._reader = reader
        self._catalog = catalog
        self._listener = listener
        self._after = 0
        self._delivered = 0
        self._missed = 0

    @property
    def name(self) -> str:
        return self._name

    async def next_batch(self, timeout: float | None = None) -> list[Record]:  # noqa: ASYNC109  # part of the contract
        """The next records; waits for the first. Empty after `timeout` seconds. Raises `RunError`."""
        until = None if timeout is None else time.monotonic() + timeout
        listener = self._listener()  # before the first look: what is appended after it rings
        while True:
            records = self._read()
            left = POLL_SECONDS if until is None else min(POLL_SECONDS, until - time.monotonic())
            if records or left <= 0:
                return records
            if listener is None:
                await asyncio.sleep(left)
            else:
                await listener.wait(left)

    def _read(self) -> list[Record]:
        self._after = max(self._after, self._catalog.cursor(self._name).seq)  # another process may share the name
        found = self._reader.read(self._after, self._batch)
        self._missed += found.missed
        self._after = found.upto
        if found.records:
            self._delivered = found.records[-1].seq
        return found.records

    def commit(self, seq: int) -> None:
        """Move the cursor to `seq`. Survives the kill of any process. Raises `RunError` when it cannot be written."""
        everything = seq >= self._delivered
        self._catalog.move(self._name, max(seq, self._after) if everything else seq, self._missed)
        self._missed = 0

    @property
    def committed(self) -> int:
        """The seq up to which everything is done."""
        return self._catalog.cursor(self._name).seq

    def rewind(self, seq: int) -> None:
        """Read again what follows `seq`: for a worker whose results did not survive what its cursor did."""
        self._catalog.rewind(self._name, seq)
        self._after = self._delivered = min(seq, self.committed)
        self._missed = 0

    @property
    def missed(self) -> int:
        """Events that this consumer will never see: dropped, damaged, or of a kind that this release does not know."""
        return self._catalog.cursor(self._name).missed + self._missed

    def lag(self) -> int:
        """Events after the committed one, without those known to be lost."""
        committed, end = self._catalog.cursor(self._name).seq, self._reader.end()
        return self._catalog.events_within(committed + 1, end) if end > committed else 0

    def close(self) -> None:
        """Let go of the open segment. What was not committed is delivered again to the next consumer of this name."""
        self._reader.close()
