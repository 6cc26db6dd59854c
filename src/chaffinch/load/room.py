"""What the process of a run may hold, and what fits into that."""

from functools import partial
from typing import Final

from chaffinch.errors import InputError
from chaffinch.load import budget, figures
from chaffinch.load.plan import Plan
from chaffinch.metrics.guard import bound
from chaffinch.metrics.memory import Limit, resident_bytes

READING: Final = 8
"""Bytes that each byte of a data file takes while it is read, at most: rows of three short values took seven."""


class Room:
    """`explicit` is the bound that the owner gives, and `name` what said so; without it a cgroup's holds, or the memory
    of the machine. `floor_bytes` is what the process holds without any run, where it holds another one now; `served`
    counts what a control API makes of a run.
    """

    def __init__(
        self, explicit: int | None, name: str, *, floor_bytes: int | None = None, served: bool = False
    ) -> None:
        self.read = partial(bound, explicit, name)
        """The bound as it is now: a cgroup's may change."""
        self.limit = self.read()
        """As it was at first."""
        self.promised = self.limit.bytes if explicit is not None else None
        # The owner's word is for the process, the others hold what the kernel has for it, too.
        self._with_kernel = self.limit.source != name
        self._floor = max(budget.FLOOR, resident_bytes()) if floor_bytes is None else floor_bytes
        self._served = served

    def fitted(self, plan: Plan, warning: float) -> tuple[Plan, list[str]]:
        """The plan with as much for its records as the bound leaves, and what its owner should know of that.

        Raises `InputError` with the arithmetic where none fits.
        """
        limit = self.limit
        found = self.refuse(plan, limit)
        left = limit.bytes - (found.kernel_bytes if self._with_kernel else 0)
        fitted = budget.fitted(plan, left, self._floor, served=self._served) or plan
        notes = budget.notes(fitted, left, warning, self._floor)
        return fitted, [*notes, *budget.lowered(plan, fitted, limit.bytes, limit.source)]

    def refuse(self, plan: Plan, limit: Limit, held_bytes: int = 0) -> budget.Budget:
        """The budget of a plan that fits into a bound beside so many bytes. Raises `InputError` with the arithmetic."""
        return budget.refuse(
            plan,
            limit.bytes,
            limit.source,
            with_kernel=self._with_kernel,
            floor_bytes=self._floor,
            held_bytes=held_bytes,
            served=self._served,
        )


def check_reading(limit: Limit, count: int) -> None:
    """Raise `InputError` with the arithmetic if files of so many bytes cannot be read beside what is held now."""
    held = resident_bytes()
    if held + READING * count > limit.bytes:
        raise InputError(
            f"{limit.source} of {figures.size(limit.bytes)} cannot hold what is read beside the run: "
            f"{figures.size(held)} now and {READING} times the {figures.size(count)} of the scenario and the files "
            "that it names; begin a new run with them"
        )
