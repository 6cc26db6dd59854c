"""Durations, sizes, rates and shares as people write them."""

import pytest

from chaffinch.load.scenario import units


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1s", 1000), ("1m", 60_000), ("1h", 3_600_000), ("1d", 86_400_000), ("250ms", 250), ("5000us", 5),
        ("1m30s", 90_000), ("1h 2m 3s", 3_723_000), ("1.5s", 1500), ("0.25m", 15_000), ("0s", 0),
        ("366d", 31_622_400_000),
    ],
)  # fmt: skip
def test_durations(text: str, milliseconds: int) -> None:
    assert units.duration_ms(text) == milliseconds


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not a duration"),
        ("30", "is not a duration: write it like 500ms, 30s"),
        ("s", "is not a duration"),
        ("-1s", "is not a duration"),
        ("1s2", "is not a duration"),
        ("1 fortnight", "is not a duration"),
        ("367d", "too long: at most 366d"),
        ("999999999999999d", "too long"),
        ("9" * 5000 + "s", "is not a duration"),
        ("500us", "is not a whole number of milliseconds"),
        ("0.0000001s", "finer than a microsecond"),
    ],
)
def test_what_is_no_duration(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        units.duration_ms(text)


def test_microseconds_are_exact() -> None:
    assert units.duration_us("1ms500us") == 1500
    assert units.duration_us("0.1s") == 100_000
    assert units.duration_us("1.000001s") == 1_000_001


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("512", 512),
        ("10KB", 10_240),
        ("10 kb", 10_240),
        ("1MiB", 1 << 20),
        ("1.5M", 3 << 19),
        ("2g", 2 << 30),
    ],
)
def test_sizes(text: str, count: int) -> None:
    assert units.size(text) == count


@pytest.mark.parametrize("text", ["", "KB", "-1", "1XB", "2T", "9" * 400, "1e3"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a size|too large"):
        units.size(text)


@pytest.mark.parametrize(
    ("text", "rate"), [("500", 500), ("0", 0), ("500/s", 500), ("30/m", 0.5), ("7200 per h", 2), ("12.5rps", 12.5)]
)
def test_rates(text: str, rate: float) -> None:
    assert units.rate(text) == rate


@pytest.mark.parametrize("text", ["", "-1", "fast", "nan", "inf", "10000001", "1/ms", "9" * 400])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a rate|too high"):
        units.rate(text)


def test_percentages() -> None:
    assert units.percent("50") == units.percent("50%") == 0.5
    assert units.percent("100") == 1
    for text in ("101", "-1", "", "%", "50%%", "nan"):
        with pytest.raises(ValueError, match="is not a percentage"):
            units.percent(text)
