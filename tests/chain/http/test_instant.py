"""Times of messages, as people and programs write them."""

import contextlib
import datetime
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.chain.engine import Chain
from chaffinch.chain.http.instant import MOST, milliseconds_of
from chaffinch.chain.results import Options


@pytest.mark.parametrize(
    ("moment", "milliseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2024-05-17T09:30:00.250+02:00", 1715931000250),
        ("2024-05-17t07:30:00.25z", 1715931000250),
        ("2024-05-17 07:30:00,25", 1715931000250),
        ("2016-12-31T23:59:60Z", 1483228799000),
        ("0000-03-01T00:00:00Z", -62162035200000),
        (0, 0),
        (1715931000, 1715931000000),
        (1715931000.25, 1715931000250),
        (1715931000250, 1715931000250),
        (-1.5, -1500),
    ],
)
def test_a_time_is_read_in_every_form(moment: str | float, milliseconds: int) -> None:
    assert milliseconds_of(moment) == milliseconds


def test_a_time_is_the_same_in_a_file_and_over_http(tmp_path: Path) -> None:
    moments = ["2024-05-17T09:30:00", "2024-05-17 07:30:00,25", "2016-12-31T23:59:60-01:30", 1715931000.25, 99999999999]
    file = tmp_path / "messages.ndjson"
    file.write_text("".join(json.dumps({"text": f"word{n}", "time": one}) + "\n" for n, one in enumerate(moments)))
    with Chain.open(tmp_path / "chain", write=True, create=Options(order=1)) as chain:
        chain.train(file)
        read = {one.text: one.time_ms for n in range(len(moments)) for one in chain.references(f"word{n}", 5)}
    assert read == {f"word{n}": milliseconds_of(one) for n, one in enumerate(moments)}


@pytest.mark.parametrize(
    "moment",
    ["", "yesterday", "2024-05-17", "2024-05-17T09:30", "2024-02-30T00:00:00Z", "2024-01-01T24:00:00Z", 9e15, 1e300],
)
def test_what_is_no_time_is_refused_in_words(moment: str | float) -> None:
    with pytest.raises(ValueError, match="time"):
        milliseconds_of(moment)


@given(st.datetimes(timezones=st.just(datetime.UTC)))
def test_every_time_of_the_calendar_is_read_as_python_reads_it(moment: datetime.datetime) -> None:
    whole = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    expected = (whole - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(milliseconds=1)
    assert milliseconds_of(whole.isoformat()) == expected


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert abs(milliseconds_of(text)) < MOST
