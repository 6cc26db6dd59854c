"""Token buckets: what they let through, and that their memory is bounded."""

from hypothesis import given
from hypothesis import strategies as st

from chaffinch.decoys.rates import Rates


def test_a_burst_passes_and_then_the_rate_holds() -> None:
    now = [0.0]
    rates = Rates(rate=10, burst=5, entries=16, clock=lambda: now[0])
    assert [rates.allows("a") for _ in range(6)] == [True] * 5 + [False]
    assert rates.allows("b")
    now[0] = 0.1
    assert [rates.allows("a") for _ in range(2)] == [True, False]


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 2)), max_size=200))
def test_no_more_keys_are_held_than_stated(steps: list[tuple[int, float]]) -> None:
    now = [0.0]
    rates = Rates(rate=1, burst=2, entries=8, clock=lambda: now[0])
    for key, passed in steps:
        now[0] += passed
        rates.allows(key)
        assert len(rates) <= 8
