"""The one thread that writes the bot's book: in the order of the calls, durable when they return.

Writes that wait together share one transaction. Each is whole or not at all on its own; when the transaction fails, as
it does on a full disk, none of them happened.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import apsw

from chaffinch.chat.book import schema
from chaffinch.errors import RunError
from chaffinch.journal.segment import transaction

Statements: TypeAlias = "Callable[[apsw.Connection], object]"

MOST_AT_ONCE: Final = 256
"""Writes of one transaction."""

MOST_WAITING: Final = 4096
"""Writes that may wait: past it a call is refused. Whoever awaits its writes has one at a time."""


class _Write:
    __slots__ = ("done", "error", "fold", "noted", "statements")

    def __init__(
        self, statements: Statements, noted: Callable[[], None], done: asyncio.Future[None], fold: bool
    ) -> None:
        self.statements = statements
        self.noted = noted
        self.done = done
        self.fold = fold
        self.error: Exception | None = None


class Writer:
    """Writes to a book's file for one event loop. `db` is this thread's alone from then on."""

    def __init__(self, db: apsw.Connection, path: Path) -> None:
        self._db = db
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Write] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._ended = self._loop.create_future()
        self.unfinished = 0
        """Writes that were given and have not returned."""
        # A daemon: what was acknowledged is on the disk, so the end of the program cuts off nothing that counts.
        threading.Thread(target=self._run, name="bot's book", daemon=True).start()

    async def write(self, statements: Statements, noted: Callable[[], None], *, fold: bool = False) -> None:
        """Execute `statements` on the thread; when they are durable, `noted` is called on the loop, in the same order.

        Both happen even if nobody awaits this any more. With `fold` what they deleted is not in SQLite's log either.
        Raises `RunError` where the file takes nothing; then neither did.
        """
        with self._changed:
            if self._closing:
                raise RunError(f"{self._path} is closed: nothing more can be written to it")
            if len(self._waiting) >= MOST_WAITING:
                raise RunError(
                    f"{MOST_WAITING} writes wait for {self._path} already: try again when its disk is faster"
                )
            one = _Write(statements, noted, self._loop.create_future(), fold)
            self._waiting.append(one)
            self.unfinished += 1
            self._changed.notify()
        await one.done

    async def close(self) -> None:
        """Write what waits, then close the file. May be called again."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        await asyncio.shield(self._ended)

    def _run(self) -> None:
        try:
            while batch := self._next():
                self._write(batch)
                if any(one.fold for one in batch):
                    with contextlib.suppress(apsw.Error):  # a full disk: the next one that finds room does it
                        self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
                self._tell(self._acknowledge, batch)
        finally:
            with contextlib.suppress(apsw.Error):
                self._db.close(True)
            self._tell(self._ended.set_result, None)

    def _next(self) -> list[_Write]:
        """What waits; empty when there is nothing and no more comes."""
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            return [self._waiting.popleft() for _ in range(min(MOST_AT_ONCE, len(self._waiting)))]

    def _write(self, batch: list[_Write]) -> None:
        try:
            with schema.explained(self._path), transaction(self._db):
                for one in batch:
                    self._write_one(one)
        except Exception as error:  # noqa: BLE001 - the boundary of a thread: its callers get what was raised
            for one in batch:
                one.error = one.error or error

    def _write_one(self, one: _Write) -> None:
        """A write that no file could hold, such as one with a number past 64 bits, fails alone."""
        self._db.execute("SAVEPOINT one")
        try:
            one.statements(self._db)
        except (apsw.ConstraintError, OverflowError, TypeError, ValueError) as error:
            self._db.execute("ROLLBACK TO one")
            one.error = RunError(f"{self._path} cannot hold what was to be written ({error}): nothing of it is in it")
        self._db.execute("RELEASE one")

    def _acknowledge(self, batch: list[_Write]) -> None:
        for one in batch:
            self.unfinished -= 1
            if one.error is None:
                one.noted()
            if one.done.done():  # whoever awaited it was cancelled
                continue
            if one.error is None:
                one.done.set_result(None)
            else:
                one.done.set_exception(one.error)

    def _tell(self, call: Callable[..., None], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody is there to be told
            self._loop.call_soon_threadsafe(call, *args)
