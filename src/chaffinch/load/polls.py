"""What a run says while it goes on: frozen structs with the field names of the engine's JSON, which results have, too.

Times are milliseconds or seconds as the names say. A field that is not known is passed over: a newer engine, or a file
of a newer version that only adds, can be read. Most of this is a data table.
"""

from typing import Final, Literal

import msgspec

from chaffinch.load.latencies import Corrected, IntervalLatencies, Phases

OTHER: Final = "__other__"
"""The label of all that had none of their own."""


class Label(msgspec.Struct, frozen=True):
    """What is known of one label: a step, or a scenario of several steps, which has iterations and no requests."""

    requests: int = 0
    failed: int = 0
    iterations: int = 0
    """Whole iterations of a scenario."""
    errors: dict[str, int] = {}
    """By class."""
    statuses: dict[str, int] = {}
    bytes_in: int = 0
    bytes_out: int = 0
    latency_ms: Corrected = Corrected()


class Folded(msgspec.Struct, frozen=True):
    """What was counted under `__other__` because the label set was full."""

    labels: int = 0
    """Different names; an estimate, within a few percent."""
    requests: int = 0
    """Requests of labels that had no place of their own."""
    records: int = 0
    """Latencies that were recorded there instead of under their own label."""


class Histograms(msgspec.Struct, frozen=True):
    """The memory of latencies by label."""

    bytes: int = 0
    cap_bytes: int = 0
    labels: int = 0
    """Labels that have a place of their own."""
    most_labels: int = 0
    resolution: int = 128
    """The lowest of any label: buckets from a latency to twice as much."""
    halvings: int = 0
    """How often a label lost half of its resolution to stay within the bytes."""
    percentiles: bool = True
    """Whether percentiles of labels are kept."""
    sampling: float = 1.0
    """The share of requests whose latency is recorded by label."""
    intervals_dropped: int = 0
    """Intervals that were not kept in the engine."""

    @property
    def error_percent(self) -> float:
        """By how much percentiles of labels are off at most: half a bucket."""
        return 50 / self.resolution if self.resolution > 0 else 0.0


class Generator(msgspec.Struct, frozen=True):
    """Whether the generator, not the target, was the limit."""

    saturated: bool = False
    why: tuple[str, ...] = ()
    """One sentence for each reason."""
    cpu_share: tuple[float, ...] = ()
    """Of each thread: the share of the time in which it was busy, 0 to 1."""
    cpu_s: float = 0.0
    """Processor time of the threads together."""
    late: int = 0
    """Arrivals that began later than they should have although a user was free."""
    late_ms: float = 0.0
    """By how much, in the mean of those that were late."""
    starved: int = 0
    """Times at which all users were busy when an arrival was due."""
    bound: int = 0
    """Times at which the bound on connections held a request back."""
    again: int = 0
    """Requests sent again because the peer had closed a connection that it had kept."""
    unasked: int = 0
    """Connections that were closed because the target sent what no request had asked for."""


class Interval(msgspec.Struct, frozen=True):
    """What happened in a part of the run."""

    n: int = 0
    """Its number, from 0."""
    at_s: float = 0.0
    """When it began."""
    seconds: float = 0.0
    """How long it is."""
    requests: int = 0
    """Requests that were answered or failed in it."""
    failed: int = 0
    errors: dict[str, int] = {}
    """By class."""
    in_flight: int = 0
    """At its end."""
    most_in_flight: int = 0
    """Of joined intervals: the most at the end of one."""
    bytes_in: int = 0
    bytes_out: int = 0
    latency_ms: IntervalLatencies = IntervalLatencies()
    """Of what was answered in it. Of joined intervals each percentile is the highest of theirs."""
    asked: float | None = None
    """Arrivals that were due in it; null in a closed model."""
    joined: int = 1
    """How many intervals of the engine it stands for: long runs join neighbours."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """A run at one moment, without its labels: what a view needs, however many labels there are."""

    state: Literal["running", "draining", "ended"] = "running"
    elapsed_s: float = 0.0
    requests: int = 0
    """Requests that were answered or failed."""
    passed: int = 0
    failed: int = 0
    errors: dict[str, int] = {}
    """By class."""
    statuses: dict[str, int] = {}
    bytes_in: int = 0
    bytes_out: int = 0
    iterations: int = 0
    """Iterations begun."""
    in_flight: int = 0
    asked: int | None = None
    """Arrivals due so far; null in a closed model."""
    unsent: int = 0
    """Arrivals that never began."""
    unanswered: int = 0
    """Requests that were given up at the end of the run."""
    cached: int = 0
    """Steps that an answer in the cache spared a request."""
    latency_ms: Corrected = Corrected()
    phases_ms: Phases = Phases()
    folded: Folded = Folded()
    histograms: Histograms = Histograms()
    generator: Generator = Generator()
    intervals: tuple[Interval, ...] = ()
    versions: tuple[int, ...] = (0,)
    """Versions of the scenarios that the engine holds, by number: the one that iterations begin in is the last."""


class Poll(Progress, frozen=True, kw_only=True):
    """A run at one moment."""

    labels: dict[str, Label] = {}


_progress: Final = msgspec.json.Decoder(Progress)
_poll: Final = msgspec.json.Decoder(Poll)


def decode_progress(data: bytes) -> Progress:
    """A poll without its labels, which are skipped where they stand."""
    return _progress.decode(data)


def decode_poll(data: bytes) -> Poll:
    """A whole poll."""
    return _poll.decode(data)
