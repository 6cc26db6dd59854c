"""What a source changed on a decoy host: kept for that source only, within a quota, for a while.

`Overlay` holds the changes, `Overlays` bounds them all together; `view.View` shows the host's files with one overlay on
top.
"""

import errno
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator

import msgspec

from chaffinch.personas.files import FileError

SHRUNK = 4
"""While memory is short all sources together may hold this part of the total: one byte in so many."""

CHANGE_BYTES = 512
"""What one change counts for beside its data: about what its path and struct take in memory."""


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

    __slots__ = ("_changes", "_held", "_key", "_overlays", "used")

    def __init__(self, overlays: "Overlays", key: tuple[str, str], used: float) -> None:
        self._overlays = overlays
        self._key = key
        self._changes: dict[str, Change] = {}
        self._held = 0
        self.used = used

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
        self._overlays.grown(self._key, self, grows)

    def drop(self, path: str) -> None:
        """Forget the change at `path`, if there is one."""
        change = self._changes.pop(path, None)
        if change is not None:
            self._held -= _cost(path, change)
            self._overlays.grown(self._key, self, -_cost(path, change))

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


class Overlays:
    """All overlays of a process.

    Bounds: `bytes_per_source` for one source on one host, `total_bytes` for all. An overlay that nobody used for
    `ttl` seconds is forgotten; past the total the one that was used longest ago goes first. One that holds no change
    costs nothing here.
    """

    def __init__(
        self,
        bytes_per_source: int = 1 << 20,
        total_bytes: int = 16 << 20,
        ttl: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bytes_per_source = bytes_per_source
        self.total_bytes = total_bytes
        self.ttl = ttl
        self._clock = clock
        self._by_key: OrderedDict[tuple[str, str], Overlay] = OrderedDict()
        self._held = 0
        self._room = total_bytes
        self.forgotten = 0
        """Sources whose changes went for want of room, not of age: they may notice."""

    @property
    def held(self) -> int:
        """Bytes that all changes count for."""
        return self._held

    def of(self, address: str, source: str) -> Overlay:
        """What `source` changed on the host `address`: what it left there if that was within the TTL, else an empty
        overlay."""
        now = self._clock()
        self._forget_old(now)
        key = (address, source)
        overlay = self._by_key.get(key)
        if overlay is None:
            return Overlay(self, key, now)
        overlay.used = now
        self._by_key.move_to_end(key)
        return overlay

    def grown(self, key: tuple[str, str], overlay: Overlay, by: int) -> None:
        """Account for an overlay's change; an overlay calls this. Evicts others, never the one that grew."""
        known = self._by_key.get(key)
        if known is not overlay:
            # The first change of this source, of a second session beside it, or after an eviction emptied the overlay.
            if known is not None:
                self._forget(key)
            self._by_key[key] = overlay
            by = overlay.held
        self._held += by
        overlay.used = self._clock()
        self._by_key.move_to_end(key)
        self._make_room()

    def _make_room(self) -> int:
        """Forget those that were used longest ago, but never the last one; how many went."""
        before = self.forgotten
        while self._held > self._room and len(self._by_key) > 1:
            self._forget(next(iter(self._by_key)))
            self.forgotten += 1
        return self.forgotten - before

    def shrink(self) -> int:
        """Hold at most a quarter of the total from now on; how many overlays went."""
        self._room = self.total_bytes // SHRUNK
        return self._make_room()

    def grow(self) -> None:
        """Hold the total again."""
        self._room = self.total_bytes

    def _forget_old(self, now: float) -> None:
        while self._by_key:
            key, overlay = next(iter(self._by_key.items()))
            if overlay.used + self.ttl > now:
                return
            self._forget(key)

    def _forget(self, key: tuple[str, str]) -> None:
        overlay = self._by_key.pop(key)
        self._held -= overlay.held
        overlay.clear()
