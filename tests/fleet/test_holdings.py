"""What a group's process does about its share, with readings that the test makes up."""

import resource
from types import SimpleNamespace

import pytest

from chaffinch.decoys.relief import MOST_HALVINGS
from chaffinch.fleet import holdings
from chaffinch.fleet.holdings import TRIM_SECONDS, Holdings
from chaffinch.metrics import memory
from chaffinch.metrics.registry import Registry

MB = 1_000_000


class Machine:
    """The clock, what the process holds, and how often the C library was asked for what was freed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.held = 20 * MB
        self.trims = 0
        monkeypatch.setattr(holdings, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
        monkeypatch.setattr(memory, "give_back", self._trimmed)
        monkeypatch.setattr(Holdings, "private_bytes", lambda _: self.held)

    def _trimmed(self) -> bool:
        self.trims += 1
        return True


def test_what_ended_sessions_left_is_asked_for_as_long_as_something_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(monkeypatch)
    one = Holdings(100 * MB, Registry("test"))
    one.offer("shrink_caches", lambda: True, lambda: None)
    for _ in range(40):
        machine.now += 0.25
        one.look()
    assert (machine.trims, one.in_force) == (0, ()), "nothing is done while there is room"
    machine.held = 97 * MB
    one.look()
    assert one.in_force == ("shrink_caches",)
    machine.trims = 0
    for _ in range(int(10 / 0.05)):
        machine.now += 0.05
        one.look()
    assert machine.trims == pytest.approx(10 / TRIM_SECONDS, abs=1)


def test_without_a_share_nothing_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    one = Holdings(0, Registry("test"))
    machine.held = 900 * MB
    assert one.look() == []
    assert (machine.trims, one.in_force) == (0, ())


def test_the_guard_asks_as_often_as_the_worst_case_counts_on() -> None:
    assert holdings.COLLAPSES == MOST_HALVINGS  # `decoys.bounds.left` takes every halving for done
