"""A scenario file that changes while its run goes on."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from chaffinch.errors import InputError
from chaffinch.load import Loaded, Runner, load_file
from chaffinch.load.budget import FLOOR, budget_of, refuse
from chaffinch.load.changes import Versions
from chaffinch.load.plan import Data, Plan, Resolve, Scenario, Step
from chaffinch.load.reload import LOAD, SENT, Reload, Watched, kept_back, taken_over
from chaffinch.load.results import Result
from chaffinch.metrics import memory
from tests.load.answering import answering

SCENARIO = """
version: "1.0"
config: {{baseUrl: "{url}", workers: 20, duration: {duration}}}
load: {{model: rps, target: {rate}}}
percentiles: {{interval: 100ms}}
scenarios:
  - name: page
{more}    steps:
      - {{name: front, request: {{path: "{path}"}}}}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with answering() as url:
        yield url


def text(url: str, path: str = "/", rate: int = 200, more: str = "", duration: str = "3s") -> str:
    return SCENARIO.format(url=url, rate=rate, duration=duration, path=path, more=more)


class Watching:
    """A run of a file that is written again, by steps: each after the sentence that came of the one before."""

    def __init__(self, file: Path, *steps: Callable[[], object]) -> None:
        self.file = file
        self.said: list[str] = []
        self._steps = list(steps)

    def _say(self, sentence: str) -> None:
        self.said.append(sentence)
        self._next()

    def _next(self) -> None:
        if self._steps:
            threading.Timer(0.1, self._steps.pop(0)).start()

    def run(self, bound: int | None = None) -> Result:
        def read() -> Loaded:
            return load_file(self.file)

        runner = Runner(read(), memory=bound, reload=Reload(self.file, read), say=self._say)
        threading.Timer(0.3, self._next).start()
        return runner.run()


def test_new_steps_get_requests_and_a_broken_file_does_not_end_the_run(server: str, tmp_path: Path) -> None:
    file = tmp_path / "page.yaml"

    def write(changed: str) -> Callable[[], object]:
        return lambda: file.write_text(changed)

    file.write_text(text(server, duration="5s"))
    watching = Watching(
        file,
        write(text(server, duration="5s").replace("workers", "wrokers")),
        write(text(server, path="/${nobody}", duration="5s")),
        write(text(server, path="/missing/other", duration="5s").replace("name: front", "name: other")),
        write(text(server, rate=400, path="/missing/other", duration="5s").replace("name: front", "name: other")),
    )
    result = watching.run()  # each file rests for half a second, and is looked at four times a second
    broken, unknown, steps, load = watching.said
    assert broken.startswith(f'{file}:3: field config: there is no key "wrokers"')
    assert broken.endswith("; the run goes on as it was")
    assert unknown.startswith(f'{file}:9: scenario "page", step "front", path: ')
    assert unknown.endswith("; the run goes on as it was")
    assert steps == f"{file}: each user goes over to the new scenarios with its next iteration"
    assert load == f"{file}: the load is now constant: 400/s; at most 20 users"
    # Nothing is lost, and nothing else counts under a name.
    assert (result.asked, result.failed) == (result.requests + result.unsent, result.statuses["404"])
    assert result.labels["page/front"].requests == result.statuses["200"] > 100
    assert result.labels["page/other"].requests == result.statuses["404"] > 50
    replaced, changed = result.notes
    assert replaced.startswith("the scenarios were replaced at ")
    assert changed.startswith("the load was changed at ")
    # No gap: each interval has what fell due in it.
    for one in result.intervals[:8]:
        assert one.asked == pytest.approx(200 * one.seconds, abs=8)


def test_a_data_file_that_changes_is_taken_over_as_well(server: str, tmp_path: Path) -> None:
    file, data, more = tmp_path / "page.yaml", tmp_path / "ids.csv", tmp_path / "more.json"
    data.write_text("id\nok\n")
    rows = "    dataFile: {path: %s, strategy: cycle}\n"
    file.write_text(text(server, path="/${id}", more=rows % "ids.csv", duration="5s"))

    def other() -> None:
        more.write_text(json.dumps([{"id": "found"}]))
        file.write_text(text(server, path="/${id}", more=rows % "more.json", duration="5s"))

    watching = Watching(
        file,
        lambda: data.write_text("id\nmissing\n"),
        lambda: data.write_text("id\nmissing,too many\n"),
        other,
        lambda: more.write_text(json.dumps([{"id": "missing"}])),
    )
    result = watching.run()
    rows_changed, broken, elsewhere, again = watching.said
    for said in (rows_changed, elsewhere, again):
        assert said.endswith("each user goes over to the new scenarios with its next iteration")
    assert f"{data}:2: there are 2 values" in broken
    assert [note.startswith("the scenarios were replaced") for note in result.notes] == [True] * 3
    assert (result.requests, result.failed) == (1000, result.statuses["404"])
    assert min(result.statuses["200"], result.statuses["404"]) > 150


def test_what_a_run_keeps_is_said_and_the_rest_taken_over(server: str, tmp_path: Path) -> None:
    file = tmp_path / "page.yaml"
    file.write_text(text(server, duration="2s"))
    changed = text(server, path="/missing", duration="9s").replace("workers: 20", "workers: 20, http: 2")
    watching = Watching(file, lambda: file.write_text(changed))
    result = watching.run()
    assert "with its next iteration; a new run would take over" in watching.said[0]
    assert "the HTTP version" in watching.said[0]
    assert "the duration" in watching.said[0]
    assert result.statuses.keys() == {"200", "404"}
    assert result.duration_s < 3


def test_what_does_not_fit_is_refused_with_the_arithmetic_before_it_takes_anything(server: str, tmp_path: Path) -> None:
    file, data, large = tmp_path / "page.yaml", tmp_path / "ids.csv", tmp_path / "large.csv"
    data.write_text("id\nok\n")
    large.write_text("id\n" + "missing\n" * 900_000)
    scenario = text(server, path="/${id}", more="    dataFile: {path: ids.csv}\n", duration="3s")
    file.write_text(scenario)
    watching = Watching(
        file,
        lambda: large.replace(data),
        lambda: data.write_text("id\nok\n"),
        lambda: file.write_text(scenario.replace('{path: "/${id}"', "{method: POST, bodySize: 16M, path: /")),
    )
    bound = budget_of(load_file(file).plan, max(FLOOR, memory.resident_bytes())).bytes + (40 << 20)
    result = watching.run(bound)
    rows, _, body = watching.said
    assert "cannot hold what is read beside the run: " in rows
    assert "and 8 times the 6.9 MB" in rows
    assert "cannot hold this run, which takes" in body
    assert "48.0 MB steps" in body
    for said in (rows, body):
        assert said.endswith("; the run goes on as it was")
    assert result.statuses.keys() == {"200"}
    assert (result.complete, result.memory.bound_bytes) == (True, bound)


def test_scenarios_that_are_held_count_until_nobody_is_in_them() -> None:
    def plan(values: int) -> Plan:
        rows = msgspec.Raw(b'[["' + b"x" * values + b'"]]')
        step = Step(name="a", path="/")
        return Plan(base_url="http://a.test", scenarios=(Scenario(name="s", data=Data(("a",), rows), steps=(step,)),))

    versions = Versions(plan(1 << 20))
    versions.add(plan(2 << 20))
    versions.add(plan(4 << 20))
    assert round(versions.held_bytes([0, 1, 2]) / (1 << 20)) == 3 * 7
    held = versions.held_bytes([1, 2])
    assert round(held / (1 << 20)) == 3 * 6
    assert versions.held_bytes([0, 1, 2]) == held, "who is gone is gone"
    with pytest.raises(InputError, match=r"18\.0 MB scenarios before these"):
        refuse(plan(8 << 20), 60 << 20, held_bytes=held)
    refuse(plan(8 << 20), 60 << 20)


def test_every_field_of_a_plan_is_taken_over_or_kept() -> None:
    before = Plan(base_url="http://a.test", scenarios=())
    after = Plan(
        base_url="http://b.test", users=3, timeout_ms=5, resolve=(Resolve("a", None, "b", None),), duration_ms=4,
        scenarios=(),
    )  # fmt: skip
    taken = taken_over(before, before, after)
    assert (taken.base_url, taken.users, taken.timeout_ms) == ("http://b.test", 3, 5)
    assert (taken.resolve, taken.duration_ms) == ((), None)
    assert kept_back(before, after) == ["resolve", "the duration"]
    assert {*LOAD, *SENT} < {*Plan.__struct_fields__}
    # A load that somebody asked for meanwhile stays until the file asks for another.
    asked = Plan(base_url="http://a.test", users=7, scenarios=())
    assert taken_over(asked, before, Plan(base_url="http://b.test", scenarios=())).users == 7


def test_a_file_is_read_when_it_has_rested(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("one")
    watched = Watched(file)
    assert not watched.has_changed(0.0)
    file.write_text("other")
    assert [watched.has_changed(now) for now in (1.0, 1.4, 1.5, 1.6, 9.0)] == [False, False, True, False, False]
    file.write_text("more")
    assert not watched.has_changed(10.0)
    file.write_text("and more")
    assert [watched.has_changed(now) for now in (10.4, 10.6, 10.9)] == [False, False, True]
    file.unlink()
    assert [watched.has_changed(now) for now in (20.0, 21.0)] == [False, False]


def test_files_that_it_names_are_looked_at_as_long_as_it_names_them(tmp_path: Path) -> None:
    file, one, other = tmp_path / "file", tmp_path / "one", tmp_path / "other"
    for each in (file, one, other):
        each.write_text("a")
    watched = Watched(file, [one])
    one.write_text("longer")
    assert [watched.has_changed(now) for now in (1.0, 2.0, 3.0)] == [False, True, False]
    # It was written again while it was read.
    one.write_text("longer still")
    watched.watch([one, other])
    assert [watched.has_changed(now) for now in (4.0, 5.0, 6.0)] == [False, True, False]
    watched.watch([other])
    one.write_text("nobody looks any more")
    assert [watched.has_changed(now) for now in (7.0, 8.0)] == [False, False]
    other.unlink()  # it will be said that it is missing
    assert [watched.has_changed(now) for now in (9.0, 10.0, 11.0)] == [False, True, False]
    other.write_text("back")
    assert [watched.has_changed(now) for now in (12.0, 13.0)] == [False, True]


def test_files_that_a_scenario_names_are_those_beside_it(tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text("id\n1\n")
    (tmp_path / "rates.csv").write_text("5\n6\n")
    file = tmp_path / "page.yaml"
    named = text("http://a.test", more="    dataFile: {path: ids.csv}\n")
    file.write_text(named.replace("model: rps, target: 200", "model: replay, interval: 1s, path: rates.csv"))
    assert load_file(file).files == (tmp_path / "ids.csv", tmp_path / "rates.csv")
    file.write_text(text("http://a.test"))
    assert load_file(file).files == ()


def test_of_many_changes_as_many_are_told_as_a_report_can_hold(server: str) -> None:
    from chaffinch.load import Options, plan_for_url
    from chaffinch.load.plan import Constant

    runner = Runner(Loaded(plan=plan_for_url(server, Options(duration_ms=60_000))))
    runner.start()
    for number in range(103):
        runner.change(Constant(float(number // 2)), 5)  # also the same again: it begins anew
    with pytest.raises(InputError, match="users: 0"):
        runner.change(Constant(1.0), 0)
    runner.end()
    while not runner.turn():
        runner._running.wait(0.05)
    notes = runner.result().notes
    assert len(notes) == 101
    assert notes[-1] == "3 later changes of load or scenarios: not listed"
