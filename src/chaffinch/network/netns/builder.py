"""The process that builds and tears down (`python -m chaffinch.network.netns.builder ORDER`): what it is told comes on
its standard input, its answer is one JSON object.
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from ipaddress import IPv4Network
from pathlib import Path

import msgspec
from pyroute2 import IPRoute, NetlinkError  # type: ignore[import-untyped]

from chaffinch import _core
from chaffinch.errors import ChaffinchError, InputError, RunError
from chaffinch.network.netns import links, outbound, outside, routes, steering, sysctls, taken
from chaffinch.network.netns.blueprint import Blueprint
from chaffinch.network.netns.looks.attach import attach
from chaffinch.network.netns.looks.wanted import Looks
from chaffinch.network.netns.namespace import DIRECTORY, Namespace, Permit, Said, is_namespace


def build(wanted: Blueprint) -> str:
    """Make the namespace, whole; why hosts' packets cannot have their own look in it, or nothing.

    What fails half-way is left for `remove`.
    """
    with IPRoute() as here:
        found = outside.observe(here, wanted)
        outside.refuse(wanted, found)
        if not wanted.is_routed:
            taken.refuse_taken(wanted)
        DIRECTORY.mkdir(mode=0o755, parents=True, exist_ok=True)
        _core.make_network_namespace(DIRECTORY / wanted.name)
        namespace = Namespace(DIRECTORY / wanted.name)
        with namespace.inside():
            sysctls.apply()
            _forbid(wanted.udp_ports)  # before there is a link that anything could leave by
        links.join(wanted, found, here, namespace.fileno())
        with namespace.inside(), IPRoute() as there:
            inner = [there.link_lookup(ifname=card.name)[0] for card in wanted.cards]
            lacks = _look(wanted.looks, there, inner)
            for index in (1, *inner):  # 1 is lo's number in every namespace
                there.link("set", index=index, state="up")
            routes.own(wanted, there, inner[0])
            if wanted.is_routed:
                _join_router(wanted, here, there, inner[0])
            else:
                _join_segment(wanted, there, inner, found.networks(wanted.device))
            return lacks


def permit(wanted: Permit) -> None:
    """Have other ports that datagrams may leave from, in a namespace that stands."""
    namespace = Namespace(Path(f"/proc/self/fd/{wanted.descriptor}"))  # its name may be gone by now
    try:
        with namespace.inside():
            outbound.permit(wanted.udp_ports)
    except NetlinkError as error:
        raise RunError(
            f"the rules of the fleet's network namespace, which datagrams of services need, cannot be changed "
            f"({os.strerror(error.code)}); restart the fleet with `chaffinch stop` and `chaffinch up`"
        ) from None
    finally:
        namespace.close()


def remove(name: str) -> None:
    """Take the link away, with what stands outside of it, then the name. What processes are left inside see nothing
    any more.
    """
    path = DIRECTORY / name
    if is_namespace(path):
        namespace = Namespace(path)
        with namespace.inside(), IPRoute() as there:
            for one in outside.devices(there):
                if one.kind in links.KINDS:
                    there.link("del", index=one.index)
        namespace.close()
    _core.remove_network_namespace(path)


def check(wanted: Blueprint | None) -> tuple[tuple[str, ...], str]:
    """Whether that could be built, as far as looking tells; the link types that the kernel has, and what `build` says
    of the look. They, the rules and the look are tried in a namespace that nobody sees.
    """
    if wanted is not None:
        with IPRoute() as here:
            outside.refuse(wanted, outside.observe(here, wanted))
    with tempfile.TemporaryDirectory(prefix="chaffinch-") as folder:
        path = Path(folder, "probe")
        _core.make_network_namespace(path)
        try:
            namespace = Namespace(path)
        finally:
            _core.remove_network_namespace(path)
        with namespace.inside(), IPRoute() as ipr:
            _forbid(())
            return links.known(ipr), "" if wanted is None else _look(wanted.looks, ipr, [1])


def _forbid(udp_ports: Sequence[int]) -> None:
    try:
        outbound.forbid(udp_ports)
    except NetlinkError as error:
        raise RunError(
            f"this kernel takes no nftables rules ({os.strerror(error.code)}), which keep decoys from sending of their "
            "own accord; load nf_tables, or choose --network loopback"
        ) from None


def _look(wanted: Looks, there: IPRoute, inner: Sequence[int]) -> str:
    try:
        attach(wanted, there, inner)
    except OSError as error:
        return f"the kernel takes no programs for packets (bpf, cls_bpf): {error.strerror}"
    return ""


def _join_router(wanted: Blueprint, here: IPRoute, there: IPRoute, inner: int) -> None:
    outer = here.link_lookup(ifname=wanted.outer)[0]
    routes.to_router(there, inner, _mac(here, outer))
    routes.arrivals(wanted, here, outer, _mac(there, inner))


def _join_segment(wanted: Blueprint, there: IPRoute, inner: list[int], networks: Sequence[IPv4Network]) -> None:
    routes.to_sources(wanted, there, inner[0], networks, routes.MAIN_TABLE)
    if len(inner) > 1:
        for mark, index in enumerate(inner, 1):
            routes.to_sources(wanted, there, index, networks, steering.table_of(mark))
        steering.steer(wanted.cards, there)


def _mac(ipr: IPRoute, index: int) -> str:
    return str(ipr.get_links(index)[0].get_attr("IFLA_ADDRESS"))


def _answer(order: str, about: bytes) -> Said:
    try:
        if order == "build":
            return Said(lacks=build(msgspec.json.decode(about, type=Blueprint)))
        if order == "check":
            kinds, lacks = check(msgspec.json.decode(about, type=Blueprint | None))
            return Said(kinds=kinds, lacks=lacks)
        if order == "permit":
            permit(msgspec.json.decode(about, type=Permit))
        else:
            remove(about.decode())
    except ChaffinchError as error:
        return Said("input" if isinstance(error, InputError) else "run", str(error))
    except NetlinkError as error:
        return Said("run", f"the kernel did not take the network namespace ({error}); see `chaffinch doctor`")
    except OSError as error:
        return Said("run", f"the network namespace cannot be had: {error}")
    return Said()


if __name__ == "__main__":
    answer = _answer(sys.argv[1], sys.stdin.buffer.read())
    sys.stdout.buffer.write(msgspec.json.encode(answer))
