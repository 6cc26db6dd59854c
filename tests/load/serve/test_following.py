"""A scenario file that changes while its test runs."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from chaffinch.load import load_file
from chaffinch.load.loaded import Control, Node
from chaffinch.load.serve.serve import Serving
from tests.load.serve.running import Running, values
from tests.load.serve.target import Target, scenario, target


@pytest.fixture
def site() -> Iterator[Target]:
    with target() as one:
        yield one


class Followed:
    """A server that follows a file."""

    def __init__(self, path: Path, text: str, *, begin: bool = True) -> None:
        self.path = path
        path.write_text(text, encoding="utf-8")
        self.server = Running(
            Serving(control=Control(port=0), node=Node(name="here")), load_file(path), path, begin=begin
        )

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    def write(self, text: str) -> None:
        """As editors do: beside it, then in its place."""
        beside = self.path.with_suffix(".new")
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, self.path)

    def reloads(self, outcome: str) -> float:
        return values(self.server.page, "chaffinch_load_reloads_total").get(f'outcome="{outcome}"', 0)

    def until_reloaded(self, outcome: str) -> None:
        self.server.until(lambda: self.reloads(outcome) == 1)


def test_another_load_is_taken_over_by_the_run_that_goes_on(site: Target, tmp_path: Path) -> None:
    with Followed(tmp_path / "a.yaml", scenario(site, rate=5)) as one:
        one.write(scenario(site, rate=300).replace("workers: 4", "workers: 7"))
        one.until_reloaded("changed")
        health = one.server.health
        assert (health["run"], health["asked_rate"], health["workers"]) == ("1", 300, 7)
        before = site.requests
        one.server.until(lambda: site.requests > before + 100, 10)


def test_other_steps_are_taken_over_by_the_run_that_goes_on(site: Target, tmp_path: Path) -> None:
    with Followed(tmp_path / "a.yaml", scenario(site)) as one:
        one.write(scenario(site, steps="      - {name: b, request: {path: /missing}}\n"))
        one.until_reloaded("changed")
        assert one.server.health["run"] == "1"
        one.server.until(lambda: values(one.server.page, "chaffinch_load_requests_total")['status="4xx"'] > 0)
        one.server.ask("POST", "/stop")
        result = one.server.ask("GET", "/result").json
        assert [note.split(" at ")[0] for note in result["notes"]] == ["the scenarios were replaced"]
        assert result["requests"] == sum(result["statuses"].values())


def test_rows_of_a_data_file_are_taken_over_too(site: Target, tmp_path: Path) -> None:
    data = tmp_path / "ids.csv"
    data.write_text("id\nok\n")
    steps = "      - {name: a, request: {path: '/${id}'}}\n"
    text = scenario(site, steps=steps).replace("    steps:", "    dataFile: {path: ids.csv}\n    steps:")
    with Followed(tmp_path / "a.yaml", text) as one:
        data.write_text("id\nmissing\n")
        one.until_reloaded("changed")
        one.server.until(lambda: values(one.server.page, "chaffinch_load_requests_total")['status="4xx"'] > 0)
        data.write_text("id\n")
        one.until_reloaded("refused")
        assert one.server.health["run"] == "1"


def test_what_a_run_keeps_until_its_end_drains_it_and_begins_a_new_one(site: Target, tmp_path: Path) -> None:
    with Followed(tmp_path / "a.yaml", scenario(site)) as one:
        one.write(scenario(site, duration="77s"))
        one.until_reloaded("replaced")
        assert one.server.health["run"] == "2"
        assert not one.server.ask("GET", "/result").json["complete"]


def test_a_broken_file_is_refused_logged_and_counted_and_the_old_one_runs_on(
    site: Target, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Followed(tmp_path / "a.yaml", scenario(site)) as one:
        one.write(scenario(site).replace("workers", "wrokers"))
        one.until_reloaded("refused")
        assert "did you mean 'workers'" in caplog.text
        assert one.server.health["run"] == "1"
        before = site.requests
        one.server.until(lambda: site.requests > before + 3)
        one.path.unlink()
        one.write(scenario(site, rate=60))
        one.until_reloaded("changed")
        assert one.server.health["asked_rate"] == 60


def test_a_file_that_says_the_same_changes_nothing(site: Target, tmp_path: Path) -> None:
    with Followed(tmp_path / "a.yaml", scenario(site)) as one:
        one.write(scenario(site))
        one.until_reloaded("same")
        assert one.server.health["run"] == "1"


def test_between_tests_the_next_one_is_taken_from_the_file(site: Target, tmp_path: Path) -> None:
    with Followed(tmp_path / "a.yaml", scenario(site), begin=False) as one:
        one.write(scenario(site, requests=10, more="metadata: {name: second}\n"))
        one.until_reloaded("loaded")
        assert (one.server.health["state"], one.server.health["name"]) == ("ready", "second")
        assert site.requests == 0
        one.server.ask("POST", "/start")
        one.server.until(lambda: site.requests == 10)


def test_standby_users_are_those_of_the_new_file(site: Target, tmp_path: Path) -> None:
    text = scenario(site, more="standby: {workers: 2, rps: 5}\n")
    with Followed(tmp_path / "a.yaml", text, begin=False) as one:
        one.server.until(lambda: site.requests > 0)
        one.write(text.replace("rps: 5}", "rps: 300}"))
        one.until_reloaded("loaded")
        before = site.requests
        one.server.until(lambda: site.requests > before + 100, 10)
        assert one.server.health["state"] == "standby"


def test_a_file_that_is_written_bit_by_bit_is_read_once_it_rests(site: Target, tmp_path: Path) -> None:
    with Followed(tmp_path / "a.yaml", scenario(site, rate=5)) as one:
        text = scenario(site, rate=70)
        for end in range(10, len(text), 40):
            one.path.write_text(text[:end], encoding="utf-8")
            one.server.ask("GET", "/health")
        one.path.write_text(text, encoding="utf-8")
        one.until_reloaded("changed")
        assert one.reloads("refused") == 0
