"""`/status`: all that a live view shows, for who may see it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaffinch.load.loaded import Control
from chaffinch.load.serve import status as status_module
from chaffinch.load.serve.wire import Health, MemoryNow, Status
from chaffinch.metrics.memory import resident_bytes
from tests.load.serve.running import running
from tests.load.serve.target import Target, scenario, target


@pytest.fixture
def site() -> Iterator[Target]:
    with target() as one:
        yield one


def test_it_is_the_health_and_the_run_at_this_moment(site: Target) -> None:
    steps = "      - {name: gone, request: {path: /missing}}\n"
    bound = resident_bytes() + (256 << 20)  # this process has run other tests before
    with running(scenario(site, steps=steps), memory=bound) as server:
        server.until(lambda: server.ask("GET", "/status").json["progress"]["intervals"])
        found = server.ask("GET", "/status").json
        assert server.health.keys() < found.keys()
        assert (found["state"], found["run"], found["about"]["target"]) == ("running", "1", f"{site.url}/missing")
        progress, memory = found["progress"], found["memory"]
        assert progress["requests"] == progress["failed"] == progress["errors"]["status"] > 0
        assert progress["intervals"][0]["n"] == 0
        assert "labels" not in progress
        assert memory["bound_bytes"] == memory["guard_bound_bytes"] == bound
        assert 0 < memory["rss_bytes"] <= memory["peak_rss_bytes"]
        assert (memory["guard"], memory["guard_actions"], memory["guard_in_force"]) == ("normal", 0, [])


def test_intervals_come_from_where_they_are_asked_for_and_no_more_than_so_many(
    site: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_module, "MOST_INTERVALS", 2)
    with running(scenario(site)) as server:

        def numbers(since: int) -> list[int]:
            found = server.ask("GET", f"/status?since={since}").json
            return [one["n"] for one in found["progress"]["intervals"]]

        server.until(lambda: numbers(2))
        assert numbers(0)[0] > 0
        assert len(numbers(0)) == 2
        assert numbers(10**17) == []
        for wrong in ("-1", "x", "1.5", "", "9" * 19, "%D9%A3"):
            answer = server.ask("GET", f"/status?since={wrong}")
            assert (answer.status, answer.json["code"]) == (400, "bad_query")
            assert "since" in answer.json["detail"]


def test_between_tests_there_is_no_run(site: Target) -> None:
    with running() as server:
        found = server.ask("GET", "/status").json
        assert (found["state"], found["about"], found["progress"]) == ("idle", None, None)
        assert found["memory"]["guard"] is None
        assert found["memory"]["rss_bytes"] > 0
        assert server.ask("POST", "/config", scenario(site, requests=5)).status == 200
        server.until_state("ready")
        found = server.ask("GET", "/status").json
        assert (found["run"], found["progress"], found["memory"]["guard"]) == ("", None, None)


def test_it_is_answered_while_a_run_begins_and_ends(site: Target) -> None:
    with running() as server:
        for _ in range(3):
            assert server.ask("POST", "/config", scenario(site, requests=20)).status == 200
            end = time.monotonic() + 20
            while server.ask("GET", "/status").json["state"] == "running":
                assert time.monotonic() < end


def test_strangers_see_how_it_goes_but_not_what_is_sent(site: Target) -> None:
    with running(scenario(site), control=Control(port=0, token="sesame")) as server:
        assert server.ask("GET", "/health", token="").status == 200
        for token in ("", "wrong", "sesame "[:-2]):
            answer = server.ask("GET", "/status", token=token)
            assert (answer.status, answer.json["code"]) == (401, "unauthorized")
        assert server.ask("GET", "/status").status == 200


def test_what_it_has_beyond_the_health_is_documented() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "load-serve.md").read_text(encoding="utf-8")
    beyond = set(Status.__struct_fields__) - set(Health.__struct_fields__)
    assert beyond == {"about", "progress", "memory"}
    for name in (*beyond, *MemoryNow.__struct_fields__):
        assert f"`{name}`" in guide, name
    assert f"the last {status_module.MOST_INTERVALS} intervals" in guide
