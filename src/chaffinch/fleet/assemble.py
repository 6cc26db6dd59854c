"""From the configuration to a fleet that can be started: the plan, the personas, the listeners, the worker table."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from chaffinch.config import Config, ServiceSettings
from chaffinch.decoys import registry
from chaffinch.errors import InputError
from chaffinch.fleet import alone, budget, workers
from chaffinch.fleet.parts import Draft, Parts
from chaffinch.fleet.workers import Worker
from chaffinch.journal.sqlite import SqliteJournal
from chaffinch.network.listeners import open_all
from chaffinch.network.plan import Plan
from chaffinch.personas.archetypes import Archetype, ServiceRule, archetypes
from chaffinch.personas.build import Personas
from chaffinch.personas.systems import Product

if TYPE_CHECKING:
    import socket

    from chaffinch.capture.tap import Tap
    from chaffinch.network.netns.blueprint import Blueprint
    from chaffinch.network.netns.namespace import Namespace


class Described(msgspec.Struct, frozen=True):
    """A fleet on paper: enough to list it."""

    plan: Plan
    personas: Personas
    archetypes: tuple[str, ...]

    @property
    def services(self) -> tuple[str, ...]:
        """The services that any host runs."""
        return tuple(sorted({port.service for port in self.plan.ports}))

    def refuse_unknown(self, *, service: str | None, archetype: str | None) -> None:
        """Raises `InputError` for a filter that can match nothing."""
        for kind, name, known in (("service", service, self.services), ("archetype", archetype, self.archetypes)):
            if name is not None and name not in known:
                raise InputError(f"no host has the {kind} {name!r}; there are: {', '.join(known)}")


def describe(config: Config, seed: bytes) -> Described:
    """The plan and the personas of a fleet. Raises `InputError` for what the configuration may not say."""
    kinds = _with_services(archetypes(), config.services)
    personas = Personas(seed, kinds)
    datagrams = _datagram_services(config.services)
    ports = {
        ("udp" if rule.name in datagrams else "tcp", rule.port): rule.name
        for kind in kinds
        for make in kind.makes
        for rule in make.services
    }
    plan = Plan(config.network, personas.placement, ports)
    return Described(plan, personas, tuple(kind.name for kind in kinds))


def blueprint(config: Config, state: Path, described: Described | Draft) -> "Blueprint":
    """The network namespace that the fleet wants. Raises `InputError` for settings that do not go together."""
    from chaffinch.network.netns.blueprint import blueprint

    wanted = blueprint(config.network, described.plan, state)
    if config.capture.enabled and len(wanted.cards) > 1:
        raise InputError(
            f"capture.enabled takes one device, and network.mac is {config.network.mac!r}, which has "
            f"{len(wanted.cards)} of them; name one maker with --mac, or set `enabled = false` in [capture]"
        )
    return wanted


@contextlib.contextmanager
def network(config: Config, state: Path, described: Described | Draft) -> "Iterator[Namespace | None]":
    """The fleet's own network, where it has one, for as long as the block goes on."""
    if config.network.mode == "loopback":
        yield None
        return
    from chaffinch.network.netns.namespace import standing

    with standing(blueprint(config, state, described)) as namespace:
        yield namespace


def arranged(config: Config, described: Described) -> dict[str, tuple[Worker, ...]]:
    """The workers in their groups. Raises `InputError` for what is not there, or what the budget cannot hold."""
    for name in described.services:
        registry.find(name)
        registry.refuse_missing(name)
    table = workers.table(described.services, config.fleet.workers, workers.opted(config))
    groups = workers.arrange(table, config.fleet.groups)
    budget.divide(budget.stated(config.fleet.memory), groups)
    return groups


def draft(stated: Config, seed: bytes, only: str = "") -> Draft:
    """The whole fleet on paper, or what the supervisor of the group `only` has of it. Raises `InputError` as `describe`
    and `arranged` do, and for a group that is not there.
    """
    described = describe(stated, seed)
    groups = arranged(stated, described)
    plan = described.plan
    if not only:
        return Draft(stated, stated, seed, plan, described.personas, groups, plan)
    config = alone.configured(stated, groups, only)
    mine = {only: groups[only]}
    return Draft(config, stated, seed, plan, described.personas, mine, alone.ports_of(plan, groups[only]), only)


def parts(draft: Draft, state: Path, namespace: "Namespace | None" = None) -> Parts:
    """Bind the listeners, and open the raw socket where a worker needs it: in the fleet's own network where it has one.

    Raises `RunError` when a port cannot be bound, when the raw socket needs a privilege, or when the journal is not of
    this release.
    """
    SqliteJournal(state / "journal", draft.config.journal).close()  # looked at once, for all groups
    page = None if namespace is None else _page(draft.config, draft.groups)
    with contextlib.nullcontext() if namespace is None else namespace.inside():
        tap = _tap(draft.config, draft.plan) if needs_tap(draft.groups) else None
        listeners = open_all(draft.bound)
    return Parts(
        draft.config,
        draft.stated,
        draft.seed,
        state,
        draft.plan,
        draft.personas,
        listeners,
        draft.only,
        tap,
        namespace,
        page,
    )


def _tap(config: Config, plan: Plan) -> "Tap":
    from chaffinch.capture.tap import open_tap

    return open_tap(plan, config.capture.buffer_bytes)


def needs_tap(groups: Mapping[str, tuple[Worker, ...]]) -> bool:
    """Whether any worker needs the raw socket."""
    return any("raw packets" in worker.needs for members in groups.values() for worker in members)


def page_with_decoys(config: Config, groups: Mapping[str, tuple[Worker, ...]]) -> str:
    """The group in which the worker of the metrics page shares a process with those that leave the owner's network;
    empty where there is none, or no page.
    """
    found = (
        name
        for name, rows in groups.items()
        if any(row.faces_attackers for row in rows) and any(row.name == "metrics" for row in rows)
    )
    return next(found, "") if config.metrics.port else ""


def _page(config: Config, groups: Mapping[str, tuple[Worker, ...]]) -> "socket.socket | None":
    """The socket of the metrics page, where its group is in the fleet's own network."""
    if not page_with_decoys(config, groups):
        return None
    from chaffinch.metrics.endpoint import bind

    return bind(config.metrics.host, config.metrics.port)


def _with_services(kinds: tuple[Archetype, ...], chosen: Mapping[str, ServiceSettings]) -> tuple[Archetype, ...]:
    """The archetypes without the services that are switched off, and with those of plug-ins."""
    known = {rule.name for kind in kinds for make in kind.makes for rule in make.services}
    off = {name for name, settings in chosen.items() if not settings.enabled}
    added = {name: settings for name, settings in chosen.items() if settings.enabled and name not in known}
    for name in off - known:
        registry.find(name)
    if not off and not added:
        return kinds
    return tuple(_adjusted(kind, off, added) for kind in kinds)


def _adjusted(kind: Archetype, off: set[str], added: Mapping[str, ServiceSettings]) -> Archetype:
    here = {name: one for name, one in added.items() if not one.archetypes or kind.name in one.archetypes}
    rules = tuple(ServiceRule(name, _port_of(name, one)) for name, one in here.items())
    products = {name: Product(one.product or name, one.version) for name, one in here.items()}
    makes = tuple(
        msgspec.structs.replace(
            make,
            services=(*(rule for rule in make.services if rule.name not in off), *rules),
            system=msgspec.structs.replace(make.system, services=make.system.services | products),
        )
        for make in kind.makes
    )
    return msgspec.structs.replace(kind, makes=makes)


def _port_of(name: str, settings: ServiceSettings) -> int:
    spec = registry.load(name).spec
    port = settings.port or spec.tcp or spec.udp
    if not port:
        raise InputError(f"the service {name!r} names no port; give it one with `port` in [services.{name}]")
    return port


def _datagram_services(chosen: Mapping[str, ServiceSettings]) -> set[str]:
    """Plug-ins' services that listen on UDP."""
    added = [name for name, one in chosen.items() if one.enabled and name not in registry.BUILT_IN]
    return {name for name in added if registry.load(name).spec.udp}
