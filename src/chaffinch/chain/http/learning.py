"""Learning a body of NDJSON as it comes: never more of it in memory than one batch and one line."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Final

import msgspec

from chaffinch.chain.errors import BusyError
from chaffinch.chain.http.instant import milliseconds_of
from chaffinch.chain.http.limits import (
    BATCH_BYTES,
    BATCH_MESSAGES,
    LINE_BYTES,
    MOST_BAD,
    NAMED_BAD,
    PATIENCE_SECONDS,
    TURN_LINES,
)
from chaffinch.chain.http.problem import LearnedInPartError, problem_of
from chaffinch.chain.http.wire import BadLine, Learned, Line, name_fault
from chaffinch.chain.results import Added, Message
from chaffinch.errors import ChaffinchError
from chaffinch.http.problem import RefusalError, stopping

Add = Callable[[Sequence[Message]], Awaitable[Added]]

_line = msgspec.json.Decoder(Line)

_BLANK: Final = re.compile(rb"(?:[ \t\r]*+\n)+")


class Lines:
    """Cuts a body into lines and numbers them; blank ones count, and are passed over.

    What is too long comes as None, and is not kept.
    """

    def __init__(self) -> None:
        self.count = 0
        """The number of the last line, from 1."""
        self._rest = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """The lines that end in `data`."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            if not (self._rest or self._skipping) and (blank := _BLANK.match(data, start)):
                # All at once: megabytes of them would hold the event loop for seconds.
                start = blank.end()
                self.count += data.count(b"\n", blank.start(), start)
                continue
            self._rest += data[start:end]
            start = end + 1
            yield from self._take()
        self._rest += data[start:]
        if len(self._rest) > LINE_BYTES:
            self._rest.clear()
            self._skipping = True

    def finish(self) -> Iterator[bytes | None]:
        """The last line, if nothing ends it."""
        if self._rest or self._skipping:
            yield from self._take()

    def _take(self) -> Iterator[bytes | None]:
        self.count += 1
        line = None if self._skipping or len(self._rest) > LINE_BYTES else bytes(self._rest)
        self._rest.clear()
        self._skipping = False
        if line is None or line.strip():
            yield line


class Learning:
    """One body. `learn` reads it; `learned` is what became of it so far."""

    def __init__(self, add: Add, skip_bad: bool) -> None:
        self._add = add
        self._most_bad = MOST_BAD if skip_bad else 0
        self._lines = Lines()
        self._batch: list[Message] = []
        self._batch_bytes = 0
        self._read = self._bad = 0
        self._first_bad: list[BadLine] = []
        self._added = Added()

    async def learn(self, body: AsyncIterator[bytes]) -> Learned:
        """Learn all of it. Raises `LearnedInPartError`, also when it is cancelled."""
        try:
            async for data in body:
                await self._learn(self._lines.feed(data))
            await self._learn(self._lines.finish())
            await self._flush()
        except ChaffinchError as error:
            raise LearnedInPartError(problem_of(error), self.learned()) from error
        except RefusalError as refused:
            raise LearnedInPartError(refused, self.learned()) from refused.__cause__
        except asyncio.CancelledError:
            raise LearnedInPartError(stopping(), self.learned()) from None
        return self.learned()

    def learned(self) -> Learned:
        """What became of the lines so far."""
        added = self._added
        return Learned(
            lines=self._read,
            learned=added.learned,
            duplicates=added.duplicates,
            empty=added.empty,
            no_room=added.no_room,
            replaced=added.replaced,
            tokens_dropped=added.cut.tokens_dropped,
            tokens_shortened=added.cut.tokens_shortened,
            messages_cut=added.cut.messages_cut,
            bad=self._bad,
            first_bad=tuple(self._first_bad),
        )

    async def _learn(self, lines: Iterator[bytes | None]) -> None:
        for line in lines:
            self._take(line)
            if self._bad > self._most_bad:
                await self._flush()
                raise self._too_bad()
            if len(self._batch) >= BATCH_MESSAGES or self._batch_bytes >= BATCH_BYTES:
                await self._flush()
            if not self._read % TURN_LINES:
                await asyncio.sleep(0)

    def _take(self, line: bytes | None) -> None:
        self._read += 1
        try:
            self._batch.append(message_of(line))
        except ValueError as error:
            self._bad += 1
            if len(self._first_bad) < NAMED_BAD:
                self._first_bad.append(BadLine(self._lines.count, str(error)))
        else:
            self._batch_bytes += len(line or b"")

    def _too_bad(self) -> RefusalError:
        number = self._lines.count
        # From here on, and not all of it: messages without an id that stand before it would be learned twice.
        again = f"what stands before it is learned: correct it and send the body again from line {number} on"
        if self._most_bad:
            return RefusalError(400, "bad_line", f"line {number}: it is one of {self._bad:,} bad ones; {again}")
        return RefusalError(
            400, "bad_line", f"line {number}: {self._first_bad[0].reason}; {again}, or that with ?skip_bad=1"
        )

    async def _flush(self) -> None:
        if not self._batch:
            return
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            try:
                added = await self._add(batch)
            except BusyError as error:
                wait = error.retry_after_seconds
                if self._added == Added() or asyncio.get_running_loop().time() + wait > until:
                    raise
                await asyncio.sleep(wait)
            else:
                self._added += added
                return


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
    names = {"id": _name(read.id), "author": _name(read.author), "channel": _name(read.channel)}
    for what, name in names.items():
        if fault := name_fault(what, name):
            raise ValueError(fault)
    time_ms = None if read.time is None else milliseconds_of(read.time)
    return Message(read.text, **names, time_ms=time_ms, attachments=read.attachments or ())


def _name(given: str | int | None) -> str:
    return "" if given is None else str(given)
