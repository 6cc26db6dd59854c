"""What is left of a run: the structs of the JSON that `load run --json FILE` writes, and how a run becomes them.

What it has in common with a run that goes on is in `polls` and `latencies`. Most of this is a data table.
"""

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from chaffinch.load.latencies import Corrected, Phases
from chaffinch.load.polls import Folded, Generator, Histograms, Interval, Label, Poll

if TYPE_CHECKING:
    from chaffinch.load.plan import Plan

VERSION: Final = 1
"""The version of the format of results. What is only added does not raise it."""


class GuardAction(msgspec.Struct, frozen=True):
    """What the memory guard did, and when."""

    at_s: float
    action: str
    why: str = ""


class Memory(msgspec.Struct, frozen=True):
    """The memory of the process."""

    peak_rss_bytes: int = 0
    bound_bytes: int | None = None
    """What it may take; null where nothing was promised."""
    rss_bytes: int = 0
    """At the end, or now."""
    guard: tuple[GuardAction, ...] = ()
    """What the guard did."""


class Verdict(msgspec.Struct, frozen=True):
    """A threshold after the run."""

    expression: str
    verdict: Literal["passed", "failed", "undecided"]
    """Undecided, when there was nothing to measure, counts as failed."""
    measured: float | None = None
    """In milliseconds, requests a second, requests, or a share from 0 to 1, as the expression asks."""
    said: str = ""
    """A sentence."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for."""

    target: str = ""
    model: str = ""
    """In words."""
    kind: str = "closed"
    """closed, constant, ramp, daily, steps or replay."""
    users: int = 0
    threads: int = 1
    connections: int = 0
    """At most."""
    http: str = "1.1"
    duration_s: float | None = None
    requests: int | None = None
    scenarios: tuple[str, ...] = ()
    steps: int = 0
    """Of all scenarios."""
    requests_an_iteration: float = 1.0
    """Steps of an iteration, on average by the weights of scenarios."""
    sampling: float = 1.0
    """The share of requests whose latency is recorded by label."""
    seed: int | None = None
    name: str = ""
    source: str = ""
    """The scenario file; empty for a URL."""
    started: str = ""
    """RFC 3339, in UTC."""
    program: str = ""
    """The version of chaffinch."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A finished run: what `load run --json FILE` writes."""

    version: int
    """Of this format: 1."""
    run: Run = Run()
    complete: bool = True
    """Whether it went on as long as was asked for; it was stopped before that otherwise."""
    requests: int
    """Requests that were answered or failed."""
    passed: int = 0
    failed: int = 0
    iterations: int = 0
    """Iterations begun."""
    duration_s: float
    """How long requests were begun."""
    drain_s: float = 0.0
    """How long answers were waited for after that."""
    rate: float
    """Requests a second of `duration_s`."""
    asked: int | None = None
    """Arrivals that were due; null in a closed model."""
    asked_rate: float | None = None
    """Iterations a second that the model asked for, on average; null in a closed model."""
    iteration_rate: float = 0.0
    """Iterations begun a second of `duration_s`: in an open model what `asked_rate` should have become."""
    unsent: int = 0
    """Arrivals that never began."""
    unanswered: int = 0
    """Requests that were given up at the end of the run."""
    cached: int = 0
    """Steps that an answer in the cache spared a request."""
    errors: dict[str, int] = {}
    """By class."""
    statuses: dict[str, int] = {}
    bytes_in: int = 0
    bytes_out: int = 0
    latency_ms: Corrected = Corrected()
    phases_ms: Phases = Phases()
    labels: dict[str, Label] = {}
    folded: Folded = Folded()
    histograms: Histograms = Histograms()
    memory: Memory = Memory()
    generator: Generator = Generator()
    thresholds: tuple[Verdict, ...] = ()
    intervals: tuple[Interval, ...] = ()
    notes: tuple[str, ...] = ()
    """What the reader should know, a sentence each."""

    @property
    def crossed(self) -> bool:
        """Whether a threshold was not kept, or could not be decided."""
        return any(one.verdict != "passed" for one in self.thresholds)

    def to_json(self) -> bytes:
        """As it is written."""
        return msgspec.json.encode(self) + b"\n"


def describe(plan: "Plan", *, started: str = "", name: str = "", source: str = "") -> Run:
    """What a plan asks for."""
    from chaffinch import __version__
    from chaffinch.load import figures

    weight = sum(one.weight for one in plan.scenarios)
    steps = sum(one.weight * len(one.steps) for one in plan.scenarios)
    target = plan.base_url
    if len(plan.scenarios) == 1 and len(plan.scenarios[0].steps) == 1:
        path = plan.scenarios[0].steps[0].path.partition("?")[0]  # a query may hold secrets
        target = path if "://" in path else target + path
    return Run(
        target=target,
        model=figures.model(plan.model, plan.users),
        kind=str(plan.model.__struct_config__.tag),
        users=plan.users,
        threads=plan.threads,
        connections=plan.connections,
        http=plan.http,
        duration_s=None if plan.duration_ms is None else plan.duration_ms / 1000,
        requests=plan.requests,
        scenarios=tuple(one.name for one in plan.scenarios),
        steps=sum(len(one.steps) for one in plan.scenarios),
        requests_an_iteration=steps / weight if weight > 0 else 1.0,
        sampling=plan.percentiles.sampling,
        seed=plan.seed,
        name=name,
        source=source,
        started=started,
        program=__version__,
    )


def finished(
    poll: Poll,
    run: Run,
    memory: Memory,
    intervals: tuple[Interval, ...] | None = None,
    *,
    cut_short_s: float | None = None,
    notes: tuple[str, ...] = (),
) -> Result:
    """What is left of a run: its last poll, and all intervals (None: those of the poll).

    `cut_short_s` is when it was stopped, if that was before its end: rates are of that long.
    """
    duration = poll.elapsed_s if run.duration_s is None else min(poll.elapsed_s, run.duration_s)
    if cut_short_s is not None:
        duration = cut_short_s
    return Result(
        version=VERSION,
        run=run,
        complete=cut_short_s is None,
        requests=poll.requests,
        passed=poll.passed,
        failed=poll.failed,
        iterations=poll.iterations,
        duration_s=duration,
        drain_s=max(0.0, poll.elapsed_s - duration),
        rate=_each_second(poll.requests, duration),
        asked=poll.asked,
        asked_rate=None if poll.asked is None else _each_second(poll.asked, duration),
        iteration_rate=_each_second(poll.iterations, duration),
        unsent=poll.unsent,
        unanswered=poll.unanswered,
        cached=poll.cached,
        errors=poll.errors,
        statuses=poll.statuses,
        bytes_in=poll.bytes_in,
        bytes_out=poll.bytes_out,
        latency_ms=poll.latency_ms,
        phases_ms=poll.phases_ms,
        labels=poll.labels,
        folded=poll.folded,
        histograms=poll.histograms,
        memory=memory,
        generator=poll.generator,
        intervals=poll.intervals if intervals is None else intervals,
        notes=notes,
    )


def _each_second(count: int, seconds: float) -> float:
    return count / seconds if seconds > 0 else 0.0
