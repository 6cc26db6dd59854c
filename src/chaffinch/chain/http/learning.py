"""Learning a body of NDJSON as it comes: never more of it in memory than one batch and one line."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Final

import msgspec

from chaffinch.chain.errors import BusyError
from chaffinch.chain.http.instant import milliseconds_of
from chaffinch.chain.http.limits import BATCH_BYTES, BATCH_MESSAGES, LINE_BYTES, NAMED_BAD
from chaffinch.chain.http.problem import BadLine, Learned, RefusalError, problem_of
from chaffinch.chain.http.wire import Line, name_fault
from chaffinch.chain.results import Added, Message
from chaffinch.errors import ChaffinchError

Add = Callable[[Sequence[Message]], Awaitable[Added]]

PATIENCE_SECONDS: Final = 30.0
"""How long a body that is learned in part waits for room in the queue: its peer is not read meanwhile."""

_line = msgspec.json.Decoder(Line)


class Lines:
    """Cuts a body into numbered lines. What is too long comes as None, and is not kept."""

    def __init__(self) -> None:
        self.count = 0
        self._rest = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """The lines that end in `data`."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            self._rest += data[start:end]
            start = end + 1
            yield self._take()
        self._rest += data[start:]
        if len(self._rest) > LINE_BYTES:
            self._rest.clear()
            self._skipping = True

    def finish(self) -> Iterator[bytes | None]:
        """The last line, if nothing ends it."""
        if self._rest or self._skipping:
            yield self._take()

    def _take(self) -> bytes | None:
        self.count += 1
        line = None if self._skipping or len(self._rest) > LINE_BYTES else bytes(self._rest)
        self._rest.clear()
        self._skipping = False
        return line


class Learning:
    """One body. `learn` reads it; `learned` is what became of it so far."""

    def __init__(self, add: Add, skip_bad: bool) -> None:
        self._add = add
        self._skip_bad = skip_bad
        self._lines = Lines()
        self._batch: list[Message] = []
        self._batch_bytes = 0
        self._read = self._bad = 0
        self._first_bad: list[BadLine] = []
        self._added: list[Added] = []

    async def learn(self, body: AsyncIterator[bytes]) -> Learned:
        """Learn all of it. Raises `RefusalError` that says what was learned before it."""
        try:
            async for data in body:
                for line in self._lines.feed(data):
                    await self._take(line)
            for line in self._lines.finish():
                await self._take(line)
            await self._flush()
        except ChaffinchError as error:
            problem = problem_of(error)
            problem.learned = self.learned()
            raise problem from error
        except RefusalError as problem:
            problem.learned = self.learned()
            raise
        return self.learned()

    def learned(self) -> Learned:
        """What became of the lines so far."""
        added = self._added
        return Learned(
            lines=self._read,
            learned=sum(one.learned for one in added),
            duplicates=sum(one.duplicates for one in added),
            empty=sum(one.empty for one in added),
            no_room=sum(one.no_room for one in added),
            replaced=sum(one.replaced for one in added),
            tokens_dropped=sum(one.cut.tokens_dropped for one in added),
            tokens_shortened=sum(one.cut.tokens_shortened for one in added),
            messages_cut=sum(one.cut.messages_cut for one in added),
            bad=self._bad,
            first_bad=tuple(self._first_bad),
        )

    async def _take(self, line: bytes | None) -> None:
        if line is not None and not line.strip():
            return
        self._read += 1
        try:
            self._batch.append(message_of(line))
        except ValueError as error:
            await self._refuse(str(error))
            return
        self._batch_bytes += len(line or b"")
        if len(self._batch) >= BATCH_MESSAGES or self._batch_bytes >= BATCH_BYTES:
            await self._flush()

    async def _refuse(self, reason: str) -> None:
        self._bad += 1
        if len(self._first_bad) < NAMED_BAD:
            self._first_bad.append(BadLine(self._lines.count, reason))
        if not self._skip_bad:
            await self._flush()
            raise RefusalError(
                400,
                "bad_line",
                f"line {self._lines.count}: {reason}; what stands before it is learned: correct it and send the body "
                "again, or add ?skip_bad=1",
            )

    async def _flush(self) -> None:
        if not self._batch:
            return
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            try:
                self._note(await self._add(batch))
            except BusyError as error:
                wait = error.retry_after_seconds
                if not self._added or asyncio.get_running_loop().time() + wait > until:
                    raise
                await asyncio.sleep(wait)
            else:
                return

    def _note(self, added: Added) -> None:
        self._added.append(added)
        if len(self._added) >= 64:
            self._added = [_sum(self._added)]


def message_of(line: bytes | None) -> Message:
    """The message of a line; None is one that was too long. Raises `ValueError` with the reason."""
    if line is None:
        raise ValueError(f"it is longer than {LINE_BYTES:,} bytes")
    try:
        read = _line.decode(line)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
    except ValueError as error:  # not JSON, or not UTF-8
        raise ValueError(f"it is not JSON: {error}") from None
    for what, name in (("id", read.id), ("author", read.author), ("channel", read.channel)):
        if fault := name_fault(what, name):
            raise ValueError(fault)
    time_ms = None if read.time is None else milliseconds_of(read.time)
    return Message(read.text, read.id, read.author, read.channel, time_ms, read.attachments)


def _sum(added: Sequence[Added]) -> Added:
    from chaffinch.chain.results import Cut

    return Added(
        learned=sum(one.learned for one in added),
        duplicates=sum(one.duplicates for one in added),
        empty=sum(one.empty for one in added),
        no_room=sum(one.no_room for one in added),
        replaced=sum(one.replaced for one in added),
        cut=Cut(
            tokens_dropped=sum(one.cut.tokens_dropped for one in added),
            tokens_shortened=sum(one.cut.tokens_shortened for one in added),
            messages_cut=sum(one.cut.messages_cut for one in added),
        ),
    )
