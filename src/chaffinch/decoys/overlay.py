"""What a source changed on a decoy host: kept for that source only, within a quota, for a while.

`Overlay` holds the changes, `Overlays` bounds them all together; `view.View` shows the host's files with one overlay on
top.
"""

import errno
import sys
import time
from collections.abc import Callable, Iterator

import msgspec

from chaffinch.decoys.kept import Kept
from chaffinch.personas.files import FileError

CHANGE_BYTES = 512
"""What one change counts for beside its data: about what its path and struct take in memory."""

OVERLAY_BYTES = 400
"""What an overlay counts for beside its changes, among all: with one change of no data it takes 900 bytes in memory."""


class Change(msgspec.Struct, frozen=True, gc=False):
    """What stands at a path instead of the host's own file.

    `kind` is that of an entry, or `gone`. A copy of one of the host's own files names it in `origin` and holds no
    data. Below an `opaque` directory nothing of the host's own shows.
    """

    kind: str
    mode: int = 0
    owner: str = ""
    group: str = ""
    mtime: int = 0
    data: bytes = b""
    size: int = 0
    target: str = ""
    origin: str = ""
    opaque: bool = False


class Overlay:
    """The changes of one source to one host, by absolute path. Made by `Overlays.of`."""

    __slots__ = ("_changes", "_held", "_key", "_overlays")

    def __init__(self, overlays: "Overlays", key: tuple[str, str]) -> None:
        self._overlays = overlays
        self._key = key
        self._changes: dict[str, Change] = {}
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes that the changes count for."""
        return self._held

    def get(self, path: str) -> Change | None:
        """The change at `path`, or None."""
        return self._changes.get(path)

    def put(self, path: str, change: Change) -> None:
        """Record a change. Raises `FileError(ENOSPC)` past the source's quota."""
        before = self._changes.get(path)
        grows = _cost(path, change) - (_cost(path, before) if before else 0)
        if grows > 0 and self._held + grows > self._overlays.bytes_per_source:
            raise FileError(errno.ENOSPC, path)
        self._changes[path] = change
        self._held += grows
        self._overlays.changed(self._key, self)

    def drop(self, path: str) -> None:
        """Forget the change at `path`, if there is one."""
        change = self._changes.pop(path, None)
        if change is None:
            return
        self._held -= _cost(path, change)
        if sys.getsizeof(self._changes) > CHANGE_BYTES * (1 + len(self._changes)):
            self._changes = dict(self._changes)  # a dict keeps the room of what was removed from it
        self._overlays.changed(self._key, self)

    def below(self, directory: str) -> Iterator[tuple[str, Change]]:
        """The changes under a directory, at any depth, with their paths."""
        prefix = directory.rstrip("/") + "/"
        return ((path, change) for path, change in list(self._changes.items()) if path.startswith(prefix))

    def clear(self) -> None:
        """Forget everything."""
        self._changes = {}
        self._held = 0

    @property
    def empty(self) -> bool:
        """Whether nothing was changed."""
        return not self._changes


def _cost(path: str, change: Change) -> int:
    return CHANGE_BYTES + len(path) + len(change.data) + len(change.target)


class Overlays(Kept[tuple[str, str], Overlay]):
    """All overlays of a process, by host and source; `bytes_per_source` bounds one of them. One that holds no change is
    not held here.
    """

    def __init__(
        self,
        bytes_per_source: int = 1 << 20,
        total_bytes: int = 16 << 20,
        ttl: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(total_bytes, ttl, Overlay.clear, clock)
        self.bytes_per_source = bytes_per_source

    def of(self, address: str, source: str) -> Overlay:
        """What `source` changed on the host `address`: what it left there if that was within the TTL, else an empty
        overlay.
        """
        key = (address, source)
        return self.find(key) or Overlay(self, key)

    def changed(self, key: tuple[str, str], overlay: Overlay) -> None:
        """Account for an overlay's change; an overlay calls this. Evicts others, never the one that changed; forgets
        one that was emptied.
        """
        known = self._by_key.get(key)
        if known is not None and (overlay.empty or known.value is not overlay):
            # The other one is of a second session beside it; or this one was emptied, and another one began.
            self._forget(key)
        if not overlay.empty:
            self.put(key, overlay, overlay.held + OVERLAY_BYTES)
