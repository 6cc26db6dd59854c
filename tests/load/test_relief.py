"""What a run gives up for its memory guard."""

import pytest

from chaffinch.load.relief import Relief
from chaffinch.metrics import memory
from chaffinch.metrics.guard import Action, Guard
from chaffinch.metrics.memory import Limit


@pytest.fixture(autouse=True)
def freed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often freed memory was given back."""
    times: list[str] = []

    def give_back() -> bool:
        times.append("given back")
        return True

    monkeypatch.setattr(memory, "give_back", give_back)
    return times


def guarded(told: list[str], **more: object) -> Guard:
    return Guard(Limit(1000, "--memory"), Relief(told.append).actions(**more))  # type: ignore[arg-type]


def test_everything_is_given_up_in_order_and_percentiles_only_when_it_is_critical(freed: list[str]) -> None:
    told: list[str] = []
    guard = guarded(told, forget=lambda: told.append("forget"), stop=Action("stop", lambda: told.append("stop")))
    for second in range(60):
        guard.look(second, 850)
        assert freed or not told  # that costs nothing, so it comes first
    given_up = ["drop_intervals", "forget", "halve", "halve", "halve", "fold_cold"]
    assert told == given_up
    assert not guard.is_exhausted
    for second in range(60, 63):
        guard.look(second, 950)
    assert told == [*given_up, "percentiles_off"]
    guard.look(63, 970)
    assert told == [*given_up, "percentiles_off", "stop"]
    guard.look(64, 970)
    assert guard.is_exhausted


def test_percentiles_stay_where_their_owner_wants_them() -> None:
    told: list[str] = []
    guard = guarded(told, percentiles_may_go=False)
    for second in range(60):
        guard.look(second, 950)
    assert "percentiles_off" not in told
    assert guard.is_exhausted


def test_what_comes_back_leaves_the_rest_given_up() -> None:
    told: list[str] = []
    guard = guarded(told)
    for now in (0, 0, 0.05, 0.1):
        guard.look(now, 950)
    assert told == ["drop_intervals", "halve"]  # the second halving waits until the first one shows
    guard.look(0.5, 950)
    told.clear()
    for second in range(1, 80):
        guard.look(second, 100)
    assert told == ["restore", "drop_intervals", "halve", "restore", "drop_intervals", "restore"]
    assert guard.in_force == ()


def test_what_was_folded_stays() -> None:
    told: list[str] = []
    guard = guarded(told)
    for second in range(10):
        guard.look(second, 950)
    seen = [one.kind for second in range(10, 200) for one in guard.look(second, 100)]
    assert seen.count("stays") == 1
    assert seen.count("undone") == 6
    assert guard.in_force == ("fold_cold",)
    assert told[-1] == "restore"


def test_what_cannot_be_given_back_is_told_and_the_next_is_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "give_back", lambda: False)
    told: list[str] = []
    seen = guarded(told).look(0, 950)
    assert [(one.kind, one.action) for one in seen[1:]] == [("nothing", "give_back"), ("taken", "drop_intervals")]


def test_what_figures_of_labels_lack_is_told() -> None:
    lacks: dict[str, str] = {}
    told: list[str] = []
    guard = guarded(told, tell=lacks.__setitem__)
    for second in range(20):
        guard.look(second, 950)
    assert lacks.keys() == {"fold_cold", "percentiles_off"}
    assert lacks["fold_cold"].format(when="3.0s").endswith("folded at 3.0s: their latencies are under `__other__`")
    assert lacks["percentiles_off"].format(when="3.0s").startswith("percentiles of labels were given up at 3.0s")
    for second in range(20, 200):
        guard.look(second, 100)
    assert lacks["percentiles_off"].format(when="9.0s").startswith("percentiles of labels are of what came after 9.0s")
