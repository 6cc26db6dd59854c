"""Many commands at once: each has an answer, and the fleet ends up as the last of them wanted it."""

import itertools
import os
import random
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chaffinch.cli import deeds
from chaffinch.cli.reload import all_reloaded
from chaffinch.errors import RunError
from chaffinch.fleet.control import Deed
from tests.fleet.reloading import Reloadable, reloadable
from tests.fleet.running import Fleet, eventually, running
from tests.fleet.test_deeds import serves

AT_ONCE = 20

OVERTAKEN = ("was stopped by another command meanwhile", "was started by another command meanwhile")

TOUCHES_ALL = "[journal]\nqueue_events = {}"
"""Each group begins with a new process."""


def answer(call: Callable[[], str]) -> str:
    """What a command says, or the sentence of its refusal."""
    try:
        return call()
    except RunError as error:
        return str(error)


def at_once(calls: list[Callable[[], str]]) -> list[str]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(answer, calls))


def deed(fleet: Fleet, do: Deed, name: str) -> Callable[[], str]:
    return lambda: deeds.do(fleet.state, do, name)


def is_settled(fleet: Fleet) -> bool:
    return all(one["state"] == one["wanted"] for one in fleet.status()["workers"])


def is_whole(fleet: Fleet) -> bool:
    status = fleet.status()
    return {one["state"] for one in status["workers"]} == {"running"} and all(
        one["state"] == "running" and one["pid"] for one in status["groups"]
    )


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_asked_at_once_ends_as_it_was_wanted(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    names = ["decoy-redis", "decoy-ftp", "metrics", "sessions", "decoys", "back"]
    with running(tmp_path) as fleet:
        for _ in range(3):
            began = time.monotonic()
            asked = [(chance.choice(("start", "stop", "restart")), chance.choice(names)) for _ in range(AT_ONCE)]
            answers = at_once([deed(fleet, do, name) for do, name in asked])  # type: ignore[arg-type]
            assert time.monotonic() - began < deeds.PATIENCE_SECONDS, (asked, answers)
            for (do, _), said in zip(asked, answers, strict=True):
                assert said.endswith((deeds.PAST[do], "starts them")) or OVERTAKEN[0] in said or OVERTAKEN[1] in said  # type: ignore[index]
            eventually(lambda: is_settled(fleet))
            status = fleet.status()
            for group in status["groups"]:
                wanted = {one["wanted"] for one in status["workers"] if one["group"] == group["name"]}
                assert (group["pid"] != 0) == ("running" in wanted)
            wants = next(one["wanted"] for one in status["workers"] if one["name"] == "decoy-redis")
            assert serves(fleet, "redis") == (wants == "running")
        assert [group["restarts"] for group in fleet.status()["groups"]] == [0, 0], "what was asked for is no failure"
        at_once([deed(fleet, "start", name) for name in ("decoys", "back")])
        assert is_whole(fleet)


def test_commands_of_the_shell_at_once(tmp_path: Path) -> None:
    with running(tmp_path) as fleet, ThreadPoolExecutor(AT_ONCE) as pool:
        words = list(itertools.islice(itertools.cycle([("stop", "metrics"), ("start", "metrics")]), AT_ONCE))
        for done in pool.map(lambda each: fleet.call(*each), words):
            assert (done.returncode, done.stdout.count("\n"), done.stderr.count("\n")) in ((0, 1, 0), (1, 0, 1))
        eventually(lambda: is_settled(fleet))
        assert fleet.call("start", "metrics").returncode == 0
        assert is_whole(fleet)


def test_a_fleet_that_many_stop_at_once_stops_once(tmp_path: Path) -> None:
    with running(tmp_path) as fleet, ThreadPoolExecutor(AT_ONCE) as pool:
        done = list(pool.map(lambda _: fleet.call("stop"), range(AT_ONCE)))
        assert fleet.process is not None
        fleet.process.communicate(timeout=10)
        assert fleet.process.returncode == 0
    said = {(one.returncode, one.stdout, one.stderr.partition(" on ")[0]) for one in done}
    assert said <= {(0, "stopped\n", ""), (1, "", "chaffinch: no fleet runs")}
    assert (0, "stopped\n", "") in said


def reload(fleet: Reloadable) -> Callable[[], str]:
    def call() -> str:
        done = all_reloaded(fleet.state)
        return f"reloaded {done.error}"

    return call


def test_deeds_during_a_reload_and_a_reload_during_deeds(tmp_path: Path) -> None:
    with reloadable(tmp_path, TOUCHES_ALL.format(100_000)) as fleet:
        for round_ in range(4):
            fleet.write(TOUCHES_ALL.format(100_001 + round_))
            some = [deed(fleet, "restart", name) for name in ("decoys", "back", "decoy-redis", "sessions", "metrics")]
            calls = [*some, reload(fleet), *some, *some, reload(fleet)][:: 1 if round_ % 2 else -1]
            for said in at_once(calls):
                assert said.endswith("restarted") or said == "reloaded " or "a reload goes on" in said, said
            assert fleet.effective()["journal"]["queue_events"] == 100_001 + round_
            eventually(lambda: is_whole(fleet))
            assert [group["restarts"] for group in fleet.status()["groups"]] == [0, 0]


def test_who_is_killed_meanwhile_comes_back_as_it_was_wanted(tmp_path: Path) -> None:
    with running(tmp_path) as fleet:
        decoys = fleet.group("decoys")["pid"]
        calls = [deed(fleet, "stop", "decoy-redis"), deed(fleet, "restart", "decoy-ftp")] * 5
        killed = [lambda: os.kill(decoys, signal.SIGKILL) or "killed"]
        at_once([*calls[:5], *killed, *calls[5:]])  # type: ignore[list-item]
        eventually(lambda: is_settled(fleet))
        assert fleet.worker("decoy-redis")["state"] == "stopped"
        assert not serves(fleet, "redis")
        assert serves(fleet, "ftp")
