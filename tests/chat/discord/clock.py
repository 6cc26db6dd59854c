"""The world's time, which tests can turn forward."""

import time


class Clock:
    """Goes as fast as real time, from `at` (seconds since 1970; now if not given)."""

    def __init__(self, at: float | None = None) -> None:
        self._ahead = 0.0 if at is None else at - time.time()

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time() + self._ahead

    def now_ms(self) -> int:
        return int(self.now() * 1000)

    def advance(self, seconds: float) -> None:
        """It is that much later from now on."""
        self._ahead += seconds
