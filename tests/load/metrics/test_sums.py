"""What all runs counted together."""

from chaffinch.load.metrics.reading import Reading
from chaffinch.load.metrics.sums import Sums
from tests.load.metrics.pages import page
from tests.load.serve.running import values


def test_what_a_run_counted_stays_when_it_has_ended(reading: Reading) -> None:
    sums = Sums()
    during = page(*sums.families(reading))
    assert values(during, "chaffinch_load_requests_total")['status="2xx"'] == 20
    sums.add(reading)
    assert page(*sums.families(None)) == during
    assert values(page(*sums.families(reading)), "chaffinch_load_iterations_total") == {"": 40.0}
