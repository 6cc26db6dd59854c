"""What another configuration changes in a running fleet: a table of settings and whom they concern, without any effect.

How it is done is in `rollout`, and when in `reloader`.
"""

import fnmatch
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Literal

import msgspec

from chaffinch import config as configuration
from chaffinch.config import Config, ServiceSettings
from chaffinch.decoys.fitting import FITTED
from chaffinch.decoys.registry import BUILT_IN
from chaffinch.decoys.worker import PREFIX
from chaffinch.errors import InputError
from chaffinch.fleet.parts import Draft, Parts
from chaffinch.fleet.workers import BOT, Worker, allowed, own_directories

Then = Literal["told", "workers", "processes", "fleet"]
"""What a changed setting asks for: that it is told, that workers or whole processes begin anew, another fleet."""

Groups = Mapping[str, tuple[Worker, ...]]


class Rule(msgspec.Struct, frozen=True):
    """The settings that fit the pattern, what their change asks for, and of which workers: in words, and of a worker
    and a setting's path.
    """

    settings: str
    then: Then
    who: str = ""
    whom: Callable[[Worker, str], bool] = lambda _worker, _path: True


def _is_decoy(worker: Worker, _path: str) -> bool:
    return worker.name.startswith(PREFIX)


def _faces_attackers(worker: Worker, _path: str) -> bool:
    return worker.faces_attackers


def _may_store(worker: Worker, _path: str) -> bool:
    """Who faces attackers cannot write to the store."""
    return not worker.faces_attackers


def _serves_it(worker: Worker, path: str) -> bool:
    return worker.name == PREFIX + path.removeprefix("services.").rpartition(".")[0]


def _is_named_so(worker: Worker, path: str) -> bool:
    return worker.name == path.partition(".")[0]


def _has_chains(worker: Worker, _path: str) -> bool:
    return "chains" in worker.writes


RULES: Final = (
    Rule("fleet.seed", "fleet"),
    Rule("fleet.user", "fleet"),
    Rule("fleet.log_bytes", "fleet"),
    Rule("fleet.*", "told"),  # groups and workers: from the arrangement that comes of them
    Rule("network.hosts", "workers", "what faces attackers", _faces_attackers),
    Rule("network.port_offset", "workers", "what faces attackers", _faces_attackers),
    Rule("network.backlog", "told"),
    Rule("decoys.*", "workers", "every decoy service", _is_decoy),
    Rule("capture.enabled", "processes", "the group of `capture`: a ring is mapped as a process begins", _is_named_so),
    Rule("capture.buffer_bytes", "processes", "the group of `capture`", _is_named_so),
    Rule("capture.*", "workers", "`capture`", _is_named_so),
    Rule("services.*", "workers", "that service", _serves_it),
    Rule("journal.*", "processes", "every group: each has its writer"),
    Rule("store.*", "processes", "groups that may write to the store", _may_store),
    Rule("metrics.*", "workers", "`metrics`", _is_named_so),
    Rule("bot.enabled", "told"),  # from the arrangement
    Rule("bot.token_file", "processes", "the group of `bot`: a token is read as a process begins", _is_named_so),
    Rule("bot.*", "workers", "`bot`", _is_named_so),
    Rule("chain.serve.*", "told"),  # no worker of the fleet: `chain serve` reads it when it starts
    Rule("chain.*", "workers", "`bot`", _has_chains),
)
"""The first rule that fits counts. What none fits asks for another fleet."""


class Fixed(msgspec.Struct, frozen=True):
    """Settings that hold for the whole life of a fleet which is made in some way: in words, and of its parts."""

    settings: tuple[str, ...]
    how: str
    is_so: Callable[[Parts], bool]


FIXED: Final = (
    Fixed(("fleet.groups",), "with `up --only`", lambda parts: bool(parts.only)),
    Fixed(("network.hosts", "fleet.groups"), "in a network of its own", lambda parts: parts.namespace is not None),
    Fixed(
        ("metrics.host", "metrics.port"),
        "in a network of its own, with the metrics page in a group with decoys",
        lambda parts: parts.page is not None,
    ),
)
"""No worker can go to a group of another supervisor. Routes and rules of a namespace follow from the hosts, who is
inside from the groups, and a page is bound where its worker cannot bind any more.
"""


class Change(msgspec.Struct, frozen=True):
    """What there is to do. Groups: `ended` are no more, `anew` begin with a new process. Workers, of the groups that
    stay: `stopped` are no more, `restarted` begin anew, `started` are new. `released` stop before anything starts,
    because a port of theirs becomes another's.
    """

    settings: tuple[str, ...]
    told: tuple[str, ...]
    ended: tuple[str, ...]
    anew: tuple[str, ...]
    stopped: tuple[str, ...]
    released: tuple[str, ...]
    restarted: tuple[str, ...]
    started: tuple[str, ...]


def differing(old: Config, new: Config) -> tuple[str, ...]:
    """The paths of the settings that do not say the same, such as `services.ssh.enabled`, in the order of the file."""
    return tuple(_differing(old, new))


def _differing(old: Config, new: Config) -> Iterator[str]:
    for one in configuration.settings():
        if one.section.startswith("services."):
            for name in dict.fromkeys((*old.services, *new.services)):
                before, after = (_service(config, name) for config in (old, new))
                if getattr(before, one.key) != getattr(after, one.key):
                    yield f"services.{name}.{one.key}"
        elif _value(old, one.path) != _value(new, one.path) or _is_given_now(one.path, old, new):
            yield one.path


def _is_given_now(path: str, old: Config, new: Config) -> bool:
    """Whether the bound has the same number in both, and only in one of them follows from the budget. Groups take that
    over as they go on.
    """
    return path in FITTED and (path in old.given) != (path in new.given) and _value(old, path) == _value(new, path)


def _service(config: Config, name: str) -> ServiceSettings:
    """What holds for a service that the file does not name: ours run, a plug-in's does not."""
    return config.services.get(name) or ServiceSettings(enabled=name in BUILT_IN)


def _value(config: Config, path: str) -> object:
    found: object = config
    for name in path.split("."):
        found = getattr(found, name)
    return found


def rule_for(path: str) -> Rule:
    """The rule that a changed setting follows."""
    fitting = (rule for rule in RULES if fnmatch.fnmatchcase(path, rule.settings))
    return next(fitting, Rule(path, "fleet"))


def refuse_unchangeable(settings: tuple[str, ...], parts: Parts | None = None) -> None:
    """Raises `InputError` that names the settings which hold for a fleet's whole life, or for that of one with these
    parts.
    """
    said = []
    if always := [path for path in settings if rule_for(path).then == "fleet"]:
        said.append(f"{', '.join(always)} cannot change while the fleet runs")
    for one in FIXED:
        fixed = [path for path in settings if path in one.settings]
        if fixed and parts is not None and one.is_so(parts):
            said.append(f"{', '.join(fixed)} cannot change while the fleet runs {one.how}")
    if said:
        raise InputError(
            f"{', and '.join(said)}: put it back, or restart the fleet with `chaffinch stop` and `chaffinch up`; "
            "nothing was changed"
        )


def changes(old: Draft, new: Draft) -> Change:
    """What leads from one fleet to the other. Raises `InputError` as `refuse_unchangeable` does."""
    settings = differing(old.config, new.config)
    refuse_unchangeable(settings)
    touching = tuple(path for path in settings if not _is_given_now(path, old.config, new.config))
    here, there = _homes(old.groups), _homes(new.groups)
    begun = _begun_anew(old.groups, new.groups, touching)
    staying = {name: home for name, home in there.items() if home not in begun}
    ports = _ports(old), _ports(new)
    rows = [worker for members in new.groups.values() for worker in members if worker.name in staying]
    return Change(
        settings=settings,
        told=tuple(path for path in settings if path not in touching or _is_told(path, (*here, *there))),
        ended=tuple(name for name in old.groups if name not in new.groups),
        anew=begun,
        stopped=tuple(
            name for name, home in here.items() if name not in there and home in new.groups and home not in begun
        ),
        released=_released(*ports, there),
        restarted=tuple(
            row.name
            for row in rows
            if row.name in here and (_is_concerned(row, touching) or _served(ports[0], row) != _served(ports[1], row))
        ),
        started=tuple(name for name in staying if name not in here),
    )


def _is_told(path: str, names: Sequence[str]) -> bool:
    """Whether nothing begins anew for it: also where a worker would that this fleet has not."""
    rule = rule_for(path)
    return rule.then == "told" or (rule.whom is _has_chains and BOT.name not in names)


def _is_concerned(worker: Worker, settings: tuple[str, ...]) -> bool:
    rules = ((rule_for(path), path) for path in settings)
    return any(rule.then == "workers" and rule.whom(worker, path) for rule, path in rules)


def _homes(groups: Groups) -> dict[str, str]:
    return {worker.name: name for name, members in groups.items() for worker in members}


def _begun_anew(old: Groups, new: Groups, settings: tuple[str, ...]) -> tuple[str, ...]:
    """The groups that need a new process: new ones, those that a worker came to or left for another group, those that
    hold what is made once for a process, and those whose confinement is no longer what their workers need.
    """
    here, there = _homes(old), _homes(new)
    moved = {name for name in here.keys() & there.keys() if here[name] != there[name]}
    once = [(rule, path) for path in settings if (rule := rule_for(path)).then == "processes"]
    return tuple(
        name
        for name, members in new.items()
        if name not in old
        or moved & {worker.name for worker in (*members, *old[name])}
        or any(rule.whom(worker, path) for worker in (*members, *old[name]) for rule, path in once)
        or _confinement(members) != _confinement(old[name])
    )


def _confinement(members: tuple[Worker, ...]) -> tuple[object, ...]:
    """What a process is given up to, once: `allowed`, its own directories, and whether it is where attackers are."""
    return *allowed(members), set(own_directories(members)), any(worker.faces_attackers for worker in members)


def _ports(draft: Draft) -> dict[tuple[str, int], tuple[str, int]]:
    """Who listens where: transport and port to the service and its real port."""
    return {(one.transport, one.listen): (one.service, one.port) for one in draft.plan.ports}


def _served(ports: Mapping[tuple[str, int], tuple[str, int]], worker: Worker) -> set[tuple[str, int, int]]:
    """Where the worker's service listens."""
    return {(*key, port) for key, (service, port) in ports.items() if PREFIX + service == worker.name}


def _released(
    old: Mapping[tuple[str, int], tuple[str, int]],
    new: Mapping[tuple[str, int], tuple[str, int]],
    there: Mapping[str, str],
) -> tuple[str, ...]:
    """The workers that go on and whose port becomes another service's: two must never accept on one socket."""
    given = (PREFIX + service for key, (service, _) in old.items() if key in new and new[key][0] != service)
    return tuple(dict.fromkeys(name for name in given if name in there))
