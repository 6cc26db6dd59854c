"""What the owner asks of one worker or group: to start, to stop, to begin anew. Its neighbours go on."""

from chaffinch.decoys.worker import PREFIX
from chaffinch.errors import RunError
from chaffinch.fleet.control import Deed, unknown
from chaffinch.fleet.group_process import GroupProcess
from chaffinch.fleet.messages import Act
from chaffinch.fleet.parts import Parts
from chaffinch.fleet.processes import Processes


class Deeds:
    """What may be done to the groups' processes by name. What was stopped is remembered in `GroupProcess.off`."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes

    def act(self, do: Deed, name: str) -> tuple[str, ...]:
        """Start, stop or restart a worker, or all workers of a group; their names.

        Raises `InputError` for a name that nothing has, and `RunError` once the fleet stops.
        """
        if self._processes.is_stopping():
            raise RunError("the fleet is stopping")
        one, names = self._named(name)
        if do == "restart" and name == one.name:
            names = tuple(worker for worker in names if worker not in one.off)
            self._processes.again(one)
            return names
        if do == "stop":
            one.off.update(names)
        else:
            one.off.difference_update(names)
        # Before the worker begins, which would give up a listener that does not listen.
        open_doors(self._processes.parts, one)
        if one.is_off:
            self._processes.end(one)
        elif not one.pid or one.draining_since is not None:
            self._processes.again(one)
        else:
            self._processes.say(one, Act(do, names))
        return names

    def _named(self, name: str) -> tuple[GroupProcess, tuple[str, ...]]:
        """The group of that name with all its workers, or the group of the worker of that name."""
        groups = self._processes.groups
        if one := groups.get(name):
            return one, tuple(worker.name for worker in one.workers)
        for one in groups.values():
            if any(worker.name == name for worker in one.workers):
                return one, (name,)
        known = [*groups, *(worker.name for one in groups.values() for worker in one.workers)]
        raise unknown(name, known)


def open_doors(parts: Parts, one: GroupProcess) -> None:
    """A service that its owner stopped refuses connections, as a port does that nobody listens on."""
    for listener in parts.listeners:
        name = f"{PREFIX}{listener.plan.service}"
        if any(worker.name == name for worker in one.workers):
            listener.refuse() if name in one.off else listener.listen(parts.plan.backlog)
