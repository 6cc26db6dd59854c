"""What a run gives up when memory is short, in order, and how it comes back: the actions of its memory guard."""

from collections.abc import Callable
from typing import Final

import msgspec

from chaffinch.metrics import memory
from chaffinch.metrics.guard import Action

Tell = Callable[[str, str], object]
"""Takes the name of an action and what the owner should know of it; empty: nothing any more."""

TICK_LAG_S: Final = 0.1
"""Until threads have handed over their sheets and got them back as the guard wants them, and the memory is the
system's.
"""

HALVINGS: Final = 3
"""128 sub-buckets an octave, 64, 32, 16: then percentiles of labels are off by at most one part in 32."""


STOP_AT: Final = 0.97
"""The share of the bound from which on a run ends whose bound is a promise, when nothing else is left."""


FOLDED: Final = "labels with the fewest latencies were folded at {when}: their latencies are under `__other__`"
OFF: Final = "percentiles of labels were given up at {when}; counts, errors and statuses went on"
ON_AGAIN: Final = "percentiles of labels are of what came after {when}: what they were before was given up"
"""What the owner of a run is told; `when` is how long it had gone on."""


class Relief:
    """The actions of one run. `relieve` is `LoadRun.guard`, which can only restore everything at once: what is undone
    here is restored, and what is still given up is given up again.
    """

    def __init__(self, relieve: Callable[[str], object]) -> None:
        self._relieve = relieve
        self._taken: list[str] = []

    def actions(
        self,
        *,
        percentiles_may_go: bool = True,
        forget: Callable[[], object] | None = None,
        tell: Tell | None = None,
        stop: Action | None = None,
    ) -> list[Action]:
        """In their order. The first costs nothing: what was freed goes back to the system. `forget` drops the intervals
        that Python keeps, along with the engine's. `tell` is told what figures of labels lack. `stop` ends the run,
        where the bound is a promise: the last resort, so it is not taken below `STOP_AT`.
        """
        told = _nobody if tell is None else tell

        def drop_intervals() -> None:
            self._take("drop_intervals")
            if forget is not None:
                forget()

        def fold_cold() -> None:
            self._relieve("fold_cold")
            told("fold_cold", FOLDED)

        actions = [
            Action("give_back", memory.give_back, _nothing),
            Action("drop_intervals", drop_intervals, self._giving_back("drop_intervals")),
            *(self._action("halve") for _ in range(HALVINGS)),
            Action("fold_cold", fold_cold, lag_s=TICK_LAG_S),
        ]
        if percentiles_may_go:
            actions.append(self._percentiles_off(told))
        if stop is not None:
            actions.append(msgspec.structs.replace(stop, at_share=max(stop.at_share, STOP_AT)))
        return actions

    def _percentiles_off(self, told: Tell) -> Action:
        action = self._action("percentiles_off", only_critical=True)

        def do() -> None:
            action.do()
            told(action.name, OFF)

        def undo() -> None:
            self._giving_back(action.name)()
            told(action.name, ON_AGAIN)

        return msgspec.structs.replace(action, do=do, undo=undo)

    def _action(self, name: str, *, only_critical: bool = False) -> Action:
        return Action(name, lambda: self._take(name), self._giving_back(name), TICK_LAG_S, only_critical)

    def _take(self, name: str) -> None:
        self._relieve(name)
        self._taken.append(name)

    def _giving_back(self, name: str) -> Callable[[], object]:
        def give_back() -> None:
            self._taken.remove(name)
            self._relieve("restore")
            for one in self._taken:
                self._relieve(one)

        return give_back


def _nothing() -> None:
    """Nothing has to come back: it may be taken again."""


def _nobody(_name: str, _sentence: str) -> None:
    """Nobody wants to know."""
