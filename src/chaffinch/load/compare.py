"""Two runs side by side: what changed by more than noise, and whether that is better or worse."""

import math
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

import msgspec

from chaffinch.errors import InputError
from chaffinch.load import figures
from chaffinch.load.figures import Unit
from chaffinch.load.latencies import Corrected, Latencies
from chaffinch.load.polls import OTHER, Label
from chaffinch.load.results import Result

NOISE: Final = 0.05
"""Relative changes up to this are noise: two runs of the same thing differ by so much."""

LEAST_MS: Final = 0.05
"""Latencies that differ by less are the same, whatever their ratio."""

SURE: Final = 3.0
"""How many standard deviations apart two shares of errors must be."""

LISTED: Final = 20
"""Labels that the text lists."""

Kind = Literal["same", "better", "worse", "changed", "new", "gone"]

_PERCENTILES: Final = ("p50", "p90", "p95", "p99", "p999", "max", "mean")
_OF_LABELS: Final = ("p50", "p99", "max")


class Change(msgspec.Struct, frozen=True):
    """One measure in both runs."""

    measure: str
    before: float | None
    after: float | None
    unit: Unit
    change: Kind
    relative: float | None = None
    """After, less before, over before; null where one is missing or before is 0."""


class LabelChange(msgspec.Struct, frozen=True):
    """One label in both runs."""

    label: str
    change: Kind
    """The worst of its measures."""
    requests: int
    """Of both runs."""
    changes: tuple[Change, ...] = ()


class Comparison(msgspec.Struct, frozen=True):
    """What changed from one run to another."""

    before: str
    """The target and the model of the first."""
    after: str
    noise: float
    notes: tuple[str, ...]
    """What makes the comparison less than exact, a sentence each."""
    changes: tuple[Change, ...]
    labels: tuple[LabelChange, ...]
    """The worst first, then those with the most requests."""

    @property
    def is_worse(self) -> bool:
        """Whether a measure of the whole got worse by more than noise."""
        return any(one.change == "worse" for one in self.changes)

    def to_json(self) -> bytes:
        """As it is printed."""
        return msgspec.json.encode(self) + b"\n"


def compare(before: Result, after: Result, noise: float = NOISE) -> Comparison:
    """What changed. Raises `InputError` when there is nothing to compare."""
    if not 0 <= noise <= 10:
        raise InputError(f"the noise is {noise}: give a share from 0 to 10, such as 0.05 for 5%")
    for name, one in (("first", before), ("second", after)):
        if one.requests <= 0:
            raise InputError(f"the {name} run made no request: there is nothing to compare it by")
    return Comparison(
        before=_title(before),
        after=_title(after),
        noise=noise,
        notes=tuple(_notes(before, after)),
        changes=tuple(_whole(before, after, noise)),
        labels=tuple(sorted(_labels(before, after, noise), key=_order)),
    )


def _title(of: Result) -> str:
    return f"{of.run.target or 'a run'} ({of.run.model or 'unknown model'})"


def _notes(before: Result, after: Result) -> Iterator[str]:
    pairs = (
        ("targets", before.run.target, after.run.target),
        ("load models", before.run.model, after.run.model),
        ("HTTP versions", before.run.http, after.run.http),
        ("scenarios", ", ".join(before.run.scenarios), ", ".join(after.run.scenarios)),
    )
    for what, one, other in pairs:
        if one != other:
            yield f"the {what} differ: {one or 'none'} and {other or 'none'}"
    if (before.asked is None) != (after.asked is None):
        yield "one model is closed and one is open: only in the open one do latencies count the wait for a turn"
    for name, ran in (("first", before), ("second", after)):
        if ran.generator.saturated:
            yield f"the generator was the limit in the {name} run: its latencies are partly the generator's"
        if not ran.complete:
            yield f"the {name} run was stopped after {figures.span(ran.duration_s)}"
        if ran.folded.labels:
            yield f"{figures.counted(ran.folded.labels, 'label')} of the {name} run count as {OTHER}"
    if min(before.duration_s, after.duration_s) * 2 < max(before.duration_s, after.duration_s):
        yield f"the runs took {figures.span(before.duration_s)} and {figures.span(after.duration_s)}"


def _whole(before: Result, after: Result, noise: float) -> Iterator[Change]:
    yield _change("rate", before.rate, after.rate, "rate", noise, higher="better")
    yield _share("errors", before, after, noise)
    for series in ("corrected", "uncorrected"):
        yield from _latencies(f"{series} ", before.latency_ms, after.latency_ms, series, _PERCENTILES, noise)
    for phase in ("connect", "tls", "first_byte"):
        one: Latencies | None = getattr(before.phases_ms, phase)
        other: Latencies | None = getattr(after.phases_ms, phase)
        if one is not None and other is not None:
            yield _latency(f"{phase} p50", one.p50, other.p50, noise)
            yield _latency(f"{phase} p99", one.p99, other.p99, noise)
    for name in sorted(before.errors.keys() | after.errors.keys()):
        yield _class(name, before, after, noise)
    yield _change("peak memory", before.memory.peak_rss_bytes, after.memory.peak_rss_bytes, "bytes", noise)


def _latencies(
    prefix: str, before: Corrected, after: Corrected, series: str, names: tuple[str, ...], noise: float
) -> Iterator[Change]:
    one: Latencies | None = getattr(before, series)
    other: Latencies | None = getattr(after, series)
    if one is None and other is None:
        return
    for name in names:
        yield _latency(f"{prefix}{name}", getattr(one, name, None), getattr(other, name, None), noise)


def _latency(measure: str, before: float | None, after: float | None, noise: float) -> Change:
    return _change(measure, before, after, "ms", noise, higher="worse", least=LEAST_MS)


def _change(
    measure: str,
    before: float | None,
    after: float | None,
    unit: Unit,
    noise: float,
    *,
    higher: Kind = "changed",
    least: float = 0.0,
) -> Change:
    if before is None or after is None:
        kind: Kind = "same" if before is after else "new" if before is None else "gone"
        return Change(measure, before, after, unit, kind)
    difference = after - before
    relative = difference / before if before else None
    if abs(difference) <= max(least, noise * abs(before)):
        kind = "same"
    elif higher == "changed":
        kind = "changed"
    else:
        kind = higher if difference > 0 else "better" if higher == "worse" else "worse"
    return Change(measure, before, after, unit, kind, relative)


def _share(measure: str, before: Result | Label, after: Result | Label, noise: float) -> Change:
    """Shares of failed requests, which differ by chance the more the fewer requests there were."""
    return _shares(measure, (before.failed, before.requests), (after.failed, after.requests), noise)


def _class(name: str, before: Result, after: Result, noise: float) -> Change:
    one, other = before.errors.get(name, 0), after.errors.get(name, 0)
    return _shares(f"errors {name}", (one, before.requests), (other, after.requests), noise)


def _shares(measure: str, before: tuple[int, int], after: tuple[int, int], noise: float) -> Change:
    (bad, of), (bad_after, of_after) = before, after
    one = bad / of if of > 0 else None
    other = bad_after / of_after if of_after > 0 else None
    if one is None or other is None:
        return _change(measure, one, other, "share", noise)
    both = min(1.0, max(0.0, (bad + bad_after) / (of + of_after)))  # failures that began no request count too
    deviation = math.sqrt(both * (1 - both) * (1 / of + 1 / of_after))
    return _change(measure, one, other, "share", noise, higher="worse", least=SURE * deviation)


def _labels(before: Result, after: Result, noise: float) -> Iterator[LabelChange]:
    for name in before.labels.keys() | after.labels.keys():
        one, other = before.labels.get(name), after.labels.get(name)
        requests = (one.requests if one else 0) + (other.requests if other else 0)
        if not requests:
            continue  # a scenario's iterations, which its steps stand for
        if one is None or other is None:
            yield LabelChange(name, "new" if one is None else "gone", requests)
            continue
        changes = (
            _change("rate", _rate(one, before), _rate(other, after), "rate", noise),
            _share("errors", one, other, noise),
            *_latencies("", one.latency_ms, other.latency_ms, "corrected", _OF_LABELS, noise),
        )
        worst = min((change.change for change in changes), key=_RANKS.index)
        yield LabelChange(name, worst, requests, changes)


_RANKS: Final[tuple[Kind, ...]] = ("worse", "gone", "new", "better", "changed", "same")


def _order(one: LabelChange) -> tuple[int, int, str]:
    return _RANKS.index(one.change), -one.requests, one.label


def _rate(label: Label, result: Result) -> float:
    return label.requests / result.duration_s if result.duration_s > 0 else 0.0


# As text -------------------------------------------------------------------------------------------------------------


class _Row(NamedTuple):
    measure: str
    before: str
    after: str
    relative: str
    change: str


def as_text(comparison: Comparison, *, listed: int = LISTED) -> str:
    """A table for a terminal: the whole, then the labels that changed, and how many did not."""
    lines = [f"before  {figures.plain(comparison.before, 300)}", f"after   {figures.plain(comparison.after, 300)}"]
    lines += [f"note    {figures.plain(note, 500)}" for note in comparison.notes]
    rows = [_row(change.measure, change) for change in comparison.changes]
    heads = _Row("", "before", "after", "change", "")
    lines += ["", *_table([heads, *rows])]
    changed = [one for one in comparison.labels if one.change != "same"]
    for one in changed[:listed]:
        name = figures.plain(one.label, 100)
        lines += ["", f"{name}: {one.change}" if not one.changes else name]
        lines += _table([_row(f"  {change.measure}", change) for change in one.changes if change.change != "same"])
    if len(changed) > listed:
        lines += ["", f"{len(changed) - listed:,} more labels changed; --json lists them all"]
    same = len(comparison.labels) - len(changed)
    noise = f"changes up to {100 * comparison.noise:g}% are noise"
    lines += ["", f"{figures.counted(same, 'label')} the same; {noise}"]
    return "\n".join(lines) + "\n"


def _row(measure: str, change: Change) -> _Row:
    relative = "" if change.relative is None else f"{100 * change.relative:+,.1f}%"
    word = "" if change.change == "same" else change.change
    return _Row(
        measure,
        figures.measured(change.before, change.unit),
        figures.measured(change.after, change.unit),
        relative,
        word,
    )


def _table(rows: list[_Row]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(5)] if rows else []
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(row[column].rjust(widths[column]) for column in (1, 2, 3)), row.change]
        ).rstrip()
        for row in rows
    ]
