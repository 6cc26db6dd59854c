"""Results are what is left of a run."""

import json

import pytest

from chaffinch.load import plan, polls, result_files, results
from chaffinch.load.report.stalled import Stall
from tests.load import running


def test_a_paced_run_has_the_rate_that_was_asked_however_long_answers_were_waited_for() -> None:
    result = running.ran(elapsed_s=12.5)
    assert result.duration_s == 10.0
    assert result.drain_s == 2.5
    assert result.rate == 100.0
    assert result.asked_rate == 100.0
    assert result.iteration_rate == 100.0


def test_a_run_that_never_was_has_no_absurd_figures() -> None:
    empty = polls.Poll()
    result = results.finished(empty, running.run_of(), results.Memory())
    assert (result.rate, result.duration_s, result.asked_rate) == (0.0, 0.0, None)
    assert result_files.decode(result.to_json(), "itself") == result


def test_results_have_the_names_of_the_contract() -> None:
    body = json.loads(running.ran().to_json())
    assert body["requests"] == 1000
    assert set(body["latency_ms"]["corrected"]) >= {"p50", "p90", "p95", "p99", "p999", "max"}
    assert set(body["latency_ms"]["uncorrected"]) >= {"p50", "p90", "p95", "p99", "p999", "max"}
    assert body["memory"]["peak_rss_bytes"] == 30 << 20
    assert body["memory"]["bound_bytes"] == 64 << 20
    assert body["generator"]["saturated"] is False
    assert body["generator"]["why"] == []
    assert body["folded"] == {"labels": 0, "requests": 0, "records": 0}
    assert body["errors"] == {}
    assert body["labels"]["url/GET /"]["requests"] == 1000
    assert body["run"]["target"] == "http://127.0.0.1:8080/"
    assert body["run"]["model"] == "constant: 100/s; at most 10 users"


def test_a_plan_in_words() -> None:
    step = plan.Step(name="a", path="/a?token=secret")
    shop = plan.Scenario(name="shop", weight=3, steps=(step, step, step))
    look = plan.Scenario(name="look", weight=1, steps=(step,))
    both = plan.Plan(base_url="https://a.test", scenarios=(shop, look), duration_ms=None, requests=5, users=3)
    found = results.describe(both, name="n", source="s.yaml")
    assert found.target == "https://a.test"
    assert found.model == "closed: 3 users, each begins again when it is done"
    assert found.kind == "closed"
    assert found.requests_an_iteration == 2.5
    assert found.steps == 4
    assert found.scenarios == ("shop", "look")
    one = results.describe(plan.Plan(base_url="https://a.test", scenarios=(look,)))
    assert one.target == "https://a.test/a"
    assert "secret" not in str(one)


def test_a_stopped_run_is_told_by_its_own_time() -> None:
    stopped = results.finished(
        polls.decode_poll(running.poll(Stall(), at=3.0)), running.run_of(), results.Memory(), cut_short_s=3.0
    )
    assert stopped.duration_s == 3.0
    assert stopped.rate == pytest.approx(100.0)
    assert not stopped.complete
