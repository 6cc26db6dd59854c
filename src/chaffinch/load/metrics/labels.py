"""Which labels of a run have series of their own, and what stands for all others."""

from collections.abc import Mapping, Sequence
from typing import Final

from chaffinch.load.latencies import Corrected
from chaffinch.load.metrics.reading import Label
from chaffinch.load.metrics.sums import mixed
from chaffinch.load.polls import OTHER

MOST_SHOWN: Final = 100
"""Labels of a run that have series of their own, besides `__other__`."""


class Shown:
    """The labels of one run that have series of their own: whoever got room keeps it, so that no counter falls back."""

    def __init__(self, most: int = MOST_SHOWN) -> None:
        self._most = most
        self._shown: set[str] = set()

    def pick(self, labels: Mapping[str, Label]) -> dict[str, Label]:
        """Those that are shown, and the sum of all others. While there is room, those with most requests join them."""
        own = [name for name in labels if name != OTHER]
        if len(self._shown) < self._most:
            fresh = sorted(
                (name for name in own if name not in self._shown), key=lambda name: (-_size(labels[name]), name)
            )
            self._shown.update(fresh[: self._most - len(self._shown)])
        picked = {name: labels[name] for name in own if name in self._shown}
        rest = [labels[name] for name in own if name not in self._shown]
        if OTHER in labels:
            rest.append(labels[OTHER])
        if rest:
            picked[OTHER] = rest[0] if len(rest) == 1 else _together(rest)
        return picked


def _size(label: Label) -> int:
    return label.requests + label.iterations


def _together(labels: Sequence[Label]) -> Label:
    """The sum of labels. Percentiles cannot be summed: of latencies there are count and mean."""
    errors: dict[str, int] = {}
    statuses: dict[str, int] = {}
    for one in labels:
        for counts, more in ((errors, one.errors), (statuses, one.statuses)):
            for key, count in more.items():
                counts[key] = counts.get(key, 0) + count
    return Label(
        requests=sum(one.requests for one in labels),
        failed=sum(one.failed for one in labels),
        iterations=sum(one.iterations for one in labels),
        cached=sum(one.cached for one in labels),
        assertions_held=sum(one.assertions_held for one in labels),
        errors=errors,
        statuses=statuses,
        bytes_in=sum(one.bytes_in for one in labels),
        bytes_out=sum(one.bytes_out for one in labels),
        latency_ms=Corrected(
            mixed([one.latency_ms.corrected for one in labels]),
            mixed([one.latency_ms.uncorrected for one in labels]),
        ),
    )
