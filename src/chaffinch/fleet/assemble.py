"""From the configuration to a fleet that can be started: the plan, the personas, the listeners, the worker table."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from chaffinch.config import Config, ServiceSettings
from chaffinch.decoys import registry
from chaffinch.errors import InputError
from chaffinch.fleet import budget, workers
from chaffinch.fleet.parts import Draft, Parts
from chaffinch.network.listeners import open_all
from chaffinch.network.plan import Plan
from chaffinch.personas.archetypes import Archetype, ServiceRule, archetypes
from chaffinch.personas.build import Personas
from chaffinch.personas.systems import Product


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


def draft(config: Config, seed: bytes) -> Draft:
    """The whole fleet on paper. Raises `InputError` for what is not there, or what the budget cannot hold."""
    described = describe(config, seed)
    for name in described.services:
        registry.find(name)
        registry.refuse_missing(name)
    groups = workers.arrange(workers.table(described.services, config.fleet.workers), config.fleet.groups)
    budget.divide(budget.stated(config.fleet.memory), groups)
    return Draft(config, seed, described.plan, described.personas, groups)


def parts(draft: Draft, state: Path) -> Parts:
    """Bind the listeners. Raises `RunError` when a port cannot be bound."""
    return Parts(draft.config, draft.seed, state, draft.plan, draft.personas, open_all(draft.plan))


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
