"""What is to be built, as the configuration says it: checked here without looking at the machine."""

import hashlib
from pathlib import Path

import msgspec

from chaffinch.config import NetworkSettings
from chaffinch.errors import InputError
from chaffinch.network.addresses import parse_prefix, to_text
from chaffinch.network.netns.cards import Card, cards
from chaffinch.network.netns.looks.wanted import Looks, looks
from chaffinch.network.plan import EACH, Plan

THIS_MACHINE = "lo"
"""As `network.device`: the namespace is joined to this machine, which routes, and to no device of it."""

MOST_IPVLAN_HOSTS = 4096
"""ipvlan hands on only what goes to an address of its device (`ipvlan_addr_lookup` in the kernel), so that each one
has to be added: a prefix as a route is not enough.
"""


class Blueprint(msgspec.Struct, frozen=True):
    """One namespace: its name, its link, what is routed to it."""

    name: str
    link: str
    device: str
    outer: str
    """The name of the end of a veth that stays outside."""
    cards: tuple[Card, ...]
    gateway: str
    prefixes: tuple[str, ...]
    excluded: tuple[str, ...]
    udp_ports: tuple[int, ...]
    looks: Looks

    @property
    def is_routed(self) -> bool:
        """This machine routes to it, instead of a network that others share with it."""
        return self.link == "veth" and self.device == THIS_MACHINE

    def hosts(self, most: int = 1 << 32) -> list[str]:
        """Every decoy host's address; of more than `most` about as many, at even distances."""
        ranges = [(prefix.first, prefix.last + 1) for prefix in map(parse_prefix, self.prefixes)]
        step = -(-sum(end - first for first, end in ranges) // most)
        found = (to_text(number) for first, end in ranges for number in range(first, end, step))
        return [one for one in found if one not in self.excluded]


def name_of(state: Path) -> str:
    """The name of the namespace of the fleet on that state directory: the same one after a crash."""
    return f"chaffinch-{_digest(state, 5).hex()}"


def blueprint(settings: NetworkSettings, plan: Plan, state: Path) -> Blueprint:
    """What the configuration wants. Raises `InputError` for settings that do not go together."""
    if settings.link != "veth" and settings.device == THIS_MACHINE:
        raise InputError(
            f"network.link is {settings.link}, which needs a network card; name it with --device, such as --device eth0"
        )
    if settings.link != "macvlan" and settings.mac == EACH:
        raise InputError(
            f"network.mac is {EACH!r}, which takes a macvlan for each maker; choose --link macvlan, or name one maker"
        )
    if settings.link == "ipvlan" and settings.mac:
        raise InputError("an ipvlan has the MAC address of its card; leave network.mac empty, or choose --link macvlan")
    if settings.link == "ipvlan" and plan.hosts > MOST_IPVLAN_HOSTS:
        raise InputError(
            f"{plan.hosts} decoy hosts are more than the {MOST_IPVLAN_HOSTS} that an ipvlan takes; name smaller "
            "prefixes, or choose --link macvlan"
        )
    found = Blueprint(
        name=name_of(state),
        link=settings.link,
        device=settings.device,
        outer=f"ch-{_digest(state, 5).hex()}",
        cards=cards(settings.mac, plan, _digest(state, 3)),
        gateway=settings.gateway,
        prefixes=tuple(map(str, plan.prefixes)),
        excluded=tuple(map(to_text, plan.excluded)),
        udp_ports=tuple(port.listen for port in plan.ports if port.transport == "udp"),
        looks=looks(plan),
    )
    if found.is_routed and settings.gateway:
        raise InputError(
            "network.gateway is not for a veth to this machine, which is the router itself; remove it, or name a "
            "bridge with --device"
        )
    return found


def _digest(state: Path, size: int) -> bytes:
    return hashlib.blake2b(str(state.resolve()).encode(), digest_size=size).digest()
