"""Archetypes as data: the kinds of machine that a fleet has, read from TOML files and checked once."""

import functools
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from chaffinch.errors import InputError
from chaffinch.personas.datafiles import DATA, names_in, read, unknown
from chaffinch.personas.systems import Account, System, Value, load_system

HOSTNAME_PLACEHOLDERS = ("SITE", "code", "number", "site")
OPTION_PLACEHOLDERS = ("address", "domain", "fqdn", "hostname", "model", "serial", "vendor")

_PLACEHOLDER = re.compile(r"\{([A-Za-z_]+)\}")
_MAC_PREFIX = re.compile(r"[0-9a-f]{2}:[0-9a-f]{2}:[0-9a-f]{2}")


class SystemChoice(msgspec.Struct, frozen=True, gc=False):
    """A system that hosts of the archetype may have, as the file names it. `hostnames` go before the archetype's."""

    id: str
    weight: int = 1
    hostnames: tuple[str, ...] = ()


class Hardware(msgspec.Struct, frozen=True, gc=False):
    """What the machine is: its maker, its model, and the first three bytes of the maker's MAC addresses.

    `systems` restricts it to some of the archetype's.
    """

    vendor: str
    prefixes: tuple[str, ...]
    model: str = ""
    weight: int = 1
    systems: tuple[str, ...] = ()


class People(msgspec.Struct, frozen=True, gc=False):
    """Whose accounts a host has: how many of the staff (from, to), whether administrators only, and which roles."""

    staff: tuple[int, int] = (0, 0)
    administrators: bool = False
    roles: tuple[Account, ...] = ()


class Weak(msgspec.Struct, frozen=True, gc=False):
    """Guessable passwords: on which share of the hosts (0 to 1), and which accounts the one or two may be.

    `staff` among the accounts stands for the host's first person. `systems` restricts it to some.
    """

    share: float = 0.0
    accounts: tuple[str, ...] = ("staff",)
    systems: tuple[str, ...] = ()

    def share_on(self, system: System) -> float:
        """The share of the hosts with that system."""
        return self.share if not self.systems or system.id in self.systems else 0.0


class ServiceRule(msgspec.Struct, frozen=True, eq=False):
    """A service of the archetype, on the hosts that lie in `span` of each system's part of the archetype's range.

    `systems` restricts it to some; else it is on each system that has a product for it. `options` are added to the
    product's and replace those of the same name.
    """

    name: str
    port: int
    span: tuple[float, float] = (0.0, 1.0)
    systems: tuple[str, ...] = ()
    options: dict[str, Value] = {}


class ArchetypeFile(msgspec.Struct, frozen=True):
    """What stands in an archetype's file."""

    name: str
    title: str
    weight: int
    hostnames: tuple[str, ...]
    systems: tuple[SystemChoice, ...]
    hardware: tuple[Hardware, ...]
    services: tuple[ServiceRule, ...]
    users: People = People()
    weak: Weak = Weak()


class Make(msgspec.Struct, frozen=True, eq=False):
    """The hosts of an archetype that have one system: what of the archetype's file is theirs, in the file's order."""

    system: System
    weight: int
    hostnames: tuple[str, ...]
    hardware: tuple[Hardware, ...]
    services: tuple[ServiceRule, ...]


class Archetype(msgspec.Struct, frozen=True, eq=False):
    """A kind of machine, in the makes that it comes in: one for each of its systems."""

    name: str
    title: str
    weight: int
    makes: tuple[Make, ...]
    users: People
    weak: Weak


@functools.cache
def archetypes() -> tuple[Archetype, ...]:
    """The archetypes that ship with the package."""
    return load_archetypes(DATA)


def load_archetypes(directory: Path) -> tuple[Archetype, ...]:
    """All archetypes of `directory`/archetypes, by name, with the systems of `directory`/systems.

    Raises `InputError`: one sentence with the file, the key, and what is allowed.
    """
    systems = {name: load_system(directory / "systems" / f"{name}.toml") for name in names_in(directory / "systems")}
    folder = directory / "archetypes"
    loaded = tuple(_load(folder / f"{name}.toml", systems) for name in names_in(folder))
    _one_service_a_port(loaded)
    return loaded


def _load(path: Path, systems: dict[str, System]) -> Archetype:
    said = read(path, ArchetypeFile)
    _check(path.name, path.stem, said, systems)
    makes = tuple(_make(path.name, said, choice, systems[choice.id]) for choice in said.systems)
    return Archetype(said.name, said.title, said.weight, makes, said.users, said.weak)


def _make(file: str, said: ArchetypeFile, choice: SystemChoice, system: System) -> Make:
    hardware = tuple(machine for machine in said.hardware if not machine.systems or choice.id in machine.systems)
    services = tuple(
        rule
        for rule in said.services
        if rule.name in system.services and (not rule.systems or choice.id in rule.systems)
    )
    if not hardware:
        raise InputError(f"{file}: hardware: none is for {choice.id}; name it in the systems of at least one")
    ports = [rule.port for rule in services]
    if len(ports) != len(set(ports)):
        raise InputError(f"{file}: services: two share a port on {choice.id}; tell them apart by their systems")
    return Make(system, choice.weight, choice.hostnames or said.hostnames, hardware, services)


def _check(file: str, stem: str, said: ArchetypeFile, systems: dict[str, System]) -> None:
    """What the types cannot say."""
    if said.name != stem:
        raise InputError(f"{file}: name: {said.name!r} must be the file's name, {stem!r}")
    for key, listed in (("hostnames", said.hostnames), ("systems", said.systems), ("hardware", said.hardware)):
        if not listed:
            raise InputError(f"{file}: {key}: at least one is needed")
    _check_weights(file, "weight", [said.weight])
    _check_weights(file, "systems", [choice.weight for choice in said.systems])
    _check_weights(file, "hardware", [hardware.weight for hardware in said.hardware])
    for choice in said.systems:
        if choice.id not in systems:
            raise InputError(unknown(file, "systems", choice.id, systems))
    _check_hostnames(file, said)
    _check_hardware(file, said)
    if not 0 <= said.users.staff[0] <= said.users.staff[1] <= 12:
        raise InputError(f"{file}: users.staff: {list(said.users.staff)} must be two numbers, ascending, from 0 to 12")
    if not 0 <= said.weak.share <= 1:
        raise InputError(f"{file}: weak.share: {said.weak.share} must lie between 0 and 1")
    for name in said.weak.systems:
        if name not in (choice.id for choice in said.systems):
            raise InputError(unknown(file, "weak.systems", name, (choice.id for choice in said.systems)))
    for number, rule in enumerate(said.services):
        _check_service(file, f"services[{number}]", rule, said, systems)


def _check_hostnames(file: str, said: ArchetypeFile) -> None:
    for pattern in (*said.hostnames, *(pattern for choice in said.systems for pattern in choice.hostnames)):
        _check_placeholders(file, "hostnames", pattern, HOSTNAME_PLACEHOLDERS)
        if "{number}" not in pattern and "{code}" not in pattern:
            raise InputError(f"{file}: hostnames: {pattern!r} needs {{number}} or {{code}}, or hosts share a name")


def _check_hardware(file: str, said: ArchetypeFile) -> None:
    chosen = [choice.id for choice in said.systems]
    for hardware in said.hardware:
        for name in hardware.systems:
            if name not in chosen:
                raise InputError(unknown(file, "hardware.systems", name, chosen))
        if not hardware.prefixes:
            raise InputError(f"{file}: hardware: {hardware.vendor} needs at least one of prefixes")
        for prefix in hardware.prefixes:
            if not _MAC_PREFIX.fullmatch(prefix):
                raise InputError(f"{file}: hardware: {prefix!r} is not a MAC prefix such as '00:0c:29'")


def _check_service(file: str, where: str, rule: ServiceRule, said: ArchetypeFile, systems: dict[str, System]) -> None:
    chosen = {choice.id: systems[choice.id] for choice in said.systems}
    for system in rule.systems:
        if system not in chosen:
            raise InputError(unknown(file, f"{where}.systems", system, chosen))
    offered = {name for system in chosen.values() for name in system.services}
    if rule.name not in offered:
        raise InputError(unknown(file, f"{where}.name", rule.name, offered))
    for system in rule.systems:
        if rule.name not in chosen[system].services:
            raise InputError(unknown(file, f"{where}.name", rule.name, chosen[system].services))
    if not 0 < rule.port < 1 << 16:
        raise InputError(f"{file}: {where}.port: {rule.port} must lie between 1 and 65535")
    if not 0 <= rule.span[0] < rule.span[1] <= 1:
        raise InputError(f"{file}: {where}.span: {list(rule.span)} must be two numbers, ascending, between 0 and 1")
    for key, value in rule.options.items():
        for text in (value,) if isinstance(value, str) else value:
            _check_placeholders(file, f"{where}.options.{key}", text, OPTION_PLACEHOLDERS)


def _check_weights(file: str, key: str, weights: Iterable[int]) -> None:
    for weight in weights:
        if weight < 1:
            raise InputError(f"{file}: {key}: the weight {weight} must be 1 or more")


def _check_placeholders(file: str, where: str, text: str, known: tuple[str, ...]) -> None:
    for name in _PLACEHOLDER.findall(text):
        if name not in known:
            raise InputError(unknown(file, where, name, known))


def _one_service_a_port(loaded: Iterable[Archetype]) -> None:
    """One listener answers a port for every host, so a port means one service in the whole fleet."""
    owners: dict[int, tuple[str, str]] = {}
    for archetype in loaded:
        for rule in (rule for make in archetype.makes for rule in make.services):
            name, other = owners.setdefault(rule.port, (rule.name, archetype.name))
            if name != rule.name:
                raise InputError(
                    f"{archetype.name}.toml: services: port {rule.port} is {rule.name}, {name} in {other}.toml, "
                    "but one service has it in the whole fleet"
                )
