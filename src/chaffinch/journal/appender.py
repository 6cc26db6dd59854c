"""Appending under the lock: one transaction on the last segment, and the next segment when that is full."""

import contextlib
import errno
import os
from collections.abc import Sequence

import apsw

from chaffinch.config import JournalSettings
from chaffinch.errors import RunError
from chaffinch.journal import segment
from chaffinch.journal.catalog import Catalog
from chaffinch.journal.layout import Layout, Listing, SegmentName
from chaffinch.journal.recovery import Recovery, start_segment
from chaffinch.journal.segment import DamagedError, Segment, VanishedError

_ATTEMPTS = 8


class UnavailableError(Exception):
    """Nothing can be appended now. `full`: because the disk is full."""

    def __init__(self, why: str, *, full: bool) -> None:
        super().__init__(why)
        self.full = full


class Appender:
    """Used by the writer's thread alone. Holds one connection."""

    def __init__(self, layout: Layout, catalog: Catalog, recovery: Recovery, settings: JournalSettings) -> None:
        self._layout = layout
        self._catalog = catalog
        self._recovery = recovery
        self._sealed_at = settings.sealed_at
        self._checkpoint_pages = max(16, min(1000, settings.sealed_at // segment.PAGE_BYTES // 4))
        self._name: SegmentName | None = None
        self._segment: Segment | None = None
        self._listing = Listing(layout.path)
        self._last = 0

    def append(self, lines: Sequence[bytes]) -> bool:
        """Make encoded events durable, in one transaction; says whether a segment was sealed.

        Raises `UnavailableError` when the machine does not let it, with nothing appended.
        """
        for _ in range(_ATTEMPTS):
            try:
                with self._layout.lock("segments"):
                    return self._append(lines)
            except VanishedError:
                self.rest()
            except DamagedError as error:
                self.rest()
                assert self._name is not None
                self._set_aside(self._name, str(error))
            except (apsw.Error, OSError, RunError) as error:
                self.rest()
                raise UnavailableError(str(error), full=_is_full(error)) from error
        raise UnavailableError("the segments are damaged as fast as they are made", full=False)

    def _append(self, lines: Sequence[bytes]) -> bool:
        active = self._activate()
        with segment.damage(active.path):
            active.db.execute("BEGIN IMMEDIATE")
            try:
                assert self._name is not None
                first = active.end() or self._name.first
                active.append(list(segment.blocks(first, lines)))
                pages = active.pages()
                active.db.execute("COMMIT")
            finally:
                if active.db.in_transaction:
                    with contextlib.suppress(apsw.Error):  # the first fault is the one to tell
                        active.db.execute("ROLLBACK")
        self._last = first + len(lines) - 1
        return self._seal_if_full(active, pages)

    def _activate(self) -> Segment:
        """The last segment, open; made if there is none."""
        names = self._layout.segments(self._listing.files())
        if not names:
            start_segment(self._layout, SegmentName(max(self._catalog.furthest(), self._last) + 1))
            names = self._layout.segments()
        if self._segment is None or names[-1] != self._name:
            self.rest()
            self._name = names[-1]
            self._segment = Segment(self._layout.segment(self._name), checkpoint_pages=self._checkpoint_pages)
        return self._segment

    def _seal_if_full(self, active: Segment, pages: int) -> bool:
        """Start the next segment when this one, or its log that a stuck reader keeps from being folded back, has the
        size.
        """
        if pages * segment.PAGE_BYTES < self._sealed_at and _log_bytes(active) < self._sealed_at:
            return False
        try:
            self._start_next(self._last + 1)
        except (apsw.Error, OSError):
            return False  # what was asked is durable; the next append tries again
        active.fold()
        self.rest()
        return True

    def _start_next(self, first: int) -> None:
        start_segment(self._layout, SegmentName(first))

    def seal(self) -> None:
        """Seal the last segment whatever its size, if it holds anything. Takes the lock."""
        with self._layout.lock("segments"), contextlib.suppress(DamagedError, VanishedError):  # its readers see to it
            names = self._layout.segments()
            if not names:
                return
            with contextlib.closing(Segment(self._layout.segment(names[-1]))) as last:
                end = last.end()
                if end is not None:
                    self._start_next(end)
                    last.fold()

    def _set_aside(self, name: SegmentName, why: str) -> None:
        try:
            self._recovery.replace(name, why, known_last=self._last)
        except RunError as error:
            raise UnavailableError(str(error), full=_is_full(error.__cause__)) from error

    def rest(self) -> None:
        """Close the connection; the last to close folds the log back and removes it. The next append opens it again."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None


def _log_bytes(active: Segment) -> int:
    try:
        return os.stat(f"{active.path}-wal").st_size
    except FileNotFoundError:
        return 0


def _is_full(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, apsw.FullError) or (
            isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
        ):
            return True
        if isinstance(error, apsw.IOError) and segment.extended_code(error) == apsw.SQLITE_IOERR_SHMSIZE:
            return True
        error = error.__cause__
    return False
