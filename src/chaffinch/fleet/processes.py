"""The processes of a fleet's groups: forked, told and heard, started again after they ended, killed where they must be.

This is the mechanism. Who may ask for what is in `deeds`, and when in `supervisor`.
"""

import functools
import logging
import math
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

import msgspec

from chaffinch.config import FleetSettings
from chaffinch.errors import ChaffinchError
from chaffinch.fleet import asking, budget, descendants, group, messages
from chaffinch.fleet.backoff import Backoff
from chaffinch.fleet.cgroups import Cgroups
from chaffinch.fleet.group_process import GroupProcess
from chaffinch.fleet.messages import AskMetrics, Beat, Metrics, Share, Stop
from chaffinch.fleet.parts import Parts
from chaffinch.fleet.privileges import give_up, make_own
from chaffinch.fleet.state import DIRECTORIES, FACING_ATTACKERS
from chaffinch.fleet.workers import Worker, allowed, own_directories
from chaffinch.metrics.registry import Snapshot, merge

if TYPE_CHECKING:
    from chaffinch.capture.tap import Tap
    from chaffinch.network.listeners import Listener

log = logging.getLogger("chaffinch.fleet")

FORK_AGAIN_SECONDS = 1.0
"""How long to wait after the machine refused to fork."""

MOST_HEARD = 64
"""Messages taken from a group at once: one that never stops talking keeps the others waiting no longer than that."""


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
        self.is_short = False
        """A group could not end as it should, when the fleet ended."""
        self.leaving: tuple[Listener, ...] = ()
        """Listeners that `parts` has no more, or not yet for good, while a reload goes on."""
        self.leaving_tap: Tap | None = None
        """The same of the raw socket."""
        self.division = budget.divide(budget.stated(self.settings.memory), groups)
        self.groups = {name: self.made(name, workers) for name, workers in groups.items()}
        self._others: dict[str, Snapshot] = {}
        """What supervisors of other groups said last, by their sockets."""
        self.cgroups = Cgroups.open()
        self._selector = selector
        self._leave_supervisor = leave

    def made(self, name: str, workers: tuple[Worker, ...]) -> GroupProcess:
        """A group of the division, without a process."""
        return GroupProcess(name, workers, Backoff.of(self.settings), self.division.share_of(name))

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
        one.restart_at = one.lowered_since = None
        try:
            ours, theirs = messages.channel()
        except OSError as error:
            self._not_begun(one, error)
            return
        foreign = self._foreign(one)
        try:
            pid = os.fork()
        except OSError as error:
            ours.close()
            theirs.close()
            self._not_begun(one, error)
            return
        if pid == 0:
            ours.close()
            self._become(one, theirs, foreign)
        theirs.close()
        ours.setblocking(False)
        one.pid, one.channel, one.began = pid, ours, time.monotonic()
        one.heard, one.beat = one.began, None
        one.become("running")
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._hear(one))
        if self.is_stopping():  # the signal came while we forked
            self.say(one, Stop())

    def _foreign(self, one: GroupProcess) -> list[int]:
        """The descriptors of other groups and of listeners that go, as numbers: a child that closed them as objects
        would hold a page more for each group.
        """
        others = [other for other in self.groups.values() if other is not one]
        words = [other.last_words.fileno() for other in others]
        channels = [other.channel.fileno() for other in self.groups.values() if other.channel is not None]
        return words + channels + [listener.socket.fileno() for listener in self.leaving]

    def _not_begun(self, one: GroupProcess, error: OSError) -> None:
        """The machine has no process or descriptor for it now: it is tried again until there is one."""
        log.error("group.not_begun group=%s why=%s", one.name, error.strerror)
        one.error = f"its process could not be made ({error.strerror}); it is tried again"
        one.restart_at = time.monotonic() + FORK_AGAIN_SECONDS
        one.become("waiting")

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

    def replace(self, one: GroupProcess, why: str) -> None:
        """End the group's process in order, for a fault: it counts as a failure, and begins anew."""
        log.error("group.replaced group=%s pid=%d why=%s", one.name, one.pid, why)
        one.doom = why
        one.draining_since = time.monotonic()
        one.become("stopping")
        self.say(one, Stop())

    def kill(self, one: GroupProcess, why: str) -> None:
        """End the group's process now; `why` stands in the log and in `status`."""
        log.error("group.killed group=%s pid=%d why=%s", one.name, one.pid, why)
        one.doom = one.doom or why
        os.kill(one.pid, signal.SIGKILL)

    def budget(self, division: budget.Division, told: Container[str]) -> None:
        """From now on these shares hold; the groups that are told go on with them, others begin anew with theirs."""
        self.division = division
        for one in self.groups.values():
            if one.name in told:
                one.budget_bytes = division.share_of(one.name)
                one.lowered_since, one.over_since = time.monotonic(), None
                self.say(one, Share(one.budget_bytes))
                self.settle(one)

    def settle(self, one: GroupProcess) -> None:
        """Once a group fits another share, the kernel bounds it by that, too: where one holds more than its limit, the
        kernel kills it while the limit is written.
        """
        if one.lowered_since is None or one.private_bytes() > one.budget_bytes > 0:
            return
        one.lowered_since = None
        if self.cgroups is not None and one.pid:
            self.cgroups.limit(one.name, one.budget_bytes, self._most_sessions(one))

    def _most_sessions(self, one: GroupProcess) -> int:
        return self.parts.config.decoys.sessions if any(worker.faces_attackers for worker in one.workers) else 0

    def reap(self) -> None:
        """Take note of every process that has ended."""
        while pid := descendants.ended_child():
            one = next((one for one in self.groups.values() if one.pid == pid), None)
            if one is not None:
                descendants.kill_children(pid)
            _, status = os.waitpid(pid, 0)
            if one is not None:
                self._ended(one, os.waitstatus_to_exitcode(status))

    def _become(self, one: GroupProcess, channel: socket.socket, foreign: Sequence[int]) -> NoReturn:
        """In the child: leave the supervisor's things behind and be the group."""
        code, supervisor = 1, descendants.lead()
        try:
            self._leave(foreign)
            one.last_words.listen()
            off = frozenset(one.off)
            confine = functools.partial(self._confine, one)
            code = group.main(one.name, one.workers, self.parts, channel, one.budget_bytes, off, confine)
        except BaseException:  # the boundary of a process that must not return into the supervisor's code
            log.exception("group.failed group=%s", one.name)
        finally:
            logging.shutdown()
            descendants.end_alone(supervisor)
            os._exit(code)

    def _confine(self, one: GroupProcess) -> str:
        """In the child: give up what the group does not need. One that only faces attackers keeps the least."""
        if self.cgroups is not None:
            self.cgroups.enter(one.name, one.budget_bytes, self._most_sessions(one))
        state = self.parts.state
        stores, connects = allowed(one.workers)
        own = own_directories(one.workers)
        make_own(self.settings.user, state, own)
        writable = [state / name for name in (*(DIRECTORIES if stores else FACING_ATTACKERS), *own)]
        if self.parts.namespace is not None and any(worker.faces_attackers for worker in one.workers):
            self.parts.namespace.enter()
        return give_up(self.settings.user, f"ch-{one.name}", writable, state, connect=connects)

    def _leave(self, foreign: Sequence[int]) -> None:
        """In the child: close what is the supervisor's, and take signals as a group does."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        for number in (signal.SIGINT, signal.SIGHUP):  # a terminal's signals are the supervisor's to hear
            signal.signal(number, signal.SIG_IGN)
        self._leave_supervisor()
        for descriptor in foreign:
            os.close(descriptor)
        if self.leaving_tap is not None:
            self.leaving_tap.let_go(reads=False)

    def _ended(self, one: GroupProcess, code: int) -> None:
        self._hear(one)  # its last beat
        self._hang_up(one)
        if self.cgroups is not None and (killed := self.cgroups.ended(one.name)):
            one.doom = one.doom or killed
        is_fault = bool(one.doom)
        why = one.cause_of_end(code)
        one.pid, one.over_since = 0, None
        if one.snapshot is not None:
            one.snapshot = one.snapshot.counters()
        is_again, one.is_again = one.is_again, False
        was_asked, one.draining_since = one.draining_since is not None, None
        if self.is_stopping() or one.is_off:
            self.is_short = self.is_short or (self.is_stopping() and code != 0)
            return one.become("stopped")
        if is_again:
            log.info("group.restarted group=%s", one.name)
            return self.start(one)
        if was_asked and not is_fault:
            return one.become("stopped")
        one.error = why
        # One that served and was killed by somebody else has no fault: it is no step to a crash loop.
        was_killed = code == -signal.SIGKILL and not is_fault and one.serves
        wait = one.backoff.after_failure(math.inf if was_killed else time.monotonic() - one.began)
        if wait is None:
            log.error("group.given_up group=%s why=%s restarts=%d", one.name, why, one.restarts)
            return one.become("failed")
        log.warning("group.ended group=%s why=%s again_in=%.1fs", one.name, why, wait)
        one.restarts += 1
        one.restart_at = time.monotonic() + wait
        return one.become("waiting")

    # Messages

    def _hear(self, one: GroupProcess) -> None:
        for _ in range(MOST_HEARD):
            if one.channel is None:
                return
            try:
                data = one.channel.recv(messages.MOST_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:  # it ends; or it closed its channel, and is killed for its silence
                self._hang_up(one)
                return
            one.hear()
            try:
                message = messages.decode(data)
                if isinstance(message, Beat):
                    one.beat, one.snapshot = message, Snapshot.from_bytes(message.metrics)
            except (msgspec.MsgspecError, UnicodeDecodeError, ChaffinchError) as error:
                self.kill(one, f"it said what cannot be understood: {error}")
                return
            if isinstance(message, Beat):
                continue
            if isinstance(message, AskMetrics):
                self.say(one, Metrics(self._whole_snapshot().to_bytes()))

    def _hang_up(self, one: GroupProcess) -> None:
        if one.channel is not None:
            self._selector.unregister(one.channel)
            one.channel.close()
            one.channel = None

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

    def _whole_snapshot(self) -> Snapshot:
        """That of the whole fleet, also where other supervisors have the other groups."""
        if not self.parts.only:
            return self.snapshot()
        # What a supervisor counted that is silent now stays counted: a page must not go back.
        silent = {name: one.counters() for name, one in self._others.items()}
        heard = asking.snapshots(self.parts.state, self.parts.only)
        self._others = silent | {name: Snapshot.from_bytes(one) for name, one in heard.items()}
        return merge([self.snapshot(), *self._others.values()])
