"""The supervisor: forks one process for each group, starts again what dies, answers the control socket, ends all in
order.

It is a plain loop over `selectors`, without threads and without asyncio, so that a fork copies nothing that runs.
Everything that groups share is imported and made before the first fork, and frozen: their processes hold it once.
"""

import contextlib
import difflib
import gc
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from typing import NoReturn

import msgspec

from chaffinch.config import environment
from chaffinch.decoys.worker import PREFIX
from chaffinch.errors import ChaffinchError, InputError, RunError
from chaffinch.fleet import control, group, messages
from chaffinch.fleet.backoff import Backoff
from chaffinch.fleet.control import Deed, Status
from chaffinch.fleet.group import Parts
from chaffinch.fleet.group_process import GroupProcess
from chaffinch.fleet.messages import Act, AskMetrics, Beat, Metrics, Stop
from chaffinch.fleet.notify import Notifier
from chaffinch.fleet.privileges import give_up
from chaffinch.fleet.state import DIRECTORIES, FACING_ATTACKERS
from chaffinch.fleet.workers import Worker
from chaffinch.metrics import memory
from chaffinch.metrics.registry import Snapshot, merge

log = logging.getLogger("chaffinch.fleet")

TURN_SECONDS = 0.5
"""How often the loop looks at the clock when nothing happens."""


class Supervisor:
    """All groups of one fleet. `run` returns the exit code."""

    def __init__(
        self, parts: Parts, groups: dict[str, tuple[Worker, ...]], on_turn: Callable[["Supervisor"], None] | None = None
    ) -> None:
        self.parts = parts
        self.settings = parts.config.fleet
        self.since = time.time()
        share = self.settings.memory // (len(groups) + 1)
        self.groups = {
            name: GroupProcess(name, workers, Backoff.of(self.settings), share) for name, workers in groups.items()
        }
        self._on_turn = on_turn
        self._notifier = Notifier.of(environment())
        self._selector = selectors.DefaultSelector()
        self._control: socket.socket | None = None
        self._stopping_since: float | None = None
        self._killed: set[int] = set()
        self._turned = time.monotonic()
        self._wake: tuple[int, int] = (-1, -1)

    # The whole life

    def run(self) -> int:
        """Fork every group, watch them until a stop, and end them within the drain deadline."""
        self._open()
        gc.collect()
        gc.freeze()
        try:
            for one in self.groups.values():
                self._start(one)
            while self._alive() or self._stopping_since is None:
                self._turn()
        except BaseException:
            self._drain()
            raise
        finally:
            self._close()
        return 1 if self._killed else 0

    def stop(self) -> None:
        """Begin to end: every group is asked to drain; what is left at the deadline is killed."""
        if self._stopping_since is None:
            self._stopping_since = time.monotonic()
            self._notifier.stopping()
            for one in self.groups.values():
                one.restart_at = None
                self._say(one, Stop())

    def act(self, do: Deed, name: str) -> tuple[str, ...]:
        """Start, stop or restart a worker, or all workers of a group; their names.

        Raises `InputError` for a name that nothing has, and `RunError` once the fleet stops.
        """
        if self._stopping():
            raise RunError("the fleet is stopping")
        one, names = self._named(name)
        if do == "restart" and name == one.name:
            names = tuple(worker for worker in names if worker not in one.off)
            self._again(one)
            return names
        if do == "stop":
            one.off.update(names)
        else:
            one.off.difference_update(names)
        if one.is_off:
            self._end(one)
        elif not one.pid or one.draining_since is not None:
            self._again(one)
        else:
            self._say(one, Act(do, names))
        self._open_doors(one)
        return names

    def _named(self, name: str) -> tuple[GroupProcess, tuple[str, ...]]:
        """The group of that name with all its workers, or the group of the worker of that name."""
        if one := self.groups.get(name):
            return one, tuple(worker.name for worker in one.workers)
        for one in self.groups.values():
            if any(worker.name == name for worker in one.workers):
                return one, (name,)
        known = [*self.groups, *(worker.name for one in self.groups.values() for worker in one.workers)]
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(dict.fromkeys(known))}"
        raise InputError(f"no worker or group of this fleet is called {name!r}; {hint}")

    def _end(self, one: GroupProcess) -> None:
        """The group's process is to end, and not to begin again."""
        one.restart_at, one.is_again = None, False
        if not one.pid:
            one.become("stopped")
        elif one.draining_since is None:
            one.draining_since = time.monotonic()
            one.become("stopping")
            self._say(one, Stop())

    def _again(self, one: GroupProcess) -> None:
        """The group's process begins anew, at once when there is none."""
        self._end(one)
        one.backoff = Backoff.of(self.settings)
        if one.pid:
            one.is_again = True
        elif not one.is_off:
            self._start(one)

    def _open_doors(self, one: GroupProcess) -> None:
        """A service that its owner stopped refuses connections, as a port does that nobody listens on."""
        for listener in self.parts.listeners:
            name = f"{PREFIX}{listener.plan.service}"
            if any(worker.name == name for worker in one.workers):
                listener.refuse() if name in one.off else listener.listen(self.parts.plan.backlog)

    def _drain(self) -> None:
        """A fault of ours ends the fleet, but in order: groups get their time to close what is open."""
        self._on_turn = None
        self.stop()
        while self._alive():
            self._turn()

    def _turn(self) -> None:
        for key, _ in self._selector.select(TURN_SECONDS):
            key.data()
        self._reap()
        now = time.monotonic()
        self._forgive(now - self._turned)
        self._turned = now
        for one in self.groups.values():
            if one.restart_at is not None and now >= one.restart_at and self._stopping_since is None:
                self._start(one)
            elif one.pid and now - one.heard > self.settings.silent_seconds:
                log.error("group.stuck group=%s pid=%d", one.name, one.pid)
                one.heard = now
                os.kill(one.pid, signal.SIGKILL)
            elif one.draining_since is not None and now - one.draining_since > self.settings.drain_seconds:
                self._kill(one, "the drain deadline has passed")
        if self._stopping_since is not None and now - self._stopping_since > self.settings.drain_seconds:
            self._kill_the_rest()
        self._notifier.alive()
        if all(one.serves for one in self.groups.values()):
            self._notifier.ready(f"{self.parts.plan.hosts} decoy hosts")
        self._show()

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

    def _stopping(self) -> bool:
        return self._stopping_since is not None

    def _alive(self) -> bool:
        return any(one.pid for one in self.groups.values())

    # Starting and ending processes

    def _start(self, one: GroupProcess) -> None:
        if self._stopping():
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, messages.MOST_BYTES * 2)
        one.restart_at = None
        try:
            pid = os.fork()
        except OSError as error:
            log.error("group.fork_failed group=%s why=%s", one.name, error.strerror)
            ours.close()
            theirs.close()
            one.restart_at = time.monotonic() + 1.0
            return
        if pid == 0:
            ours.close()
            self._become(one, theirs)
        theirs.close()
        ours.setblocking(False)
        one.pid, one.channel, one.began = pid, ours, time.monotonic()
        one.heard = one.began
        one.become("running")
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._hear(one))
        if self._stopping():  # the signal came while we forked
            self._say(one, Stop())

    def _become(self, one: GroupProcess, channel: socket.socket) -> NoReturn:
        """In the child: leave the supervisor's things behind and be the group."""
        code = 1
        try:
            self._leave()
            off = frozenset(one.off)
            group.main(one.name, one.workers, self.parts, channel, one.budget_bytes, off, lambda: self._confine(one))
            code = 0
        except Exception:  # the boundary of a process that must not return into the supervisor's code
            log.exception("group.failed group=%s", one.name)
        finally:
            logging.shutdown()
            os._exit(code)

    def _confine(self, one: GroupProcess) -> str:
        """In the child: give up what the group does not need. One that only faces attackers keeps the least."""
        state = self.parts.state
        alone = all(worker.faces_attackers for worker in one.workers)
        writable = [state / name for name in (FACING_ATTACKERS if alone else DIRECTORIES)]
        namespace = self.parts.namespace
        inside = namespace is not None and any(worker.faces_attackers for worker in one.workers)
        if namespace is not None and inside:
            namespace.enter()
        return give_up(self.settings.user, f"ch-{one.name}", writable, state, connect=not alone and not inside)

    def _leave(self) -> None:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        for number in (signal.SIGINT, signal.SIGHUP):  # a terminal's signals are the supervisor's to hear
            signal.signal(number, signal.SIG_IGN)
        self._selector.close()
        if self._control is not None:
            self._control.close()
        for end in self._wake:
            os.close(end)
        for other in self.groups.values():
            if other.channel is not None:
                other.channel.close()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for one in self.groups.values():
                if one.pid == pid:
                    self._ended(one, os.waitstatus_to_exitcode(status))

    def _ended(self, one: GroupProcess, code: int) -> None:
        self._hear(one)  # its last beat
        if one.channel is not None:
            self._selector.unregister(one.channel)
            one.channel.close()
        one.pid, one.channel = 0, None
        if one.snapshot is not None:
            one.snapshot = one.snapshot.counters()
        is_again, one.is_again = one.is_again, False
        was_asked, one.draining_since = one.draining_since is not None, None
        if self._stopping_since is not None or one.is_off:
            return one.become("stopped")
        if is_again:
            log.info("group.restarted group=%s", one.name)
            return self._start(one)
        if was_asked:
            return one.become("stopped")
        wait = one.backoff.after_failure(time.monotonic() - one.began)
        why = signal.Signals(-code).name if code < 0 else f"exit {code}"
        if wait is None:
            log.error("group.given_up group=%s why=%s restarts=%d", one.name, why, one.restarts)
            return one.become("failed")
        log.warning("group.ended group=%s why=%s again_in=%.1fs", one.name, why, wait)
        one.restarts += 1
        one.restart_at = time.monotonic() + wait
        return one.become("waiting")

    def _kill_the_rest(self) -> None:
        for one in self.groups.values():
            if one.pid and one.pid not in self._killed:
                self._killed.add(one.pid)
                self._kill(one, "the drain deadline has passed")

    def _kill(self, one: GroupProcess, why: str) -> None:
        log.error("group.killed group=%s pid=%d why=%s", one.name, one.pid, why)
        os.kill(one.pid, signal.SIGKILL)

    # Messages ------------------------------------------------------------------------------------------------------

    def _hear(self, one: GroupProcess) -> None:
        while one.channel is not None:
            try:
                data = one.channel.recv(messages.MOST_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                return
            one.heard = time.monotonic()
            try:
                message = messages.decode(data)
                if isinstance(message, Beat):
                    one.beat, one.snapshot = message, Snapshot.from_bytes(message.metrics)
            except (msgspec.MsgspecError, UnicodeDecodeError, ChaffinchError) as error:
                log.error("group.garbled group=%s why=%s", one.name, error)
                os.kill(one.pid, signal.SIGKILL)
                return
            if isinstance(message, Beat):
                continue
            if isinstance(message, AskMetrics):
                self._say(one, Metrics(self.snapshot().to_bytes()))

    def _say(self, one: GroupProcess, message: messages.Message) -> None:
        if one.channel is None:
            return
        try:
            one.channel.send(messages.encode(message))
        except OSError as error:
            log.warning("group.unheard group=%s why=%s", one.name, error.strerror)

    # What it knows

    def snapshot(self) -> Snapshot:
        """The metrics of all groups, merged."""
        return merge([one.snapshot for one in self.groups.values() if one.snapshot is not None])

    def status(self) -> Status:
        """What `chaffinch status` shows."""
        snapshot = self.snapshot()
        own = memory.read()
        return Status(
            pid=os.getpid(),
            since=self.since,
            hosts=self.parts.plan.hosts,
            port_offset=self.parts.plan.port_offset,
            budget_bytes=self.settings.memory,
            pss_bytes=own.pss_bytes + sum(one.beat.pss_bytes for one in self.groups.values() if one.beat and one.pid),
            silent=all(listener.silent for listener in self.parts.listeners),
            sessions_open=int(snapshot.total("sessions_open")),
            sessions_seen=int(snapshot.total("sessions_opened")),
            events=int(snapshot.total("events_recorded")),
            journal_lost=int(snapshot.total("journal_lost")),
            journal_full=snapshot.total("journal_full") > 0,
            groups=tuple(one.status() for one in self.groups.values()),
            workers=tuple(row for one in self.groups.values() for row in one.rows()),
        )

    # Opening and closing

    def _open(self) -> None:
        self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._wake[1], warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stop())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._wake[0], selectors.EVENT_READ, self._woken)
        self._control = control.listen(self.parts.state)
        self._selector.register(
            self._control, selectors.EVENT_READ, lambda: control.answer(self._control, self.status, self.stop, self.act)
        )

    def _woken(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake[0], 512)

    def _close(self) -> None:
        for one in self.groups.values():
            if one.pid:
                os.kill(one.pid, signal.SIGKILL)
                os.waitpid(one.pid, 0)
        signal.set_wakeup_fd(-1)
        if self._control is not None:
            self._control.close()
            (self.parts.state / control.NAME).unlink(missing_ok=True)
        for listener in self.parts.listeners:
            listener.socket.close()
        if self.parts.page is not None:
            self.parts.page.close()
        self._selector.close()
        for end in self._wake:
            os.close(end)


def run(
    parts: Parts, groups: dict[str, tuple[Worker, ...]], on_turn: Callable[[Supervisor], None] | None = None
) -> int:
    """Run a fleet to its end."""
    return Supervisor(parts, groups, on_turn).run()
