"""A fork must find no SQLite file open.

SQLite keeps the locks of a process in a table of its own. A child inherits that table but not the kernel's locks: it
would believe that it holds them, and another process could fold and remove a log under it. So whatever has a database
open closes it before the fork, holds its own lock over it, and opens it again on its next use, in parent and child.
"""

import os
import threading
import weakref
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import apsw


class Forkable(Protocol):
    """Something that has databases open."""

    def before_fork(self) -> None:
        """Close them, and let no thread open them until `after_fork`."""
        ...

    def after_fork(self) -> None:
        """In parent and child: they may be opened again."""
        ...


class OneConnection:
    """One database connection, opened on first use, and the lock that is held over each use of it."""

    def __init__(self) -> None:
        self._mutex = threading.RLock()
        self._connection: apsw.Connection | None = None

    def before_fork(self) -> None:
        """See `Forkable`."""
        self._mutex.acquire()
        self.close()

    def after_fork(self) -> None:
        """See `Forkable`."""
        self._mutex.release()

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        with self._mutex:
            if self._connection is not None:
                self._connection.close(True)
                self._connection = None


_registered: "weakref.WeakSet[Forkable]" = weakref.WeakSet()
_held: list[Forkable] = []


def register(owner: Forkable) -> None:
    """Tell `owner` of every fork, as long as it lives."""
    _registered.add(owner)


def _before() -> None:
    for owner in list(_registered):
        owner.before_fork()
        _held.append(owner)


def _after() -> None:
    while _held:
        _held.pop().after_fork()


os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after)
