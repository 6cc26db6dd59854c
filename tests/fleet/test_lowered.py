"""Another share than a group holds: it is told first, has time to give up, and the kernel bounds it once it fits."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from chaffinch.config import Config
from chaffinch.fleet import budget
from chaffinch.fleet.group_process import GroupProcess
from chaffinch.fleet.processes import Processes
from chaffinch.fleet.supervisor import LOWERED_SECONDS, OVER_SECONDS, Supervisor
from tests.fleet.test_budget import groups_of

if TYPE_CHECKING:
    from chaffinch.fleet.messages import Share

MIB = 1 << 20
LEAST = budget.divide(64 * MIB, groups_of("default")).share_of("decoys")


class Watched:
    """A group of decoys that has all of 256 MiB, and its supervisor; what each of them does stands in `did`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.held, self.did = 1000.0, 40 * MIB, list[str]()
        workers = groups_of("default")["decoys"]
        self.group = GroupProcess("decoys", workers, cast("Any", None), 150 * MIB)
        self.group.pid = 1
        processes = Processes.__new__(Processes)
        processes.groups = {"decoys": self.group}
        processes.parts = cast("Any", SimpleNamespace(config=Config()))
        limited = SimpleNamespace(limit=lambda name, share, sessions: self.did.append(f"limit {share}"))
        processes.cgroups = cast("Any", limited)
        self.supervisor = Supervisor.__new__(Supervisor)
        self.supervisor._processes = self.processes = processes
        monkeypatch.setattr(GroupProcess, "private_bytes", lambda _: self.held)
        monkeypatch.setattr("chaffinch.fleet.processes.time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(processes, "say", lambda _, said: self.did.append(f"say {cast('Share', said).share_bytes}"))
        monkeypatch.setattr(processes, "replace", lambda *_: self.did.append("replace"))

    def budget(self, memory: int) -> None:
        self.processes.budget(budget.divide(memory, groups_of("default")), ["decoys"])

    def turns(self, seconds: float) -> list[str]:
        """What is done in that time, a turn each half second."""
        self.did.clear()
        for _ in range(int(seconds * 2)):
            self.now += 0.5
            self.supervisor._bound(self.group, self.now)
        return self.did


def test_a_group_is_told_first_and_bounded_by_the_kernel_once_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    watched.budget(64 * MIB)
    assert watched.did == [f"say {LEAST}"], "under what it holds, the kernel would kill it"
    assert watched.turns(LOWERED_SECONDS - 1) == []
    watched.held = LEAST
    assert watched.turns(5) == [f"limit {LEAST}"]
    watched.held = LEAST + 1
    assert watched.turns(OVER_SECONDS) == []
    assert "replace" in watched.turns(1), "it had its time"


def test_a_group_that_does_not_come_down_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    watched.budget(64 * MIB)
    assert watched.turns(LOWERED_SECONDS - 1) == []
    assert "replace" in watched.turns(2)


def test_what_fits_is_bounded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    watched.budget(256 * MIB)
    share = watched.group.budget_bytes
    assert watched.did == [f"say {share}", f"limit {share}"]
    assert watched.turns(10) == []
    watched.did.clear()
    watched.budget(0)
    assert watched.did == ["say 0", "limit 0"]
