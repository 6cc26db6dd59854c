"""What a stall does to latencies, computed: the picture and the figures of `docs/load-results.md`, and what a run
against a stopped server is held to.

`python -m chaffinch.load.report.stalled` prints the picture.
"""

import heapq
import math
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from chaffinch.load.latencies import PERCENTILES
from chaffinch.load.report.charts import HEIGHT, LEFT, TOP, WIDTH, Chart, Series, drawing
from chaffinch.load.report.page import COLOURED


class Stall(msgspec.Struct, frozen=True):
    """A constant rate over some connections at a target that stops for a while. Times in seconds."""

    rate: float = 100.0
    duration: float = 10.0
    begins: float = 4.0
    lasts: float = 2.0
    service: float = 0.001
    """How long an answer takes otherwise."""
    connections: int = 10


class Answered(NamedTuple):
    """One request: when it should have begun, was sent, and was answered."""

    intended: float
    sent: float
    ended: float

    @property
    def corrected_ms(self) -> float:
        """From when it should have begun."""
        return 1000 * (self.ended - self.intended)

    @property
    def uncorrected_ms(self) -> float:
        """From when it was sent."""
        return 1000 * (self.ended - self.sent)


def requests(stall: Stall) -> list[Answered]:
    """All requests of the run, in the order in which they should have begun.

    Each is sent by the connection that is free first; what is in the target while it stops is answered once it goes on.
    """
    free = [0.0] * stall.connections
    found = []
    goes_on = stall.begins + stall.lasts
    for number in range(math.ceil(stall.rate * stall.duration - 1e-9)):
        intended = number / stall.rate
        sent = max(intended, heapq.heappop(free))
        stopped = sent < goes_on and sent + stall.service > stall.begins
        ended = (goes_on if stopped else sent) + stall.service
        heapq.heappush(free, ended)
        found.append(Answered(intended, sent, ended))
    return found


def percentile(values: Sequence[float], percent: float) -> float:
    """The least value at or below which so many percent lie (nearest rank)."""
    rank = max(1, math.ceil(percent / 100 * len(values) - 1e-9))
    return sorted(values)[rank - 1]


def expected_ms(stall: Stall, percent: float) -> float:
    """The corrected percentile in closed form, for a service time that is short beside the stall.

    A share `lasts / duration` of the requests falls into the stall and waits for what is left of it, evenly from all
    of it to nothing: the share `x` of all requests that waits longest waits for `lasts - x * duration` or more.
    """
    behind = (1 - percent / 100) * stall.duration
    return 1000 * (max(0.0, stall.lasts - behind) + stall.service)


class Row(NamedTuple):
    """One percentile in both ways of counting, in milliseconds."""

    name: str
    corrected: float
    uncorrected: float


def table(stall: Stall) -> list[Row]:
    """The percentiles that results have."""
    ran = requests(stall)
    corrected = [one.corrected_ms for one in ran]
    uncorrected = [one.uncorrected_ms for one in ran]
    names = [*PERCENTILES.items(), ("max", 100.0)]
    return [Row(name, percentile(corrected, percent), percentile(uncorrected, percent)) for name, percent in names]


def picture(stall: Stall) -> str:
    """Latency by the moment at which a request should have begun, in both ways of counting: a whole SVG file."""
    ran = requests(stall)
    starts = [one.intended for one in ran]
    ends = [one.intended + 1 / stall.rate for one in ran]
    series = (
        Series("corrected", [one.corrected_ms for one in ran], 2),
        Series("uncorrected", [one.uncorrected_ms for one in ran], 1),
    )
    drawn = drawing(
        Chart("Latency of requests by the moment they should have begun", "ms", starts, ends, series, linear=True)
    )
    drawn = drawn.replace("<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" ', 1)
    words = "".join(
        f'<text class="k{one.colour}" x="{LEFT + 20}" y="{TOP + 20 + 18 * number}">{one.name}</text>'
        for number, one in enumerate(series)
    )
    return drawn.replace(">", f"><style>{_STYLE}</style>", 1).replace("</svg>", f"{words}</svg>") + "\n"


_STYLE: Final = f"{COLOURED}text{{font:13px system-ui,sans-serif}}.k1{{fill:var(--c1)}}.k2{{fill:var(--c2)}}"


if __name__ == "__main__":
    sys.stdout.write(picture(Stall()))
