"""Computing personas: everything that a decoy host is, from the fleet's seed and its address."""

import hashlib
import socket
from collections.abc import Sequence

import msgspec

from chaffinch.caches import Recent, remembered
from chaffinch.personas.accounts import users
from chaffinch.personas.archetypes import Archetype, Hardware, ServiceRule
from chaffinch.personas.draws import base36, draw, pick
from chaffinch.personas.organization import organization
from chaffinch.personas.persona import OperatingSystem, Persona, Service
from chaffinch.personas.placement import Mixer, PlacedService, Placement, Slot, address_number
from chaffinch.personas.systems import Product, System, Value

DAY = 86400
SHORTEST_UPTIME = 5 * DAY
LONGEST_UPTIME = 200 * DAY


def persona(seed: bytes, address: str | int, archetypes: tuple[Archetype, ...]) -> Persona:
    """The host at an IPv4 address, as text or as a number: the same for the same arguments, for ever.

    Raises `InputError` for an address of another kind. What a fleet's hosts have in common is kept for the last seeds.
    """
    return _fleet(seed, archetypes).build(address_number(address))


class Personas(Recent[str, Persona]):
    """The hosts of one fleet. `of` holds the last `size` that were asked for; `build` computes without holding. Those
    that went are the same when they are computed again.
    """

    def __init__(self, seed: bytes, archetypes: Sequence[Archetype], size: int = 256) -> None:
        super().__init__(size)
        self.placement = Placement(Mixer.of(seed), archetypes)
        self.organization = organization(seed)
        self._key = hashlib.blake2b(seed).digest()
        self._name_key = int.from_bytes(hashlib.blake2b(b"names", key=self._key, digest_size=4).digest())
        self._casts: dict[int, _Cast] = {}  # by where the slot starts: never more than there are slots

    def of(self, address: str) -> Persona:
        """The host at an IPv4 address. Raises `InputError` for an address of another kind."""
        found = self.get(address)
        if found is None:
            found = self.build(address_number(address))
            self.put(address, found)
        return found

    def build(self, number: int) -> Persona:
        """The host at the address of that number, computed anew."""
        packed = number.to_bytes(4)
        draws = draw(self._key, packed)
        bucket = self.placement.mixer.bucket(number)
        slot = self.placement.slot_of(bucket)
        cast = self._casts.get(slot.start) or self._prepared(slot)
        variant = pick(cast.variants, draws.release)
        hardware = pick(cast.hardware, draws.hardware)
        hostname = self._hostname(pick(slot.make.hostnames, draws.hostname), number)
        names = _Names(socket.inet_ntoa(packed), hostname, self.organization.domain, hardware, base36(draws.serial, 6))
        services = tuple(
            offer.ready or offer.for_host(names, draws.options)
            for offer in variant.offers
            if offer.start <= bucket < offer.end
        )
        period = SHORTEST_UPTIME + draws.period % (LONGEST_UPTIME - SHORTEST_UPTIME + 1)
        return Persona(
            address=names.address,
            archetype=slot.archetype.name,
            hostname=hostname,
            domain=names.domain,
            os=variant.os,
            services=services,
            users=users(slot.archetype, slot.make.system, services, self.organization, draws),
            mac=_mac(hardware, draws.mac),
            secret=hashlib.blake2b(packed, key=self._key, digest_size=32, person=b"host secret").digest(),
            reboot_period=period,
            reboot_phase=draws.phase % period,
        )

    def _hostname(self, pattern: str, number: int) -> str:
        """A name that no other host of the same /16 has: its network's, and its own number there, or a code.

        Fleets of several /16s shift the names of the networks, so that few hosts share a name there, either.
        """
        if "{code}" in pattern:
            mixed = number * 0x9E3779B1 + self._name_key & 0xFFFFFFFF  # odd: another value for each address
            return pattern.replace("{code}", base36(mixed * 17 + 36**6, 7))
        site = self.organization.sites[(number >> 8 ^ self._name_key ^ (number >> 16) * 0x9D) & 255]
        last = (number ^ self._name_key >> 8 ^ (number >> 8) * 0x35) & 255
        return pattern.replace("{site}", site).replace("{SITE}", site.upper()).replace("{number}", f"{last + 1:03d}")

    def _prepared(self, slot: Slot) -> "_Cast":
        cast = self._casts[slot.start] = _prepare(slot)
        return cast


class _Names(msgspec.Struct, frozen=True):
    """What the placeholders of options stand for on one host."""

    address: str
    hostname: str
    domain: str
    hardware: Hardware
    serial: str

    def fill(self, text: str) -> str:
        """The text with its placeholders replaced; other braces are left."""
        if "{" not in text:
            return text
        replaced = {
            "{address}": self.address,
            "{domain}": self.domain,
            "{fqdn}": f"{self.hostname}.{self.domain}",
            "{hostname}": self.hostname,
            "{model}": self.hardware.model,
            "{serial}": self.serial,
            "{vendor}": self.hardware.vendor,
        }
        for placeholder, value in replaced.items():
            text = text.replace(placeholder, value)
        return text


class _Offer(msgspec.Struct, frozen=True):
    """A service on the hosts of a slot and release whose buckets lie from `start` to before `end`.

    `ready` is None where options differ between those hosts.
    """

    start: int
    end: int
    rule: ServiceRule
    product: Product
    version: str
    options: tuple[tuple[str, Value], ...]
    ready: Service | None

    def for_host(self, names: _Names, number: int) -> Service:
        """The service with one host's options."""
        options = tuple(
            (key, names.fill(value if isinstance(value, str) else pick(value, number))) for key, value in self.options
        )
        return Service(self.rule.name, self.rule.port, self.product.name, self.version, options=options)


class _Variant(msgspec.Struct, frozen=True):
    """One release of a slot's system."""

    os: OperatingSystem
    offers: tuple[_Offer, ...]


class _Cast(msgspec.Struct, frozen=True):
    """A slot made ready: what is chosen by weight stands there as often as it weighs."""

    variants: tuple[_Variant, ...]
    hardware: tuple[Hardware, ...]


def _prepare(slot: Slot) -> _Cast:
    system, variants = slot.make.system, []
    for release in system.releases:
        offers = tuple(_offer(placed, system, system.version_of(placed.rule.name, release)) for placed in slot.services)
        variants += [_Variant(system.look(release), offers)] * release.weight
    hardware = [machine for machine in slot.make.hardware for _ in range(machine.weight)]
    return _Cast(tuple(variants), tuple(hardware))


def _offer(placed: PlacedService, system: System, version: str) -> _Offer:
    rule = placed.rule
    product = system.services[rule.name]
    merged = tuple((product.options | rule.options).items())
    ready = None
    if all(isinstance(value, str) and "{" not in value for _, value in merged):
        fixed = tuple((key, str(value)) for key, value in merged)
        ready = Service(rule.name, rule.port, product.name, version, options=fixed)
    return _Offer(placed.start, placed.end, rule, product, version, merged, ready)


def _mac(hardware: Hardware, number: int) -> str:
    prefix = pick(hardware.prefixes, number >> 24)
    return f"{prefix}:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"


@remembered(4)
def _fleet(seed: bytes, archetypes: tuple[Archetype, ...]) -> Personas:
    return Personas(seed, archetypes)
