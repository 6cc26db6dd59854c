"""Charts draw what there is, where it is."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.load.report import charts
from chaffinch.load.report.charts import HEIGHT, LEFT, RIGHT, TOP, WIDTH, Chart, Series

BASE = HEIGHT - charts.BOTTOM


def drawn(chart: Chart) -> dict[str, str]:
    return dict(re.findall(r'data-n="([^"]*)" data-v="[^"]*" d="([^"]*)"', charts.drawing(chart)))


def test_steps_stand_where_their_intervals_are() -> None:
    chart = Chart("t", "rate", [0.0, 1.0, 2.0], [1.0, 2.0, 4.0], [Series("a", [10.0, 0.0, 10.0], 1)])
    right = WIDTH - RIGHT
    quarter = (right - LEFT) / 4
    assert drawn(chart)["a"] == (
        f"M{LEFT:.1f} {TOP:.1f}H{LEFT + quarter:.1f}V{BASE:.1f}H{LEFT + 2 * quarter:.1f}V{TOP:.1f}H{right:.1f}"
    )


def test_where_nothing_was_measured_there_is_no_line() -> None:
    chart = Chart("t", "rate", [0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [Series("a", [1.0, None, 1.0], 1)])
    assert drawn(chart)["a"].count("M") == 2
    gap = Chart("t", "rate", [0.0, 7.0], [1.0, 8.0], [Series("a", [1.0, 1.0], 1)])
    assert drawn(gap)["a"].count("M") == 2
    assert "Nothing was measured." in charts.figure(Chart("t", "rate", [0.0], [1.0], [Series("a", [None], 1)]))


def test_layers_stand_on_one_another() -> None:
    chart = Chart(
        "t", "rate", [0.0], [1.0], [Series("low", [2.0], 1), Series("high", [8.0], 2)], stacked=True
    )  # fmt: skip
    ways = drawn(chart)
    middle = TOP + 0.8 * (BASE - TOP)
    assert f"V{middle:.1f}H" in ways["low"]
    assert f"V{TOP:.1f}H" in ways["high"]
    assert list(ways) == ["high", "low"], "the higher sum is drawn first"
    assert 'data-v="8"' in charts.drawing(chart), "what is told is the value, not the sum"


def test_hostile_names_are_text() -> None:
    name = '"><script>alert(1)</script>'
    text = charts.figure(Chart(name, "rate", [0.0], [1.0], [Series(name, [1.0], 1)]))
    assert "<script" not in text
    assert text.count("<path") == 1


@pytest.mark.parametrize(
    ("values", "linear", "low", "high", "is_log"),
    [
        ([0.0, 97.0], True, 0, 100, False),
        ([0.0], True, 0, 1, False),
        ([1.0, 29.0], False, 0, 30, False),
        ([1.0, 2000.0], False, 1, 10_000, True),
        ([0.0, 0.3, 900.0], False, 0.1, 1000, True),
    ],
)
def test_axes(values: list[float], linear: bool, low: float, high: float, is_log: bool) -> None:
    axis = charts.value_axis(values, linear=linear)
    assert axis.low == pytest.approx(low)
    assert axis.high == pytest.approx(high)
    assert axis.is_log == is_log
    assert 2 <= len(axis.ticks) <= 12


def test_what_is_counted_has_no_halves() -> None:
    assert charts.value_axis([0.0, 1.0], linear=True, step=1.0).ticks == [0, 1]
    assert charts.value_axis([7.0], linear=True, step=1.0).ticks == [0, 2, 4, 6, 8]


@given(st.lists(st.floats(0, 1e9), min_size=1), st.booleans())
def test_every_value_is_on_its_axis(values: list[float], linear: bool) -> None:
    axis = charts.value_axis(values, linear=linear)
    for value in values:
        assert TOP - 0.01 <= axis.y(value) <= BASE + 0.01
    assert all(TOP - 0.01 <= axis.y(tick) <= BASE + 0.01 for tick in axis.ticks)


@given(st.floats(0, 1e6), st.floats(0.001, 1e6))
def test_times_are_few_and_within(begin: float, length: float) -> None:
    ticks = charts.time_ticks(begin, begin + length)
    assert len(ticks) <= 11
    assert all(begin - 1e-3 <= tick <= begin + length + 1e-3 for tick in ticks)


def test_words_at_axes() -> None:
    assert [charts.value_text(one, "rate") for one in (0, 5, 2500, 20_000, 1_000_000)] == [
        "0",
        "5",
        "2.5k",
        "20k",
        "1M",
    ]
    assert [charts.value_text(one, "ms") for one in (0, 0.1, 1, 250, 2500)] == [
        "0 ms", "100 us", "1 ms", "250 ms", "2.5 s",
    ]  # fmt: skip
