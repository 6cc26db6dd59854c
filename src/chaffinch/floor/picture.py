"""A report as a picture: an icicle of imports, each as wide as the memory that it took. One file, no script."""

import html
from collections.abc import Iterator
from typing import Final, NamedTuple

from chaffinch.floor import text
from chaffinch.floor.findings import Import, Report

WIDTH: Final = 1200
ROW: Final = 20
NARROWEST: Final = 0.5
"""Pixels: what would be narrower is left out of the picture, and counted under it."""
LETTER: Final = 6.3
COLORS: Final = ("#f2b366", "#e9967a", "#dcc36a", "#8fc1b5", "#a3bfe0", "#c7a9d9")


class Box(NamedTuple):
    """One import in the picture."""

    one: Import
    left: float
    width: float
    row: int


def boxes(report: Report) -> tuple[list[Box], int]:
    """Where each import is drawn, and how many are too narrow."""
    below: dict[str, list[Import]] = {}
    for one in report.imports:
        below.setdefault(one.above, []).append(one)
    whole = sum(max(0, one.bytes) for one in below.get("", ())) or 1
    found: list[Box] = []
    waiting = [("", whole, 0.0, float(WIDTH), 1)]
    while waiting:
        above, around, left, room, row = waiting.pop()
        within = sorted(below.get(above, ()), key=lambda one: one.bytes, reverse=True)
        # Where one gave memory back the others took more than all of them together.
        scale = room / max(around, sum(max(0, one.bytes) for one in within), 1)
        for one in within:
            width = max(0, one.bytes) * scale
            if width >= NARROWEST:
                found.append(Box(one, left, width, row))
                waiting.append((one.name, one.bytes, left, width, row + 1))
                left += width
    return found, len(report.imports) - len(found)


def svg(report: Report) -> str:
    """The picture."""
    drawn, narrow = boxes(report)
    rows = max((box.row for box in drawn), default=0) + 1
    height = ROW * (rows + 1) + 8
    title = f"{report.entry}, Python {report.python}: {text.size(report.bytes)}, {report.modules} modules"
    foot = f"imports too narrow to be seen: {narrow}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" class="icicle">',
            "<style>.icicle{font:11px sans-serif}.icicle .title{font-size:13px}</style>",
            f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
            f'<text x="4" y="14" class="title">{_escaped(title)}</text>',
            *_drawn(drawn),
            f'<text x="4" y="{height - 6}" fill="#666">{foot}</text>',
            "</svg>\n",
        ]
    )


def page(report: Report) -> str:
    """The picture in a page, with the same lines as in a terminal under it."""
    title = _escaped(report.entry)
    told = _escaped("\n".join(text.lines(report, 0.01)))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{title}: memory by import</title>\n"
        "<style>body{margin:1em auto;max-width:90em;font-family:sans-serif}pre{overflow:auto}</style>\n"
        f"</head>\n<body>\n{svg(report)}<pre>{told}</pre>\n</body>\n</html>\n"
    )


def _drawn(drawn: list[Box]) -> Iterator[str]:
    for box in drawn:
        one = box.one
        color = COLORS[sum(one.name.partition(".")[0].encode()) % len(COLORS)]
        top = box.row * ROW
        about = (
            f"{one.name}: {text.size(one.bytes)} with all that it pulled in first, {text.size(one.own_bytes)} alone, "
            f"{text.size(one.only_bytes)} go with it, {one.seconds * 1000:.1f} ms"
        )
        letters = int((box.width - 6) / LETTER)
        label = one.name if len(one.name) <= letters else one.name[: letters - 1] + "…" if letters > 3 else ""
        yield (
            f'<g><title>{_escaped(about)}</title><rect x="{box.left:.2f}" y="{top}" width="{box.width:.2f}" '
            f'height="{ROW - 1}" fill="{color}" stroke="#fff" stroke-width="0.5"/>'
            + (f'<text x="{box.left + 3:.2f}" y="{top + 13}">{_escaped(label)}</text>' if label else "")
            + "</g>"
        )


def _escaped(words: str) -> str:
    return html.escape("\n".join(text.plain(line) for line in words.split("\n")))
