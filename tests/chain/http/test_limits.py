"""The rate of a token."""

import pytest

from chaffinch.chain.http.limits import Rates
from chaffinch.http.problem import RefusalError


def test_a_token_has_its_rate_and_is_told_when_to_come_back() -> None:
    now = 100.0
    rates = Rates(2.0, lambda: now)
    rates.take("a")
    rates.take("a")
    with pytest.raises(RefusalError) as refused:
        rates.take("a")
    assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "1"})
    rates.take("b")
    now += 0.5
    rates.take("a")
    with pytest.raises(RefusalError):
        rates.take("a")


def test_a_slow_rate_names_a_long_wait_and_no_rate_has_no_end() -> None:
    now = 0.0
    slow = Rates(0.1, lambda: now)
    slow.take("a")
    with pytest.raises(RefusalError) as refused:
        slow.take("a")
    assert refused.value.headers == {"Retry-After": "10"}
    free = Rates(0.0, lambda: now)
    for _ in range(10_000):
        free.take("a")
