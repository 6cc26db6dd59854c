"""When a fleet takes over another configuration: all is looked at first, then rolled out, and then told how it went."""

import logging
import socket
from collections.abc import Callable, Iterator

import msgspec

from chaffinch.config import Config, MetricsSettings
from chaffinch.errors import ChaffinchError, InputError, RunError
from chaffinch.fleet import assemble, budget, openings
from chaffinch.fleet.control import Reloaded, Reloading
from chaffinch.fleet.parts import Draft, Origin, Parts
from chaffinch.fleet.processes import Processes
from chaffinch.fleet.reload import changes, differing, refuse_unchangeable
from chaffinch.fleet.rollout import Rollout, Side

log = logging.getLogger("chaffinch.fleet")


class Reloader:
    """The reloads of one fleet, one at a time. `reloading` calls whom a service manager is to hear of it."""

    def __init__(self, processes: Processes, origin: Origin, reloading: Callable[[], None]) -> None:
        self.last = Reloading(number=0, done=True)
        self._processes = processes
        self._origin = origin
        self._reloading = reloading
        self._rollout: Rollout | None = None
        self._steps: Iterator[None] = iter(())

    @property
    def is_busy(self) -> bool:
        return self._rollout is not None

    def begin(self) -> Reloading:
        """Read the configuration again and begin to take it over; `last` tells how far it is.

        Raises `InputError` for a configuration that cannot be, or that a running fleet cannot take over, and
        `RunError` for a port that cannot be bound and while the fleet stops or reloads. Then nothing has changed.
        """
        if self._processes.is_stopping():
            raise RunError("the fleet is stopping")
        if self.is_busy:
            raise RunError("a reload goes on already; ask again when it is done")
        self._reloading()
        number = self.last.number + 1
        now = self._processes.parts
        config = self._origin.load()
        settings = differing(now.stated, config)
        if not settings:
            self.last = Reloading(number=number, done=True)
            return self.last
        refuse_unchangeable(settings, now)
        old = Side(now, {one.name: one.workers for one in self._processes.groups.values()}, self._processes.division)
        draft = self._drafted(config, now)
        _refuse_taken(now.config.metrics, config.metrics, draft)
        _refuse_long_filters(draft)
        there, back = changes(_draft(old), draft), changes(draft, _draft(old))
        division = budget.divide(budget.stated(draft.config.fleet.memory), draft.groups)
        new = Side(openings.opened(draft, now), draft.groups, division)  # last: nothing can be refused after it
        self._rollout = Rollout(self._processes, old, new, there, back)
        self._steps = self._rollout.run()
        self.last = Reloading(number=number, done=False, settings=settings, told=there.told)
        log.info("reload.began settings=%s", ",".join(settings))
        self.advance()  # a process that is forked from here on knows which sockets are not its own
        return self.last

    def advance(self) -> None:
        """To be called each turn: the next steps, as far as nothing has to be waited for."""
        if self._rollout is None:
            return None
        if self._processes.is_stopping():
            return self._end("the fleet was stopped before the reload was done")
        if next(self._steps, self) is self:
            self._end(self._rollout.error)
        return None

    def _end(self, error: str) -> None:
        assert self._rollout is not None
        did = tuple(Reloaded(name, word) for name, word in self._rollout.did.items())
        error = "; ".join(filter(None, (error or self._taken_over(), self._settled())))
        self.last = msgspec.structs.replace(self.last, done=True, workers=did, error=error)
        log.info("reload.ended number=%d error=%s", self.last.number, error)
        self._rollout, self._steps = None, iter(())

    def _settled(self) -> str:
        """Give back what only the other side needed; why that could not be. A fleet that stops gives all of it back."""
        if self._processes.is_stopping():
            return ""
        try:
            openings.settled(self._processes.parts)
        except (RunError, OSError) as error:
            return f"datagrams may still leave from ports of services that are gone: {error}"
        return ""

    def _taken_over(self) -> str:
        """Have it written down; why it could not be."""
        try:
            self._origin.taken_over(self._processes.parts.stated)
        except OSError as error:
            return f"the new configuration holds, but cannot be written to the state directory ({error.strerror})"
        return ""

    def _drafted(self, config: Config, now: Parts) -> Draft:
        """The new fleet on paper; a plan that is the old one stays that object, which groups share."""
        try:
            draft = self._origin.draft(config)
        except ChaffinchError:
            raise
        except Exception as error:  # the boundary of others' packages: their services are imported to be asked
            log.exception("reload.no_draft")
            raise InputError(
                f"the services that the configuration names cannot be brought in ({error!r}); repair or remove them; "
                "nothing was changed"
            ) from None
        if (config.network, config.services) == (now.stated.network, now.stated.services):
            return msgspec.structs.replace(draft, plan=now.plan, personas=now.personas)
        return draft


def _draft(side: Side) -> Draft:
    one = side.parts
    return Draft(one.config, one.stated, one.seed, one.plan, one.personas, side.groups, one.plan, one.only)


def _refuse_long_filters(draft: Draft) -> None:
    """Raises `InputError` for prefixes that the kernel's filters cannot hold."""
    for port in draft.plan.ports:
        draft.plan.filter_for(port)
    if assemble.needs_tap(draft.groups):
        from chaffinch.capture.tap import program_for

        program_for(draft.plan)


def _refuse_taken(old: MetricsSettings, new: MetricsSettings, draft: Draft) -> None:
    """Raises `RunError` when the metrics page could not move to its new address; it is the worker that binds it.

    The worker also finds out about a name in the place of an address: looking one up may take long, and here nobody
    would be answered meanwhile.
    """
    here = any(worker.name == "metrics" for members in draft.groups.values() for worker in members)
    if old == new or not new.port or not here:
        return
    port = 0 if new.port == old.port else new.port  # our own page still has it
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            new.host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICHOST
        )[0]
    except socket.gaierror:
        return
    try:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise RunError(
            f"the metrics page cannot move to {new.host} port {new.port} ({error.strerror}); stop what holds it, or "
            "choose another metrics.port; nothing was changed"
        ) from None
