"""Waits double with jitter, a healthy interval forgives, a crash loop ends."""

from chaffinch.config import FleetSettings
from chaffinch.fleet.backoff import Backoff


def test_waits_double_up_to_the_limit_and_then_end() -> None:
    backoff = Backoff.of(FleetSettings(backoff_seconds=1, backoff_limit_seconds=8, crash_limit=6))
    waits = [backoff.after_failure(0.1) for _ in range(6)]
    for wait, longest in zip(waits, (1, 2, 4, 8, 8, 8), strict=True):
        assert wait is not None
        assert longest / 2 <= wait <= longest
    assert backoff.after_failure(0.1) is None


def test_a_healthy_interval_begins_anew() -> None:
    backoff = Backoff.of(FleetSettings(backoff_seconds=1, healthy_seconds=60, crash_limit=3))
    for _ in range(50):
        assert backoff.after_failure(0.1) is not None
        wait = backoff.after_failure(61)
        assert wait is not None
        assert wait <= 1


def test_jitter_differs() -> None:
    assert len({Backoff.of(FleetSettings()).after_failure(0) for _ in range(20)}) > 10
