"""Reading on from a place in the journal: over segments that end, were dropped, or are damaged."""

import contextlib
import logging
from collections.abc import Generator

import apsw
import msgspec

from chaffinch import events
from chaffinch.errors import RunError
from chaffinch.journal.catalog import Catalog
from chaffinch.journal.layout import Layout, SegmentName
from chaffinch.journal.protocol import Record
from chaffinch.journal.recovery import Recovery
from chaffinch.journal.segment import Block, DamagedError, Segment, VanishedError

log = logging.getLogger("chaffinch.journal")

_ATTEMPTS = 1000
"""Segments that one read may find gone or damaged before it gives up: more than a journal has."""

_decoder = msgspec.json.Decoder(events.Event)


class Batch(msgspec.Struct, frozen=True):
    """Records in their order, how many events among them are not there any more, and the seq up to which both hold."""

    records: list[Record]
    missed: int
    upto: int


class Reader:
    """Reads in order. Holds one open segment and at most one decoded block. Used by one thread at a time."""

    def __init__(self, layout: Layout, catalog: Catalog, recovery: Recovery) -> None:
        self._layout = layout
        self._catalog = catalog
        self._recovery = recovery
        self._name: SegmentName | None = None
        self._segment: Segment | None = None
        self._at: SegmentName | None = None
        self._rest: list[Record] = []

    def read(self, after: int, limit: int) -> Batch:
        """Up to `limit` records that follow seq `after`, and what is missing before them. Raises `RunError`."""
        reading = _Reading(after, limit)
        if self._rest and self._rest[0].seq == after + 1:
            self._rest = reading.take(self._rest)
        for _ in range(_ATTEMPTS):
            if reading.full:
                break
            try:
                name, following = self._segment_for(reading.after)
                if name is None:
                    break
                if reading.after < name.first - 1:  # everything older was dropped
                    reading.miss(name.first - 1, self._catalog.missing_within(reading.after + 1, name.first - 1))
                self._read_segment(name, following, reading)
                if following is None:
                    break
            except VanishedError:
                self.close()
            except DamagedError as error:
                assert self._at is not None
                self._recovery.replace(self._at, str(error), known_last=reading.after)
                self.close()
            except (apsw.Error, OSError) as error:
                self.close()
                raise RunError(f"journal: cannot read in {self._layout.path}: {error}") from error
        return Batch(reading.records, reading.missed, reading.after)

    def _segment_for(self, after: int) -> tuple[SegmentName | None, SegmentName | None]:
        """The segment that holds what follows a seq, and the one after it."""
        names = self._layout.segments()
        at = max((index for index, name in enumerate(names) if name.first <= after + 1), default=0)
        self._at = names[at] if names else None
        return self._at, names[at + 1] if at + 1 < len(names) else None

    def _read_segment(self, name: SegmentName, following: SegmentName | None, reading: "_Reading") -> None:
        """Take what one segment has. `following` was listed before, so a segment that has one is complete."""
        with contextlib.closing(self._blocks(name, reading.after + 1)) as blocks:
            for block in blocks:
                self._step_over(reading, block.first - 1)
                records, unknown = decode(block)
                reading.missed += unknown
                self._rest = reading.take(records, upto=block.last)
                if reading.full:
                    return
        if following is not None:
            self._step_over(reading, following.first - 1)

    def _blocks(self, name: SegmentName, seq: int) -> Generator[Block, None, None]:
        if self._segment is None or self._name != name:
            self.close()
            self._segment = Segment(self._layout.segment(name))
            self._name = name
        return self._segment.blocks(seq)

    def _step_over(self, reading: "_Reading", last: int) -> None:
        """Pass seqs that are not there. Raises `DamagedError` when nobody knows why."""
        first = reading.after + 1
        if first > last:
            return
        if self._catalog.events_within(first, last):
            raise DamagedError(f"the events from seq {first} to {last} are not in it")
        reading.miss(last, self._catalog.missing_within(first, last))

    def end(self) -> int:
        """The seq of the last event; 0 in an empty journal. Raises `RunError`."""
        for _ in range(_ATTEMPTS):
            names = self._layout.segments()
            if not names:
                return 0
            try:
                end = self._end_of(names[-1])
            except VanishedError:
                continue
            except DamagedError as error:
                self._recovery.replace(names[-1], str(error))
                continue
            except apsw.Error as error:
                raise RunError(f"journal: cannot read in {self._layout.path}: {error}") from error
            return (end or names[-1].first) - 1
        raise RunError(f"journal: {self._layout.path} changes too fast to be read")

    def _end_of(self, name: SegmentName) -> int | None:
        if self._segment is not None and self._name == name:
            return self._segment.end()
        segment = Segment(self._layout.segment(name))
        try:
            return segment.end()
        finally:
            segment.close()

    def close(self) -> None:
        """Let go of the open segment and of what was read ahead."""
        self._rest = []
        self._name = None
        if self._segment is not None:
            self._segment.close()
            self._segment = None


class _Reading:
    """One read on its way: what it has, what it may still take, what it passed."""

    def __init__(self, after: int, limit: int) -> None:
        self.after = after
        self.records: list[Record] = []
        self.missed = 0
        self._limit = limit

    @property
    def full(self) -> bool:
        return len(self.records) >= self._limit

    def take(self, records: list[Record], upto: int | None = None) -> list[Record]:
        """Take as many as still fit, beginning after the last; returns the others. All taken: the place is `upto`."""
        if records and records[0].seq <= self.after:
            records = [record for record in records if record.seq > self.after]
        room = self._limit - len(self.records)
        taken, rest = records[:room], records[room:]
        self.records += taken
        if taken:
            self.after = taken[-1].seq
        if not rest and upto is not None:
            self.after = max(self.after, upto)
        return rest

    def miss(self, last: int, events_missed: int) -> None:
        """Pass everything up to `last`."""
        self.after = last
        self.missed += events_missed


def decode(block: Block) -> tuple[list[Record], int]:
    """A block's records, and how many of its events this release cannot read: kinds that a newer one wrote."""
    try:
        found = _decoder.decode_lines(block.body)
    except msgspec.DecodeError:
        return _decode_singly(block)
    if len(found) != block.events:
        raise DamagedError(f"the block at seq {block.first} holds {len(found)} events and claims {block.events}")
    return [Record(block.first + at, event) for at, event in enumerate(found)], 0


def _decode_singly(block: Block) -> tuple[list[Record], int]:
    lines = block.body.split(b"\n")
    if len(lines) != block.events:
        raise DamagedError(f"the block at seq {block.first} holds {len(lines)} events and claims {block.events}")
    records = []
    for at, line in enumerate(lines):
        try:
            records.append(Record(block.first + at, _decoder.decode(line)))
        except msgspec.DecodeError as error:
            log.warning("journal.event_unknown seq=%d why=%r", block.first + at, str(error))
    return records, block.events - len(records)
