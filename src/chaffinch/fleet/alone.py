"""A supervisor of one group alone (`up --only`): its part of the budget, its ports."""

import copy
from collections.abc import Mapping

import msgspec

from chaffinch.config import Config
from chaffinch.decoys.worker import PREFIX
from chaffinch.errors import InputError
from chaffinch.fleet import budget
from chaffinch.fleet.budget import Division, Part
from chaffinch.fleet.workers import MB, Worker
from chaffinch.network.plan import Plan


def configured(config: Config, groups: Mapping[str, tuple[Worker, ...]], only: str) -> Config:
    """The configuration with the part of the budget that this group's supervisor has.

    Raises `InputError` for a group that is not there, and for a budget that cannot hold a supervisor for each.
    """
    if only not in groups:
        raise InputError(f"the configuration has no group {only!r}; there are: {', '.join(groups)}")
    if config.network.mode == "netns":
        raise InputError("a network namespace has one supervisor; let it have all groups, or choose --network loopback")
    stated = budget.stated(config.fleet.memory)
    if not stated:
        return config
    memory = budgets(stated, groups)[only]
    return msgspec.structs.replace(config, fleet=msgspec.structs.replace(config.fleet, memory=memory))


def budgets(stated: int, groups: Mapping[str, tuple[Worker, ...]]) -> dict[str, int]:
    """What each group's supervisor may hold: each has what groups share else for itself; the rest goes by weight."""
    parts = budget.divide(0, groups).parts
    least = {part.name: _least(part) for part in parts}
    rest = stated - sum(least.values())
    if rest < 0:
        raise InputError(
            f"a budget of {stated / MB:.1f} MB cannot hold a supervisor for each group, which takes at least "
            f"{sum(least.values()) / MB:.1f} MB: "
            + " + ".join(f"{count / MB:.1f} MB {name}" for name, count in least.items())
            + f"; give --memory {-(-sum(least.values()) // (1 << 20))}M, or let one supervisor have all groups"
        )
    total = sum(part.weight for part in parts)
    return {part.name: least[part.name] + rest * part.weight // total for part in parts}


def _least(part: Part) -> int:
    return Division(0, (part,)).least_bytes


def ports_of(plan: Plan, workers: tuple[Worker, ...]) -> Plan:
    """The plan with the ports of these workers alone: they are what their supervisor binds."""
    names = {worker.name for worker in workers}
    narrowed = copy.copy(plan)
    narrowed.ports = tuple(port for port in plan.ports if f"{PREFIX}{port.service}" in names)
    return narrowed
