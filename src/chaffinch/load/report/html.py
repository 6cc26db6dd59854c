"""The report of a run as one HTML file: nothing beside it is needed, and nothing is fetched."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from chaffinch.load import figures
from chaffinch.load.error_classes import ANSWERED
from chaffinch.load.latencies import Percentiles
from chaffinch.load.polls import OTHER, Interval
from chaffinch.load.report import charts, tables
from chaffinch.load.report.charts import Chart, Series
from chaffinch.load.report.page import page
from chaffinch.load.results import Result
from chaffinch.load.timeline import MOST, thinned

CORRECTED: Final = (
    "Corrected latencies count from the moment a request should have begun, so that one that had to wait because the "
    "target stalled counts its wait, as a user would. Uncorrected ones count from when it was sent and hide that wait. "
    "Read the corrected ones; where the two part, requests queued."
)
CLOSED: Final = (
    "This is a closed model: each user waits for an answer before it asks again, so requests that a stalled target "
    "kept from being sent are in no figure. Give a rate to see what users would see."
)


def render(result: Result) -> str:
    """The whole document."""
    title = result.run.name or result.run.target or "load run"
    return page(f"{figures.plain(title, 100)}: load report", "\n".join(_parts(result)))


def _parts(result: Result) -> Iterator[str]:
    yield from _head(result)
    yield from _told(result)
    yield _tiles(result)
    if result.thresholds:
        yield f"<h2>Thresholds</h2>{tables.thresholds(result)}"
    yield "<h2>Over time</h2>"
    yield from _charts(result)
    yield f"<h2>Latencies</h2>{tables.latencies(result)}<p>{escape(CORRECTED)}</p>"
    if result.asked is None:
        yield f"<p>{escape(CLOSED)}</p>"
    yield "<h2>Errors</h2>"
    yield tables.errors(result) if result.errors else "<p>None.</p>"
    yield f"<h2>Statuses</h2>{tables.statuses(result)}" if result.statuses else ""
    if tables.steps(result):
        yield f"<h2>Labels <small>click a head to sort</small></h2>{tables.labels(result)}"
    if iterations := tables.scenarios(result):
        yield f"<h2>Scenarios</h2>{iterations}"
    yield f"<h2>What was asked for</h2>{tables.pairs(_plan(result))}"
    yield f"<h2>Memory</h2>{tables.pairs(_memory(result))}"
    yield f"<footer>Written by chaffinch {_text(result.run.program, 40)}. This file needs nothing else.</footer>"


def _text(text: str, limit: int = 500) -> str:
    return escape(figures.plain(text, limit))


def _head(result: Result) -> Iterator[str]:
    run = result.run
    name = f"{_text(run.name, 200)} <small>{_text(run.target)}</small>" if run.name else _text(run.target or "load run")
    took = f"{figures.span(result.duration_s)}{'' if result.complete else ', stopped before its end'}"
    words = f"{_text(run.model)}, HTTP/{_text(run.http, 10)}; {took}; {_text(run.started, 40)}"
    yield f"<header><h1>{name}</h1><p>{words}</p></header>"


def _told(result: Result) -> Iterator[str]:
    """What must be known before any figure is read."""
    if result.generator.saturated:
        yield _box(
            "warn",
            "The generator was the limit, not the target: these figures say more about the machine that sent than "
            "about the one that answered.",
            result.generator.why,
        )
    if result.thresholds:
        kept = sum(one.verdict == "passed" for one in result.thresholds)
        yield _box(
            "bad" if result.crossed else "good",
            f"{kept} of {figures.counted(len(result.thresholds), 'threshold')} kept.",
        )
    found = list(_notes(result))
    if found:
        yield _box("", "Before you read on:", found)


def _box(kind: str, words: str, sentences: Sequence[str] = ()) -> str:
    items = "".join(f"<li>{_text(one, 1000)}</li>" for one in sentences)
    return f'<div class="told {kind}"><b>{escape(words)}</b>{f"<ul>{items}</ul>" if items else ""}</div>'


def _notes(result: Result) -> Iterator[str]:
    if not result.requests:
        yield "No request was made: there is nothing to measure."
    if not result.complete:
        yield f"It was stopped after {figures.span(result.duration_s)}: the figures are of what ran until then."
    if result.unsent:
        yield f"{figures.counted(result.unsent, 'arrival')} never began: no user or connection was free for them."
    if result.unanswered:
        yield f"{figures.counted(result.unanswered, 'request')} had no answer when the run ended and are in no latency."
    if result.folded.labels or result.folded.records:
        yield (
            f"{figures.counted(result.folded.labels, 'label')} did not fit and count under {OTHER} "
            f"({figures.counted(result.folded.records, 'record')}): allow more labels or memory to see them."
        )
    if not result.histograms.percentiles:
        yield "Percentiles of labels were off."
    if result.run.sampling < 1:
        share = figures.share(result.run.sampling, 1)
        yield f"{share} of requests had their latency recorded by label, drawn by chance."
    yield from result.notes


def _tiles(result: Result) -> str:
    asked = "" if result.asked_rate is None else f", {figures.rate(result.asked_rate)} asked"
    if result.asked_rate is not None and result.run.requests_an_iteration != 1:
        asked = f", {figures.rate(result.iteration_rate)} of {figures.rate(result.asked_rate)} iterations"
    of = result.latency_ms.corrected or Percentiles()
    each = result.bytes_in / result.duration_s if result.duration_s > 0 else 0.0
    tiles = (
        (f"{result.requests:,}", f"requests in {figures.span(result.duration_s)}"),
        (figures.rate(result.rate), f"rate{asked}"),
        (figures.share(result.failed, result.requests), f"failed ({result.failed:,})"),
        (figures.latency(of.p50), "median latency, corrected"),
        (figures.latency(of.p99), "p99, corrected"),
        (figures.latency(of.p999), "p99.9, corrected"),
        (figures.latency(of.max), "longest, corrected"),
        (figures.size(result.bytes_in), f"received, {figures.size(each)}/s"),
    )
    return f'<div class="tiles">{"".join(f"<div><b>{escape(v)}</b>{escape(n)}</div>" for v, n in tiles)}</div>'


def _charts(result: Result) -> Iterator[str]:
    intervals = thinned(filter(_is_possible, result.intervals), MOST)
    if not intervals:
        yield "<p>No interval was kept: the run was shorter than one, or the memory guard dropped them.</p>"
        return
    joined = max(one.joined for one in intervals)
    if joined > 1:
        yield (
            f'<p class="soft">A step stands for up to {joined:,} intervals: rates are their means, '
            "latencies and requests in flight their highest.</p>"
        )
    starts = [one.at_s for one in intervals]
    ends = [one.at_s + one.seconds for one in intervals]
    in_flight = [Series("in flight", [_most_in_flight(one) for one in intervals], 7)]
    shown: list[tuple[str, charts.Unit, list[Series]]] = [
        ("Requests a second", "rate", _rates(result, intervals)),
        ("Latency", "ms", _latencies(intervals)),
        ("Errors a second, by class", "rate", _errors(intervals)),
        ("Requests in flight", "count", in_flight),
    ]
    for title, unit, series in shown:
        if series:
            yield charts.figure(Chart(title, unit, starts, ends, series, stacked=title.startswith("Errors")))


def _is_possible(interval: Interval) -> bool:
    """Whether it has a place on an axis of time: a file may say anything."""
    return 0 <= interval.at_s <= figures.LONGEST and 0 <= interval.seconds <= figures.LONGEST


def _most_in_flight(interval: Interval) -> float:
    return float(max(interval.in_flight, interval.most_in_flight))


def _rates(result: Result, intervals: Sequence[Interval]) -> list[Series]:
    each = result.run.requests_an_iteration
    asked = [None if one.asked is None else _each_second(one.asked * each, one) for one in intervals]
    before = [0, *(one.in_flight for one in intervals[:-1])]
    sent = [
        _each_second(max(0, one.requests + one.in_flight - waiting), one)
        for one, waiting in zip(intervals, before, strict=True)
    ]
    answered = [_each_second(one.requests - _without_answer(one), one) for one in intervals]
    return [Series("asked", asked, 8, dashed=True), Series("sent", sent, 1), Series("answered", answered, 3)]


def _without_answer(interval: Interval) -> int:
    return min(interval.requests, sum(count for name, count in interval.errors.items() if name not in ANSWERED))


def _each_second(count: float, interval: Interval) -> float | None:
    return count / interval.seconds if interval.seconds > 0 else None


def _latencies(intervals: Sequence[Interval]) -> list[Series]:
    found = []
    for name, field, colour in (("p50", "p50", 3), ("p99", "p99", 1), ("p99.9", "p999", 2)):
        for series, dashed in (("corrected", False), ("uncorrected", True)):
            values = [getattr(getattr(one.latency_ms, series), field, None) for one in intervals]
            found.append(Series(f"{name} {series}", values, colour, dashed))
    return found


def _errors(intervals: Sequence[Interval]) -> list[Series]:
    """One layer a class, those with the most errors below; past the colours the rest in one."""
    totals: dict[str, int] = {}
    for one in intervals:
        for name, count in one.errors.items():
            totals[name] = totals.get(name, 0) + count
    order = sorted((name for name in totals if totals[name]), key=lambda name: (-totals[name], name))
    colours = (2, 1, 3, 5, 4, 7, 6, 8)
    own = order if len(order) <= len(colours) else order[: len(colours) - 1]
    layers: list[tuple[str, tuple[str, ...]]] = [(figures.plain(name, 30), (name,)) for name in own]
    if len(own) < len(order):
        layers.append((f"{len(order) - len(own)} more classes", tuple(order[len(own) :])))
    return [
        Series(title, [_each_second(sum(one.errors.get(name, 0) for name in group), one) for one in intervals], colour)
        for (title, group), colour in zip(layers, colours, strict=False)
    ]


def _plan(result: Result) -> Iterator[tuple[str, str]]:
    run = result.run
    yield "target", run.target
    yield "model", run.model
    yield "users", f"{run.users:,}"
    yield "connections", f"at most {run.connections:,}"
    yield "threads", f"{run.threads:,}, busy {_cpu(result.generator.cpu_share)}"
    if run.duration_s is not None:
        yield "duration", figures.span(run.duration_s)
    if run.requests is not None:
        yield "requests", f"{run.requests:,}"
    names = [figures.plain(name, 60) for name in run.scenarios[:20]]
    more = f" and {len(run.scenarios) - 20:,} more" if len(run.scenarios) > 20 else ""
    yield "scenarios", f"{', '.join(names)}{more}; {figures.counted(run.steps, 'step')}"
    if run.source:
        yield "file", run.source
    if run.seed is not None:
        yield "seed", str(run.seed)
    if result.drain_s > 0:
        yield "waited for answers", f"{figures.latency(1000 * result.drain_s)} after the last request"
    effort = result.generator
    if effort.late:
        yield "late", f"{figures.counted(effort.late, 'arrival')}, by {figures.latency(effort.late_ms)} in the mean"
    if effort.starved or effort.bound:
        yield (
            "waited for",
            f"a user {figures.counted(effort.starved, 'time')}, a connection {figures.counted(effort.bound, 'time')}",
        )
    if result.cached:
        yield "answered from the cache", figures.counted(result.cached, "step")
    if effort.again:
        yield "sent again", f"{effort.again:,}, because the target had closed a connection that it kept"
    if effort.unasked:
        closed = figures.counted(effort.unasked, "connection")
        yield "closed", f"{closed}, because the target sent what no request had asked for"


def _cpu(shares: Sequence[float]) -> str:
    return ", ".join(figures.share(min(1.0, one), 1) for one in shares[:16]) or figures.NOTHING


def _memory(result: Result) -> Iterator[tuple[str, str]]:
    memory, histograms = result.memory, result.histograms
    peak = figures.size(memory.peak_rss_bytes)
    if memory.bound_bytes:
        kept = "kept" if memory.peak_rss_bytes <= memory.bound_bytes else "NOT KEPT"
        bound = figures.size(memory.bound_bytes)
        peak += f" of {bound} promised ({figures.share(memory.peak_rss_bytes, memory.bound_bytes)}): {kept}"
    yield "peak of the process", peak
    yield (
        "histograms",
        (
            f"{figures.counted(histograms.labels, 'label')} in {figures.size(histograms.bytes)}, "
            f"at most {figures.size(histograms.cap_bytes)}; "
            f"percentiles of labels are off by {histograms.error_percent:.3g}% at most"
        ),
    )
    folded = result.folded
    yield (
        "folded",
        (
            f"{figures.counted(folded.labels, 'label')}, {figures.counted(folded.records, 'record')}"
            if folded.labels or folded.records
            else "nothing"
        ),
    )
    for one in memory.guard[:50]:
        yield "the guard", f"at {figures.span(one.at_s)}: {one.action}{f' ({one.why})' if one.why else ''}"
    if len(memory.guard) > 50:
        yield "the guard", f"{len(memory.guard) - 50:,} more actions"
