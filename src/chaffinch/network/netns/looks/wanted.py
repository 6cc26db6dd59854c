"""Which hosts' packets are changed, and to what."""

import msgspec

from chaffinch.network.plan import Plan
from chaffinch.personas.placement import Range, Step
from chaffinch.personas.systems import Stack


class Share(msgspec.Struct, frozen=True):
    """The buckets from `start` to before `end`: hosts of one stack."""

    start: int
    end: int
    stack: Stack


class Door(msgspec.Struct, frozen=True):
    """A TCP port as it is listened on, and the buckets that run it: ascending, apart from each other."""

    port: int
    ranges: tuple[Range, ...]


class Looks(msgspec.Struct, frozen=True):
    """The steps from an address to its bucket, the shares of hosts that do not speak as Linux does, and the doors of
    all hosts, each in order.

    Hosts of Linux are in no share: the kernel's own packets are right for them.
    """

    steps: tuple[Step, ...]
    shares: tuple[Share, ...]
    doors: tuple[Door, ...] = ()


def looks(plan: Plan) -> Looks:
    """What a fleet's hosts need."""
    found: list[Share] = []
    for slot in plan.placement.slots:
        stack = slot.make.system.stack
        if stack.manner == "linux":
            continue
        if found and (found[-1].end, found[-1].stack) == (slot.start, stack):
            found[-1] = msgspec.structs.replace(found[-1], end=slot.end)
        else:
            found.append(Share(slot.start, slot.end, stack))
    ports = ((port.listen, plan.placement.ranges(port.port)) for port in plan.ports if port.transport == "tcp")
    doors = tuple(Door(port, ranges) for port, ranges in ports if ranges)
    return Looks(plan.placement.mixer.steps, tuple(found), doors)
