"""What a stall does to latencies: the simulation, the closed form, and the picture."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.load.report import stalled
from chaffinch.load.report.stalled import Stall

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_a_target_that_does_not_stall_is_as_fast_as_it_is() -> None:
    for one in stalled.table(Stall(lasts=0.0)):
        assert one.corrected == pytest.approx(1.0)
        assert one.uncorrected == pytest.approx(1.0)


def test_a_stall_is_in_the_corrected_latencies_and_hides_in_the_others() -> None:
    rows = {one.name: one for one in stalled.table(Stall())}
    assert rows["p90"].corrected == pytest.approx(1001, abs=11)
    assert rows["p99"].corrected == pytest.approx(1901, abs=11)
    assert rows["p99"].uncorrected == pytest.approx(1.0)
    assert rows["max"].corrected == pytest.approx(2001)
    assert rows["max"].uncorrected == pytest.approx(2001)


@settings(max_examples=40, deadline=None)
@given(st.integers(50, 2000), st.integers(3, 20), st.floats(0.1, 2.0), st.sampled_from([50.0, 90.0, 95.0, 99.0, 99.9]))
def test_the_closed_form_is_what_is_simulated(rate: int, duration: int, lasts: float, percent: float) -> None:
    stall = Stall(rate=rate, duration=duration, begins=0.5, lasts=lasts, service=0.0001, connections=4 * rate)
    found = stalled.percentile([one.corrected_ms for one in stalled.requests(stall)], percent)
    assert found == pytest.approx(stalled.expected_ms(stall, percent), abs=1000 * 2 / rate + 0.01)


def test_no_request_is_sent_before_it_should_be_and_none_on_a_busy_connection() -> None:
    ran = stalled.requests(Stall(connections=3))
    assert all(one.intended <= one.sent < one.ended for one in ran)
    for moment in (3.9, 4.5, 5.9, 6.0005):
        assert sum(one.sent <= moment < one.ended for one in ran) <= 3


def test_the_picture_of_the_page_is_this_one() -> None:
    published = (DOCS / "load-stall.svg").read_text()
    told = "run `python -m chaffinch.load.report.stalled > docs/load-stall.svg`"
    assert published == stalled.picture(Stall()), told
    assert ElementTree.fromstring(published).tag == "{http://www.w3.org/2000/svg}svg"
    assert "corrected" in published


def test_percentiles_are_of_nearest_rank() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [stalled.percentile(values, one) for one in (0.1, 20, 20.1, 50, 99, 100)] == [1, 1, 2, 3, 5, 5]
