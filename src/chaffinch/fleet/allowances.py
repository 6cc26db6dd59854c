"""What a fleet of one configuration may take of a machine: memory, descriptors, tasks, each with its arithmetic."""

from collections.abc import Mapping
from typing import Final

import msgspec

from chaffinch.config import Config
from chaffinch.fleet.workers import Worker

IDLE_BYTES: Final = 35 << 20
"""What the smallest fleet takes before the first session: all workers in one process (docs/benchmarks.md)."""

SESSION_BYTES: Final = 3480
"""The least that an open session takes of the budget: 3.4 KiB (docs/benchmarks.md)."""

KERNEL_BYTES: Final = 5000
"""What the kernel holds for an open connection, and counts as its cgroup's (docs/memory-guard.md)."""

KERNEL_LEAST: Final = 16 << 20
"""What it holds at least: listeners, page tables, the journal's pages that wait for the disk."""

SPARE_SHARE: Final = 8
"""The part of the high mark that lies between it and the limit, in which the kernel reclaims before it kills."""

DESCRIPTORS_BESIDE: Final = 512
"""Of a process beside its sessions: listeners, the journal, the store, what is kept free to accept with."""

TASKS_OF_A_GROUP: Final = 64
"""A process, its journal's writer, the threads of its event loop (at most 32) and of its chains."""

MIB: Final = 1 << 20


class Allowances(msgspec.Struct, frozen=True):
    """Bounds, and the sentences that say where they come from. Memory in bytes."""

    memory_high: int
    memory_max: int
    memory_why: tuple[str, ...]
    descriptors: int
    descriptors_why: str
    tasks: int
    tasks_why: str


def allowances(config: Config, groups: Mapping[str, tuple[Worker, ...]]) -> Allowances:
    """For the whole fleet; descriptors are those of one process."""
    facing = sum(any(worker.faces_attackers for worker in members) for members in groups.values())
    high, why = _memory(config.fleet.memory, config.decoys.sessions * facing)
    return Allowances(
        memory_high=high,
        memory_max=high + high // SPARE_SHARE,
        memory_why=why,
        descriptors=config.decoys.sessions + DESCRIPTORS_BESIDE,
        descriptors_why=f"decoys.sessions is {config.decoys.sessions}, and {DESCRIPTORS_BESIDE} beside.",
        tasks=TASKS_OF_A_GROUP * (len(groups) + 1),
        tasks_why=f"{TASKS_OF_A_GROUP} for each of {len(groups)} groups and the supervisor.",
    )


def _memory(budget: int, sessions: int) -> tuple[int, tuple[str, ...]]:
    """The mark past which the kernel reclaims, and its arithmetic."""
    fitting = min(sessions, max(0, budget - IDLE_BYTES) // SESSION_BYTES)
    kernel = max(KERNEL_LEAST, fitting * KERNEL_BYTES)
    high = budget + kernel
    why = (
        f"fleet.memory is {budget} bytes ({budget / MIB:.0f} MiB): what the fleet itself keeps within.",
        f"A cgroup also counts what the kernel holds: {KERNEL_BYTES} bytes for each of the {fitting} sessions that fit",
        f"({SESSION_BYTES} bytes each of what {IDLE_BYTES // MIB} MiB at idle leave, at most {sessions} in all),",
        f"and not under {KERNEL_LEAST // MIB} MiB: {kernel / MIB:.0f} MiB.",
        f"Past their sum, {high / MIB:.0f} MiB, the kernel reclaims; past an eighth more it kills the largest process.",
    )
    return high, why
