"""Token buckets over a bounded set of keys: what decides that facts are collapsed."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable


class Rates:
    """Allows `burst` facts of one key at once and `rate` a second after that.

    At most `entries` keys are remembered; the one unused for longest goes first, which can only let a fact through.
    """

    def __init__(self, rate: float, burst: int, entries: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self.burst = float(burst)
        self.entries = entries
        self._clock = clock
        self._buckets: OrderedDict[Hashable, list[float]] = OrderedDict()

    def allows(self, key: Hashable) -> bool:
        """Whether one more fact of `key` may be recorded now; takes its token if so."""
        now = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            self._buckets[key] = [self.burst - 1.0, now]
            if len(self._buckets) > self.entries:
                self._buckets.popitem(last=False)
            return True
        self._buckets.move_to_end(key)
        tokens = min(self.burst, bucket[0] + (now - bucket[1]) * self.rate)
        bucket[1] = now
        bucket[0] = tokens - 1.0 if tokens >= 1.0 else tokens
        return tokens >= 1.0

    def limit_to(self, rate: float, burst: int, entries: int) -> None:
        """Other bounds from now on. Keys that no longer fit are forgotten, those unused for longest first."""
        self.rate, self.burst, self.entries = rate, float(burst), entries
        if len(self._buckets) > entries:
            while len(self._buckets) > entries:
                self._buckets.popitem(last=False)
            self._buckets = OrderedDict(self._buckets)  # the old one keeps the room of what went

    def __len__(self) -> int:
        return len(self._buckets)
