"""What sources left on decoy hosts: kept by whom it was left and where, within a bound for all of it, for a while."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

SHRUNK: Final = 4
"""While memory is short this part of the total is held: one byte in so many."""


class _Entry(Generic[V]):
    """One value, how many bytes it counts for, and when it was used last."""

    __slots__ = ("counted", "used", "value")

    def __init__(self, value: V, counted: int, used: float) -> None:
        self.value = value
        self.counted = counted
        self.used = used


class Kept(Generic[K, V]):
    """The values of one kind in a process, by key.

    All of them count for at most `total_bytes`; past that the one that was used longest ago goes first, though never
    the last one. What nobody used for `ttl` seconds goes, too. `leave` empties a value that goes: whoever still has it
    finds nothing in it.
    """

    def __init__(
        self, total_bytes: int, ttl: float, leave: Callable[[V], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total_bytes = total_bytes
        self.ttl = ttl
        self.forgotten = 0
        """Values that went for want of room, not of age: their sources may notice."""
        self._leave = leave
        self._clock = clock
        self._by_key: OrderedDict[K, _Entry[V]] = OrderedDict()
        self._held = 0
        self._is_shrunk = False

    @property
    def total_bytes(self) -> int:
        """What all values may count for, while memory is not short. A lower one holds at once."""
        return self._total_bytes

    @total_bytes.setter
    def total_bytes(self, total_bytes: int) -> None:
        self._total_bytes = total_bytes
        self._make_room()

    @property
    def held(self) -> int:
        """Bytes that all values count for."""
        return self._held

    def find(self, key: K) -> V | None:
        """What is kept under that key, which is used now; None if nothing is, or not any more."""
        now = self._clock()
        self._forget_old(now)
        entry = self._by_key.get(key)
        if entry is None:
            return None
        entry.used = now
        self._by_key.move_to_end(key)
        return entry.value

    def put(self, key: K, value: V, counted: int) -> None:
        """Keep a value, which is used now and counts for so many bytes, in place of what is there. Others go when there
        is no room.
        """
        before = self._by_key.pop(key, None)
        self._held += counted - (before.counted if before is not None else 0)
        self._by_key[key] = _Entry(value, counted, self._clock())
        self._make_room()

    def shrink(self) -> int:
        """Hold at most a quarter of the total from now on; how many went."""
        self._is_shrunk = True
        return self._make_room()

    def grow(self) -> None:
        """Hold the total again."""
        self._is_shrunk = False

    def _make_room(self) -> int:
        before = self.forgotten
        room = self._total_bytes // SHRUNK if self._is_shrunk else self._total_bytes
        while self._held > room and len(self._by_key) > 1:
            self._forget(next(iter(self._by_key)))
            self.forgotten += 1
        return self.forgotten - before

    def _forget_old(self, now: float) -> None:
        while self._by_key:
            key, entry = next(iter(self._by_key.items()))
            if entry.used + self.ttl > now:
                return
            self._forget(key)

    def _forget(self, key: K) -> None:
        entry = self._by_key.pop(key)
        self._held -= entry.counted
        self._leave(entry.value)
