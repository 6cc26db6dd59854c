"""The open sessions of one process: how many there may be, which one makes room, which was silent for too long."""

import asyncio
import itertools
import time

from chaffinch.decoys.session import Session
from chaffinch.errors import LimitError

LOOKED_AT = 64
"""Of the oldest sessions so many are compared when one must make room: a bound on the work, not a promise of the very
oldest.
"""


class Room:
    """What the sessions of one process may take, which the tables of its services share: `most` is how many there may
    be, `most_bytes` what all of them may hold unread, unsent and half uploaded.
    """

    def __init__(self, most: int, most_bytes: int = 16 << 20) -> None:
        self.most = most
        self.most_bytes = most_bytes
        self.held = 0
        self.tables: list[SessionTable] = []
        self._holders: dict[Session, int] = {}

    def count(self, session: Session, held: int) -> None:
        """A session holds so many bytes now. Past the bound of all, those that hold the most end."""
        self.held += held - self._holders.pop(session, 0)
        if held:
            self._holders[session] = held
        self._end_largest()

    def _end_largest(self) -> None:
        while self.held > self.most_bytes:
            largest = max(self._holders, key=self._holders.__getitem__)
            self.held -= self._holders.pop(largest)
            for table in self.tables:
                table.end(largest)

    def limit_to(self, most: int, most_bytes: int) -> None:
        """Other bounds from now on. Sessions beyond them end as the tables are swept, a few at a time."""
        self.most, self.most_bytes = most, most_bytes
        for table in self.tables:
            table.most = most

    def settle(self) -> None:
        """End what is beyond a bound that was lowered, but no more than a turn of the loop can bear."""
        if sum(map(len, self.tables)) > self.most:  # those that end already are among them
            over = sum(table.staying() for table in self.tables) - self.most
            if over > 0:
                self.largest().evict(over)
        self._end_largest()

    def largest(self) -> "SessionTable":
        """The table that gives way when the process has no room. What ends already is not counted: in the turn of a
        flood it is still open, and its table would give way until nobody was left, newcomers neither.
        """
        return max(self.tables, key=SessionTable.unended)

    def is_full(self) -> bool:
        return sum(map(len, self.tables)) >= self.most


class SessionTable:
    """Open sessions of one service and the tasks that run them, by age."""

    def __init__(self, most: int, room: Room) -> None:
        self.most = most
        self.evicted = 0
        self._open: dict[asyncio.Task[None], Session] = {}
        self._ended: set[asyncio.Task[None]] = set()
        """Those of them that were ended to make room."""
        self._room = room
        room.tables.append(self)

    def __len__(self) -> int:
        return len(self._open)

    def unended(self) -> int:
        """How many were not ended to make room. Quick, for every newcomer asks."""
        return len(self._open) - len(self._ended)

    def staying(self) -> int:
        """How many of its sessions do not end already."""
        return sum(not session.closing for session in self._open.values())

    def add(self, task: asyncio.Task[None], session: Session) -> None:
        """Own the task until it ends."""
        self._open[task] = session
        task.add_done_callback(self._remove)

    def _remove(self, task: asyncio.Task[None]) -> None:
        self._open.pop(task, None)
        self._ended.discard(task)

    def make_room(self, count: int = 1, *, full: bool = False) -> None:
        """Let newcomers be served: when this table is full, its most silent old sessions end; when the process has no
        descriptors left (`full`: it has just been told so), those of its largest table.
        """
        if full or self._room.is_full():
            self._room.largest().evict(count)
        elif len(self._open) >= self.most:
            self.evict(count)

    def evict(self, count: int) -> None:
        """End the most silent of the oldest sessions."""
        staying = ((task, session) for task, session in self._open.items() if not session.closing)
        oldest = sorted(itertools.islice(staying, LOOKED_AT), key=lambda item: item[1].last_read)
        for task, session in oldest[:count]:
            self._end(task, session)

    def end(self, session: Session) -> None:
        """End this session, if it is one of the table's, to make room."""
        if session.task is not None and self._open.get(session.task) is session:
            self._end(session.task, session)

    def _end(self, task: asyncio.Task[None], session: Session) -> None:
        self.evicted += 1
        self._ended.add(task)
        session.end(LimitError("evicted"))
        _cancel(task)

    def expire(self) -> None:
        """End what has been silent or has lasted too long, and what there is no room for any more."""
        now = time.monotonic()
        for session in list(self._open.values()):
            session.expire(now)
        self._room.settle()

    async def close(self, seconds: float) -> None:
        """End all sessions, wait for their last facts at most that long, and leave the room to the others."""
        self._room.tables.remove(self)
        tasks = list(self._open)
        for task in tasks:
            _cancel(task)
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)


def _cancel(task: asyncio.Task[None]) -> None:
    """Cancel a task after its first step, which is already queued: a session that never began would leave no
    record.
    """
    asyncio.get_running_loop().call_soon(task.cancel)
