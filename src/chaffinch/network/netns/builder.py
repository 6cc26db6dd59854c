"""The process that builds and tears down (`python -m chaffinch.network.netns.builder ORDER`): what it is told comes on
its standard input, its answer is one JSON object.
"""

import os
import sys
import tempfile
from pathlib import Path

import msgspec
from pyroute2 import IPRoute, NetlinkError  # type: ignore[import-untyped]

from chaffinch import _core
from chaffinch.errors import ChaffinchError, InputError, RunError
from chaffinch.network.netns import links, outbound, outside, routes, sysctls
from chaffinch.network.netns.blueprint import Blueprint
from chaffinch.network.netns.namespace import DIRECTORY, Namespace, Said, is_namespace
from chaffinch.network.plan import INSIDE


def build(wanted: Blueprint) -> None:
    """Make the namespace, whole. What fails half-way is left for `remove`."""
    with IPRoute() as here:
        found = outside.observe(here, wanted)
        outside.refuse(wanted, found)
        DIRECTORY.mkdir(mode=0o755, parents=True, exist_ok=True)
        _core.make_network_namespace(DIRECTORY / wanted.name)
        descriptor = os.open(DIRECTORY / wanted.name, os.O_RDONLY | os.O_CLOEXEC)
        namespace = Namespace(DIRECTORY / wanted.name)
        with namespace.inside():
            sysctls.apply()
            _forbid(wanted)
        links.join(wanted, found, here, descriptor)
        with namespace.inside(), IPRoute() as there:
            inner = there.link_lookup(ifname=wanted.inside)[0]
            for index in (1, inner):  # 1 is lo's number in every namespace
                there.link("set", index=index, state="up")
            routes.own(wanted, there, inner)
            outer = here.link_lookup(ifname=wanted.outer) if wanted.is_routed else []
            routes.answers(wanted, there, inner, found.networks(wanted.device), _mac(here, outer))
            inner_mac = _mac(there, [inner])
        for index in outer:
            routes.arrivals(wanted, here, index, inner_mac)


def remove(name: str) -> None:
    """Take the link away, with what stands outside of it, then the name. What processes are left inside see nothing
    any more.
    """
    path = DIRECTORY / name
    if is_namespace(path):
        namespace = Namespace(path)
        with namespace.inside(), IPRoute() as there:
            for index in there.link_lookup(ifname=INSIDE):
                there.link("del", index=index)
        namespace.close()
    _core.remove_network_namespace(path)


def check(wanted: Blueprint | None) -> tuple[str, ...]:
    """Whether that could be built, as far as looking tells, and the link types that the kernel has: they are tried in
    a namespace that nobody sees.
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
            return links.known(ipr)


def _forbid(wanted: Blueprint) -> None:
    try:
        outbound.forbid(wanted)
    except NetlinkError as error:
        raise RunError(
            f"this kernel takes no nftables rules ({os.strerror(error.code)}), which keep decoys from sending of their "
            "own accord; load nf_tables, or choose --network loopback"
        ) from None


def _mac(ipr: IPRoute, indices: list[int]) -> str:
    return next((one.get_attr("IFLA_ADDRESS") for index in indices for one in ipr.get_links(index)), "")


def _answer(order: str, about: bytes) -> Said:
    try:
        if order == "build":
            build(msgspec.json.decode(about, type=Blueprint))
        elif order == "remove":
            remove(about.decode())
        else:
            return Said(kinds=check(msgspec.json.decode(about, type=Blueprint | None)))
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
