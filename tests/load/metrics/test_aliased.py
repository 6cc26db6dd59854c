"""Under the names of the load tester that users come from stands what ours count."""

import pytest

from chaffinch.load import aliases, load_text
from chaffinch.load.loaded import Node
from chaffinch.load.metrics.labels import Shown
from chaffinch.load.metrics.reading import Reading, decode
from chaffinch.load.metrics.sums import Sums
from tests.load.metrics.pages import page, poll_of
from tests.load.serve.running import values
from tests.load.serve.target import scenario, target


def aliased(reading: Reading | None, sums: Sums | None = None) -> str:
    plan = load_text('version: "1.0"\nscenarios: [{name: a, steps: [{request: {path: "http://a/"}}]}]\n', "a").plan
    around = aliases.Around(node=Node("n1", "east", "web"), users_configured=10, plan=plan)
    return page(*aliases.families("rust_loadtest", sums or Sums(), reading, Shown(), around))


def test_aliases_count_what_ours_count(reading: Reading) -> None:
    said = aliased(reading)
    assert values(said, "rust_loadtest_requests_total") == {"": 40.0}
    assert values(said, "rust_loadtest_requests_status_codes_total") == {
        'status_code="200"': 20.0,
        'status_code="404"': 20.0,
    }
    errors = values(said, "rust_loadtest_request_errors_by_category")
    assert set(errors) == {f'category="{name}"' for name in aliases.CATEGORIES}
    assert errors['category="client"'] == 20
    assert values(said, "rust_loadtest_scenario_executions_total") == {
        'scenario="page",status="failed"': 20.0,
        'scenario="page",status="success"': 0.0,
    }
    assert values(said, "rust_loadtest_scenario_assertions_total") == {
        'scenario="page",step="a",result="failed"': 0.0,
        'scenario="page",step="a",result="passed"': 20.0,
    }
    assert values(said, "rust_loadtest_scenario_steps_total")['scenario="page",step="b",status="failed"'] == 20


def test_reuse_of_connections_is_counted_not_guessed(reading: Reading) -> None:
    said = aliased(reading)
    new = values(said, "rust_loadtest_connection_pool_likely_new_total")[""]
    assert new == 1
    assert values(said, "rust_loadtest_connection_pool_likely_reused_total")[""] == 40 - new
    assert values(said, "rust_loadtest_connection_pool_reuse_rate_percent")[""] == pytest.approx(100 * (40 - new) / 40)


def test_between_runs_scenarios_have_no_aliases_and_totals_stay(reading: Reading) -> None:
    sums = Sums()
    sums.add(reading)
    said = aliased(None, sums)
    assert "rust_loadtest_scenario" not in said
    assert values(said, "rust_loadtest_requests_total") == {"": 40.0}


def test_latencies_of_all_runs_are_counted_by_bounds(reading: Reading) -> None:
    sums = Sums()
    sums.add(reading)
    twice = aliased(reading, sums)
    assert values(twice, "rust_loadtest_request_duration_seconds_bucket")['le="+Inf"'] == 80
    assert values(twice, "rust_loadtest_request_duration_seconds_count") == {"": 80.0}
    assert values(twice, "rust_loadtest_request_duration_seconds_bucket")['le="10.0"'] == 80


def test_a_scenario_of_one_step_is_executed_once_a_request() -> None:
    with target() as site:
        reading = decode(poll_of(site, scenario(site, requests=10)))
    assert values(aliased(reading), "rust_loadtest_scenario_executions_total")['scenario="page",status="success"'] == 10
