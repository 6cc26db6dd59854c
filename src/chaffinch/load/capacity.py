"""What fits into so much RAM: `load plan`. Given some of rate, labels, concurrency and duration it bounds the others.

All figures are those of `budget.budget_of`, with records as large as their cap, so that what is said to fit is not
refused when it is run, and holds however long that goes on.
"""

import math
from collections.abc import Callable
from typing import Final, Literal

import msgspec

from chaffinch.errors import InputError
from chaffinch.load import budget, records
from chaffinch.load.budget import Budget, at_least, at_most, in_megabytes
from chaffinch.load.plan import Closed, Constant, Percentiles, Plan, Scenario, Step

Transport = Literal["plain", "tls", "http2"]

SHARE: Final = 0.80
"""The share of the RAM that is planned with: over it the memory guard would give things up."""

MOST_USERS: Final = 1_000_000
MOST_LABELS: Final = 1 << 24
MOST_INTERVALS: Final = 366 * 86_400

USERS: Final = 10
OPEN_USERS: Final = 1000
LABELS: Final = 1000
INTERVALS: Final = 600
"""What is planned with where nothing is given; those of a run."""

THREAD_RATE: Final = 100_000
"""Requests a second of one thread: 110,000 of one `GET /` over plain HTTP/1.1 on the machine of docs/benchmarks.md.
Answers that are looked into, TLS and a slower machine make it fewer."""

PORTS: Final = 28_232
"""Connections that one address can have to one target: Linux's ephemeral ports, 32,768 to 60,999."""


class Asked(msgspec.Struct, frozen=True):
    """What is planned for; None is what `Fit.bounds` answers."""

    ram_bytes: int
    rate: float | None = None
    """Requests a second."""
    labels: int | None = None
    concurrency: int | None = None
    duration_s: float | None = None
    transport: Transport = "plain"
    threads: int | None = None
    """None: as many as the rate needs."""
    interval_s: float = 1.0


class Bound(msgspec.Struct, frozen=True):
    """The most of one thing, with all else as it was given or is by default: what was not given, and all when it does
    not fit.
    """

    name: Literal["users", "labels", "intervals", "rate"]
    most: int
    """0: not even one fits. Of a rate 0 says that memory does not bound it."""
    sentence: str


class Line(msgspec.Struct, frozen=True):
    """A part of the budget, as JSON has it."""

    part: str
    usual_bytes: int
    most_bytes: int


class Fit(msgspec.Struct, frozen=True):
    """The answer. `usable_bytes` is the share of the RAM that is planned with."""

    fits: bool
    asked: Asked
    usable_bytes: int
    process_bytes: int
    kernel_bytes: int
    parts: tuple[Line, ...]
    bounds: tuple[Bound, ...]
    sentences: tuple[str, ...]

    def bound(self, name: str) -> int:
        """The most of it. Raises `KeyError` where there is no such bound."""
        found: dict[str, int] = {one.name: one.most for one in self.bounds}
        return found[name]


def plan_for(
    ram: int,
    rate: float | None = None,
    labels: int | None = None,
    concurrency: int | None = None,
    duration_s: float | None = None,
    *,
    transport: Transport = "plain",
    threads: int | None = None,
    interval_s: float = 1.0,
) -> Fit:
    """What fits into `ram` bytes. Raises `InputError` for a value that no run can have."""
    asked = Asked(ram, rate, labels, concurrency, duration_s, transport, threads, interval_s)
    _check(asked)
    usable = int(ram * SHARE)
    found = budget.budget_of(plan_of(asked), to_cap=True)
    needed = found.bytes + found.kernel_bytes
    fits = needed <= usable
    bounds = (
        *((_users(asked, usable),) if concurrency is None or not fits else ()),
        *((_labels(asked, usable),) if labels is None or not fits else ()),
        _intervals(asked, usable),
        *((_rate(asked),) if rate is None else ()),
    )
    return Fit(
        fits=fits,
        asked=asked,
        usable_bytes=usable,
        process_bytes=found.bytes,
        kernel_bytes=found.kernel_bytes,
        parts=tuple(Line(one.name, one.bytes, one.most_bytes) for one in found.parts if one.bytes),
        bounds=bounds,
        sentences=(*_sum(found, asked, usable), *(one.sentence for one in bounds), *_consequences(asked)),
    )


def plan_of(asked: Asked, base_url: str = "", intervals: int = 0) -> Plan:
    """The run that is planned: one request, counted under as many labels as there may be, in full resolution."""
    users, labels, threads = _users_of(asked), _labels_of(asked), _threads_of(asked)
    intervals = intervals or min(INTERVALS, _intervals_of(asked))
    scheme = "http" if asked.transport == "plain" else "https"
    bytes_ = records.full_records(labels, threads, intervals, _values(asked))
    return Plan(
        base_url=base_url or f"{scheme}://127.0.0.1",
        http="2" if asked.transport == "http2" else "1.1",
        model=Closed() if asked.rate is None else Constant(asked.rate),
        users=users,
        connections=users,
        idle_per_host=users,
        threads=threads,
        duration_ms=_ms(max(asked.duration_s or 0, intervals * asked.interval_s)),
        percentiles=Percentiles(labels=labels, bytes=bytes_, interval_ms=_ms(asked.interval_s), intervals=intervals),
        scenarios=(Scenario(name="plan", steps=(Step(name="get", path="/", label="${random}"),)),),
    )


def _users_of(asked: Asked) -> int:
    return asked.concurrency or (USERS if asked.rate is None else OPEN_USERS)


def _labels_of(asked: Asked) -> int:
    return LABELS if asked.labels is None else asked.labels


def _intervals_of(asked: Asked) -> int:
    return INTERVALS if asked.duration_s is None else math.ceil(asked.duration_s / asked.interval_s)


def _threads_of(asked: Asked) -> int:
    return asked.threads or max(1, math.ceil((asked.rate or 0) / THREAD_RATE))


def _values(asked: Asked) -> int:
    """Values of a label: all of the run over its labels; where that is not known, as many as 32 bits count."""
    if asked.rate is None or asked.duration_s is None:
        return (1 << 32) - 1
    return math.ceil(asked.rate * asked.duration_s / max(1, _labels_of(asked)))


def _ms(seconds: float) -> int:
    return math.ceil(seconds * 1000)


def _check(asked: Asked) -> None:
    bounds: tuple[tuple[str, float | None, float, float], ...] = (
        ("ram", asked.ram_bytes, 1, 1 << 50),
        ("rate", asked.rate, 1e-3, 1e7),
        ("labels", asked.labels, 1, MOST_LABELS),
        ("concurrency", asked.concurrency, 1, MOST_USERS),
        ("duration", asked.duration_s, 0.001, 366 * 86_400),
        ("threads", asked.threads, 1, 256),
        ("interval", asked.interval_s, 0.01, 86_400),
    )
    for name, value, least, most in bounds:
        if value is not None and not least <= value <= most:
            raise InputError(f"{name}: {value:,} is outside of {least:,} to {most:,}")


def _most(takes: Callable[[int], int], usable: int, cap: int) -> int:
    """The largest number from 0 to `cap` for which `takes`, which never falls, is at most `usable`."""
    low, high = 0, cap
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if takes(middle) <= usable else (low, middle - 1)
    return low


def _needed(asked: Asked, intervals: int = 0) -> int:
    found = budget.budget_of(plan_of(asked, intervals=intervals), to_cap=True)
    return found.bytes + found.kernel_bytes


def _users(asked: Asked, usable: int) -> Bound:
    def takes(users: int) -> int:
        return _needed(msgspec.structs.replace(asked, concurrency=max(1, users)))

    most = _most(takes, usable, MOST_USERS)
    if takes(1) > usable:
        return Bound("users", 0, "Users: not even one fits beside the rest.")
    each = budget.USER + _connection_bytes(asked)
    text = (
        f"Users: at most {most:,}, since {in_megabytes(usable - takes(1) + each)} are left for them and each takes "
        f"{each:,} bytes with its connection, {budget.KERNEL_CONNECTION:,} of them in the kernel."
    )
    if most > PORTS:
        text += f" One address has {PORTS:,} ports for one target: more need more addresses."
    return Bound("users", most, text)


def _connection_bytes(asked: Asked) -> int:
    own = budget.CONNECTION if asked.transport == "plain" else budget.TLS_CONNECTION
    if asked.transport == "http2":
        own += budget.HTTP2_CONNECTION + budget.STREAM
    return own + budget.KERNEL_CONNECTION


def _labels(asked: Asked, usable: int) -> Bound:
    def takes(labels: int) -> int:
        # Fewer values a label narrow the counters: bounded by those of a label as planned, so that it never falls.
        planned = plan_of(msgspec.structs.replace(asked, labels=max(1, labels)))
        own = planned.percentiles
        full = records.full_records(own.labels, planned.threads, own.intervals, values)
        found = budget.budget_of(records.capped(planned, full), to_cap=True)
        return found.bytes + found.kernel_bytes

    def takes_least(labels: int) -> int:
        planned = plan_of(msgspec.structs.replace(asked, labels=max(1, labels)))
        found = budget.budget_of(records.capped(planned, records.least_of(planned)))
        return found.bytes + found.kernel_bytes

    values = _values(asked)
    most, least = (_most(one, usable, MOST_LABELS) for one in (takes, takes_least))
    if takes(1) > usable:
        return Bound("labels", 0, "Labels: not even one fits beside the rest.")
    each = (takes(1001) - takes(1)) // 1000
    text = (
        f"Labels: at most {most:,} at full resolution, since {in_megabytes(usable - takes(1) + each)} are left for "
        f"them and each takes about {each:,} bytes with counters of {records.width(values)} bytes in "
        f"{records.USUAL_OCTAVES} octaves; at the lowest resolution {least:,}, and what comes after them counts "
        "under __other__."
    )
    return Bound("labels", most, text)


def _intervals(asked: Asked, usable: int) -> Bound:
    def takes(intervals: int) -> int:
        return _needed(asked, max(1, intervals))

    if takes(1) > usable:
        return Bound("intervals", 0, "Intervals: not even one fits beside the rest.")
    most = _most(takes, usable, MOST_INTERVALS)
    each = (takes(1001) - takes(1)) // 1000
    text = (
        f"Duration: memory does not grow with it; at most {most:,} intervals of {asked.interval_s:g} s can be kept at "
        f"{each:,} bytes each, which is {_time(most * asked.interval_s)}, then the oldest go."
    )
    return Bound("intervals", most, text)


def _rate(asked: Asked) -> Bound:
    threads = _threads_of(asked)
    text = (
        f"Rate: memory does not grow with it; processor time bounds it, at about {THREAD_RATE:,} requests/s a thread, "
        f"{threads * THREAD_RATE:,} with {threads}."
    )
    return Bound("rate", 0, text)


def _sum(found: Budget, asked: Asked, usable: int) -> tuple[str, ...]:
    needed = found.bytes + found.kernel_bytes
    verdict = "fits" if needed <= usable else "does not fit"
    planned = f"{SHARE:.0%} of {in_megabytes(asked.ram_bytes)}, {in_megabytes(usable)}"
    parts = f"{found.sentence()} + {in_megabytes(found.kernel_bytes)} the kernel's sockets"
    more = f": {at_least(needed - usable)} too much; the bounds below say what would" if needed > usable else ""
    return f"The run takes {at_least(needed)}: {parts}.", f"It {verdict} into {planned}{more}."


def _consequences(asked: Asked) -> tuple[str, ...]:
    """What the given values mean together, though not for memory."""
    if asked.rate is None:
        return ()
    users = _users_of(asked)
    each = f"{users / asked.rate * 1000:,.1f} ms"
    return (
        (
            f"{asked.rate:,.0f} requests/s over {users:,} users hold while an answer takes {each} on average; "
            "slower ones wait for a user, and their wait counts."
        ),
    )


def _time(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:g} seconds"


def as_text(fit: Fit) -> str:
    """The answer for a terminal: the parts, then the sentences."""
    rows = [(one.part, in_megabytes(one.usual_bytes)) for one in fit.parts]
    rows += [("the kernel's sockets", in_megabytes(fit.kernel_bytes))]
    rows += [("together", in_megabytes(fit.process_bytes + fit.kernel_bytes))]
    lines = [f"{name:<28}{size:>10}" for name, size in rows]
    return "\n".join((*lines, "", *fit.sentences))


def as_json(fit: Fit) -> bytes:
    """The answer as one JSON object, in bytes and counts."""
    return msgspec.json.format(msgspec.json.encode(fit), indent=2)


class Measured(msgspec.Struct, frozen=True):
    """What a short run was seen to take."""

    peak_bytes: int
    """The process's highest RSS."""
    requests: int
    seconds: float
    labels: int
    """Of which it counted something."""
    reservations: tuple[str, ...] = ()
    """In what it was less than what was planned, a sentence each."""


class Proof(msgspec.Struct, frozen=True):
    """What was computed beside what was measured."""

    holds: bool
    computed_bytes: int
    measured: Measured
    sentence: str


def check(fit: Fit, base_url: str, run: Callable[[Plan], Measured], seconds: float = 10.0) -> Proof:
    """Prove a fit by a short run against a target of the owner's. `run` makes it and measures the process.

    Only the duration is another: the users, the labels and the room for intervals are those that were planned. What a
    short run cannot prove is said: labels that it did not come to, and that counters have room to widen, which the cap
    of the records bounds.
    """
    planned = msgspec.structs.replace(plan_of(fit.asked, base_url), duration_ms=_ms(seconds))
    measured = run(planned)
    computed, labels = fit.process_bytes, planned.percentiles.labels
    holds = measured.peak_bytes <= computed
    sentence = f"A run of {measured.seconds:.1f} s with {measured.requests:,} requests took " + (
        f"{at_least(measured.peak_bytes)} at its peak, within the {at_least(computed)} that were computed."
        if holds
        else f"{at_least(measured.peak_bytes)} at its peak, over the {at_most(computed)} that were computed."
    )
    if measured.labels < labels:
        sentence += f" It came to {measured.labels:,} of {labels:,} labels: a longer one proves more."
    sentence = " ".join((sentence, *measured.reservations))
    return Proof(holds, computed, measured, sentence)
