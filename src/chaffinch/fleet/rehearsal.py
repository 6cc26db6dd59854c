"""What every group does first, done before the fork, so that the memory it takes is held once.

The interpreter adapts code to what it sees there and makes what it needs the first time that code runs. In a group each
such page would be a copy of its own: measured, 0.7 MB of the 4.6 MB that an idle group holds. Of a rehearsal
nothing stays: its event loop is closed, and it starts no thread, opens no database and keeps no signal.
"""

import asyncio
import signal
from typing import TYPE_CHECKING

from chaffinch.fleet import messages
from chaffinch.fleet.group import Group
from chaffinch.fleet.parts import Parts
from chaffinch.fleet.workers import BACK, Worker

if TYPE_CHECKING:
    from chaffinch.fleet.context import Context

TIMES = 9
"""CPython 3.11 adapts a function with its eighth call (`QUICKENING_WARMUP_DELAY` of its `pycore_code.h`)."""

TURNS = 8
"""Of the loop, until worker, beat and guard have all run."""


SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""That a group takes. One that comes meanwhile waits until it is over."""


def rehearse(parts: Parts) -> None:
    """Let a group with a worker that only waits begin, speak and end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        for _ in range(TIMES):
            asyncio.run(_once(parts))
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def run(context: "Context") -> None:
    """The worker that only waits."""
    await context.stopping.wait()


async def _once(parts: Parts) -> None:
    ours, theirs = messages.channel()
    with ours, theirs:
        one = Group("rehearsal", (Worker("rehearsal", __name__, BACK, "waits"),), parts, theirs, 0, frozenset(), "")
        one.take_signals()
        running = asyncio.ensure_future(one.run())
        for _ in range(TURNS):
            await asyncio.sleep(0)
        one.stop()
        await running
        asyncio.get_running_loop().remove_reader(theirs)
