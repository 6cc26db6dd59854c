"""The tables of the HTML report. Every text that is put in is escaped here, whoever it came from."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final, NamedTuple

from chaffinch.load import figures
from chaffinch.load.error_classes import explain
from chaffinch.load.latencies import Latencies
from chaffinch.load.polls import OTHER, Label
from chaffinch.load.results import Result

LABELS: Final = 200
"""Labels that the report lists; the others are counted."""

_PERCENTILES: Final = ("p50", "p90", "p95", "p99", "p999", "max", "mean")
_HEADS: Final = ("p50", "p90", "p95", "p99", "p99.9", "max", "mean")


class Cell(NamedTuple):
    """A cell: its text, and what it is sorted by where that is a number."""

    text: str
    value: float | None = None
    css: str = ""

    @classmethod
    def number(cls, text: str, value: float | None, css: str = "") -> "Cell":
        """A number, at the right; nothing sorts below 0."""
        return cls(text, -1.0 if value is None else value, css)


def table(heads: Sequence[str], rows: Iterable[Sequence[Cell | str]], *, sortable: bool = False) -> str:
    """A table; columns of numbers stand at the right."""
    lines = [[Cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    numeric = [bool(lines) and lines[0][column].value is not None for column in range(len(heads))]
    head = "".join(
        f'<th scope="col"{_class("n" if number else "")}>{_button(name) if sortable else escape(name)}</th>'
        for name, number in zip(heads, numeric, strict=True)
    )
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in lines)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _button(name: str) -> str:
    return f'<button type="button">{escape(name)}</button>'


def _cell(cell: Cell) -> str:
    text = escape(figures.plain(cell.text, 500))
    if cell.value is None:
        return f"<td{_class(cell.css)}>{text}</td>"
    return f'<td{_class(f"n {cell.css}".strip())} data-v="{cell.value:.6g}">{text}</td>'


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Names and what they are, without a head."""
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="w">{escape(figures.plain(text, 2000))}</td></tr>'
        for name, text in rows
    )
    return f'<div class="wide"><table><tbody>{body}</tbody></table></div>'


def latencies(result: Result) -> str:
    """Corrected, uncorrected, and the phases that were measured."""
    rows = [
        ("corrected", result.latency_ms.corrected),
        ("uncorrected", result.latency_ms.uncorrected),
        ("connecting", result.phases_ms.connect),
        ("TLS handshake", result.phases_ms.tls),
        ("first byte", result.phases_ms.first_byte),
        ("whole iterations", result.phases_ms.iteration),
    ]
    return table(
        ("latency", *_HEADS, "of"),
        [(name, *_percentiles(of), Cell.number(f"{of.count:,}", of.count)) for name, of in rows if of and of.count],
    )


def _percentiles(of: Latencies | None, names: Iterable[str] = _PERCENTILES) -> list[Cell]:
    values: list[float | None] = [getattr(of, name, None) for name in names]
    return [Cell.number(figures.latency(value), value) for value in values]


def statuses(result: Result) -> str:
    """How many answers had each status."""
    answers = sum(result.statuses.values())
    rows = [
        (status, Cell.number(f"{count:,}", count), Cell.number(figures.share(count, answers), count))
        for status, count in sorted(result.statuses.items())
    ]
    return table(("status", "answers", "share"), rows)


def errors(result: Result) -> str:
    """Each class with what it means and what to do."""
    of = result.requests + result.errors.get("unsent", 0)  # what was never sent is in no number of requests
    rows = [
        (
            name,
            Cell.number(f"{count:,}", count),
            Cell.number(figures.share(count, of), count),
            explain(name).meaning,
            explain(name).advice,
        )
        for name, count in sorted(result.errors.items(), key=lambda one: (-one[1], one[0]))
    ]
    return table(("class", "requests", "share", "what it means", "what to do"), rows)


def thresholds(result: Result) -> str:
    """Each threshold and what became of it."""
    rows = [
        (Cell(one.expression, css="w"), Cell(one.verdict, css="good" if one.verdict == "passed" else "bad"), one.said)
        for one in result.thresholds
    ]
    return table(("threshold", "verdict", ""), rows)


def listed(labels: dict[str, Label], most: int = LABELS) -> list[str]:
    """The labels that are listed: up to half of them for their failures, the others for their requests."""
    if len(labels) <= most:
        return sorted(labels, key=lambda name: (-labels[name].requests, name))
    chosen = {OTHER} & labels.keys()
    failing = [name for name, label in labels.items() if label.failed]
    failing.sort(key=lambda name: (-labels[name].failed, name))
    chosen.update(failing[: most // 2 - len(chosen)])
    for name in sorted(labels, key=lambda name: (-labels[name].requests, name)):
        if len(chosen) >= most:
            break
        chosen.add(name)
    return sorted(chosen, key=lambda name: (-labels[name].requests, name))


def steps(result: Result) -> dict[str, Label]:
    """The labels of requests."""
    return {name: label for name, label in result.labels.items() if label.requests or not label.iterations}


def scenarios(result: Result) -> str:
    """The labels of whole iterations, if there are any."""
    whole = [(name, label.iterations) for name, label in result.labels.items() if label.iterations]
    whole.sort(key=lambda one: (-one[1], one[0]))
    rows = [
        (Cell(figures.plain(name, 200), css="w"), Cell.number(f"{count:,}", count), _rate(count, result))
        for name, count in whole[:LABELS]
    ]
    text = table(("scenario", "iterations", "a second"), rows) if rows else ""
    more = len(whole) - len(rows)
    return text + (f"<p>{figures.counted(more, 'more scenario')}.</p>" if more else "")


def labels(result: Result) -> str:
    """The labels that are listed, and how much the others are."""
    known = steps(result)
    shown = listed(known)
    heads = ("label", "requests", "a second", "failed", "p50", "p95", "p99", "p99.9", "max", "bytes in")
    text = table(heads, [_label(name, known[name], result) for name in shown], sortable=True)
    hidden = [known[name] for name in known.keys() - set(shown)]
    if not hidden:
        return text
    requests, failed = sum(one.requests for one in hidden), sum(one.failed for one in hidden)
    return (
        f"{text}<p><b>{figures.counted(len(hidden), 'more label')}</b> with {figures.counted(requests, 'request')}, "
        f"{failed:,} of them failed: those with the most requests and the most failures are listed here, "
        "all of them in the JSON.</p>"
    )


def _rate(count: int, result: Result) -> Cell:
    rate = count / result.duration_s if result.duration_s > 0 else None
    return Cell.number(figures.rate(rate), rate)


def _label(name: str, label: Label, result: Result) -> list[Cell | str]:
    of = label.latency_ms.corrected
    return [
        Cell(figures.plain(name, 200), css="w"),
        Cell.number(f"{label.requests:,}", label.requests),
        _rate(label.requests, result),
        Cell.number(
            f"{label.failed:,} ({figures.share(label.failed, label.requests)})" if label.failed else "0",
            label.failed,
            "bad" if label.failed else "",
        ),
        *_percentiles(of, ("p50", "p95", "p99", "p999", "max")),
        Cell.number(figures.size(label.bytes_in), label.bytes_in),
    ]
