"""How figures read to people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.load import figures, plan


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "-"), (0, "0 ms"), (0.0000001, "0.00 us"), (0.0853, "85.3 us"), (0.9994, "999 us"), (0.9999, "1.00 ms"),
        (1.0, "1.00 ms"), (9.99, "9.99 ms"), (9.999, "10.0 ms"), (123.4, "123 ms"), (999.4, "999 ms"),
        (999.6, "1.00 s"), (60_000, "60.0 s"), (200_000, "3m20s"), (7_200_000, "2h00m"),
    ],
)  # fmt: skip
def test_latencies(milliseconds: float | None, text: str) -> None:
    assert figures.latency(milliseconds) == text


@given(st.floats(0, 1e12))
def test_any_latency_is_short(milliseconds: float) -> None:
    assert len(figures.latency(milliseconds)) <= 12


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "-"), (0, 5, "0%"), (5, 5, "100%"), (1, 10**9, "<0.01%"), (10**9 - 1, 10**9, ">99.99%"),
        (1, 3, "33.3%"), (1, 100, "1.00%"), (999, 1000, "99.90%"),
    ],
)  # fmt: skip
def test_shares_are_never_rounded_to_nothing_or_all(part: float, whole: float, text: str) -> None:
    assert figures.share(part, whole) == text


def test_a_figure_is_told_by_its_unit() -> None:
    assert figures.measured(None, "ms") == figures.NOTHING
    assert figures.measured(1.5, "ms") == "1.50 ms"
    assert figures.measured(1.5, "rate") == "1.50/s"
    assert figures.measured(0.015, "share") == "1.50%"
    assert figures.measured(1536, "bytes") == "1.5 KB"
    assert figures.measured(1536, "count") == "1,536"


def test_rates_sizes_and_spans() -> None:
    assert [figures.rate(one) for one in (None, 0, 0.5, 12.34, 100, 49_998.2)] == [
        "-", "0/s", "0.50/s", "12.3/s", "100/s", "49,998/s",
    ]  # fmt: skip
    assert [figures.size(one) for one in (0, 1023, 1024, 5 << 20, 3 << 40)] == [
        "0 B", "1023 B", "1.0 KB", "5.0 MB", "3.0 TB",
    ]  # fmt: skip
    assert [figures.span(one) for one in (0, 0.25, 9.99, 59.7, 61, 3700, 90_000)] == [
        "0s", "0.2s", "10.0s", "1m00s", "1m01s", "1h01m", "1d01h",
    ]  # fmt: skip
    assert figures.counted(1, "label") == "1 label"
    assert figures.counted(2000, "entry", "entries") == "2,000 entries"


@given(st.text(), st.integers(3, 50))
def test_a_plain_text_drives_no_terminal(text: str, limit: int) -> None:
    found = figures.plain(text, limit)
    assert found.isprintable()
    assert found.encode().decode() == found
    if text.isprintable():
        assert len(found) <= limit


def test_what_is_escaped_can_still_be_read() -> None:
    assert figures.plain("a\x1b[2J\n\u202eb\x00") == "a\\x1b[2J\\n\\u202eb\\x00"
    assert figures.plain("x" * 300, 10) == "xxxxxxx..."


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (plan.Closed(), "closed: 64 users, each begins again when it is done"),
        (plan.Constant(1000.0), "constant: 1,000/s; at most 64 users"),
        (plan.Ramp(10, 500, 60_000, 300_000, 60_000), "ramp: 10/s to 500/s over 1m00s, hold 5m00s, back over 1m00s"),
        (plan.Ramp(0, 5, 500, 0, 0), "ramp: 0/s to 5/s over 500 ms"),
        (plan.Daily(10, 50, 100, 86_400_000), "daily: night 10/s, afternoon 50/s, peak 100/s, a day is 1d00h"),
        (plan.Steps((plan.RateStep(100, 30_000), plan.RateStep(200, 60_000))), "steps: 100/s for 30s, 200/s for 1m00s"),
        (plan.Steps((plan.RateStep(1, 1000),) * 7), "and 2 more"),
        (plan.Replay(1000, (1.0, 2.0), repeat=True), "replay: 2 rates, one every 1s, again and again"),
    ],
)
def test_models_in_words(model: plan.Model, words: str) -> None:
    assert words in figures.model(model, 64)
