"""What a run comes to, as text for a terminal of 80 columns."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from chaffinch.load import figures
from chaffinch.load.error_classes import explain
from chaffinch.load.latencies import Latencies
from chaffinch.load.polls import OTHER, Label
from chaffinch.load.results import Result

COLUMNS: Final = 80
MARGIN: Final = 12
LABELS: Final = 10
"""Labels that are listed: those with the most requests."""

NEARLY: Final = 0.8
"""The share of the bound on labels from which on it is told how many there were."""

_PERCENTILES: Final = ("p50", "p90", "p95", "p99", "p999", "max")
_HEADS: Final = ("p50", "p90", "p95", "p99", "p99.9", "max")


def as_text(result: Result) -> str:
    """The whole summary."""
    return "\n".join(line.rstrip() for line in _lines(result)) + "\n"


def _lines(result: Result) -> Iterator[str]:
    yield from _head(result)
    yield ""
    yield from _requests(result)
    yield ""
    yield from _latencies(result)
    yield from _errors(result)
    yield from _labels(result)
    yield ""
    yield from _generator(result)
    yield from _memory(result)
    yield from _thresholds(result)
    for note in result.notes:
        yield from _wrapped("note", note)


def _head(result: Result) -> Iterator[str]:
    run = result.run
    name = f"{run.name}: " if run.name else ""
    yield from _wrapped("", f"{name}{run.target or run.source}, HTTP/{run.http}", margin=0)
    yield from _wrapped("", run.model, margin=0)
    if not result.complete:
        yield f"stopped after {figures.span(result.duration_s)}: these are the figures of what ran"


def _requests(result: Result) -> Iterator[str]:
    took = f"{result.duration_s:.1f} s" if result.duration_s < 100 else figures.span(result.duration_s)
    drained = f" and {result.drain_s:.1f} s for the last answers" if result.drain_s >= 0.15 else ""
    yield f"{'requests':<{MARGIN}}{result.requests:,} in {took}{drained}"
    each = result.run.requests_an_iteration
    sent = f"{'rate':<{MARGIN}}{figures.rate(result.rate)}"
    if result.asked_rate is not None:
        what = "" if each == 1 else " iterations"
        sent += f", asked {figures.rate(result.asked_rate)}{what}"
        if each != 1:
            sent += f", begun {figures.rate(result.iteration_rate)}"
    yield sent
    share = figures.share(result.failed, result.requests)
    yield f"{'passed':<{MARGIN}}{result.passed:,}"
    yield f"{'failed':<{MARGIN}}{result.failed:,} ({share})" if result.failed else f"{'failed':<{MARGIN}}0"
    if result.unsent:
        yield f"{'not sent':<{MARGIN}}{result.unsent:,} were due and never began"
    if result.unanswered:
        yield f"{'given up':<{MARGIN}}{result.unanswered:,} had no answer when the run ended"
    each_second = result.bytes_in / result.duration_s if result.duration_s > 0 else 0.0
    yield (
        f"{'bytes':<{MARGIN}}{figures.size(result.bytes_in)} in ({figures.size(each_second)}/s), "
        f"{figures.size(result.bytes_out)} out"
    )


def _latencies(result: Result) -> Iterator[str]:
    yield f"{'latency':<{MARGIN}}" + "".join(f"{name:>11}" for name in _HEADS)
    both = result.latency_ms
    shown: list[tuple[str, Latencies | None]] = [("corrected", both.corrected), ("uncorrected", both.uncorrected)]
    phases = result.phases_ms
    shown += [
        (name, of)
        for name, of in (("connect", phases.connect), ("tls", phases.tls), ("first byte", phases.first_byte))
        if of is not None and of.count
    ]
    for name, of in shown:
        yield f"{name:<{MARGIN}}" + _percentiles(of)
    if result.asked is None and both.corrected is not None and both.corrected.count:
        yield from _wrapped(
            "",
            "A closed model asks less while the target stalls: give a --rate to see what users would see.",
        )


def _percentiles(of: Latencies | None) -> str:
    return "".join(f"{figures.latency(getattr(of, name, None)):>11}" for name in _PERCENTILES)


def _errors(result: Result) -> Iterator[str]:
    if not result.errors:
        return
    yield ""
    # What was never sent is no request: its share would be of something else.
    of = result.requests + result.unsent
    for number, (name, count) in enumerate(sorted(result.errors.items(), key=lambda one: -one[1])):
        found = explain(name)
        first = f"{figures.plain(name, 20)} {count:,} ({figures.share(count, of)}): {found.meaning} {found.advice}"
        yield from _wrapped("" if number else "errors", first)
    if bad := {status: count for status, count in result.statuses.items() if status[:1] not in "123"}:
        words = ", ".join(f"{figures.plain(one, 10)} {count:,}" for one, count in sorted(bad.items()))
        yield from _wrapped("statuses", words)


def _labels(result: Result) -> Iterator[str]:
    if len(result.labels) < 2:
        return
    yield ""
    yield f"{'requests':>{COLUMNS - 35}}{'failed':>11}{'p50':>12}{'p99':>12}"
    ranked = sorted(result.labels.items(), key=lambda one: (-one[1].requests, one[0]))
    for name, label in ranked[:LABELS]:
        yield _label(name, label)
    if len(ranked) > LABELS:
        yield f"{len(ranked) - LABELS:,} more labels; --json and --html list all"


def _label(name: str, label: Label) -> str:
    of = label.latency_ms.corrected or Latencies()
    return (
        f"{figures.plain(name, 33):<34}{label.requests:>11,}{label.failed:>11,}"
        f"{figures.latency(of.p50):>12}{figures.latency(of.p99):>12}"
    )


def _generator(result: Result) -> Iterator[str]:
    made, generator = result.generator, "generator"
    if made.saturated:
        yield from _wrapped(generator, "it was the limit, not the target: read these figures with that in mind")
    else:
        busiest = max(made.cpu_share, default=0.0)
        yield f"{generator:<{MARGIN}}not the limit; its busiest thread used {busiest:.0%} of a core"
    for why in made.why:
        yield from _wrapped("", why)


def _memory(result: Result) -> Iterator[str]:
    held = result.memory
    bound = f" of {figures.size(held.bound_bytes)} allowed" if held.bound_bytes else ""
    yield f"{'memory':<{MARGIN}}{figures.size(held.peak_rss_bytes)} at most{bound}"
    if held.guard:
        words = ", ".join(f"{one.action} at {figures.span(one.at_s)}" for one in held.guard[:5])
        more = f" and {len(held.guard) - 5:,} more" if len(held.guard) > 5 else ""
        yield from _wrapped("", f"the memory guard acted: {words}{more}")
    if not result.histograms.percentiles:
        yield from _wrapped("", "percentiles of labels were off")
    of = result.histograms
    if not result.folded.labels and of.labels >= NEARLY * of.most_labels > 0 and len(result.labels) > 1:
        told = f"{of.labels:,} of {of.most_labels:,} that are told apart; what comes after those counts as {OTHER}"
        yield from _wrapped("labels", f"{told}: allow more with --labels")
    if result.folded.labels or result.folded.records:
        labels = figures.counted(result.folded.labels, "label")
        yield from _wrapped(
            "folded",
            f"about {labels} did not fit and count as {OTHER} ({result.folded.records:,} latencies lost their label "
            "later): allow more with --labels",
        )


def _thresholds(result: Result) -> Iterator[str]:
    if not result.thresholds:
        return
    yield ""
    words = {"passed": "kept", "failed": "CROSSED", "undecided": "CROSSED"}
    for number, one in enumerate(result.thresholds):
        text = f"{words[one.verdict]}  {one.expression}: {one.said}"
        yield from _wrapped("" if number else "thresholds", text)


def _wrapped(head: str, text: str, margin: int = MARGIN) -> Sequence[str]:
    return textwrap.wrap(
        figures.plain(text, 2000),
        COLUMNS,
        initial_indent=f"{head:<{margin}}",
        subsequent_indent=" " * margin,
        break_on_hyphens=False,
    ) or [head]
