"""What a run does now, beside what it was given, and how that changed while it went on."""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from chaffinch import _core
from chaffinch.errors import ChaffinchError, InputError, RunError
from chaffinch.load import budget, figures
from chaffinch.load.loaded import Loaded
from chaffinch.load.plan import Model, Plan

MOST_NOTES: Final = 100
"""Changes of which a result tells one by one."""

Check = Callable[[Plan, int], object]
"""Raises `InputError` with the arithmetic for a plan that does not fit beside so many bytes that are held."""


class Changes:
    """Of one run: of its load, as often as somebody asks, and of what is sent, with its file.

    The engine is given as `core`. What it does is done in three parts, since the middle one may look up names, and so
    belongs on no event loop: `to_take_over`, `hand_over`, `took_over`.
    """

    def __init__(self, given: Loaded, plan: Plan, check: Check) -> None:
        self.given = given
        """The run as it was given; a file that was taken over counts."""
        self.loaded = msgspec.structs.replace(given, plan=plan)
        """The same, with the plan that the engine has."""
        self._check = check
        self._versions = Versions(plan)
        self._notes: list[str] = []
        self._unlisted = 0

    @property
    def plan(self) -> Plan:
        """What the engine does now."""
        return self.loaded.plan

    def notes(self) -> list[str]:
        """A sentence for each change, as far as there are not too many."""
        if not self._unlisted:
            return list(self._notes)
        return [*self._notes, f"{figures.counted(self._unlisted, 'later change')} of load or scenarios: not listed"]

    def check_load(self, plan: Plan) -> None:
        """Raise `InputError` if a plan with another load would not fit."""
        self._check(plan, 0)

    def change(self, core: _core.LoadRun, model: Model, users: int, at_s: float) -> None:
        """Another load from now on, or the same from its beginning. Raises as `hand_over`."""
        plan = msgspec.structs.replace(self.plan, model=model, users=users)
        try:
            core.change(msgspec.json.encode(model).decode(), users)
        except _core.LoadError as error:
            raise translated(error, self.loaded) from None
        self.loaded = msgspec.structs.replace(self.loaded, plan=plan)
        self._note_load(at_s)

    def to_take_over(self, loaded: Loaded, held: Callable[[], Iterable[int]]) -> Plan:
        """What the engine is to do for a changed file. `held` tells which versions of the scenarios the engine holds.

        Raises `InputError` with the arithmetic if that would not fit beside them.
        """
        from chaffinch.load import reload

        plan = reload.taken_over(self.plan, self.given.plan, loaded.plan)
        if reload.sent_changed(self.plan, plan):
            self._check(plan, self._versions.held_bytes(held()))
        elif reload.load_changed(self.plan, plan):
            self.check_load(plan)
        return plan

    def hand_over(self, core: _core.LoadRun, plan: Plan, loaded: Loaded) -> None:
        """Have the engine do what a plan says. Raises `InputError` or `RunError`; it goes on as it was then."""
        from chaffinch.load import reload

        try:
            if reload.sent_changed(self.plan, plan):
                core.replace(plan.to_json())
            elif reload.load_changed(self.plan, plan):
                core.change(msgspec.json.encode(plan.model).decode(), plan.users)
        except _core.LoadError as error:
            raise translated(error, loaded) from None

    def took_over(self, plan: Plan, loaded: Loaded, at_s: float) -> str:
        """Note what the engine does now; what came of the file, in a sentence."""
        from chaffinch.load import reload

        before, self.given = self.given, loaded
        running = self.plan
        self.loaded = msgspec.structs.replace(
            self.loaded, plan=plan, thresholds=loaded.thresholds, source=loaded.source, lines=loaded.lines
        )
        if reload.sent_changed(running, plan):
            self._versions.add(plan)
            when = figures.span(at_s)
            self._note(f"the scenarios were replaced at {when}: each user went over with its next iteration")
        if reload.load_changed(running, plan):
            self._note_load(at_s)
        return reload.told(before, loaded)

    def _note_load(self, at_s: float) -> None:
        self._note(f"the load was changed at {figures.span(at_s)}: {figures.model(self.plan.model, self.plan.users)}")

    def _note(self, sentence: str) -> None:
        if len(self._notes) < MOST_NOTES:
            self._notes.append(sentence)
        else:
            self._unlisted += 1


class Versions:
    """Of a run's scenarios, by number: what each takes until its last user is through. 0 is what the run began with."""

    def __init__(self, first: Plan) -> None:
        self._newest = 0
        self._bytes = {0: budget.scenario_bytes(first)}

    def add(self, plan: Plan) -> None:
        """Iterations begin in the scenarios of `plan` from now on."""
        self._newest += 1
        self._bytes[self._newest] = budget.scenario_bytes(plan)

    def held_bytes(self, held: Iterable[int]) -> int:
        """What those take that are still held. The others are gone for good."""
        self._bytes = {number: self._bytes[number] for number in held if number in self._bytes}
        return sum(self._bytes.values())


def translated(error: _core.LoadError, loaded: Loaded) -> ChaffinchError:
    """What the engine says is wrong, with the line of the file where that stands."""
    kind, sentence = error.args
    said = loaded.located(sentence)
    return InputError(said) if kind == "input" else RunError(said)
