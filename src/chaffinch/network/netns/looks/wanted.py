"""Which hosts' packets are changed, and to what."""

import msgspec

from chaffinch.personas.placement import Placement, Step
from chaffinch.personas.systems import Stack


class Share(msgspec.Struct, frozen=True):
    """The buckets from `start` to before `end`: hosts of one stack."""

    start: int
    end: int
    stack: Stack


class Looks(msgspec.Struct, frozen=True):
    """The steps from an address to its bucket, and the shares of hosts that do not speak as Linux does, in order.

    Hosts of Linux are in none: the kernel's own packets are right for them.
    """

    steps: tuple[Step, ...]
    shares: tuple[Share, ...]


def looks(placement: Placement) -> Looks:
    """What a fleet's hosts need."""
    found: list[Share] = []
    for slot in placement.slots:
        stack = slot.make.system.stack
        if stack.manner == "linux":
            continue
        if found and (found[-1].end, found[-1].stack) == (slot.start, stack):
            found[-1] = msgspec.structs.replace(found[-1], end=slot.end)
        else:
            found.append(Share(slot.start, slot.end, stack))
    return Looks(placement.mixer.steps, tuple(found))
