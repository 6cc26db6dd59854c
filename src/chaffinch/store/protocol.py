"""What every store answers, whatever database is behind it."""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class SessionRow(msgspec.Struct, frozen=True, gc=False):
    """One session, or `count` collapsed ones of one source to one service.

    Times are nanoseconds since the epoch; `ended` is None while the session is open. `transport` is empty when the
    event that opened it was no longer in the journal. `reason` is that of `events.SessionClosed`, or `collapsed`.
    `seq` is that of the last event that changed the row. For a collapsed row, `started` and `ended` are those of its
    first and last session, and the bytes are those of all.
    """

    id: str
    service: str
    address: str
    port: int
    transport: str
    source: str
    source_port: int
    started: int
    ended: int | None
    bytes_in: int
    bytes_out: int
    reason: str
    count: int
    seq: int


class SessionFilter(msgspec.Struct, frozen=True):
    """Which sessions. Empty fields do not restrict. `since`: started at that time or later.

    `after` is the identifier of the last session of the page before: the listing goes on with older ones.
    """

    service: str = ""
    source: str = ""
    address: str = ""
    since: int = 0
    after: str = ""
    limit: int = 100


class SessionCounts(msgspec.Struct, frozen=True):
    """Sums over sessions; a collapsed row counts as many as it stands for. `open` are those that have not ended."""

    sessions: int
    open: int
    bytes_in: int
    bytes_out: int


class ServiceCounts(msgspec.Struct, frozen=True):
    """How many sessions one service had."""

    service: str
    sessions: int


class Store(Protocol):
    """Derived data and the questions about it."""

    def add_sessions(self, rows: Sequence[SessionRow], upto: int) -> None:
        """Add or complete sessions, and note that every event up to seq `upto` is in: both or neither. Idempotent."""
        ...

    def cut_sessions(self, service: str, ended: int, before: int) -> None:
        """End what is open of the service's sessions whose events have a seq below `before`, as `lost`. Idempotent."""
        ...

    def progress(self) -> int:
        """The seq up to which events are in the sessions."""
        ...

    def sessions(self, wanted: SessionFilter = ...) -> list[SessionRow]:
        """Sessions, the newest first."""
        ...

    def session(self, id: str) -> SessionRow | None: ...  # noqa: A002

    def count(self, wanted: SessionFilter = ...) -> SessionCounts:
        """Sums over all sessions that the filter names, whatever its `limit` and `after`."""
        ...

    def services(self) -> list[ServiceCounts]:
        """Sessions by service, the most first."""
        ...

    def enforce_retention(self) -> int:
        """Delete the oldest sessions beyond the bounds; says how many rows went."""
        ...

    def close(self) -> None: ...
