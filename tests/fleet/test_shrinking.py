"""A group that shrinks what it holds: what is measured once serves all, and what gives nothing up keeps its room."""

import gc
import resource
from collections.abc import Iterator

import pytest

from chaffinch import caches
from chaffinch.decoys.overlay import Overlays
from chaffinch.decoys.relief import Relief
from chaffinch.fleet.holdings import Holdings
from chaffinch.metrics import memory
from chaffinch.metrics.registry import Registry
from chaffinch.personas.archetypes import archetypes
from chaffinch.personas.build import Personas

TOO_LITTLE = 1 << 20


@pytest.fixture(autouse=True)
def unbounded() -> Iterator[None]:
    """This process's own bound, and its caches, as they were."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    yield
    resource.setrlimit(resource.RLIMIT_DATA, before)
    caches.grow()


def with_relief() -> tuple[Holdings, Personas]:
    """Over its share from the beginning, with decoys that can give caches up."""
    personas = Personas(b"holdings", archetypes())
    relief = Relief(personas, Overlays())
    holdings = Holdings(TOO_LITTLE, Registry())
    holdings.offer("shrink_caches", relief.shrink, relief.grow)
    caches.shrink()
    caches.grow()  # whatever other tests left
    gc.collect()
    holdings.measure()
    return holdings, personas


def outcome(holdings: Holdings) -> str:
    """What the guard says of shrinking caches."""
    return next(one.kind for one in holdings.look() if one.action == "shrink_caches")


def fill(personas: Personas) -> int:
    """Ask for more personas than are kept; how many are."""
    for number in range(300):
        personas.of(f"127.77.{number // 256}.{number % 256}")
    return len(personas._held)


def test_caches_that_give_nothing_up_keep_their_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "give_back", lambda: False)
    holdings, personas = with_relief()
    assert outcome(holdings) == "nothing"
    assert "shrink_caches" not in holdings.in_force
    assert fill(personas) == 256


def test_caches_that_gave_something_up_stay_small_until_memory_returns() -> None:
    holdings, personas = with_relief()
    fill(personas)
    assert outcome(holdings) == "taken"
    assert fill(personas) == 16
    assert "shrink_caches" in holdings.in_force


def test_what_only_the_c_library_kept_counts_and_is_given_back_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions before left it: caches have nothing, and they stay small all the same."""
    times = 0

    def give_back() -> bool:
        nonlocal times
        times += 1
        return True

    holdings, personas = with_relief()
    before = holdings.last
    less = memory.Memory(before.rss_bytes - (4 << 20), before.pss_bytes, before.private_bytes - (4 << 20))
    monkeypatch.setattr(memory, "give_back", give_back)
    monkeypatch.setattr(memory, "read", lambda: less)
    assert outcome(holdings) == "taken"
    assert times == 1
    assert fill(personas) == 16


def test_metrics_show_what_was_measured_without_another_walk_over_all_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry("back")
    holdings = Holdings(0, registry)
    measured = holdings.measure()

    def again() -> memory.Memory:
        raise AssertionError("it is known already")

    monkeypatch.setattr(memory, "read", again)
    snapshot = registry.snapshot()
    assert snapshot.total("process_private_memory_bytes") == measured.private_bytes
    assert snapshot.total("process_proportional_memory_bytes") == measured.pss_bytes
