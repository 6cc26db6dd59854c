"""The persona: what one decoy host is, as frozen data, and the secrets that follow from it."""

import hashlib
import random

import msgspec


class OperatingSystem(msgspec.Struct, frozen=True, gc=False):
    """What the host runs. `id` names its data (`debian-12`), `family` is `linux`, `windows` or `embedded`."""

    id: str
    family: str
    name: str
    version: str
    kernel: str
    machine: str = "x86_64"
    ttl: int = 64


class Service(msgspec.Struct, frozen=True, gc=False):
    """One protocol on one port of this host, with the product that it claims to be.

    `port` is the real port, before any offset. `options` are what the product's configuration would say
    (banner text, realm, enabled features); each service's module names the keys that it reads.
    """

    name: str
    port: int
    product: str
    version: str = ""
    transport: str = "tcp"
    options: tuple[tuple[str, str], ...] = ()

    def option(self, key: str, default: str = "") -> str:
        for name, value in self.options:
            if name == key:
                return value
        return default


class User(msgspec.Struct, frozen=True, gc=False):
    """An account. `password` is empty where none is to be guessed; a weak one is what lets an attacker in."""

    name: str
    uid: int
    full_name: str
    home: str
    shell: str
    password: str = ""


class Persona(msgspec.Struct, frozen=True, weakref=True):
    """One decoy host's identity. `secret` (32 bytes) belongs to this host alone; everything else derives from it."""

    address: str
    archetype: str
    hostname: str
    domain: str
    os: OperatingSystem
    services: tuple[Service, ...]
    users: tuple[User, ...]
    mac: str
    secret: bytes
    reboot_period: int
    reboot_phase: int

    @property
    def fqdn(self) -> str:
        return f"{self.hostname}.{self.domain}"

    def service(self, name: str) -> Service | None:
        """The host's service of that name, or None."""
        return next((service for service in self.services if service.name == name), None)

    def user(self, name: str) -> User | None:
        """The host's account of that name, or None."""
        return next((user for user in self.users if user.name == name), None)

    def derive(self, purpose: str, size: int = 32) -> bytes:
        """`size` (1 to 64) bytes that are this host's for that purpose, for ever: keyed BLAKE2b (RFC 7693)."""
        return hashlib.blake2b(purpose.encode(), key=self.secret, digest_size=size).digest()

    def random(self, purpose: str) -> random.Random:
        """A generator that gives the same numbers for this host and purpose after every restart."""
        return random.Random(self.derive(purpose, 16))

    def booted(self, now: float) -> float:
        """When the host last booted, seen at `now`, both in seconds since the epoch: it does every `reboot_period`."""
        return now - (now + self.reboot_phase) % self.reboot_period

    def accepts(self, username: str, password: str) -> bool:
        """Whether this pair opens a login: the account exists and the password is its weak one."""
        user = self.user(username)
        return user is not None and bool(user.password) and user.password == password
