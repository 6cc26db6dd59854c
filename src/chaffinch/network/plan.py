"""The plan: which address answers which port."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import msgspec

from chaffinch.config import NetworkSettings
from chaffinch.errors import InputError
from chaffinch.network import filter as packet_filter
from chaffinch.network.addresses import Prefix, parse_prefixes, to_number
from chaffinch.personas.placement import Placement
from chaffinch.personas.systems import Stack

INSIDE = "eth0"
"""The device that a fleet's own network namespace has besides loopback; the first one where there are several."""

EACH = "archetypes"
"""As `network.mac`: a device for each maker that hosts have."""


class PortPlan(msgspec.Struct, frozen=True):
    """One port of the fleet: the service behind it, its real number and the one that is listened on.

    With a `stack` it is that port of the hosts that have the stack.
    """

    service: str
    port: int
    listen: int
    transport: str
    stack: Stack | None = None


class Plan:
    """Which address answers which port: from the prefixes, the placement of archetypes and the port offset."""

    def __init__(
        self, settings: NetworkSettings, placement: Placement, services: Mapping[tuple[str, int], str]
    ) -> None:
        """`services` maps (transport, port) to the service's name. Raises `InputError` for prefixes or ports that
        cannot be.
        """
        self.prefixes = parse_prefixes(settings.hosts)
        self.device = settings.device
        self.excluded: tuple[int, ...] = ()
        """Addresses within the prefixes that are no decoy hosts."""
        self.backlog = settings.backlog
        self.port_offset = settings.port_offset
        self.placement = placement
        if settings.mode == "loopback":
            _refuse_outside_loopback(self.prefixes)
            _refuse_a_link(settings)
        else:
            _refuse_unroutable(self.prefixes)
            self.device = "" if settings.mac == EACH else INSIDE  # of several devices listeners take from all
            self.excluded = _no_hosts(self.prefixes, settings.gateway)
            if not self.hosts:
                raise InputError(f"{self.prefixes[0]} is the gateway alone; name prefixes that have other addresses")
        self.ports = tuple(
            PortPlan(name, port, _shifted(port, settings.port_offset), transport)
            for (transport, port), name in sorted(services.items(), key=lambda item: (item[0][1], item[0][0]))
        )

    @cached_property
    def hosts(self) -> int:
        """How many decoy hosts there are."""
        return sum(prefix.size for prefix in self.prefixes) - len(self.excluded)

    def addresses(self) -> Iterator[int]:
        """Every decoy host's address, in order."""
        for prefix in self.prefixes:
            yield from (one for one in range(prefix.first, prefix.last + 1) if one not in self.excluded)

    def __contains__(self, address: int) -> bool:
        return any(address in prefix for prefix in self.prefixes) and address not in self.excluded

    def serves(self, address: str, port: int) -> bool:
        """Whether the decoy host at `address` runs anything on its real `port`."""
        number = to_number(address)
        return number in self and self.placement.serves(number, port)

    def chooser_for(self, port: PortPlan, stacks: Sequence[Stack]) -> tuple[packet_filter.Instruction, ...]:
        """The kernel program that says which of these stacks the host has that was asked on this port."""
        shares = [self.placement.ranges(port.port, stack) for stack in stacks]
        return packet_filter.chooser(self.placement.mixer.steps, shares)

    def filter_for(self, port: PortPlan) -> tuple[packet_filter.Instruction, ...]:
        """The kernel program that passes packets to the hosts that run this port's service."""
        ranges = self.placement.ranges(port.port, port.stack)
        try:
            return packet_filter.program(self.prefixes, self.placement.mixer.steps, ranges, self.excluded)
        except ValueError as error:
            raise InputError(f"{len(self.prefixes)} prefixes are too many for the kernel's filter: {error}") from None


def _shifted(port: int, offset: int) -> int:
    if port + offset > 65535:
        raise InputError(
            f"port {port} with --port-offset {offset} is past 65535; choose an offset up to {65535 - port}"
        )
    return port + offset


def _refuse_outside_loopback(prefixes: tuple[Prefix, ...]) -> None:
    for prefix in prefixes:
        if prefix.first >> 24 != 127:
            raise InputError(
                f"{prefix} is not on loopback; in the loopback network name prefixes inside 127.0.0.0/8, or choose "
                "--network netns"
            )


def _refuse_a_link(settings: NetworkSettings) -> None:
    if settings.link != "veth" or settings.gateway or settings.mac:
        raise InputError("network.link, network.gateway and network.mac are for a namespace; add --network netns")


_UNROUTABLE = tuple(
    Prefix(to_number(first), to_number(last), length)
    for first, last, length in (
        ("0.0.0.0", "0.255.255.255", 8),  # noqa: S104 - "this network", not what a socket is bound to
        ("127.0.0.0", "127.255.255.255", 8),
        ("169.254.0.0", "169.254.255.255", 16),
        ("224.0.0.0", "255.255.255.255", 3),
    )
)
"""Of RFC 6890: this network, loopback, link-local (the link of a namespace uses it), multicast and what is reserved."""


def _refuse_unroutable(prefixes: tuple[Prefix, ...]) -> None:
    for prefix in prefixes:
        if any(prefix.first <= other.last and other.first <= prefix.last for other in _UNROUTABLE):
            raise InputError(
                f"{prefix} cannot be reached over a network; with --network netns name free prefixes of yours, such as "
                "--hosts 10.66.0.0/16"
            )


def _no_hosts(prefixes: tuple[Prefix, ...], gateway: str) -> tuple[int, ...]:
    """The ends of each prefix, which networks use as their own and their broadcast address, and the gateway: in order.

    One rule for all prefixes: those of one or two addresses (RFC 3021) have no such ends.
    """
    ends = {end for prefix in prefixes if prefix.length <= 30 for end in (prefix.first, prefix.last)}
    if gateway:
        try:
            number = to_number(gateway)
        except ValueError as error:
            raise InputError(f"network.gateway is wrong: {error}; write it like 10.66.0.1") from None
        ends |= {number for prefix in prefixes if number in prefix}
    return tuple(sorted(ends))
