"""Which hosts' packets are changed, and to what."""

import msgspec

from chaffinch.network.addresses import Prefix
from chaffinch.network.plan import Plan
from chaffinch.personas.placement import Range, Step
from chaffinch.personas.systems import Stack


class BucketRange(msgspec.Struct, frozen=True):
    """The buckets from `start` to before `end`: hosts of one stack."""

    start: int
    end: int
    stack: Stack


class Port(msgspec.Struct, frozen=True):
    """A TCP port as it is listened on, and the buckets that run it: ascending, apart from each other."""

    port: int
    ranges: tuple[Range, ...]


class Looks(msgspec.Struct, frozen=True):
    """Which addresses are hosts, the steps from one to its bucket, the ranges of hosts that do not speak as Linux does,
    and the ports of all hosts, each in order. `excluded` are addresses within the prefixes that are no hosts.

    Hosts of Linux are in no range: the kernel's own packets are right for them.
    """

    prefixes: tuple[Prefix, ...]
    excluded: tuple[int, ...]
    steps: tuple[Step, ...]
    ranges: tuple[BucketRange, ...]
    ports: tuple[Port, ...] = ()


def looks(plan: Plan) -> Looks:
    """What a fleet's hosts need."""
    found: list[BucketRange] = []
    for slot in plan.placement.slots:
        stack = slot.make.system.stack
        if stack.manner == "linux":
            continue
        if found and (found[-1].end, found[-1].stack) == (slot.start, stack):
            found[-1] = msgspec.structs.replace(found[-1], end=slot.end)
        else:
            found.append(BucketRange(slot.start, slot.end, stack))
    listened = ((port.listen, plan.placement.ranges(port.port)) for port in plan.ports if port.transport == "tcp")
    ports = tuple(Port(port, ranges) for port, ranges in listened if ranges)
    return Looks(plan.prefixes, plan.excluded, plan.placement.mixer.steps, tuple(found), ports)
