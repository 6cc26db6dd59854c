"""What was deleted between a page's fetching and its learning: flights that pages of a moment share."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

Flight = TypeVar("Flight")


class Boarding(Generic[Flight]):
    """One flight and how many pages are on it."""

    def __init__(self, number: int, opened: AbstractContextManager[Flight]) -> None:
        self.number = number
        self.pages = 0
        self._opened = opened
        self.flight = opened.__enter__()

    def close(self) -> None:
        """Nothing has to be noted for its pages any more."""
        self._opened.__exit__(None, None, None)


class Boardings(Generic[Flight]):
    """Pages board the newest flight before they are asked for. A flight ends with its last page once a newer one began,
    so that what flights note is that of some pages and not of a whole training.
    """

    def __init__(self, open_one: Callable[[], AbstractContextManager[Flight]]) -> None:
        self._open_one = open_one
        self._open: list[Boarding[Flight]] = []
        self._begun = 0

    def board(self) -> Boarding[Flight]:
        """A place for one page."""
        if not self._open:
            self.turn()
        newest = self._open[-1]
        newest.pages += 1
        return newest

    def turn(self) -> None:
        """Who boards from now on gets a new flight."""
        self._begun += 1
        self._open.append(Boarding(self._begun, self._open_one()))
        self._close_empty()

    def leave(self, boardings: Iterable[Boarding[Flight]]) -> None:
        """Pages are learned, or never will be."""
        for boarding in boardings:
            boarding.pages -= 1
        self._close_empty()

    def close(self) -> None:
        """End all flights, whatever is on them."""
        while self._open:
            self._open.pop().close()

    def _close_empty(self) -> None:
        over = [boarding for boarding in self._open[:-1] if not boarding.pages]
        for boarding in over:
            self._open.remove(boarding)
            boarding.close()
