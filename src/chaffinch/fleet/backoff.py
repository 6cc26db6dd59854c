"""When to start again what has failed: the whole rule, for workers and for groups alike."""

import random

import msgspec

from chaffinch.config import FleetSettings


class Backoff(msgspec.Struct):
    """Waits that double with jitter, begin anew after a healthy interval, and end after a crash loop."""

    first: float
    limit: float
    healthy: float
    crashes: int
    failures: int = 0

    @classmethod
    def of(cls, settings: FleetSettings) -> "Backoff":
        return cls(
            settings.backoff_seconds, settings.backoff_limit_seconds, settings.healthy_seconds, settings.crash_limit
        )

    def under(self, settings: FleetSettings) -> "Backoff":
        """The same failures under other settings."""
        return msgspec.structs.replace(Backoff.of(settings), failures=self.failures)

    def after_failure(self, ran_seconds: float) -> float | None:
        """Seconds to wait before the next start, or None to give up: `crashes` failures came without a healthy
        interval.
        """
        self.failures = 1 if ran_seconds >= self.healthy else self.failures + 1
        if self.failures > self.crashes:
            return None
        wait = min(self.limit, self.first * 2.0 ** min(self.failures - 1, 60))
        return wait * random.uniform(0.5, 1.0)
