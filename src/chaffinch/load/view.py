"""What a terminal shows while a run goes on: a frame that is drawn anew in place, or a line now and then in a pipe."""

import shutil
import sys
import time
import unicodedata
from typing import Final, Self, TextIO

import msgspec

from chaffinch.load import figures
from chaffinch.load.latencies import Latencies, Percentiles
from chaffinch.load.polls import Interval, Progress
from chaffinch.load.results import Memory, Run

REDRAW_SECONDS: Final = 0.5
LINE_SECONDS: Final = 5.0

LEAST_COLUMNS: Final = 20

_ENTER: Final = "\x1b[?1049h\x1b[?25l"  # the screen beside the one that scrolls, without a cursor
_LEAVE: Final = "\x1b[?25h\x1b[?1049l"
_HOME: Final = "\x1b[H"
_REST_OF_LINE: Final = "\x1b[K"
_REST_OF_SCREEN: Final = "\x1b[J"

_PERCENTILES: Final = {"p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99", "p999": "p99.9", "max": "max"}
_SPARED: Final = ("p90", "p95", "p999", "p50")
"""What a narrow terminal goes without, in this order."""


class View:
    """Shows a run on a stream, by frames where that is a terminal. A context manager, so that the terminal is left
    as it was.
    """

    def __init__(self, run: Run, out: TextIO | None = None, *, terminal: bool | None = None) -> None:
        self._run = run
        self._out = sys.stdout if out is None else out
        self._terminal = self._out.isatty() if terminal is None else terminal
        self._next = 0.0
        self._last: Interval | None = None
        self._entered = False

    def __enter__(self) -> Self:
        if self._terminal:
            self._put(_ENTER)
            self._entered = True
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the terminal back; more than once is well."""
        if self._entered:
            self._entered = False
            self._put(_LEAVE)

    def show(self, poll: Progress, memory: Memory, *, now: float | None = None) -> None:
        """Draw a poll if it is time for that."""
        self._last = poll.intervals[-1] if poll.intervals else self._last
        moment = time.monotonic() if now is None else now
        if moment < self._next:
            return
        self._next = moment + (REDRAW_SECONDS if self._terminal else LINE_SECONDS)
        if self._last is not None and not poll.intervals:
            poll = msgspec.structs.replace(poll, intervals=(self._last,))
        if not self._terminal:
            self._put(line(poll, self._run, memory) + "\n")
            return
        columns, rows = shutil.get_terminal_size()
        lines = frame(poll, self._run, memory, columns, rows).split("\n")
        self._put(_HOME + "\n".join(one + _REST_OF_LINE for one in lines) + _REST_OF_SCREEN)

    def _put(self, text: str) -> None:
        encoding = self._out.encoding or "ascii"
        self._out.write(text.encode(encoding, "replace").decode(encoding))
        self._out.flush()


def line(poll: Progress, run: Run, memory: Memory) -> str:
    """A run in one line, for a log."""
    now = poll.intervals[-1] if poll.intervals else None
    overall = poll.latency_ms.corrected or Latencies()
    parts = [
        figures.span(poll.elapsed_s),
        f"requests={poll.requests}",
        f"rate={figures.rate(_rate(now) if now else _mean(poll, run))}",
        f"failed={poll.failed}",
        f"in_flight={poll.in_flight}",
        f"p50={_joined(overall.p50)}",
        f"p99={_joined(overall.p99)}",
        f"max={_joined(overall.max)}",
        f"memory={figures.size(memory.rss_bytes).replace(' ', '')}",
    ]
    if poll.errors:
        parts.append(
            " ".join(f"error_{figures.plain(name, 20)}={count}" for name, count in sorted(poll.errors.items()))
        )
    if poll.generator.saturated:
        parts.append("saturated")
    return " ".join(parts)


def _joined(milliseconds: float | None) -> str:
    return figures.latency(milliseconds).replace(" ", "")


def frame(poll: Progress, plan: Run, memory: Memory, columns: int, rows: int) -> str:
    """A run as lines of at most `columns - 1` columns, at most `rows` of them and without an end of the last one.

    Where there is no room for all, what matters least goes first; warnings stay longest.
    """
    width = max(LEAST_COLUMNS, columns) - 1
    head = [*_head(poll, plan), "", *_rates(poll, plan)]
    latencies = ["", *_latencies(poll, width)]
    errors = ["", *_errors(poll, width)]
    below = ["", *_below(poll, memory)]
    warnings = _warnings(poll, memory, width)
    warned = ["", *warnings] if warnings else []
    for lines in (
        [*head, *latencies, *errors, *below, *warned, "", "^C ends the run and writes its report"],
        [*head, *latencies, *errors, *below, *warned],
        [*(one for one in (*head, *latencies, *errors, *below, *warned) if one)],
        [*(one for one in (*head, *errors, *warned, *latencies) if one)],
    ):
        if len(lines) <= rows:
            break
    return "\n".join(cut(one, width) for one in lines[: max(1, rows)])


def _head(poll: Progress, plan: Run) -> list[str]:
    name = f"{figures.plain(plan.name, 60)}: " if plan.name else ""
    title = f"{name}{figures.plain(plan.target, 300)}"
    lines = [title, f"{figures.plain(plan.model, 300)}, HTTP/{figures.plain(plan.http, 10)}"]
    share, left = _left(poll, plan)
    at = f"{figures.span(poll.elapsed_s)} {'waiting for answers' if poll.state == 'draining' else poll.state}"
    if share is None:
        return [*lines, f"{at}, until it is stopped"]
    filled = round(share * 24)
    return [*lines, f"[{'#' * filled}{'.' * (24 - filled)}] {share:4.0%}  {at}{left}"]


def _left(poll: Progress, plan: Run) -> tuple[float | None, str]:
    """The share of the run that is done, and what is left of it."""
    if plan.requests:
        done = min(1.0, poll.requests / plan.requests)
        return done, f", {max(0, plan.requests - poll.requests):,} requests left"
    if plan.duration_s:
        left = max(0.0, plan.duration_s - poll.elapsed_s)
        return min(1.0, poll.elapsed_s / plan.duration_s), f", {figures.span(left)} left" if left else ""
    return None, ""


def _rates(poll: Progress, plan: Run) -> list[str]:
    now = poll.intervals[-1] if poll.intervals else None
    asked = None if now is None or now.asked is None or now.seconds <= 0 else now.asked / now.seconds
    if asked is None and poll.asked is not None:
        asked = poll.asked / _sending(poll, plan) if _sending(poll, plan) > 0 else None
    words = f"rate      {figures.rate(_rate(now) if now else None)} now   {figures.rate(_mean(poll, plan))} mean"
    if asked is not None:
        each = plan.requests_an_iteration
        words += f"   {figures.rate(asked)} asked" + (f" (iterations of {each:.3g} requests)" if each != 1 else "")
    late = f"   {poll.unsent:,} not sent" if poll.unsent else ""
    given_up = f"   {poll.unanswered:,} given up" if poll.unanswered else ""
    requests = f"requests  {poll.requests:,}   {poll.in_flight:,} in flight{late}{given_up}"
    return [words, requests]


def _sending(poll: Progress, plan: Run) -> float:
    """For how long requests were begun so far."""
    return poll.elapsed_s if plan.duration_s is None else min(poll.elapsed_s, plan.duration_s)


def _mean(poll: Progress, plan: Run) -> float:
    seconds = _sending(poll, plan)
    return poll.requests / seconds if seconds > 0 else 0.0


def _rate(interval: Interval) -> float:
    return interval.requests / interval.seconds if interval.seconds > 0 else 0.0


def _latencies(poll: Progress, width: int) -> list[str]:
    now = poll.intervals[-1].latency_ms if poll.intervals else None
    shown = [
        ("now", now.corrected if now else None),
        ("overall", poll.latency_ms.corrected),
        ("uncorrected", poll.latency_ms.uncorrected),
    ]
    names = list(_PERCENTILES)
    for spared in _SPARED:
        if 14 + 10 * len(names) > width:
            names.remove(spared)
    lines = [f"{'latency':<14}" + "".join(f"{_PERCENTILES[name]:>10}" for name in names)]
    for title, of in shown:
        values = of or Percentiles()
        lines.append(f"  {title:<12}" + "".join(f"{figures.latency(getattr(values, name)):>10}" for name in names))
    return lines


def _errors(poll: Progress, width: int) -> list[str]:
    if not poll.errors:
        return ["errors    none"]
    share = figures.share(poll.failed, poll.requests)
    lines = [f"errors    {poll.failed:,} of {poll.requests:,} requests, {share}"]
    row = "         "
    for name, count in sorted(poll.errors.items(), key=lambda one: -one[1]):
        word = f" {figures.plain(name, 20)} {count:,} "
        if len(row) + len(word) > width and row.strip():
            lines.append(row)
            row = "         "
        row += word
    return [*lines, row]


def _below(poll: Progress, memory: Memory) -> list[str]:
    each = poll.bytes_in / poll.elapsed_s if poll.elapsed_s > 0 else 0.0
    bytes_ = f"{figures.size(poll.bytes_in)} in ({figures.size(each)}/s), {figures.size(poll.bytes_out)} out"
    bound = ""
    if memory.bound_bytes:
        bound = f" of {figures.size(memory.bound_bytes)} ({figures.share(memory.rss_bytes, memory.bound_bytes)})"
    histograms = f"{figures.size(poll.histograms.bytes)} of {figures.size(poll.histograms.cap_bytes)}"
    rss = f"{figures.size(memory.rss_bytes)}{bound}, peak {figures.size(memory.peak_rss_bytes)}"
    labels = figures.counted(poll.histograms.labels, "label")
    return [f"bytes     {bytes_}", f"memory    {rss}", f"          histograms {histograms}, {labels}"]


def _warnings(poll: Progress, memory: Memory, width: int) -> list[str]:
    found = []
    if poll.generator.saturated:
        found.append("the generator is the limit, not the target")
        found += [f"  {figures.plain(why, 500)}" for why in poll.generator.why]
    if poll.folded.labels or poll.folded.records:
        labels = figures.counted(poll.folded.labels, "label")
        found.append(f"{labels} did not fit and count as __other__ ({poll.folded.records:,} records)")
    if not poll.histograms.percentiles:
        found.append("percentiles of labels are off")
    if memory.guard:
        last = memory.guard[-1]
        found.append(
            f"the memory guard acted {figures.counted(len(memory.guard), 'time')}, "
            f"last: {figures.plain(last.action, 40)} at {figures.span(last.at_s)}"
        )
    return [part for one in found for part in _wrapped(f"! {one}", width)]


def _wrapped(text: str, width: int) -> list[str]:
    """A warning on as many lines as it needs, three at most."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("  " + word)
        else:
            lines[-1] += (" " if lines[-1] else "") + word
    return lines if len(lines) <= 3 else [*lines[:2], lines[2][: width - 4] + " ..."]


def cut(text: str, width: int) -> str:
    """The text in at most so many columns of a terminal."""
    if text.isascii():
        return text[:width]
    used, kept = 0, []
    for character in text:
        used += columns_of(character)
        if used > width:
            break
        kept.append(character)
    return "".join(kept)


def columns_of(character: str) -> int:
    """How many columns a terminal gives a character: 2 for wide ones, 0 for those that combine."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
