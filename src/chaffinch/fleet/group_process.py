"""A group as its supervisor sees it: its process, what it said last, and what is wanted of it."""

import logging
import signal
import time
from typing import TYPE_CHECKING

from chaffinch.fleet import last_words
from chaffinch.fleet.backoff import Backoff
from chaffinch.fleet.control import GroupStatus, Wanted, WorkerStatus
from chaffinch.fleet.last_words import LastWords
from chaffinch.fleet.workers import Worker
from chaffinch.metrics import memory

if TYPE_CHECKING:
    import socket

    from chaffinch.fleet.messages import Beat
    from chaffinch.metrics.registry import Snapshot

log = logging.getLogger("chaffinch.fleet")


class GroupProcess:
    """One group. `backoff` is for failures; what its owner asks for is none."""

    def __init__(self, name: str, workers: tuple[Worker, ...], backoff: Backoff, budget_bytes: int) -> None:
        self.name = name
        self.workers = workers
        self.backoff = backoff
        self.budget_bytes = budget_bytes
        self.pid = 0
        self.state = "starting"
        self.since = time.time()
        self.began = 0.0
        self.heard = 0.0
        self.restarts = 0
        self.restart_at: float | None = None
        self.error = ""
        """Why its last process ended, or could not begin."""
        self.doom = ""
        """Why the supervisor ends the process that it has, for a fault."""
        self.off: set[str] = set()
        """Workers that their owner stopped: they stay so when the group begins anew."""
        self.draining_since: float | None = None
        """Since when it is to end, alone."""
        self.is_again = False
        """It begins anew when it has ended, which is no failure."""
        self.over_since: float | None = None
        """Since when it holds more than its share."""
        self.lowered_since: float | None = None
        """Since when it has a share that it does not fit yet."""
        self.asked_where = False
        """It is silent, and was asked where it hangs."""
        self.last_words = LastWords(name)
        self.channel: socket.socket | None = None
        self.beat: Beat | None = None
        self.snapshot: Snapshot | None = None

    def become(self, state: str) -> None:
        self.state = state
        self.since = time.time()

    @property
    def is_off(self) -> bool:
        """Nothing in it is to run."""
        return all(worker.name in self.off for worker in self.workers)

    @property
    def serves(self) -> bool:
        """Each of its workers has begun."""
        return self.beat is not None and all(row.state != "starting" for row in self.beat.workers)

    def private_bytes(self) -> int:
        """What it holds alone, now: what it shares changes little, and it says how much that is with each beat.

        Read from outside, so that a group that says nothing is seen, too. 0 when it has no process.
        """
        if not self.pid or self.beat is None:
            return 0
        try:
            return max(0, memory.resident_bytes(self.pid) - self.beat.shared_bytes)
        except OSError:
            return 0  # it ends just now

    def hear(self) -> None:
        """It said something. If it was thought to be stuck it was not: where it was then is of no use later."""
        self.heard = time.monotonic()
        if self.asked_where:
            log.warning("group.was_stuck group=%s\n%s", self.name, self.last_words.take().rstrip())
            self.asked_where, self.doom = False, ""

    def cause_of_end(self, code: int) -> str:
        """Why its process ended, and where it was; what the supervisor killed it for stands first."""
        text = self.last_words.take()
        if text:
            log.error("group.last_words group=%s\n%s", self.name, text.rstrip())
        why = self.doom or (f"it ended with {signal.Signals(-code).name if code < 0 else f'exit {code}'}")
        self.doom, self.asked_where = "", False
        where = last_words.place(text)
        return f"{why} (at {where})" if where else why

    def status(self) -> GroupStatus:
        """What `chaffinch status` shows of it."""
        beat = self.beat if self.pid else None
        return GroupStatus(
            name=self.name,
            pid=self.pid,
            state=self.state,
            since=self.since,
            restarts=self.restarts,
            pss_bytes=beat.pss_bytes if beat else 0,
            private_bytes=beat.private_bytes if beat else 0,
            budget_bytes=self.budget_bytes,
            cpu_seconds=beat.cpu_seconds if beat else 0.0,
            confined=self.beat.confined if self.beat else "",
            error=self.error,
            given_up=beat.given_up if beat else (),
        )

    def rows(self) -> list[WorkerStatus]:
        """What it shows of its workers: what the group said last, or its own state where no process has any."""
        if self.beat is not None and self.pid:
            return [
                WorkerStatus(
                    row.name, self.name, row.state, self._wanted(row.name), row.since, row.restarts, row.lag, row.error
                )
                for row in self.beat.workers
            ]
        return [self._row(worker.name) for worker in self.workers]

    def _row(self, name: str) -> WorkerStatus:
        if name in self.off:
            return WorkerStatus(name, self.name, "stopped", "stopped", self.since, 0, 0, "")
        state = "starting" if self.pid else self.state  # a process that has said nothing yet
        return WorkerStatus(name, self.name, state, "running", self.since, 0, 0, self.error)

    def _wanted(self, name: str) -> Wanted:
        return "stopped" if name in self.off else "running"
