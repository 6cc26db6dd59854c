"""What the owner's network has already, and whether the fleet's would take any of it away."""

import ipaddress
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from pyroute2 import IPRoute  # type: ignore[import-untyped]

from chaffinch.errors import InputError
from chaffinch.network.netns.blueprint import Blueprint
from chaffinch.network.netns.namespace import DIRECTORY, Namespace, is_namespace

Network = ipaddress.IPv4Network

_RTN_UNICAST, _RTN_LOCAL = 1, 2
"""Route types of rtnetlink(7)."""

_IFF_UP = 1


class Device(msgspec.Struct, frozen=True):
    """A network device of the machine. `kind` is empty for a card, `master` the bridge that it is a port of."""

    name: str
    index: int
    kind: str
    is_up: bool
    mtu: int
    master: int


class Route(msgspec.Struct, frozen=True):
    """A way that the machine sends packets. `through` are its gateways."""

    to: str
    device: str
    through: tuple[str, ...]


class Outside(msgspec.Struct, frozen=True):
    """The machine's devices, addresses with their networks' lengths, and routes; what other fleets answer for."""

    devices: tuple[Device, ...]
    addresses: tuple[tuple[str, str], ...]
    """(device, `10.0.0.5/24`)"""
    routes: tuple[Route, ...]
    fleets: tuple[tuple[str, str], ...]
    """(name of the namespace, prefix)"""

    def device(self, name: str) -> Device | None:
        return next((one for one in self.devices if one.name == name), None)

    def networks(self, device: str) -> tuple[Network, ...]:
        """The networks that the device stands in, by its addresses."""
        found = (ipaddress.ip_interface(text).network for name, text in self.addresses if name == device)
        return tuple(dict.fromkeys(one for one in found if isinstance(one, Network) and one.prefixlen < 32))


def observe(ipr: IPRoute, wanted: Blueprint) -> Outside:
    """Look at the network of this process. What stands for `wanted` already is not counted against it."""
    found = devices(ipr)
    names = {one.index: one.name for one in found}
    addresses = tuple(
        (names.get(one["index"], "?"), f"{one.get_attr('IFA_LOCAL') or one.get_attr('IFA_ADDRESS')}/{one['prefixlen']}")
        for one in ipr.get_addr(family=socket.AF_INET)
    )
    routes = tuple(
        Route(f"{one.get_attr('RTA_DST') or '0.0.0.0'}/{one['dst_len']}", names.get(index, ""), gateways)  # noqa: S104
        for one in ipr.get_routes(family=socket.AF_INET, type=_RTN_UNICAST)
        for index, gateways in [_ways(one)]
        if names.get(index) != wanted.outer
    )
    return Outside(found, addresses, routes, tuple(_fleets(wanted.name)))


def refuse(wanted: Blueprint, found: Outside) -> None:
    """Raises `InputError` for what would cut the owner off, or cannot be joined."""
    if not wanted.is_routed:
        _refuse_device(wanted, found)
    prefixes = [Network(text) for text in wanted.prefixes]
    for device, text in found.addresses:
        if hit := _holding(prefixes, text.partition("/")[0]):
            raise InputError(
                f"{text.partition('/')[0]} in {hit} is this machine's own address on {device}; name prefixes that "
                "nothing has"
            )
    for route in found.routes:
        for gateway in route.through:
            if (hit := _holding(prefixes, gateway)) and gateway not in wanted.excluded:
                raise InputError(
                    f"{gateway} in {hit} is the gateway to {route.to} of this machine, which would be cut off; name "
                    "other prefixes"
                )
    for name, text in found.fleets:
        if hit := _overlapping(prefixes, Network(text)):
            raise InputError(f"{hit} overlaps {text} of another fleet ({name}); give each fleet its own prefixes")
    if wanted.is_routed:
        _refuse_routes(prefixes, found)


def _refuse_device(wanted: Blueprint, found: Outside) -> None:
    device = found.device(wanted.device)
    if device is None:
        there = ", ".join(one.name for one in found.devices)
        raise InputError(f"there is no network device {wanted.device!r}; there are: {there}")
    if wanted.link == "veth" and device.kind != "bridge":
        raise InputError(
            f"{wanted.device} is no bridge, which a veth is put on; choose --link macvlan for a card, or leave "
            "--device out to join this machine alone"
        )
    if wanted.link != "veth" and device.master:
        master = next((one.name for one in found.devices if one.index == device.master), "a bridge")
        raise InputError(f"{wanted.device} is a port of {master}; choose --link veth --device {master}")
    if not device.is_up:
        raise InputError(f"{wanted.device} is down; bring it up with `ip link set {wanted.device} up`")


def _refuse_routes(prefixes: Sequence[Network], found: Outside) -> None:
    """A route of ours would take these addresses from where the machine sends them now."""
    for route in found.routes:
        to = Network(route.to)
        if to.prefixlen and (hit := _overlapping(prefixes, to)):
            raise InputError(
                f"{hit} overlaps {to}, which this machine reaches over {route.device or 'another way'}; name prefixes "
                "that lie in no network of yours"
            )


def _holding(prefixes: Sequence[Network], address: str) -> Network | None:
    return next((one for one in prefixes if ipaddress.ip_address(address) in one), None)


def _overlapping(prefixes: Sequence[Network], other: Network) -> Network | None:
    return next((one for one in prefixes if one.overlaps(other)), None)


def devices(ipr: IPRoute) -> tuple[Device, ...]:
    """The devices of the namespace that `ipr` is open in."""
    return tuple(map(_device, ipr.get_links()))


def _device(link: Any) -> Device:
    info = link.get_attr("IFLA_LINKINFO")
    return Device(
        name=link.get_attr("IFLA_IFNAME"),
        index=link["index"],
        kind=(info.get_attr("IFLA_INFO_KIND") if info else None) or "",
        is_up=bool(link["flags"] & _IFF_UP),
        mtu=link.get_attr("IFLA_MTU") or 1500,
        master=link.get_attr("IFLA_MASTER") or 0,
    )


def _ways(route: Any) -> tuple[int, tuple[str, ...]]:
    """The device of a route, and its gateways."""
    several = route.get_attr("RTA_MULTIPATH") or ()
    gateways = [one.get_attr("RTA_GATEWAY") for one in (route, *several)]
    index = route.get_attr("RTA_OIF") or next((one["oif"] for one in several), 0)
    return index, tuple(one for one in gateways if one)


def _fleets(own: str) -> Iterator[tuple[str, str]]:
    """What the namespaces of other fleets answer for. They are entered and left again."""
    for path in sorted(DIRECTORY.glob("chaffinch-*")):
        if path.name != own and is_namespace(path):
            for prefix in _local_prefixes(path):
                yield path.name, prefix


def _local_prefixes(path: Path) -> list[str]:
    namespace = Namespace(path)
    with namespace.inside(), IPRoute() as ipr:
        routes = ipr.get_routes(family=socket.AF_INET, table=255, type=_RTN_LOCAL)
        found = [f"{one.get_attr('RTA_DST')}/{one['dst_len']}" for one in routes]
    namespace.close()
    return [one for one in found if not one.startswith("127.")]
