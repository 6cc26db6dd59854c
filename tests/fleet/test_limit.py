"""The budget goes with the limits of the cgroups above; `test_kernel_cgroups` has the kernel's own."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from chaffinch.fleet import budget
from chaffinch.fleet.limit import LOOK_SECONDS, FollowedLimit
from chaffinch.metrics import memory
from tests.fleet.test_budget import groups_of

MIB = 1 << 20


class Told:
    """What stands for the processes: their division, and who was told of another."""

    def __init__(self, stated: int) -> None:
        self.settings = SimpleNamespace(memory=stated)
        self.parts = SimpleNamespace(only="")
        self.groups = {name: SimpleNamespace(name=name, workers=rows) for name, rows in groups_of("default").items()}
        self.division = budget.divide(stated, groups_of("default"))
        self.told: list[list[str]] = []

    def budget(self, division: budget.Division, told: Any) -> None:
        self.division = division
        self.told.append(sorted(told))


@pytest.fixture
def above(monkeypatch: pytest.MonkeyPatch) -> dict[str, memory.Limit]:
    """The limit that is read."""
    now = {"limit": memory.Limit(1 << 40, memory.RAM)}
    monkeypatch.setattr(memory, "limit", lambda: now["limit"])
    return now


def test_the_budget_follows_what_is_the_least(above: dict[str, memory.Limit], caplog: pytest.LogCaptureFixture) -> None:
    processes = Told(160 * MIB)
    limit = FollowedLimit(cast("Any", processes))
    now = 100.0

    def looks(size: int) -> int:
        nonlocal now
        above["limit"] = memory.Limit(size, "/sys/fs/cgroup/box")
        now += LOOK_SECONDS
        limit.look(now)
        return processes.division.memory

    assert looks(256 * MIB) == 160 * MIB, "what was stated is less"
    assert processes.told == []
    assert looks(128 * MIB) == 128 * MIB
    assert processes.told == [["back", "decoys"]]
    assert looks(32 * MIB) == 128 * MIB, "it could not work"
    assert looks(32 * MIB) == 128 * MIB
    assert len([one for one in caplog.messages if one.startswith("budget.kept bytes=134217728 why=a budget of")]) == 1
    assert looks(96 * MIB) == 96 * MIB
    assert looks(32 * MIB) == 96 * MIB
    assert len([one for one in caplog.messages if one.startswith("budget.kept")]) == 2
    assert looks(1 << 40) == 160 * MIB
    processes.settings.memory = 0
    assert looks(96 * MIB) == 96 * MIB
    above["limit"] = memory.Limit(1 << 40, memory.RAM)
    limit.look(now + LOOK_SECONDS)
    assert (processes.division.memory, processes.division.share_of("back")) == (0, 0), "nothing bounds it any more"


def test_a_supervisor_of_one_group_keeps_its_part(above: dict[str, memory.Limit]) -> None:
    processes = Told(160 * MIB)
    processes.parts.only = "decoys"
    above["limit"] = memory.Limit(128 * MIB, "/sys/fs/cgroup/chaffinch.slice")
    FollowedLimit(cast("Any", processes)).look(100.0)
    assert (processes.told, processes.division.memory) == ([], 160 * MIB), "the slice is not its own alone"


def test_it_is_not_read_on_every_turn_and_not_without_a_descriptor(
    above: dict[str, memory.Limit], monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = Told(160 * MIB)
    limit = FollowedLimit(cast("Any", processes))
    limit.look(100.0)
    above["limit"] = memory.Limit(128 * MIB, "/sys/fs/cgroup/box")
    limit.look(100.0 + LOOK_SECONDS / 2)
    assert processes.told == []

    def none_left() -> memory.Limit:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(memory, "limit", none_left)
        limit.look(100.0 + LOOK_SECONDS)
    assert processes.told == []
    limit.look(100.0 + 2 * LOOK_SECONDS)
    assert processes.division.memory == 128 * MIB
