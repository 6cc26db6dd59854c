"""A network of an owner and a scanner on it, each in a network namespace of its own, joined by a cable (a veth)."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaffinch.network.netns.blueprint import name_of
from tests.fleet.running import eventually, network_namespace

OWNER, SCANNER = "10.50.0.1", "10.50.0.2"
CARD = "lan0"
PREFIX = "10.66.0.0/16"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make network namespaces")


class Lan:
    """The owner's machine has the card `lan0`; both ends have an address."""

    def __init__(self, owner: tuple[str, ...], scanner: tuple[str, ...]) -> None:
        self.owner = owner
        self.scanner = scanner

    def on_owner(self, *command: str) -> str:
        return run(*self.owner, *command)

    def on_scanner(self, *command: str) -> str:
        return run(*self.scanner, *command)

    def standing(self, state: Path) -> dict[str, str]:
        """What the fleet on that state directory could leave behind: links, routes, neighbours and settings of the
        owner, its namespace, its mounts.
        """
        name = name_of(state)
        mounts = Path("/proc/mounts").read_text(encoding="utf-8")
        return {
            "links": self.on_owner("ip", "-o", "link"),
            "routes": self.on_owner("ip", "route", "show", "table", "all"),
            "neighbours": self.on_owner("ip", "neigh", "show", "nud", "permanent"),
            "rules": self.on_owner("ip", "rule"),
            "settings": self.on_owner("sysctl", "-a", "--pattern", r"net\.ipv[46]\.(conf|icmp|ip_)"),
            "namespaces": " ".join(line for line in run("ip", "netns", "list").splitlines() if name in line),
            "mounts": " ".join(line for line in mounts.splitlines() if name in line),
            "names": " ".join(path.name for path in Path("/run/netns").glob(f"{name}*")),
        }


def run(*command: str, timeout: float = 60) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


@contextlib.contextmanager
def lan() -> Iterator[Lan]:
    """Both namespaces, joined, for as long as the block goes on."""
    with network_namespace() as owner, network_namespace() as scanner:
        joined = Lan(owner, scanner)
        for side in (owner, scanner):  # its addresses come a while after a link, and would be taken for a fleet's
            run(*side, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        joined.on_owner("ip", "link", "add", CARD, "type", "veth", "peer", "name", "port0")
        joined.on_owner("ip", "link", "set", "port0", "netns", scanner[2])
        for side, device, address in ((owner, CARD, OWNER), (scanner, "port0", SCANNER)):
            run(*side, "ip", "addr", "add", f"{address}/24", "dev", device)
            run(*side, "ip", "link", "set", device, "up")
        for side in (owner, scanner):  # the state of a link is noticed a while after it changed
            eventually(lambda side=side: "state DOWN" not in run(*side, "ip", "-o", "link", "show", "up"))
        joined.on_scanner("ip", "route", "add", PREFIX, "dev", "port0")
        yield joined
