"""The processes of a fleet's groups: forked, told and heard, started again after they ended, killed where they must be.

This is the mechanism. Who may ask for what is in `deeds`, and when in `supervisor`.
"""

import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NoReturn

import msgspec

from chaffinch.config import FleetSettings
from chaffinch.errors import ChaffinchError
from chaffinch.fleet import group, messages
from chaffinch.fleet.backoff import Backoff
from chaffinch.fleet.group_process import GroupProcess
from chaffinch.fleet.messages import AskMetrics, Beat, Metrics, Stop
from chaffinch.fleet.parts import Parts
from chaffinch.fleet.privileges import give_up
from chaffinch.fleet.state import DIRECTORIES, FACING_ATTACKERS
from chaffinch.fleet.workers import Worker, faces_only_attackers
from chaffinch.metrics.registry import Snapshot, merge

if TYPE_CHECKING:
    from chaffinch.network.listeners import Listener

log = logging.getLogger("chaffinch.fleet")

FORK_AGAIN_SECONDS = 1.0
"""How long to wait after the machine refused to fork."""


def budgets_of(settings: FleetSettings, groups: Iterable[str]) -> dict[str, int]:
    """What each group may hold, in bytes: equal shares, one of which is the supervisor's."""
    names = tuple(groups)
    return dict.fromkeys(names, settings.memory // (len(names) + 1))


class Processes:
    """One `GroupProcess` for each group, in `groups` by name. `parts` is what the next one that is forked gets.

    `leave` is called in a child, to close what only the supervisor needs.
    """

    def __init__(
        self,
        parts: Parts,
        groups: Mapping[str, tuple[Worker, ...]],
        selector: selectors.BaseSelector,
        leave: Callable[[], None],
    ) -> None:
        self.parts = parts
        self.stopping_since: float | None = None
        """Since when the whole fleet ends; from then on nothing is started."""
        self.leaving: tuple[Listener, ...] = ()
        """Listeners that `parts` has no more, or not yet for good, while a reload goes on."""
        budgets = budgets_of(self.settings, groups)
        self.groups = {name: self.made(name, workers, budgets[name]) for name, workers in groups.items()}
        self._selector = selector
        self._leave_supervisor = leave

    def made(self, name: str, workers: tuple[Worker, ...], budget_bytes: int) -> GroupProcess:
        """A group without a process."""
        return GroupProcess(name, workers, Backoff.of(self.settings), budget_bytes)

    @property
    def settings(self) -> FleetSettings:
        return self.parts.config.fleet

    def is_stopping(self) -> bool:
        """A signal may make it true between any two steps."""
        return self.stopping_since is not None

    def alive(self) -> bool:
        """Whether any process is left."""
        return any(one.pid for one in self.groups.values())

    # Starting and ending them

    def start(self, one: GroupProcess) -> None:
        """Fork the group's process. Where the machine refuses, it is tried again soon."""
        if self.is_stopping():
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
            one.restart_at = time.monotonic() + FORK_AGAIN_SECONDS
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
        if self.is_stopping():  # the signal came while we forked
            self.say(one, Stop())

    def end(self, one: GroupProcess) -> None:
        """The group's process is to end, and not to begin again."""
        one.restart_at, one.is_again = None, False
        if not one.pid:
            one.become("stopped")
        elif one.draining_since is None:
            one.draining_since = time.monotonic()
            one.become("stopping")
            self.say(one, Stop())

    def again(self, one: GroupProcess) -> None:
        """The group's process begins anew, at once when there is none."""
        self.end(one)
        one.backoff = Backoff.of(self.settings)
        if one.pid:
            one.is_again = True
        elif not one.is_off:
            self.start(one)

    def kill(self, one: GroupProcess, why: str) -> None:
        """End the group's process now; `why` stands in the log."""
        log.error("group.killed group=%s pid=%d why=%s", one.name, one.pid, why)
        os.kill(one.pid, signal.SIGKILL)

    def reap(self) -> None:
        """Take note of every process that has ended."""
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
        alone = faces_only_attackers(one.workers)
        writable = [state / name for name in (FACING_ATTACKERS if alone else DIRECTORIES)]
        return give_up(self.settings.user, f"ch-{one.name}", writable, state, connect=not alone)

    def _leave(self) -> None:
        """In the child: close what is the supervisor's, and take signals as a group does."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        for number in (signal.SIGINT, signal.SIGHUP):  # a terminal's signals are the supervisor's to hear
            signal.signal(number, signal.SIG_IGN)
        self._leave_supervisor()
        for other in self.groups.values():
            if other.channel is not None:
                other.channel.close()
        for listener in self.leaving:
            listener.socket.close()

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
        if self.is_stopping() or one.is_off:
            return one.become("stopped")
        if is_again:
            log.info("group.restarted group=%s", one.name)
            return self.start(one)
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

    # Messages

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
                self.say(one, Metrics(self.snapshot().to_bytes()))

    def say(self, one: GroupProcess, message: messages.Message, sockets: Iterable[socket.socket] = ()) -> bool:
        """Tell the group, and pass it the sockets. False where it cannot be told; one without a process need not be."""
        if one.channel is None:
            return True
        try:
            socket.send_fds(one.channel, [messages.encode(message)], [each.fileno() for each in sockets])
        except OSError as error:
            log.warning("group.unheard group=%s why=%s", one.name, error.strerror)
            return False
        return True

    def snapshot(self) -> Snapshot:
        """The metrics of all groups, merged."""
        return merge([one.snapshot for one in self.groups.values() if one.snapshot is not None])
