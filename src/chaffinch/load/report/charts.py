"""Charts as inline SVG: steps over time, one series above another or side by side. No script, no style of their own.

What a chart shows stands beside its paths as `data-` attributes too, from which the page's script reads what is under
the pointer.
"""

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final, Literal, NamedTuple

from chaffinch.load import figures

WIDTH: Final = 900
HEIGHT: Final = 240
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 10, 26

LOG_FROM: Final = 30
"""Latencies whose extremes are so many times apart have a logarithmic axis."""

LEAST: Final = 1e-6
"""What is less is drawn as 0: a nanosecond in milliseconds."""

MOST: Final = 1e15
"""What is more can only come from a file that no run wrote, and is not drawn."""

DECADES: Final = 8
"""What a logarithmic axis shows at most; what is below lies on it."""

Unit = Literal["rate", "ms", "count"]


class Series(NamedTuple):
    """One line, or one layer. None where there was nothing."""

    name: str
    values: Sequence[float | None]
    colour: int
    """1 to 8."""
    dashed: bool = False


class Chart(NamedTuple):
    """Series over the same intervals."""

    title: str
    unit: Unit
    starts: Sequence[float]
    """When each interval began, in seconds."""
    ends: Sequence[float]
    series: Sequence[Series]
    stacked: bool = False
    linear: bool = False
    """Never a logarithmic axis."""


class Axis(NamedTuple):
    """How values become heights."""

    low: float
    high: float
    is_log: bool
    ticks: Sequence[float]

    def y(self, value: float) -> float:
        """The height of a value, from the top."""
        if self.is_log:
            part = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return TOP + (1 - part) * (HEIGHT - TOP - BOTTOM)


def figure(chart: Chart) -> str:
    """The chart with its title and legend; a sentence where there is nothing to draw."""
    drawn, title = _drawn(chart), escape(chart.title)
    if not drawn:
        nothing = '<p class="none">Nothing was measured.</p>'
        return f'<figure class="chart"><figcaption>{title}</figcaption>{nothing}</figure>'
    axis = _axis(chart)
    note = " (logarithmic)" if axis.is_log else ""
    return (
        f'<figure class="chart"><figcaption>{title}<small>{note}</small></figcaption>'
        f'{drawing(chart)}<p class="legend">{"".join(map(_key, drawn))}</p></figure>'
    )


def drawing(chart: Chart) -> str:
    """The chart alone: an `svg` element that takes its colours from the page. At least one series has a value."""
    drawn, title, axis = _drawn(chart), escape(chart.title), _axis(chart)
    begin = chart.starts[0]
    end = max(chart.ends[-1], begin + max(1e-6, 1e-9 * begin))
    scale = (WIDTH - LEFT - RIGHT) / (end - begin)
    xs = [(LEFT + (one - begin) * scale, LEFT + (other - begin) * scale) for one, other in _edges(chart)]
    paths = [
        _path(one, told.values, xs, axis, filled=chart.stacked) for one, told in zip(_layers(chart), drawn, strict=True)
    ]
    if chart.stacked:
        paths.reverse()  # the highest sum lies at the bottom of the pile
    times = ",".join(f"{one:.6g}" for one in chart.starts)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}" data-unit="{chart.unit}" '
        f'data-left="{LEFT}" data-right="{WIDTH - RIGHT}" data-begin="{begin:.6g}" data-end="{end:.6g}" '
        f'data-t="{times}">{_grid(axis, chart.unit, begin, end)}{"".join(paths)}'
        f'<line class="at" x1="0" x2="0" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/></svg>'
    )


def _drawn(chart: Chart) -> list[Series]:
    """The series that have a value; what no run can have measured is left out of them."""
    series = [one._replace(values=[_possible(value) for value in one.values]) for one in chart.series]
    return [one for one in series if any(value is not None for value in one.values)]


def _possible(value: float | None) -> float | None:
    return value if value is not None and 0 <= value <= MOST else None


def _layers(chart: Chart) -> list[Series]:
    return _stacked(_drawn(chart)) if chart.stacked else _drawn(chart)


def _axis(chart: Chart) -> Axis:
    values = [value for one in _layers(chart) for value in one.values if value is not None]
    return value_axis(values, linear=chart.linear or chart.unit != "ms", step=1.0 if chart.unit == "count" else 0.0)


def _edges(chart: Chart) -> Iterator[tuple[float, float]]:
    """From where to where each interval is drawn: up to the next one where that is near."""
    for number, (start, end) in enumerate(zip(chart.starts, chart.ends, strict=True)):
        following = chart.starts[number + 1] if number + 1 < len(chart.starts) else end
        yield start, following if abs(following - end) < 0.5 * (end - start) else end


def _stacked(series: Sequence[Series]) -> list[Series]:
    """Each series on top of those before it."""
    total = [0.0] * len(series[0].values)
    found = []
    for one in series:
        total = [below + (value or 0.0) for below, value in zip(total, one.values, strict=True)]
        found.append(one._replace(values=total))
    return found


def _path(
    drawn: Series,
    told: Sequence[float | None],
    xs: Sequence[tuple[float, float]],
    axis: Axis,
    *,
    filled: bool,
) -> str:
    values = ",".join("" if value is None else f"{value:.4g}" for value in told)
    way = _layer(drawn.values, xs, axis) if filled else _line(drawn.values, xs, axis)
    kind = f"a a{drawn.colour}" if filled else f"l s{drawn.colour}{' d' if drawn.dashed else ''}"
    return f'<path class="{kind}" data-n="{escape(drawn.name)}" data-v="{values}" d="{way}"/>'


def _line(values: Sequence[float | None], xs: Sequence[tuple[float, float]], axis: Axis) -> str:
    """Steps; where there is no value there is no line."""
    parts: list[str] = []
    reached, height = -1.0, ""
    for value, (x, x_end) in zip(values, xs, strict=True):
        if value is None:
            reached = -1.0
            continue
        y = f"{axis.y(value):.1f}"
        if reached != x:
            parts.append(f"M{x:.1f} {y}")
        elif y != height:
            parts.append(f"V{y}")
        parts.append(f"H{x_end:.1f}")
        reached, height = x_end, y
    return "".join(parts)


def _layer(values: Sequence[float | None], xs: Sequence[tuple[float, float]], axis: Axis) -> str:
    """The area between steps and the axis."""
    base = f"{axis.y(axis.low):.1f}"
    parts = [f"M{xs[0][0]:.1f} {base}"]
    reached = xs[0][0]
    for value, (x, x_end) in zip(values, xs, strict=True):
        if reached != x:
            parts.append(f"V{base}H{x:.1f}")
        parts.append(f"V{axis.y(value or axis.low):.1f}H{x_end:.1f}")
        reached = x_end
    return "".join(parts) + f"V{base}Z"


def _key(series: Series) -> str:
    dashed = " d" if series.dashed else ""
    name = escape(series.name)
    return f'<span data-n="{name}"><i class="k{series.colour}{dashed}"></i>{name} <b></b></span>'


def _grid(axis: Axis, unit: Unit, begin: float, end: float) -> str:
    lines = []
    for tick in axis.ticks:
        y = f"{axis.y(tick):.1f}"
        lines.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        lines.append(f'<text x="{LEFT - 6}" y="{y}" dy="4" text-anchor="end">{escape(value_text(tick, unit))}</text>')
    for tick in time_ticks(begin, end):
        x = f"{LEFT + (tick - begin) / (end - begin) * (WIDTH - LEFT - RIGHT):.1f}"
        lines.append(f'<line x1="{x}" x2="{x}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM + 4}"/>')
        lines.append(f'<text x="{x}" y="{HEIGHT - 8}" text-anchor="middle">{escape(figures.span(tick))}</text>')
    return f'<g class="grid">{"".join(lines)}</g>'


def value_text(value: float, unit: Unit) -> str:
    """A value at an axis."""
    if unit == "ms":
        number, _, name = figures.latency(value).partition(" ")
        return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {name}".strip()
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 10 * size or (value >= size and value % (size / 10) == 0):
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def value_axis(values: Sequence[float], *, linear: bool, step: float = 0.0) -> Axis:
    """An axis that has all values on it: from 0 in steps of at least `step`, or logarithmic for values far apart."""
    above = [value for value in values if value >= LEAST]
    high = max(above, default=1.0)
    if not linear and above and high / min(above) > LOG_FROM:
        first, last = math.floor(math.log10(min(above))), math.ceil(math.log10(high) - 1e-9)
        last = max(last, first + 1)
        first = max(first, last - DECADES)
        steps = (1,) if last - first > 2 else (1, 2, 5)
        ticks = [step * 10.0**power for power in range(first, last) for step in steps]
        return Axis(10.0**first, 10.0**last, is_log=True, ticks=[*ticks, 10.0**last])
    step = max(step, _nice(high / 5))
    count = math.ceil(high / step - 1e-9)
    return Axis(0.0, count * step, is_log=False, ticks=[number * step for number in range(count + 1)])


def _nice(value: float) -> float:
    """The least of 1, 2, 2.5, 5 times a power of ten that is not less."""
    power: float = 10.0 ** math.floor(math.log10(value))
    for times in (1.0, 2.0, 2.5, 5.0):
        if times * power >= value * (1 - 1e-9):
            return times * power
    return 10 * power


_TIMES: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200)


def time_ticks(begin: float, end: float) -> list[float]:
    """Round moments between two, ten at most."""
    whole = end - begin
    step = next((one for one in _TIMES if whole / one <= 10), 86_400.0 * max(1, math.ceil(whole / 864_000)))
    first = math.ceil(begin / step - 1e-9)
    return [number * step for number in range(first, math.floor(end / step + 1e-9) + 1)]
