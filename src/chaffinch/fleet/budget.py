"""How a budget is divided: what all processes share is held once, each group holds the rest privately.

The sum of the processes' PSS is what they share plus what each holds alone. So a group's share bounds its private
memory, and shares and the common part add up to the budget. docs/budget.md has the arithmetic of a whole fleet.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from chaffinch.errors import InputError
from chaffinch.fleet.workers import MB, Worker
from chaffinch.metrics import memory

COMMON_BYTES: Final = 29 * MB
"""The supervisor with all that its groups share, and room for the answers that it gives. 18 to 21 MB of it are there
when it serves, 27 MB where it had to compile its sources (tests/fleet/test_budget.py measures it, and the next two).
"""

COMMON_GROUP_BYTES: Final = 1_200_000
"""For each group besides: pages that the supervisor has written to since, so that others share what it had before, and
libraries that several groups load later.
"""

GROUP_BYTES: Final = 7_400_000
"""What a process holds privately before its workers run: pages of the common part that it wrote to, its event loop, its
journal, and what workers of one kind have in common.
"""

CALM: Final = 0.7
"""An idle group is at most at this part of its share, where its guard gives nothing up (`metrics.guard`)."""


class Part(msgspec.Struct, frozen=True):
    """One group's part of the division, in bytes: what it holds idle, the least that it needs, its share."""

    name: str
    idle_bytes: int
    least_bytes: int
    weight: int
    share_bytes: int = 0


class Division(msgspec.Struct, frozen=True):
    """A budget and what it is divided into. `memory` is 0 where none was stated: then no share bounds anything."""

    memory: int
    parts: tuple[Part, ...]

    @property
    def common_bytes(self) -> int:
        """What is held once, whatever the groups hold."""
        return COMMON_BYTES + COMMON_GROUP_BYTES * len(self.parts)

    @property
    def least_bytes(self) -> int:
        """The smallest budget for these groups."""
        return self.common_bytes + sum(part.least_bytes for part in self.parts)

    def share_of(self, name: str) -> int:
        """The share of that group; 0 where no budget was stated."""
        return next(part.share_bytes for part in self.parts if part.name == name)


def stated(memory_setting: int) -> int:
    """The budget: what its owner says, or what a cgroup allows where that is less, or where its owner says nothing.

    0 is none: then the machine's RAM is the bound of all that runs on it, and not of a fleet.
    """
    limit = memory.limit()
    if limit.source == memory.RAM:
        return memory_setting
    return min(memory_setting, limit.bytes) if memory_setting else limit.bytes


def divide(budget: int, groups: Mapping[str, Iterable[Worker]]) -> Division:
    """Give each group the least that it needs, and its weight's part of the rest.

    Raises `InputError` with the arithmetic when the budget cannot hold the groups.
    """
    parts = tuple(_part(name, tuple(workers)) for name, workers in groups.items())
    division = Division(budget, parts)
    if not budget:
        return division
    rest = budget - division.least_bytes
    if rest < 0:
        raise InputError(_refusal(division))
    total = sum(part.weight for part in parts)
    shares = (
        msgspec.structs.replace(part, share_bytes=part.least_bytes + rest * part.weight // total) for part in parts
    )
    return Division(budget, tuple(shares))


def idle_bytes(workers: Iterable[Worker]) -> int:
    """What a group of these holds privately before anybody comes."""
    return GROUP_BYTES + sum(worker.idle_bytes for worker in workers)


def working_bytes(workers: Iterable[Worker]) -> int:
    """What the work of these takes for a while beyond that, which is not to be had for anything else."""
    return sum(worker.working_bytes for worker in workers)


def _part(name: str, workers: tuple[Worker, ...]) -> Part:
    idle = idle_bytes(workers)
    least = max(math.ceil(idle / CALM), idle + working_bytes(workers))
    return Part(name, idle, least, sum(worker.weight for worker in workers))


def _refusal(division: Division) -> str:
    sums = " + ".join(f"{_mb(part.least_bytes)} {part.name}" for part in division.parts[:8])
    more = division.parts[8:]
    if more:
        sums += f" + {_mb(sum(part.least_bytes for part in more))} {len(more)} more groups"
    enough = _mib(division.least_bytes) + (", or use fewer groups" if len(division.parts) > 1 else "")
    return (
        f"a budget of {_mb(division.memory)} cannot hold this fleet, which takes at least {_mb(division.least_bytes)}: "
        f"{_mb(division.common_bytes)} what all groups share + {sums}; give --memory {enough}"
    )


def _mb(count: int) -> str:
    return f"{count / MB:.1f} MB"


def _mib(count: int) -> str:
    """As `--memory` is written, rounded up."""
    return f"{-(-count // (1 << 20))}M"
