"""The supervisor: has one process forked for each group, watches over them, answers the control socket, ends all in
order.

It is a plain loop over `selectors`, without threads and without asyncio, so that a fork copies nothing that runs.
Everything that groups share is imported and made before the first fork, and frozen: their processes hold it once.
"""

import contextlib
import gc
import logging
import os
import selectors
import signal
import time
from collections.abc import Callable, Mapping

from chaffinch.config import FleetSettings, environment
from chaffinch.errors import RunError
from chaffinch.fleet import control, descendants, last_words
from chaffinch.fleet.callers import Callers
from chaffinch.fleet.control import Deed, Measured, Reloading, Status
from chaffinch.fleet.deeds import Deeds
from chaffinch.fleet.group_process import GroupProcess
from chaffinch.fleet.limit import FollowedLimit
from chaffinch.fleet.messages import Stop
from chaffinch.fleet.notify import Notifier
from chaffinch.fleet.parts import Origin, Parts
from chaffinch.fleet.processes import Processes
from chaffinch.fleet.rehearsal import rehearse
from chaffinch.fleet.reloader import Reloader
from chaffinch.fleet.workers import Worker
from chaffinch.metrics import memory
from chaffinch.network.listeners import shown_by

log = logging.getLogger("chaffinch.fleet")

TURN_SECONDS = 0.5
"""How often the loop looks at the clock when nothing happens."""

RELOAD_TURN_SECONDS = 0.05
"""The same while a reload waits for its next step."""

OVER_SECONDS = 3.0
"""How long a group may hold more than its share: its guard looks every 50 ms then, and has given up all it can."""

LOWERED_SECONDS = 30.0
"""The same of one that has another share than it held: its sessions end a few at a time, 10,000 of all services in
10 s, and its guard gives all up in 10 s more.
"""


class Supervisor:
    """All groups of one fleet. `run` returns the exit code."""

    def __init__(
        self,
        parts: Parts,
        groups: Mapping[str, tuple[Worker, ...]],
        origin: Origin,
        on_turn: Callable[["Supervisor"], None] | None = None,
    ) -> None:
        self.since = time.time()
        self._selector = selectors.DefaultSelector()
        self._processes = Processes(parts, groups, self._selector, self._leave)
        self._deeds = Deeds(self._processes)
        self._on_turn = on_turn
        self._limit = FollowedLimit(self._processes)
        self._notifier = Notifier.of(environment())
        self._reloader = Reloader(self._processes, origin, self._notifier.reloading)
        self._callers: Callers | None = None
        self._killed: set[int] = set()
        self._turned = time.monotonic()
        self._wake: tuple[int, int] = (-1, -1)

    @property
    def parts(self) -> Parts:
        return self._processes.parts

    @property
    def groups(self) -> dict[str, GroupProcess]:
        return self._processes.groups

    @property
    def settings(self) -> FleetSettings:
        return self._processes.settings

    # The whole life

    def run(self) -> int:
        """Fork every group, watch them until a stop, and end them within the drain deadline."""
        rehearse(self.parts)
        self._open()
        gc.collect()
        gc.freeze()
        try:
            for one in self.groups.values():
                self._processes.start(one)
            while self._processes.alive() or not self._processes.is_stopping():
                self._turn()
        except BaseException:
            self._drain()
            raise
        finally:
            self._close()
        return 1 if self._killed or self._processes.is_short else 0

    def stop(self) -> None:
        """Begin to end: every group is asked to drain; what is left at the deadline is killed."""
        if not self._processes.is_stopping():
            self._processes.stopping_since = time.monotonic()
            self._notifier.stopping()
            for one in self.groups.values():
                one.restart_at = None
                self._processes.say(one, Stop())

    def act(self, do: Deed, name: str) -> tuple[str, ...]:
        """See `Deeds.act`. Raises `RunError` while a reload goes on, which has its own order."""
        if self._reloader.is_busy:
            raise RunError("a reload goes on; ask again when it is done")
        return self._deeds.act(do, name)

    def reload(self) -> Reloading:
        """See `Reloader.begin`."""
        return self._reloader.begin()

    def reloading(self) -> Reloading:
        """What became of the last reload."""
        return self._reloader.last

    def _drain(self) -> None:
        """A fault of ours ends the fleet, but in order: groups get their time to close what is open."""
        self._on_turn = None
        self.stop()
        while self._processes.alive():
            self._turn()

    def _turn(self) -> None:
        for key, _ in self._selector.select(RELOAD_TURN_SECONDS if self._reloader.is_busy else TURN_SECONDS):
            key.data()
        self._processes.reap()
        now = time.monotonic()
        self._forgive(now - self._turned)
        self._turned = now
        self._watch(now)
        if self._callers is not None:
            self._callers.look(now)
        if not self._reloader.is_busy:
            self._limit.look(now)
        self._reloader.advance()
        if self.parts.tap is not None:
            self.parts.tap.count_drops()
        self._notifier.alive()
        if not self._reloader.is_busy and all(one.serves for one in self.groups.values()):
            self._notifier.ready(f"{self.parts.plan.hosts} decoy hosts")
        self._show()

    def _watch(self, now: float) -> None:
        """Start what is due, kill what is stuck or late."""
        for one in self.groups.values():
            if one.restart_at is not None and now >= one.restart_at and not self._processes.is_stopping():
                self._processes.start(one)
            elif one.pid and now - one.heard > self.settings.silent_seconds:
                self._end_stuck(one)
            elif one.draining_since is not None and now - one.draining_since > self.settings.drain_seconds:
                self._processes.kill(one, "the drain deadline has passed")
            elif one.pid and one.budget_bytes and one.draining_since is None:
                self._bound(one, now)
        since = self._processes.stopping_since
        if since is not None and now - since > self.settings.drain_seconds:
            self._kill_the_rest()

    def _end_stuck(self, one: GroupProcess) -> None:
        """It is asked where it hangs, and killed a turn later, so that it can say."""
        one.heard += TURN_SECONDS
        if one.asked_where:
            self._processes.kill(one, one.doom)
        else:
            one.asked_where, one.doom = True, f"it said nothing for {self.settings.silent_seconds:.0f} s"
            os.kill(one.pid, last_words.ASK)

    def _bound(self, one: GroupProcess, now: float) -> None:
        """A group that stays over its share is replaced. How far over it can get is the group's (`fleet.holdings`)."""
        held = one.private_bytes()
        if held <= one.budget_bytes:
            one.over_since = None
            self._processes.settle(one)
            return
        if one.over_since is None:
            one.over_since = now
        elif one.lowered_since is not None and now - one.lowered_since < LOWERED_SECONDS:
            return
        elif now - one.over_since >= OVER_SECONDS:
            self._processes.replace(one, f"it held {held / 1e6:.1f} MB of its {one.budget_bytes / 1e6:.1f} MB")

    def _forgive(self, gap: float) -> None:
        """After this process was itself suspended, its groups get the time to speak that it did not listen."""
        if gap > 4 * TURN_SECONDS:
            for one in self.groups.values():
                one.heard += gap

    def _show(self) -> None:
        if self._on_turn is None:
            return
        try:
            self._on_turn(self)
        except OSError as error:  # the terminal or the pipe is gone: the fleet goes on without a view
            log.warning("view.gone why=%s", error.strerror)
            self._on_turn = None

    def _kill_the_rest(self) -> None:
        for one in self.groups.values():
            if one.pid and one.pid not in self._killed:
                self._killed.add(one.pid)
                self._processes.kill(one, "the drain deadline has passed")

    # What it knows

    def status(self) -> Status:
        """What `chaffinch status` shows."""
        snapshot = self._processes.snapshot()
        own = memory.read()
        return Status(
            pid=os.getpid(),
            since=self.since,
            hosts=self.parts.plan.hosts,
            port_offset=self.parts.plan.port_offset,
            budget_bytes=self._processes.division.memory,
            supervisor_pss_bytes=own.pss_bytes,
            pss_bytes=own.pss_bytes + sum(one.beat.pss_bytes for one in self.groups.values() if one.beat and one.pid),
            silent=all(listener.silent for listener in self.parts.listeners),
            stack=shown_by(self.parts.listeners, self.parts.namespace),
            sessions_open=int(snapshot.total("sessions_open")),
            sessions_seen=int(snapshot.total("sessions_opened")),
            events=int(snapshot.total("events_recorded")),
            journal_lost=int(snapshot.total("journal_lost")),
            journal_full=snapshot.total("journal_full") > 0,
            groups=tuple(one.status() for one in self.groups.values()),
            workers=tuple(row for one in self.groups.values() for row in one.rows()),
        )

    def measured(self) -> Measured:
        """The metrics of this supervisor's groups, for one that has others."""
        return Measured(self._processes.snapshot().to_bytes())

    # Opening and closing

    def _open(self) -> None:
        self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._wake[1], warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stop())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._wake[0], selectors.EVENT_READ, self._woken)
        self._callers = Callers(control.listen(self.parts.state, self.parts.only), self._selector, self)

    def _woken(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake[0], 512)

    def _leave(self) -> None:
        """In a child: close what only this process needs."""
        self._selector.close()
        if self._callers is not None:
            self._callers.leave()
        for end in self._wake:
            os.close(end)

    def _close(self) -> None:
        for one in self.groups.values():
            if one.pid:
                os.kill(one.pid, signal.SIGKILL)
                descendants.kill_children(one.pid)
                os.waitpid(one.pid, 0)
            one.last_words.close()
        if self._processes.cgroups is not None:
            self._processes.cgroups.close()
        signal.set_wakeup_fd(-1)
        if self._callers is not None:
            self._callers.close()
            (self.parts.state / control.name_of(self.parts.only)).unlink(missing_ok=True)
        for listener in (*self.parts.listeners, *self._processes.leaving):
            listener.socket.close()
        for tap in (self.parts.tap, self._processes.leaving_tap):
            if tap is not None:
                tap.end()
        if self.parts.page is not None:
            self.parts.page.close()
        self._selector.close()
        for end in self._wake:
            os.close(end)


def run(
    parts: Parts,
    groups: Mapping[str, tuple[Worker, ...]],
    origin: Origin,
    on_turn: Callable[[Supervisor], None] | None = None,
) -> int:
    """Run a fleet to its end."""
    return Supervisor(parts, groups, origin, on_turn).run()
