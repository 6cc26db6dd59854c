"""Keeping the journal within its bounds: the oldest segment is unlinked whole; what went is counted and recorded."""

import itertools
import logging
from collections.abc import Callable

import apsw
import msgspec

from chaffinch import events
from chaffinch.config import JournalSettings
from chaffinch.errors import RunError
from chaffinch.journal.ageing import DAY_NS, Reading
from chaffinch.journal.catalog import Age, Catalog
from chaffinch.journal.layout import Layout, SegmentName

log = logging.getLogger("chaffinch.journal")

_SEALS_AN_AGE = 32
"""A segment takes events for this part of the greatest age at most, so that a quiet fleet's events go in time too."""


class Dropped(msgspec.Struct, frozen=True):
    """What one round of retention gave up."""

    segments: int = 0
    events: int = 0
    bytes: int = 0


class Retention:
    """Drops and counts. `publish` takes the events that say so, `seal` seals the last segment, `clocks` reads the
    machine's.
    """

    def __init__(
        self,
        layout: Layout,
        catalog: Catalog,
        settings: JournalSettings,
        *,
        clocks: Callable[[], Reading],
        seal: Callable[[], None],
        publish: Callable[[events.Event], None],
    ) -> None:
        self._layout = layout
        self._catalog = catalog
        self._settings = settings
        self._max_age_ns = int(settings.max_age_days * DAY_NS)
        self._clocks = clocks
        self._seal = seal
        self._publish = publish

    def enforce(self) -> Dropped:
        """Drop what is beyond the bounds. Costs an unlink a segment, whatever is in it. Raises `RunError`."""
        try:
            with self._layout.lock("segments"):
                facts, sealing = self._enforce()
            if sealing:
                self._seal()
        except (apsw.Error, OSError) as error:
            raise RunError(f"journal: cannot drop old segments in {self._layout.path}: {error}") from error
        for fact in facts:
            log.info("journal.segment_dropped file=%s events=%d why=%s", fact.segment, fact.events, fact.why)
            self._publish(events.Event(time=events.now(), fact=fact))
        return Dropped(len(facts), sum(fact.events for fact in facts), sum(fact.bytes for fact in facts))

    def _enforce(self) -> tuple[list[events.SegmentDropped], bool]:
        self._tidy()
        names = self._layout.segments()
        now, ages = self._catalog.ages(names, self._clocks(), self._max_age_ns)
        sizes = {name: self._layout.size(self._layout.segment(name)) for name in names}
        room = self._room_for_sealed()
        facts = []
        for name, following in itertools.pairwise(names):
            held = sum(sizes[other] for other in names[:-1] if other >= name)
            why = "bytes" if held > room else "age" if self._is_old(ages[name.first], now) else ""
            if not why:
                break
            facts.append(self._drop(name, following.first - 1, sizes[name], why))
        sealing = bool(names) and now - ages[names[-1].first].seen > self._max_age_ns // _SEALS_AN_AGE
        return facts, sealing

    def _room_for_sealed(self) -> int:
        """Bytes for sealed segments: the last one and its log may each still grow to a segment's size."""
        active = 2 * (self._settings.sealed_at + self._settings.transaction_bytes)
        others = sum(self._layout.size(path) for path in (self._layout.catalog, *self._layout.damaged()))
        return self._settings.max_bytes - active - others

    def _is_old(self, age: Age, now: int) -> bool:
        return age.sealed is not None and now - age.sealed > self._max_age_ns

    def _drop(self, name: SegmentName, last: int, size: int, why: str) -> events.SegmentDropped:
        count = self._catalog.events_within(name.first, last)
        self._catalog.note_dropped(name, count, size)
        self._layout.remove(self._layout.segment(name))
        return events.SegmentDropped(
            segment=name.file, first_seq=name.first, last_seq=last, events=count, bytes=size, why=why
        )

    def _tidy(self) -> None:
        """Finish what a killed process began, and keep what was set aside to a tenth of the disk."""
        current = set(self._layout.segments())
        for name in self._layout.all_segments():
            if name not in current:
                self._layout.set_aside(self._layout.segment(name))
        self._layout.remove_strays()
        damaged = self._layout.damaged()
        sizes = [self._layout.size(path) for path in damaged]
        while sum(sizes) > self._settings.max_bytes // 10:
            sizes.pop(0)
            path = damaged.pop(0)
            log.warning(
                "journal.damaged_removed file=%s; set-aside segments may hold a tenth of the journal's bytes", path
            )
            self._layout.remove(path)
