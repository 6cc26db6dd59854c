"""What a process keeps only to be quicker: every such cache registers here, so that all can be shrunk without a list of
them that somebody has to keep up.

A cache that is made while memory is short begins small.
"""

import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
K = TypeVar("K")
V = TypeVar("V")

SHRUNK: Final = 16
"""A shrunk cache holds this part of its entries: one in so many, at least one."""


class Cache(Protocol):
    """What can hold less for a while. `forgotten` counts entries that went for want of room and that somebody outside
    may miss; of what is only computed again it stays 0.
    """

    forgotten: int

    def shrink(self) -> int:
        """Hold less from now on; how many entries went."""
        ...

    def grow(self) -> None:
        """Hold as much as before."""
        ...


C = TypeVar("C", bound=Cache)

_registered: Final[list[Cache]] = []
_is_shrunk = False


def register(cache: C) -> C:
    """Have this cache shrink and grow with the others, for as long as the process lives."""
    _registered.append(cache)
    if _is_shrunk:
        cache.shrink()
    return cache


def registered() -> tuple[Cache, ...]:
    """All caches of the modules that were imported."""
    return tuple(_registered)


def shrink() -> int:
    """Shrink all of them; how many entries went."""
    global _is_shrunk  # noqa: PLW0603
    _is_shrunk = True
    return sum(cache.shrink() for cache in _registered)


def grow() -> None:
    """Let all of them grow again."""
    global _is_shrunk  # noqa: PLW0603
    _is_shrunk = False
    for cache in _registered:
        cache.grow()


class Recent(Generic[K, V]):
    """The last `most` values that were asked for or put, by key."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.forgotten = 0
        self._room = most
        self._held: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: K) -> V | None:
        """The value that is held, if it is."""
        found = self._held.get(key)
        if found is not None:
            self._held.move_to_end(key)
        return found

    def put(self, key: K, value: V) -> None:
        """Hold the value; the one that was not used for longest goes where there is no room."""
        self._held[key] = value
        self._make_room()

    def clear(self) -> None:
        """Hold nothing."""
        self._held.clear()

    def shrink(self) -> int:
        """Hold fewer from now on; how many went."""
        self._room = max(1, self.most // SHRUNK)
        return self._make_room()

    def grow(self) -> None:
        """Hold as many as before."""
        self._room = self.most

    def _make_room(self) -> int:
        gone = max(0, len(self._held) - self._room)
        for _ in range(gone):
            self._held.popitem(last=False)
        return gone


class Remembered(Generic[P, R]):
    """A function whose last results are kept: `functools.lru_cache` that can shrink. Made by `remembered`."""

    def __init__(self, function: Callable[P, R], most: int) -> None:
        functools.update_wrapper(self, function)
        self.forgotten = 0
        self.most = most
        self._function = function
        self._results = functools.lru_cache(most)(function)

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> R:
        return self._results(*arguments, **named)  # type: ignore[arg-type]  # hashable, or it raises `TypeError`

    def __len__(self) -> int:
        return self._results.cache_info().currsize

    def cache_clear(self) -> None:
        """Forget the results, as `functools.lru_cache` has it."""
        self._results.cache_clear()

    def shrink(self) -> int:
        """Begin anew with room for fewer results."""
        gone = len(self)
        self._results = functools.lru_cache(max(1, self.most // SHRUNK))(self._function)
        return gone

    def grow(self) -> None:
        """Begin anew with room for as many as before: the few that a shrunk cache held are made again."""
        self._results = functools.lru_cache(self.most)(self._function)


def remembered(most: int) -> Callable[[Callable[P, R]], Remembered[P, R]]:
    """Keep the last `most` results of a function, by its hashable arguments, until memory is short."""

    def keep(function: Callable[P, R]) -> Remembered[P, R]:
        return register(Remembered(function, most))

    return keep
