"""Thresholds: what a run must keep to, such as `p99<200ms`; one that is crossed decides the exit code.

[label[NAME].] [uncorrected. | connect. | tls. | first_byte.] MEASURE  < <= > >= == !=  VALUE
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal, TypeAlias, cast

import msgspec

from chaffinch.errors import InputError
from chaffinch.load import figures
from chaffinch.load.error_classes import CLASSES
from chaffinch.load.figures import Unit
from chaffinch.load.latencies import PERCENTILES, Corrected, Latencies
from chaffinch.load.polls import Label
from chaffinch.load.results import Result, Verdict
from chaffinch.load.scenario import units
from chaffinch.load.scenario.faults import nearest, shown

Comparison: TypeAlias = Literal["<", "<=", ">", ">=", "==", "!="]
Series: TypeAlias = Literal["corrected", "uncorrected", "connect", "tls", "first_byte"]

LONGEST: Final = 2000
"""Characters that an expression may have."""

_SERIES: Final[tuple[Series, ...]] = ("corrected", "uncorrected", "connect", "tls", "first_byte")
_LATENCIES: Final = (*PERCENTILES, "mean", "max")
_COUNTS: Final = ("errors", "requests", "unsent", "unanswered", "iterations")
_ALSO: Final = {"avg": "mean", "med": "p50", "median": "p50", "p100": "max", "failed": "errors"}
_KNOWN: Final = (*_LATENCIES, *_COUNTS, "rate", "status[5xx]", "errors[timeout]")
"""What may be measured, as errors list it."""

_SPLIT: Final = re.compile(r"\s*(.*?)\s*(<=|>=|===|==|!=|<|>|=)\s*(.*?)\s*", re.DOTALL)
_LABEL: Final = re.compile(r"label\[(.+)\]\s*\.", re.DOTALL)
_LABEL_BEHIND: Final = re.compile(r"([^{}\[\]]+)\{(.+)\}", re.DOTALL)
_PERCENTILE: Final = re.compile(r"p\(?([0-9]{1,3}(?:\.[0-9]{1,6})?)\)?")
_OF: Final = re.compile(r"(status|errors)\s*\[([^\[\]]*)\]")
_STATUS: Final = re.compile(r"[1-5](xx|[0-9]{2})")

_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
    "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
}


class Threshold(msgspec.Struct, frozen=True):
    """One bound on a measure of a run."""

    text: str
    """As it was written."""
    measure: str
    """`p50` to `p999`, `mean`, `max`, `errors`, `status`, `requests`, `rate` and the like."""
    comparison: Comparison
    value: float
    unit: Unit
    """Milliseconds, a share of requests, requests a second, or a number of them."""
    label: str = ""
    """Of this label alone; empty: of all."""
    series: Series = "corrected"
    """Of which latencies."""
    of: str = ""
    """The status (`503`, `5xx`) or the error class of which it is; empty: all."""

    def holds(self, measured: float) -> bool:
        """Whether a measured value keeps to it."""
        return _COMPARISONS[self.comparison](measured, self.value)


class ExpressionError(ValueError):
    """What is wrong with an expression, and where: the character, from 1."""

    def __init__(self, text: str, part: str, what: str) -> None:
        at = max(0, text.find(part)) + 1 if part else len(text.rstrip()) + 1
        super().__init__(f"{what} (character {at} of the threshold {shown(text.strip())})")


def parse_threshold(text: str) -> Threshold:
    """A threshold such as `p99<200ms`, `label[shop/cart].p(99.9)<1s`, `errors<1%`, `rate>=1000/s`.

    Raises `ValueError` that names the expression, the place in it and what is allowed.
    """
    if len(text) > LONGEST:
        raise ValueError(f"a threshold has {len(text):,} characters: at most {LONGEST:,}")
    rest, label = _label(text.strip())
    match = _SPLIT.fullmatch(rest)
    if match is None or not match[1]:
        raise ValueError(f"{shown(text)} is not a threshold: write it like p99<200ms, errors<1% or rate>=1000/s")
    left, sign, right = match[1], match[2], match[3]
    if sign not in _COMPARISONS:
        if sign == "=":
            raise ExpressionError(text, sign, f"{shown(sign)} compares nothing: use one of {', '.join(_COMPARISONS)}")
        sign = "=="
    if behind := _LABEL_BEHIND.fullmatch(left):
        left, label = behind[1].strip(), behind[2].strip()
    rest, series, named = _series(left)
    measure, of = _measure(text, rest)
    _check(text, measure, label=bool(label), series=series if named else "")
    unit, value = _value(text, measure, right)
    return Threshold(text.strip(), measure, cast(Comparison, sign), value, unit, label, series, of)


def parse_thresholds(texts: Iterable[str]) -> tuple[Threshold, ...]:
    """Those of a command line. Raises `InputError` with the first that is wrong."""
    try:
        return tuple(map(parse_threshold, texts))
    except ValueError as error:
        raise InputError(str(error)) from None


def _label(text: str) -> tuple[str, str]:
    """What stands behind the label, and the label, whose name may have signs and brackets in it."""
    match = _LABEL.match(text)
    return (text[match.end() :].strip(), match[1].strip()) if match else (text, "")


def _series(left: str) -> tuple[str, Series, bool]:
    for name in _SERIES:
        if left.lower().startswith(name + "."):
            return left[len(name) + 1 :].strip(), name, True
    return left, "corrected", False


def _measure(text: str, written: str) -> tuple[str, str]:
    """The measure, and the status or the class that it is of."""
    folded = written.lower()
    folded = _ALSO.get(folded, folded)
    if folded in _LATENCIES or folded in _COUNTS or folded == "rate":
        return folded, ""
    if match := _OF.fullmatch(written):
        if match[1] == "status" and not _STATUS.fullmatch(match[2].lower()):
            raise ExpressionError(text, match[2], f"{shown(match[2])} is not a status: write it like 503 or 5xx")
        if match[1] == "errors" and match[2] not in CLASSES:
            raise ExpressionError(
                text, match[2], f"{shown(match[2])} is not a class of errors{nearest(match[2], CLASSES)}"
            )
        return match[1], match[2].lower()
    if match := _PERCENTILE.fullmatch(folded):
        asked = float(match[1])
        for field, percentile in PERCENTILES.items():
            if asked == percentile:
                return field, ""
        held = ", ".join(f"p{percentile:g}" for percentile in PERCENTILES.values())
        raise ExpressionError(text, written, f"{shown(written)} is not kept by results: use {held} or max")
    raise ExpressionError(text, written, f"{shown(written)} is not measured{nearest(written, _KNOWN)}")


def _check(text: str, measure: str, *, label: bool, series: str) -> None:
    """Whether what was asked for is there at all."""
    if series and measure not in _LATENCIES:
        raise ExpressionError(text, series, f"{series} goes with latencies alone: {', '.join(_LATENCIES)}")
    if label and series in ("connect", "tls", "first_byte"):
        raise ExpressionError(text, series, f"{series} is measured of all labels together alone: leave the label out")
    if label and measure in ("unsent", "unanswered", "iterations"):
        raise ExpressionError(text, measure, f"{measure} is counted of all labels together alone: leave the label out")


def _value(text: str, measure: str, written: str) -> tuple[Unit, float]:
    try:
        if measure in _LATENCIES:
            if re.fullmatch(r"[0-9]{1,12}(?:\.[0-9]{1,6})?", written):
                return "ms", float(written)
            return "ms", units.duration_us(written) / 1000
        if measure == "rate":
            return "rate", units.rate(written)
        if written.endswith("%") and measure in ("errors", "status"):
            return "share", units.percent(written)
    except ValueError as error:
        raise ExpressionError(text, written, str(error)) from None
    if written.isascii() and written.isdigit() and len(written) <= 15:
        return "count", float(written)
    allowed = "a share like 1%, or a number of requests like 5" if measure in ("errors", "status") else "a number"
    raise ExpressionError(text, written, f"{shown(written)} is not what {measure} is compared with: use {allowed}")


# What a run says of them ---------------------------------------------------------------------------------------------


def judged(result: Result, thresholds: Iterable[Threshold]) -> Result:
    """The result with a verdict for each threshold."""
    return msgspec.structs.replace(result, thresholds=tuple(evaluate(one, result) for one in thresholds))


def evaluate(threshold: Threshold, result: Result) -> Verdict:
    """Whether a run kept to a threshold. Where nothing was measured it is undecided, and that counts as failed."""
    label = result.labels.get(threshold.label) if threshold.label else None
    if threshold.label and label is None:
        return _undecided(threshold, _no_label(threshold.label, result))
    measured = _measured(threshold, result, label)
    if isinstance(measured, str):
        return _undecided(threshold, measured)
    kept = threshold.holds(measured)
    value = figures.measured(measured, threshold.unit)
    said = f"it is {value}" if kept else f"it is {value}, and should be {threshold.comparison} {_bound(threshold)}"
    missing = result.unsent + result.unanswered
    if kept and missing and (threshold.unit == "ms" or threshold.measure in ("errors", "status")):
        said += f"; {figures.counted(missing, 'request')} that never began or had no answer are not in it"
    return Verdict(threshold.text, "passed" if kept else "failed", measured, said)


def _measured(threshold: Threshold, result: Result, label: Label | None) -> float | str:
    """The value, or why there is none."""
    measure, of = threshold.measure, result if label is None else label
    if measure in _LATENCIES:
        found = _latencies(threshold, of.latency_ms, result)
        value: float | None = getattr(found, measure, None)
        if value is not None:
            return value
        if of.requests and not result.histograms.percentiles:
            return "percentiles were off"
        what = {"connect": "connection", "tls": "TLS handshake"}.get(threshold.series, "latency")
        return f"no {what} was measured"
    if measure == "rate":
        return result.rate if label is None else (label.requests / result.duration_s if result.duration_s > 0 else 0.0)
    if measure in ("errors", "status"):
        if not of.requests:
            return "no request was made"
        count = _errors(threshold, of) if measure == "errors" else _statuses(threshold, of)
        return count / of.requests if threshold.unit == "share" else float(count)
    return float(getattr(of, measure))


def _latencies(threshold: Threshold, both: Corrected, result: Result) -> Latencies | None:
    match threshold.series:
        case "corrected":
            return both.corrected
        case "uncorrected":
            return both.uncorrected
        case phase:
            found: Latencies | None = getattr(result.phases_ms, phase)
            return found


def _errors(threshold: Threshold, of: Result | Label) -> int:
    return of.errors.get(threshold.of, 0) if threshold.of else of.failed


def _statuses(threshold: Threshold, of: Result | Label) -> int:
    family = threshold.of[0] if threshold.of.endswith("xx") else ""
    return sum(count for status, count in of.statuses.items() if status == threshold.of or status[:1] == family)


def _no_label(name: str, result: Result) -> str:
    what = f"no request had the label {shown(name)}"
    if result.folded.labels:
        return f"{what}, or it was folded into __other__: allow more labels"
    return f"{what}{nearest(name, list(result.labels)[:1000])}" if len(result.labels) <= 20 else what


def _undecided(threshold: Threshold, why: str) -> Verdict:
    return Verdict(threshold.text, "undecided", None, f"{why}: undecided, which counts as failed")


def _bound(threshold: Threshold) -> str:
    match = _SPLIT.fullmatch(_label(threshold.text)[0])
    return match[3] if match else figures.measured(threshold.value, threshold.unit)
