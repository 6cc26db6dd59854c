"""Flights of pages: none closes while a page is on it, and none stays open for longer."""

from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import given
from hypothesis import strategies as st

from chaffinch.chat.training.boarding import Boarding, Boardings


class Sky:
    """Flights that are open."""

    def __init__(self) -> None:
        self.open: set[int] = set()
        self.begun = 0

    @contextmanager
    def flight(self) -> Iterator[int]:
        self.begun += 1
        number = self.begun
        self.open.add(number)
        try:
            yield number
        finally:
            self.open.discard(number)


@given(st.lists(st.sampled_from(["board", "turn", "leave"]), max_size=60), st.randoms())
def test_a_flight_is_open_as_long_as_a_page_is_on_it(steps: list[str], dice: object) -> None:
    sky, on_board = Sky(), list[Boarding[int]]()
    boardings = Boardings(sky.flight)
    for step in steps:
        if step == "board":
            on_board.append(boardings.board())
        elif step == "turn":
            boardings.turn()
        elif on_board:
            boardings.leave([on_board.pop(dice.randrange(len(on_board)))])  # type: ignore[attr-defined]
        flown = {boarding.flight for boarding in on_board}
        assert flown <= sky.open
        assert len(sky.open) <= len(flown) + 1  # and the one to board next
    boardings.close()
    assert sky.open == set()


def test_who_boards_after_a_turn_gets_a_newer_flight() -> None:
    boardings = Boardings(Sky().flight)
    first, second = boardings.board(), boardings.board()
    assert first is second
    boardings.turn()
    third = boardings.board()
    assert third.number > first.number
    boardings.close()
