"""The link between the owner's network and the fleet's: its devices inside, and for a veth the other end outside."""

import errno
from pathlib import Path

from pyroute2 import IPRoute, NetlinkError  # type: ignore[import-untyped]

from chaffinch.errors import InputError
from chaffinch.network.netns.blueprint import Blueprint
from chaffinch.network.netns.outside import Outside

KINDS = ("veth", "macvlan", "ipvlan")


def join(wanted: Blueprint, found: Outside, outside: IPRoute, namespace: int) -> None:
    """Make the link in the namespace that the descriptor is open on. Raises `InputError` for one that the kernel lacks.

    It is made where it belongs at once, so that nothing of it stands outside under a name that could be taken.
    """
    try:
        if wanted.link == "veth":
            _veth(wanted, found, outside, namespace)
        else:
            _on_card(wanted, found, outside, namespace)
    except NetlinkError as error:
        if error.code == errno.EOPNOTSUPP:
            raise InputError(_lacks(wanted.link, known(outside))) from None
        raise


def known(ipr: IPRoute) -> tuple[str, ...]:
    """The link types that this kernel has: each one is made once, in the namespace of `ipr`, and removed.

    It says so only to who asks for one: modules are loaded by that.
    """
    found = []
    for kind in KINDS:
        try:
            ipr.link("add", ifname="ch-known", kind=kind, **({} if kind == "veth" else {"link": 1}))
        except NetlinkError as error:
            if error.code == errno.EOPNOTSUPP:
                continue
        else:
            ipr.link("del", index=ipr.link_lookup(ifname="ch-known")[0])
        found.append(kind)
    return tuple(found)


def _lacks(kind: str, there: tuple[str, ...]) -> str:
    return f"this kernel has no {kind}; choose --link {' or --link '.join(there) or 'of another kernel'}"


def _veth(wanted: Blueprint, found: Outside, outside: IPRoute, namespace: int) -> None:
    bridge = None if wanted.is_routed else found.device(wanted.device)
    (card,) = wanted.cards
    inner = {"ifname": card.name, "net_ns_fd": namespace} | ({"address": card.mac} if card.mac else {})
    size = {"mtu": bridge.mtu} if bridge else {}
    outside.link("add", ifname=wanted.outer, kind="veth", peer=inner | size, **size)
    index = outside.link_lookup(ifname=wanted.outer)[0]
    off = Path("/proc/sys/net/ipv6/conf", wanted.outer, "disable_ipv6")
    if off.exists():
        off.write_text("1", encoding="ascii")
    outside.link("set", index=index, state="up", **({"master": bridge.index} if bridge else {}))


def _on_card(wanted: Blueprint, found: Outside, outside: IPRoute, namespace: int) -> None:
    parent = found.device(wanted.device)
    assert parent is not None, "what is not there was refused"
    mode = {"macvlan_mode": "bridge"} if wanted.link == "macvlan" else {"ipvlan_mode": 0}
    for card in wanted.cards:
        mac = {"address": card.mac} if card.mac else {}
        outside.link("add", ifname=card.name, kind=wanted.link, link=parent.index, net_ns_fd=namespace, **mode, **mac)
