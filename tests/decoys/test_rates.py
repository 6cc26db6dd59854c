"""Token buckets: what they let through, and that their memory is bounded."""

from hypothesis import given
from hypothesis import strategies as st

from chaffinch.decoys.rates import Rates
from tests.decoys.harness import memory_of


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


def test_keys_that_no_longer_fit_give_their_memory_back() -> None:
    """Under pressure a sixteenth is left, which has to be a sixteenth of the memory, too."""
    rates = Rates(rate=1, burst=2, entries=8192)
    small = Rates(rate=1, burst=2, entries=512)

    def fill(one: Rates) -> None:
        for key in range(8192):
            one.allows(key)
        one.limit_to(1, 2, 512)

    assert memory_of(lambda: fill(rates)) <= 1.2 * memory_of(lambda: fill(small))
