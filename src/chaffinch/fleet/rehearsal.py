"""What every group does first, done before the fork, so that the memory it takes is held once.

The interpreter adapts code to what it sees there and makes what it needs the first time that code runs. In a group each
such page would be a copy of its own: measured, half a megabyte of the five that an idle group holds. Of a rehearsal
nothing stays: its event loop is closed, and it starts no thread, opens no database and takes no signal.
"""

import asyncio
from typing import TYPE_CHECKING

from chaffinch.fleet import messages
from chaffinch.fleet.group import Group
from chaffinch.fleet.parts import Parts
from chaffinch.fleet.workers import BACK, Worker

if TYPE_CHECKING:
    from chaffinch.fleet.context import Context

TIMES = 9
"""CPython 3.11 adapts a function with its eighth call (`QUICKENING_WARMUP_DELAY` of its `pycore_code.h`)."""

TURNS = 3
"""Of the loop, until worker, beat and guard have all run."""


def rehearse(parts: Parts) -> None:
    """Let a group with a worker that only waits begin, speak and end."""
    for _ in range(TIMES):
        asyncio.run(_once(parts))


async def run(context: "Context") -> None:
    """The worker that only waits."""
    await context.stopping.wait()


async def _once(parts: Parts) -> None:
    ours, theirs = messages.channel()
    with ours, theirs:
        one = Group("rehearsal", (Worker("rehearsal", __name__, BACK, "waits"),), parts, theirs, 0, frozenset(), "")
        running = asyncio.ensure_future(one.run())
        for _ in range(TURNS):
            await asyncio.sleep(0)
        one.stop()
        await running
        asyncio.get_running_loop().remove_reader(theirs)
