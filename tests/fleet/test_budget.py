"""How a budget is divided, by hand and in a fleet that runs."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.decoys.registry import BUILT_IN
from chaffinch.errors import InputError
from chaffinch.fleet import budget, workers
from chaffinch.metrics import memory
from tests.fleet.running import Fleet, config_file, eventually, plug_in, running

MIB = 1 << 20
ARRANGEMENTS = ("one", "default", "split")


def groups_of(how: str) -> dict[str, tuple[workers.Worker, ...]]:
    return workers.arrange(workers.table(BUILT_IN), how)


@given(st.sampled_from(ARRANGEMENTS), st.integers(1, 1 << 40))
def test_shares_and_the_common_part_are_the_budget(how: str, given_bytes: int) -> None:
    groups = groups_of(how)
    try:
        division = budget.divide(given_bytes, groups)
    except InputError as error:
        assert given_bytes < budget.divide(0, groups).least_bytes
        asked = re.search(r"give --memory (\d+)M", str(error))
        assert asked
        assert budget.divide(int(asked[1]) * MIB, groups).memory, "what the sentence says is enough"
        return
    shares = [part.share_bytes for part in division.parts]
    assert given_bytes - len(shares) < budget.divide(0, groups).common_bytes + sum(shares) <= given_bytes
    for part in division.parts:
        assert part.share_bytes >= part.least_bytes > part.idle_bytes


@pytest.mark.parametrize("how", ARRANGEMENTS)
def test_the_least_share_holds_the_bots_work(how: str) -> None:
    """Native code ends its process where it gets no memory, so what bounds trainings has to be there."""
    opted = workers.arrange(workers.table(BUILT_IN, opted=(workers.BOT,)), how)
    least = budget.divide(0, opted).least_bytes
    division = budget.divide(least, opted)
    part = next(one for one in division.parts if workers.BOT in opted[one.name])
    assert part.share_bytes >= budget.idle_bytes(opted[part.name]) + workers.BOT.working_bytes
    with pytest.raises(InputError, match="cannot hold this fleet"):
        budget.divide(least - MIB, opted)


def test_the_budget_that_the_guide_names_holds_the_bot_too() -> None:
    opted = workers.arrange(workers.table(BUILT_IN, opted=(workers.BOT,)), "default")
    assert budget.divide(128 * MIB, opted).least_bytes <= 128 * MIB


def test_weights_divide_what_is_left() -> None:
    small, large = (budget.divide(size * MIB, groups_of("default")) for size in (128, 1152))
    more = {part.name: part.share_bytes - small.share_of(part.name) for part in large.parts}
    weight = {part.name: part.weight for part in small.parts}
    assert more["decoys"] / more["back"] == pytest.approx(weight["decoys"] / weight["back"], rel=0.001)
    assert sum(more.values()) == pytest.approx(1024 * MIB, abs=2)


def test_a_budget_that_cannot_work_is_refused_with_the_arithmetic(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    for flags in (("up", "--memory", "32M"), ("up", "--detach", "--memory", "32M")):
        done = fleet.call(*flags, *fleet.flags)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "a budget of 33.6 MB cannot hold this fleet, which takes at least 66.7 MB: 31.4 MB what" in done.stderr
        assert "21.1 MB decoys + 14.1 MB back; give --memory 64M, or use fewer groups" in done.stderr
    assert not (tmp_path / "control.sock").exists()


def test_no_budget_bounds_nothing_unless_a_cgroup_does(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, setting, expected in (
        (memory.Limit(64 * MIB, memory.RAM), 0, 0),
        (memory.Limit(64 * MIB, memory.RAM), 128 * MIB, 128 * MIB),
        (memory.Limit(96 * MIB, "/sys/fs/cgroup/box"), 0, 96 * MIB),
        (memory.Limit(96 * MIB, "/sys/fs/cgroup/box"), 128 * MIB, 96 * MIB),
        (memory.Limit(96 * MIB, "/sys/fs/cgroup/box"), 80 * MIB, 80 * MIB),
    ):
        monkeypatch.setattr(memory, "limit", lambda limit=limit: limit)
        assert budget.stated(setting) == expected


@pytest.mark.parametrize("how", ARRANGEMENTS)
def test_an_idle_fleet_holds_what_the_arithmetic_says(tmp_path: Path, how: str) -> None:
    with running(tmp_path, "--groups", how, "--memory", "256M") as fleet:
        division = budget.divide(256 * MIB, groups_of(how))
        status = fleet.status()
        for group in status["groups"]:
            part = next(one for one in division.parts if one.name == group["name"])
            assert group["budget_bytes"] == part.share_bytes
            assert group["private_bytes"] <= part.least_bytes * 0.8, f"{group['name']}: its guard would act"
        privately = sum(group["private_bytes"] for group in status["groups"])
        assert status["pss_bytes"] - privately < division.common_bytes
        assert status["budget_bytes"] == 256 * MIB


LEAK = """
import asyncio


async def run(context):
    held = []
    while not context.stopping.is_set():
        held.append(b"x" * (64 << 10))
        await asyncio.sleep(0.01)
"""

BURST = """
import asyncio


async def run(context):
    await asyncio.sleep(1)
    held = []
    while True:
        held.append(bytearray(1 << 20))
"""


def leaky(folder: Path, source: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Flags and environment of a fleet with that worker in a budget of 96 MiB."""
    environment = plug_in(folder, "leaky", source, "workers")
    file = config_file(folder, "[fleet]\nmemory = '96M'\nworkers = ['leaky']\n")
    return ("--config", str(file)), environment


def test_a_group_that_passes_its_share_is_replaced_and_its_neighbours_go_on(tmp_path: Path) -> None:
    flags, environment = leaky(tmp_path, LEAK)
    with running(tmp_path / "state", *flags, environment=environment) as fleet:
        before = fleet.group("decoys")
        share = fleet.group("back")["budget_bytes"]
        most = 0

        def replaced() -> bool:
            nonlocal most
            status = fleet.status()
            most = max(most, status["pss_bytes"])
            return any(group["restarts"] for group in status["groups"])

        eventually(replaced, 40)
        after = fleet.group("back")
        held = re.fullmatch(r"it held ([0-9.]+) MB of its ([0-9.]+) MB", after["error"])
        assert held, after
        assert float(held[2]) == pytest.approx(share / 1e6, abs=0.1)
        assert share < float(held[1]) * 1e6 < share + (20 << 20)
        assert most <= 96 * MIB
        decoys = fleet.group("decoys")
        assert (decoys["pid"], decoys["since"], decoys["restarts"]) == (before["pid"], before["since"], 0)
        assert "it held " in fleet.call("status").stdout


def test_a_worker_that_takes_memory_without_end_has_an_error_of_its_own(tmp_path: Path) -> None:
    flags, environment = leaky(tmp_path, BURST)
    with running(tmp_path / "state", *flags, environment=environment) as fleet:
        neighbours = [fleet.worker(name)["since"] for name in ("sessions", "decoy-redis")]
        eventually(lambda: fleet.worker("leaky")["restarts"] >= 2, 40)
        assert fleet.worker("leaky")["error"] == "MemoryError"
        assert [fleet.worker(name)["since"] for name in ("sessions", "decoy-redis")] == neighbours
        assert fleet.group("back")["restarts"] == 0
        assert fleet.status()["pss_bytes"] < 96 * MIB


def test_a_cache_is_given_up_before_the_group_is(tmp_path: Path) -> None:
    """Rubbish that only a collection frees: the guard finds it, and nothing has to be replaced."""
    source = """
import asyncio
import gc


class Knot:
    def __init__(self):
        self.own = self
        self.data = b'x' * (256 << 10)


async def run(context):
    gc.disable()
    while not context.stopping.is_set():
        Knot()
        await asyncio.sleep(0.01)
"""
    environment = plug_in(tmp_path, "untidy", source, "workers")
    file = config_file(tmp_path, "[fleet]\nmemory = '96M'\nworkers = ['untidy']\n")
    with running(tmp_path / "state", "--config", str(file), environment=environment) as fleet:
        eventually(lambda: "memory.shrunk freed=" in fleet.call("logs").stdout, 30)
        eventually(lambda: fleet.group("back")["given_up"] == ["shrink_caches"])
        assert "back is short of memory and has given up: shrink_caches" in fleet.call("status").stdout
        assert fleet.group("back")["restarts"] == 0
