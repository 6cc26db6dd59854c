"""Which addresses are the fleet's own, how answers leave, and how packets come in where this machine is the router."""

import ipaddress
from collections.abc import Iterable

from pyroute2 import IPRoute  # type: ignore[import-untyped]

from chaffinch.network.netns.blueprint import Blueprint

LOCAL_TABLE, MAIN_TABLE = 255, 254
"""Where the kernel looks for what it owns, and then for where things go (rtnetlink(7))."""

EVERYWHERE = "0.0.0.0/0"

OUTER_HOP, INNER_HOP = "169.254.1.1", "169.254.1.2"
"""The two ends of a routed veth, as next hops. They are nobody's addresses: neighbours of a fixed MAC stand for them,
so that neither side asks by ARP, and a machine that is scanned through fills no table of neighbours.
"""

_ONLINK, _PERMANENT = "onlink", 0x80


def own(wanted: Blueprint, inside: IPRoute, index: int) -> None:
    """Make every address of the prefixes local, but for those that are no hosts.

    Those have routes of their own in the same table, where the longer prefix wins: the ends of a prefix are broadcast
    addresses, a gateway is a neighbour.
    """
    if wanted.link == "ipvlan":
        one_by_one(wanted.hosts(), inside, index)
        return
    for prefix in wanted.prefixes:
        inside.route("add", dst=prefix, type="local", scope="host", table=LOCAL_TABLE, oif=index)
    for address in wanted.excluded:
        kind = "unicast" if address == wanted.gateway else "broadcast"
        inside.route("add", dst=f"{address}/32", type=kind, scope="link", table=LOCAL_TABLE, oif=index)


def one_by_one(hosts: Iterable[str], inside: IPRoute, index: int) -> None:
    """Give the device each address by itself."""
    for host in hosts:
        inside.addr("add", index=index, address=host, prefixlen=32)


def to_router(inside: IPRoute, index: int, outer_mac: str) -> None:
    """How answers get back where this machine is the router."""
    _hop(inside, index, EVERYWHERE, OUTER_HOP, outer_mac)


def to_sources(
    wanted: Blueprint, inside: IPRoute, index: int, networks: Iterable[ipaddress.IPv4Network], table: int
) -> None:
    """How answers get back: to the device's own networks, and else to the gateway; or, without a gateway, to whoever
    answers ARP.
    """
    if not wanted.gateway:
        inside.route("add", dst=EVERYWHERE, scope="link", oif=index, table=table)
        return
    for network in networks:
        inside.route("add", dst=str(network), scope="link", oif=index, table=table)
    inside.route("add", dst=EVERYWHERE, gateway=wanted.gateway, oif=index, flags=[_ONLINK], table=table)


def arrivals(wanted: Blueprint, outside: IPRoute, index: int, inner_mac: str) -> None:
    """On this machine, where it is the router: the prefixes go over the veth."""
    for prefix in wanted.prefixes:
        _hop(outside, index, prefix, INNER_HOP, inner_mac)


def _hop(ipr: IPRoute, index: int, prefix: str, hop: str, mac: str) -> None:
    ipr.neigh("replace", dst=hop, lladdr=mac, ifindex=index, state=_PERMANENT)
    ipr.route("add", dst=prefix, gateway=hop, oif=index, flags=[_ONLINK])
