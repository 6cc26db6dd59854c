"""Putting both programs on the devices of a namespace: they stay for as long as the devices do."""

import contextlib
import os
from collections.abc import Sequence

from pyroute2 import IPRoute  # type: ignore[import-untyped]

from chaffinch.network.netns import classifiers
from chaffinch.network.netns.looks import kernel
from chaffinch.network.netns.looks.arriving import arriving
from chaffinch.network.netns.looks.leaving import leaving
from chaffinch.network.netns.looks.wanted import Looks
from chaffinch.personas.placement import BUCKETS


def attach(looks: Looks, inside: IPRoute, indexes: Sequence[int]) -> None:
    """For the namespace of the calling process, which has these devices. Nothing where no host needs it.

    Raises `OSError` where the kernel cannot; what hosts have then is their listeners' look.
    """
    if not looks.ranges:
        return
    held = [kernel.array(BUCKETS)]
    try:
        held.append(kernel.load(arriving(looks), "ch_arriving"))
        held.append(kernel.load(leaving(looks, held[0]), "ch_leaving"))
        _, comes, goes = held
        with contextlib.ExitStack() as undo:  # half of it would hide timestamps and not answer without them
            for index in indexes:
                classifiers.make_room(inside, index)
                undo.callback(classifiers.clear, inside, index)
                classifiers.on_packets(index, classifiers.INGRESS, comes)
                classifiers.on_packets(index, classifiers.EGRESS, goes)
            undo.pop_all()
    finally:
        for descriptor in held:  # the devices hold the programs, which hold the numbers
            os.close(descriptor)
