"""What happens to a damaged segment: it is set aside, what can be read of it is kept, and reading and appending go on.

The order of the steps makes a kill between any two of them harmless: the damage is then found again and the steps are
repeated.
"""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import msgspec

from chaffinch import events
from chaffinch.errors import RunError
from chaffinch.journal.catalog import Catalog, Hole
from chaffinch.journal.layout import Layout, SegmentName
from chaffinch.journal.segment import Block, DamagedError, Segment, VanishedError

log = logging.getLogger("chaffinch.journal")

_MIN_EVENT_BYTES = 32
"""No event's JSON is shorter: bounds how many seqs a file can have used."""


class Found(msgspec.Struct, frozen=True):
    """What could be read of a segment: how many events, and the range each run of blocks covers, in order."""

    events: int
    ranges: tuple[tuple[int, int], ...]


class Recovery:
    """Sets damaged segments aside. `publish` takes the event that says so."""

    def __init__(
        self, layout: Layout, catalog: Catalog, *, max_segment_bytes: int, publish: Callable[[events.Event], None]
    ) -> None:
        self._layout = layout
        self._catalog = catalog
        self._max_segment_bytes = max_segment_bytes
        self._publish = publish

    def replace(self, name: SegmentName, why: str, known_last: int = 0) -> None:
        """Set the segment `name` aside and put what can be read of it in its place.

        `known_last` is the greatest seq that the caller knows was in it. Does nothing when another process was faster.
        """
        try:
            self._replace(name, why, known_last)
        except (apsw.Error, OSError) as error:
            path = self._layout.segment(name)
            raise RunError(f"journal: {path} is damaged ({why}) and cannot be set aside: {error}") from error

    def _replace(self, name: SegmentName, why: str, known_last: int) -> None:
        with self._layout.lock("segments"):
            names = self._layout.segments()
            if name not in names:
                return
            after = names[names.index(name) + 1 :]
            end = after[0].first if after else self._end_of_active(name)
            made = self._layout.path / "segment.new"
            self._layout.remove(made)
            Segment.create(made)
            found = self._salvage(name, made, end)
            holes = self._holes(name, found, end, active=not after, known_last=known_last)
            self._catalog.note_damage(holes)
            if not after:
                start_segment(self._layout, SegmentName(end))
            if found.events:
                self._layout.adopt(made)
                self._layout.publish(made, self._layout.segment(SegmentName(name.first, name.generation + 1)))
            else:
                made.unlink()
            aside = self._layout.set_aside(self._layout.segment(name))
        lost = sum(hole.events for hole in holes)
        log.error(
            "journal.segment_damaged file=%s why=%r kept=%d lost=%d; it was set aside, the rest is read on",
            aside, why, found.events, lost,
        )  # fmt: skip
        fact = events.SegmentDamaged(segment=name.file, first_seq=name.first, events=lost, why=why)
        self._publish(events.Event(time=events.now(), fact=fact))

    def _end_of_active(self, name: SegmentName) -> int:
        """A seq that no event of a damaged segment can have had: one far enough on."""
        size = max(self._layout.size(self._layout.segment(name)), self._max_segment_bytes)
        return max(self._catalog.furthest(), name.first + size // _MIN_EVENT_BYTES) + 1

    def _salvage(self, name: SegmentName, made: Path, end: int) -> Found:
        """Copy every block that is whole and in its place."""
        target = Segment(made)
        ranges: list[tuple[int, int]] = []
        try:
            target.db.execute("BEGIN IMMEDIATE")
            for block in _whole_blocks(self._layout.segment(name)):
                if (
                    name.first <= block.first
                    and block.last < end
                    and not any(a <= block.last and block.first <= b for a, b in ranges)
                ):
                    target.append([block])
                    _add_range(ranges, block)
            target.db.execute("COMMIT")
        finally:
            target.close()
        ranges.sort()
        return Found(sum(last - first + 1 for first, last in ranges), tuple(ranges))

    def _holes(self, name: SegmentName, found: Found, end: int, *, active: bool, known_last: int) -> list[Hole]:
        """The ranges between what was found.

        After the end of the active segment nobody knows how many events there were.
        """
        holes: list[Hole] = []
        at = name.first
        for first, last in (*found.ranges, (end, end)):
            if first > at:
                events_lost = self._catalog.missing_within(at, first - 1)
                if active and first == end:
                    known_last = max(known_last, self._catalog.furthest_cursor())
                    events_lost = max(0, min(known_last, end - 1) - at + 1)
                holes.append(Hole(at, first - 1, events_lost))
            at = last + 1
        return holes


def start_segment(layout: Layout, name: SegmentName) -> None:
    """Make an empty segment: whole under another name first, so that nobody sees half of one. Needs the lock
    `segments`.
    """
    made = layout.path / "segment.new.empty"
    layout.remove(made)
    Segment.create(made)
    layout.adopt(made)
    layout.publish(made, layout.segment(name))


def _whole_blocks(path: Path) -> Iterator[Block]:
    """Every block before the damage, in order, then every block after it, from the end."""
    reached = -1
    for backwards in (False, True):
        try:
            segment = Segment(path, salvage=True)
        except (DamagedError, VanishedError, RunError):
            return
        try:
            for block in segment.whole_blocks(reached, backwards=backwards):
                reached = reached if backwards else block.last
                yield block
        except DamagedError:
            continue
        finally:
            segment.close()
        return  # read from end to end: what is not whole are single blocks


def _add_range(ranges: list[tuple[int, int]], block: Block) -> None:
    """Note a block's seqs, next to the range it continues if there is one."""
    for at, (first, last) in enumerate(ranges):
        if block.first == last + 1:
            ranges[at] = (first, block.last)
            return
        if block.last == first - 1:
            ranges[at] = (block.first, last)
            return
    ranges.append((block.first, block.last))
