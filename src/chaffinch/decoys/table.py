"""The sessions that are open in one process: how many there may be, which makes room, and which has been silent
too long.
"""

import asyncio
import itertools
import time

from chaffinch.decoys.session import Session
from chaffinch.errors import LimitError

LOOKED_AT = 64
"""Of the oldest sessions so many are compared when one must make room: a bound on the work, not a promise of the
very oldest.
"""


class SessionTable:
    """Open sessions and the tasks that run them, by age."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.evicted = 0
        self._open: dict[asyncio.Task[None], Session] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, task: asyncio.Task[None], session: Session) -> None:
        """Own the task until it ends."""
        self._open[task] = session
        task.add_done_callback(self._remove)

    def _remove(self, task: asyncio.Task[None]) -> None:
        self._open.pop(task, None)

    def make_room(self, count: int = 1, *, full: bool = False) -> None:
        """End the most silent of the oldest sessions when the table is full, so that newcomers are served.

        `full` says that it is, whatever its count: descriptors have run out.
        """
        if len(self._open) < self.most and not full:
            return
        staying = ((task, session) for task, session in self._open.items() if not session.closing)
        oldest = sorted(itertools.islice(staying, LOOKED_AT), key=lambda item: item[1].last_read)
        for task, session in oldest[:count]:
            self.evicted += 1
            session.end(LimitError("evicted"))
            _cancel(task)

    def expire(self) -> None:
        """End what has been silent or has lasted too long."""
        now = time.monotonic()
        for session in list(self._open.values()):
            session.expire(now)

    async def close(self, seconds: float) -> None:
        """End all sessions, and wait for their last facts at most that long."""
        tasks = list(self._open)
        for task in tasks:
            _cancel(task)
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)


def _cancel(task: asyncio.Task[None]) -> None:
    """Cancel a task after its first step, which is already queued: a session that never began would leave no record."""
    asyncio.get_running_loop().call_soon(task.cancel)
