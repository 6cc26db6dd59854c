"""What a run says while it goes on and what is left of it: frozen structs with the field names of the JSON.

Times are milliseconds or seconds as the names say. A field that is not known is passed over: a newer engine, or a file
of a newer version that only adds, can be read. Most of this is a data table.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from chaffinch.errors import InputError, RunError

if TYPE_CHECKING:
    from chaffinch.load.plan import Plan

VERSION: Final = 1
"""The version of the format of results. What is only added does not raise it."""

OTHER: Final = "__other__"
"""The label of all that had none of their own."""

MOST_BYTES: Final = 512 << 20
"""The largest file of results that is read."""

PERCENTILES: Final = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p999": 99.9}
"""The percentiles that are kept, by field."""


class Percentiles(msgspec.Struct, frozen=True, gc=False):
    """Latencies in milliseconds; null where there was none."""

    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    p999: float | None = None
    max: float | None = None


class Latencies(Percentiles, frozen=True, gc=False):
    """Latencies in milliseconds, and of how many requests."""

    mean: float | None = None
    count: int = 0
    """Requests that these are of: fewer than there were when latencies are sampled."""


class Corrected(msgspec.Struct, frozen=True):
    """Latencies in both ways of counting."""

    corrected: Latencies | None = None
    """From when a request should have begun, so that waiting for its turn counts."""
    uncorrected: Latencies | None = None
    """From when it was sent."""


class IntervalLatencies(msgspec.Struct, frozen=True):
    """Percentiles of one interval in both ways of counting."""

    corrected: Percentiles | None = None
    uncorrected: Percentiles | None = None


class Phases(msgspec.Struct, frozen=True):
    """Parts of the way of a request."""

    connect: Latencies | None = None
    """Of connections: until TCP was there."""
    tls: Latencies | None = None
    """Of connections: the handshake."""
    first_byte: Latencies | None = None
    """Of requests: from the first byte sent to the first byte of the answer."""
    iteration: Latencies | None = None
    """Of users' passes through a scenario of several steps, think times included."""


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


class Poll(Progress, frozen=True, kw_only=True):
    """A run at one moment."""

    labels: dict[str, Label] = {}


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


_progress: Final = msgspec.json.Decoder(Progress)
_poll: Final = msgspec.json.Decoder(Poll)


def decode_progress(data: bytes) -> Progress:
    """A poll without its labels, which are skipped where they stand."""
    return _progress.decode(data)


def decode_poll(data: bytes) -> Poll:
    """A whole poll."""
    return _poll.decode(data)


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
    complete: bool = True,
    notes: tuple[str, ...] = (),
) -> Result:
    """What is left of a run: its last poll, and all intervals (None: those of the poll)."""
    duration = poll.elapsed_s if run.duration_s is None else min(poll.elapsed_s, run.duration_s)
    return Result(
        version=VERSION,
        run=run,
        complete=complete,
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


class _Head(msgspec.Struct):
    version: int | None = None


def read(path: Path) -> Result:
    """The results in a file. Raises `InputError` with one sentence."""
    try:
        with path.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be read ({reason}): name a file that `load run --json FILE` wrote") from None
    if len(data) > MOST_BYTES:
        raise InputError(f"{path} is larger than {MOST_BYTES >> 20} MiB, which no results are")
    return decode(data, str(path))


def decode(data: bytes, source: str) -> Result:
    """Results from their JSON; `source` names it in errors."""
    try:
        version = msgspec.json.decode(data, type=_Head).version
        if version is not None and version > VERSION:
            raise InputError(
                f"{source} has results of format {version}, and this version of chaffinch reads up to {VERSION}: "
                "use the version that wrote it, or a newer one"
            )
        return msgspec.json.decode(data, type=Result)
    except msgspec.ValidationError as error:
        raise InputError(f"{source} has no results of a load run: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{source} is not JSON: {error}") from None


def write(path: Path, data: bytes) -> None:
    """Write a report so that under its name stands the old file or the whole new one. Raises `RunError`."""
    try:
        if path.exists() and not path.is_file():  # a pipe or a terminal cannot be replaced
            path.write_bytes(data)
        else:
            _replace(path.resolve(), data)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunError(f"{path} cannot be written ({reason}): name a file that can") from None


def _replace(path: Path, data: bytes) -> None:
    aside = path.with_name(f".{path.name[:200]}.{os.getpid()}")
    try:
        aside.write_bytes(data)
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
