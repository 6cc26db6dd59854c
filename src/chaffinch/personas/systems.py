"""Operating systems as data: what a system's releases run, and which accounts it has."""

from pathlib import Path

import msgspec

from chaffinch.errors import InputError
from chaffinch.personas.datafiles import read, unknown
from chaffinch.personas.persona import OperatingSystem

Value = str | tuple[str, ...]
"""A text, or several of which each host has one."""

FAMILIES = ("embedded", "linux", "windows")

MANNERS = ("linux", "windows")

LARGEST_WINDOW = 65535
"""The most that the window field of a SYN-ACK can say: it is not scaled (RFC 7323, section 2.2)."""


class Stack(msgspec.Struct, frozen=True, gc=False):
    """What of a system's TCP/IP a peer sees from the first answer on.

    `ttl` is the initial TTL of its packets, `scale` the window scale that its SYN-ACK offers, `window` the most that
    its window field says, in bytes. A `window` below 65535 goes with the scale 0 only: that is what a listening socket
    of Linux can be told (`network/stacks.py`). `manner` is whose habits the packets have besides: what that changes,
    and where it can be had, is in `network/netns/looks`.
    """

    ttl: int = 64
    scale: int = 7
    window: int = LARGEST_WINDOW
    manner: str = "linux"


class Account(msgspec.Struct, frozen=True, gc=False):
    """An account that is no person's. `uid` 0 lets the host count: from 1000 for roles, from 101 for a package's."""

    name: str
    full_name: str = ""
    home: str = ""
    shell: str = ""
    uid: int = 0


class Product(msgspec.Struct, frozen=True):
    """What serves a protocol on a system. `account` is the one that its package makes."""

    name: str
    version: str = ""
    options: dict[str, Value] = {}
    account: Account | None = None


class Release(msgspec.Struct, frozen=True):
    """A host's state after its last upgrade: `versions` names the services whose version follows from when that was."""

    kernel: str
    weight: int = 1
    version: str = ""
    versions: dict[str, str] = {}


class System(msgspec.Struct, frozen=True, eq=False):
    """One operating system.

    `home` is the pattern of a person's home directory, with `{name}`. `accounts` are those that an installation begins
    with, beside the administrator's.
    """

    id: str
    family: str
    name: str
    administrator: Account
    home: str
    shell: str
    releases: tuple[Release, ...]
    services: dict[str, Product]
    version: str = ""
    machine: str = "x86_64"
    stack: Stack = Stack()
    first_uid: int = 1000
    accounts: tuple[Account, ...] = ()

    def look(self, release: Release) -> OperatingSystem:
        """What a host of that release shows."""
        version = release.version or self.version
        return OperatingSystem(self.id, self.family, self.name, version, release.kernel, self.machine, self.stack.ttl)

    def version_of(self, service: str, release: Release) -> str:
        """The version that the product of a service has in that release."""
        return release.versions.get(service, self.services[service].version)


def load_system(path: Path) -> System:
    """The system that a file describes. Raises `InputError` for what it may not say."""
    system = read(path, System)
    if system.id != path.stem:
        raise InputError(f"{path.name}: id: {system.id!r} must be the file's name, {path.stem!r}")
    if system.family not in FAMILIES:
        raise InputError(unknown(path.name, "family", system.family, FAMILIES))
    _check_stack(path.name, system.stack)
    if not system.releases:
        raise InputError(f"{path.name}: releases: a system needs at least one [[releases]]")
    for number, release in enumerate(system.releases):
        if release.weight < 1:
            raise InputError(f"{path.name}: releases[{number}].weight: {release.weight} must be 1 or more")
        for service in release.versions:
            if service not in system.services:
                raise InputError(unknown(path.name, f"releases[{number}].versions", service, system.services))
    return system


def _check_stack(file: str, stack: Stack) -> None:
    if stack.manner not in MANNERS:
        raise InputError(unknown(file, "stack.manner", stack.manner, MANNERS))
    if not 1 <= stack.ttl <= 255:
        raise InputError(f"{file}: stack.ttl: {stack.ttl} must lie between 1 and 255")
    if not 0 <= stack.scale <= 14:
        raise InputError(f"{file}: stack.scale: {stack.scale} must lie between 0 and 14")
    if not 2048 <= stack.window <= LARGEST_WINDOW:
        raise InputError(f"{file}: stack.window: {stack.window} must lie between 2048 and {LARGEST_WINDOW}")
    if stack.scale and stack.window < LARGEST_WINDOW:
        raise InputError(f"{file}: stack.window: {stack.window} cannot go with a scale; write scale = 0, or no window")
