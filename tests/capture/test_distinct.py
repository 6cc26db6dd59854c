"""How many different numbers there were, and which, is exact."""

from hypothesis import given
from hypothesis import strategies as st

from chaffinch.capture.distinct import FEW, Distinct


def numbers_of(text: str) -> set[int]:
    """What a text of runs says."""
    found: set[int] = set()
    for run in filter(None, text.split(",")):
        low, _, high = run.partition("-")
        found.update(range(int(low), int(high or low) + 1))
    return found


@given(st.lists(st.integers(0, 65535), max_size=3 * FEW))
def test_it_holds_what_was_added(numbers: list[int]) -> None:
    distinct = Distinct()
    for number in numbers:
        distinct.add(number)
    assert len(distinct) == len(set(numbers))
    assert numbers_of(distinct.runs(4 * FEW)) == set(numbers)


def test_all_ports_are_one_run() -> None:
    distinct = Distinct()
    for number in range(1, 65536):
        distinct.add(number)
    assert (len(distinct), distinct.runs(64)) == (65535, "1-65535")


def test_more_runs_than_are_shown_end_in_an_ellipsis() -> None:
    for most in (2 * FEW, 8):
        distinct = Distinct()
        for number in range(0, 2 * most + 2, 2):
            distinct.add(number)
        assert distinct.runs(most).count(",") == most
        assert distinct.runs(most).endswith(",…")
        assert "…" not in distinct.runs(most + 1)
