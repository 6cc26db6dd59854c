"""The limits of the cgroups above a fleet, which may change while it runs: the budget goes with them."""

import logging
from typing import Final

from chaffinch.errors import InputError
from chaffinch.fleet import budget
from chaffinch.fleet.processes import Processes

log = logging.getLogger("chaffinch.fleet")

LOOK_SECONDS: Final = 2.0
"""How often they are read again. A reading takes 0.3 ms."""


class FollowedLimit:
    """What the supervisor asks on each of its turns."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._looked = 0.0
        self._refused: int | None = None
        """The budget that could not be divided last, so that it is said once."""

    def look(self, now: float) -> None:
        """Divide the budget anew where another one holds; one that cannot work leaves the shares as they are.

        A supervisor of one group alone keeps its part: the limit may be that of all of them together (a slice's).
        """
        if self._processes.parts.only or now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        was = self._processes.division.memory
        try:
            memory = budget.stated(self._processes.settings.memory)
        except OSError:
            return  # no descriptor to read them with: the next look tells
        if memory in (was, self._refused):
            return
        self._refused = None
        try:
            groups = {one.name: one.workers for one in self._processes.groups.values()}
            division = budget.divide(memory, groups)
        except InputError as error:
            log.warning("budget.kept bytes=%d why=%s", was, error)
            self._refused = memory
            return
        log.info("budget.changed bytes=%d was=%d", memory, was)
        self._processes.budget(division, groups)
