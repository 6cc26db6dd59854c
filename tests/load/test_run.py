"""A run from its start to its result, against a server of the test."""

import asyncio
import csv
import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from chaffinch import _core
from chaffinch.errors import InputError, RunError
from chaffinch.load import Loaded, Options, Plan, Runner, load_text, parse_threshold, plan_for_url, run_scenario
from chaffinch.load.changes import translated
from chaffinch.load.plan import Data, Percentiles, Scenario, Step
from chaffinch.load.polls import Poll, Progress, decode_poll
from chaffinch.load.relief import Relief
from chaffinch.load.results import Memory
from chaffinch.load.stopping import Stopping
from chaffinch.metrics import memory
from tests.load.answering import answering

SCENARIO = """
version: "1.0"
config: {{baseUrl: "{url}", workers: 20, duration: {duration}}}
load: {{model: rps, target: {rate}}}
percentiles: {{interval: 100ms}}
scenarios:
  - name: page
    steps:
      - {{name: front, request: {{path: {path}}}}}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with answering() as url:
        yield url


def plan(url: str, **given: object) -> Plan:
    return plan_for_url(url, Options(**({"duration_ms": 300} | given)))  # type: ignore[arg-type]


def scenario(url: str, rate: int = 100, duration: str = "1s", path: str = "/") -> Loaded:
    return load_text(SCENARIO.format(url=url, rate=rate, duration=duration, path=path), "page.yaml")


def test_a_run_tells_what_it_asked_and_what_came_of_it(server: str) -> None:
    thresholds = (parse_threshold("p99<5s"), parse_threshold("rate>100000"))
    result = Runner(Loaded(plan=plan(server, rate=200.0, duration_ms=500), thresholds=thresholds)).run()
    assert (result.requests, result.passed, result.failed, result.asked) == (100, 100, 0, 100)
    assert result.statuses == {"200": 100}
    assert result.complete
    assert result.run.target == f"{server}/"
    assert result.run.started.endswith("Z")
    assert result.latency_ms.corrected is not None
    assert result.latency_ms.corrected.count == 100
    assert [one.verdict for one in result.thresholds] == ["passed", "failed"]
    assert result.memory.peak_rss_bytes > 10 << 20
    assert result.memory.bound_bytes is None


@pytest.mark.parametrize(
    ("given", "requests"),
    [({"rate": 0.0}, 0), ({"requests": 0, "duration_ms": None}, 0), ({"requests": 7, "duration_ms": None}, 7)],
)
def test_runs_of_little_end_by_themselves(server: str, given: dict[str, object], requests: int) -> None:
    result = Runner(Loaded(plan=plan(server, **given))).run()
    assert (result.requests, result.failed) == (requests, 0)
    assert result.complete


def test_a_run_shorter_than_a_tick_has_all_of_its_figures(server: str) -> None:
    result = Runner(Loaded(plan=plan(server, duration_ms=20, concurrency=3))).run()
    assert result.requests == result.passed > 0
    assert sum(one.requests for one in result.intervals) == result.requests


def test_a_number_of_requests_ends_a_run_whose_target_is_down() -> None:
    with answering() as gone:
        pass
    began = time.monotonic()
    result = Runner(Loaded(plan=plan(gone, requests=5, duration_ms=None))).run()
    assert time.monotonic() - began < 5
    assert result.failed == result.requests >= 5
    assert set(result.errors) == {"connect"}


def test_intervals_go_into_the_file_as_they_end(server: str, tmp_path: Path) -> None:
    file = tmp_path / "intervals.csv"
    seen: list[int] = []

    def show(_poll: Progress, _memory: Memory) -> None:
        seen.append(file.read_text().count("\n"))

    result = Runner(scenario(server, rate=200), csv=file, show=show).run()
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert len(rows) == len(result.intervals) >= 10
    assert sum(int(row["requests"]) for row in rows) == result.requests == 200
    assert 1 < seen[len(seen) // 2] < seen[-1]
    assert result.notes == ()


def test_a_full_disk_is_told_once_and_the_run_goes_on(server: str) -> None:
    said: list[str] = []
    runner = Runner(scenario(server), csv=Path("/dev/full"), say=said.append)
    result = runner.run()
    assert result.requests + result.unsent == 100
    assert len(said) == 1
    assert "No space left on device" in said[0]
    assert runner.lost_intervals >= 10
    assert f"{runner.lost_intervals} intervals could not be written to /dev/full" in result.notes[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_the_figures_of_what_ran(server: str, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    timer = threading.Timer(0.5, signal.raise_signal, [number])
    timer.start()
    with Stopping() as stopping:
        runner = Runner(scenario(server, rate=100, duration="60s"))
        result = runner.run(stopping)
    assert signal.getsignal(number) is before
    assert (stopping.signals, stopping.first, runner.ended_by) == (1, number, "stopped")
    assert not result.complete
    assert 0.3 < result.duration_s < 5
    assert result.asked is not None
    assert abs(result.requests - result.asked) <= 20
    assert result.rate == pytest.approx(100, rel=0.4)


def test_a_second_signal_waits_for_no_answer(server: str) -> None:
    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.5)
        signal.raise_signal(signal.SIGINT)

    threading.Timer(0.3, twice).start()
    began = time.monotonic()
    with Stopping() as stopping:
        result = Runner(Loaded(plan=plan(f"{server}/silent", duration_ms=60_000))).run(stopping)
    assert time.monotonic() - began < 4  # the plan would wait for 5 s
    assert stopping.signals == 2
    assert (result.requests, result.unanswered) == (0, 10)


def test_a_run_that_cannot_fit_is_refused_with_the_arithmetic(server: str) -> None:
    with pytest.raises(InputError, match=r"^--memory of 1\.0 MB cannot hold this run, which takes [\d.]+ MB: .*MB "):
        Runner(Loaded(plan=plan(server)), memory=1 << 20)
    with pytest.raises(InputError, match=r"^memory.limit of 2\.0 MB cannot"):
        Runner(load_text(SCENARIO.format(url=server, rate=1, duration="1s", path="/") + "memory: {limit: 2M}", "a"))


def test_what_the_guard_does_is_in_the_result(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = Runner(scenario(server, rate=200, duration="2s"), memory=1 << 40)
    guard = runner._watch.guard
    asked = time.monotonic() + 0.6
    monkeypatch.setattr(runner._watch, "_read", lambda: guard.limit.bytes if time.monotonic() > asked else 1)
    result = runner.run()
    actions = [one.action for one in result.memory.guard if one.action not in ("give_back", "give_back failed")]
    assert actions[:3] == ["drop_intervals", "halve", "halve"]
    assert {"fold_cold", "percentiles_off", "end_run"} <= {one.action for one in result.memory.guard}
    assert not result.histograms.percentiles
    assert runner.ended_by == "memory"
    assert not result.complete
    assert any("could not be held within" in note for note in result.notes)
    for told in (
        "intervals before",
        "labels with the fewest latencies were folded",
        "percentiles of labels were given",
    ):
        assert sum(told in note for note in result.notes) == 1
    assert result.latency_ms.corrected is not None  # those of the whole never go
    assert result.latency_ms.corrected.count > 0


def test_the_engines_sentences_get_their_line() -> None:
    loaded = load_text(SCENARIO.format(url="http://a.test", rate=1, duration="1s", path="'/${nobody}'"), "page.yaml")
    with pytest.raises(InputError, match=r"^page\.yaml:9: scenario \"page\", step \"front\", "):
        Runner(loaded).run()
    assert isinstance(translated(_core.LoadError("run", "no thread"), loaded), RunError)


def test_a_scenario_runs_inside_asyncio(server: str) -> None:
    async def both() -> tuple[int, int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick(), name="tick")
        polls: list[Progress] = []
        result = await run_scenario(plan(server, rate=100.0, duration_ms=1000), show=lambda poll, _: polls.append(poll))
        ticking.cancel()
        assert polls[-1].state == "ended"
        assert len(polls) >= 4
        return result.requests, ticks

    requests, ticks = asyncio.run(both())
    assert requests == 100
    assert ticks > 50


def test_cancelling_ends_the_run_at_once(server: str) -> None:
    async def cancelled() -> float:
        task = asyncio.create_task(run_scenario(plan(f"{server}/silent", duration_ms=60_000)), name="run")
        await asyncio.sleep(0.4)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - began

    threads = threading.active_count()
    assert asyncio.run(cancelled()) < 2
    assert threading.active_count() <= threads


def test_a_run_that_is_closed_while_it_begins_sends_nothing(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[_core.LoadRun] = []
    runner = Runner(Loaded(plan=plan(server, duration_ms=60_000)))

    def slowly(text: str) -> _core.LoadRun:
        made.append(original(text))
        runner.close()
        return made[0]

    original = _core.LoadRun
    monkeypatch.setattr("chaffinch.load.run._core.LoadRun", slowly)
    runner.start()
    assert not runner.is_running
    time.sleep(0.2)
    assert b'"requests":0,' in made[0].poll()


def test_what_is_given_up_is_free_at_once_and_comes_back(server: str) -> None:
    """2,000 labels in full resolution."""
    steps = (Step(name="get", path="/", label="${id}"),)
    rows = Data(("id",), msgspec.Raw(json.dumps([[str(number)] for number in range(2000)]).encode()), "cycle")
    asked = plan(server, duration_ms=60_000, concurrency=20)
    wide = msgspec.structs.replace(
        asked,
        scenarios=(Scenario(name="wide", data=rows, steps=steps),),
        percentiles=Percentiles(labels=2000, bytes=128 << 20),
    )
    lacks: dict[str, str] = {}
    runner = Runner(Loaded(plan=wide))
    actions = {one.name: one for one in Relief(runner._relieve).actions(tell=lacks.__setitem__)}

    def seen(seconds: float = 0.3) -> tuple[Poll, int]:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            runner.turn()
            time.sleep(0.02)
        held = memory.resident_bytes()
        return decode_poll(runner._running.poll(0)), held

    try:
        runner.start()
        seen(1.5)  # what a poll leaves in the process is there by then
        before, held = seen(0.5)
        assert len(before.labels) == 2000
        assert before.histograms.resolution == 128
        actions["halve"].do()
        halved, less = seen()
        assert halved.histograms.resolution == 64
        actions["percentiles_off"].do()
        off, least = seen()
        assert not off.histograms.percentiles
        assert off.histograms.bytes < halved.histograms.bytes < before.histograms.bytes
        assert least < held
        assert less < held
        own = next(label for name, label in off.labels.items() if name != "__other__")
        assert own.requests > 0
        assert own.latency_ms.corrected is None  # none, rather than those of a part
        assert off.latency_ms.corrected is not None
        assert "given up at" in lacks["percentiles_off"]
        undo = actions["percentiles_off"].undo
        assert undo is not None
        undo()
        on, _ = seen(1.0)
        assert on.histograms.percentiles
        assert on.histograms.resolution == 64  # what is still given up is given up again
        assert "what came after" in lacks["percentiles_off"]
    finally:
        runner.close()
