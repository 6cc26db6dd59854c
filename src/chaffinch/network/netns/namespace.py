"""The namespace as the supervisor has it: built, entered and torn down; none of that in its own memory."""

import contextlib
import importlib.util
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from chaffinch import _core
from chaffinch.errors import InputError, RunError
from chaffinch.network.netns.blueprint import Blueprint

log = logging.getLogger(__name__)

DIRECTORY = Path("/run/netns")
"""Where iproute2 keeps the names of namespaces, so that `ip netns` knows ours."""

BUILDER = "chaffinch.network.netns.builder"
PATIENCE_SECONDS = 60.0
PERMIT_SECONDS = 2.0
"""Of a supervisor that answers nobody meanwhile: two of them, at both ends of a reload, are less than what `status`
waits (`fleet.asking`) before it calls the supervisor stuck.
"""

MISSING = "the network mode netns needs pyroute2, which is not installed: pip install 'chaffinch[netns]'"

Order = Literal["build", "permit", "remove", "check"]


class Said(msgspec.Struct, frozen=True):
    """The builder's answer. `fault` is empty, `input` or `run`; `kinds` are the link types that the kernel has, `lacks`
    says why hosts' packets cannot have their own look.
    """

    fault: str = ""
    text: str = ""
    kinds: tuple[str, ...] = ()
    lacks: str = ""


class Permit(msgspec.Struct, frozen=True):
    """The ports that datagrams may leave the namespace from that the descriptor is open on."""

    descriptor: int
    udp_ports: tuple[int, ...]


class Namespace:
    """A network namespace, open: it goes on when its name is taken away.

    Where `has_looks`, packets that no socket sends have their host's look, too (`looks`). `permitted` are the ports
    that datagrams may leave from, as far as known.
    """

    def __init__(self, path: Path, *, has_looks: bool = False, permitted: tuple[int, ...] | None = None) -> None:
        self.has_looks = has_looks
        self.permitted = permitted
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def fileno(self) -> int:
        return self._descriptor

    def enter(self) -> None:
        """Put this process into it, for good once it has given up its privileges."""
        _core.enter_network_namespace(f"/proc/self/fd/{self._descriptor}")

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Be in it for a while: what is opened meanwhile stays in it."""
        home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.enter()
            try:
                yield
            finally:
                _core.enter_network_namespace(f"/proc/self/fd/{home}")
        finally:
            os.close(home)

    def permit(self, udp_ports: tuple[int, ...]) -> None:
        """Let datagrams leave from these ports, and from no others; where they do already, no builder is asked.

        Raises `RunError` when it cannot be done: the ports are those of before. Where the builder's time is over just
        as it ends, they may be these; so after an error the next call asks it in any case.
        """
        if self.permitted is not None and set(udp_ports) == set(self.permitted):
            return
        about = msgspec.json.encode(Permit(self._descriptor, udp_ports))
        self.permitted = None
        _ask("permit", about, (self._descriptor,), PERMIT_SECONDS)
        self.permitted = udp_ports

    def close(self) -> None:
        os.close(self._descriptor)


@contextlib.contextmanager
def standing(blueprint: Blueprint) -> Iterator[Namespace]:
    """The namespace for as long as the block goes on; nothing of it is left afterwards, nor after a failed start.

    What a crash left of an earlier one goes first. Raises `InputError` and `RunError` with one sentence.
    """
    refuse_impossible()
    remove(blueprint.name)
    try:
        lacks = _ask("build", msgspec.json.encode(blueprint)).lacks
        if lacks:
            log.warning("namespace.no_looks why=%s", lacks)
        path = DIRECTORY / blueprint.name
        namespace = Namespace(path, has_looks=not lacks, permitted=blueprint.udp_ports)
        try:
            yield namespace
        finally:
            namespace.close()
    finally:
        remove(blueprint.name)


def refuse_impossible() -> None:
    """Raises `InputError` where no namespace can be made at all."""
    if os.geteuid() != 0:
        raise InputError("the network mode netns needs root; start it with sudo, or choose --network loopback")
    if not is_installed():
        raise InputError(MISSING)


def is_installed() -> bool:
    """Whether pyroute2 is there, without importing it."""
    return importlib.util.find_spec("pyroute2") is not None


def is_left(name: str) -> bool:
    """Whether something of that name stands: of a fleet that runs, or left by a crash."""
    return (DIRECTORY / name).exists()


def is_namespace(path: Path) -> bool:
    """Whether a namespace is mounted there: after a crash of the machine there may be a file of that name only."""
    return path.stat().st_dev == Path("/proc/self/ns/net").stat().st_dev


def remove(name: str) -> bool:
    """Tear down what stands under that name; whether anything did. Raises `RunError` when it cannot be done."""
    if not is_left(name):
        return False
    _ask("remove", name.encode())
    return True


def check(blueprint: Blueprint | None = None) -> Said:
    """As root: the link types that this kernel has, and what it lacks for a blueprint's looks.

    Raises `InputError` for a blueprint that would be refused here, and `RunError` when not even a namespace can be
    made.
    """
    return _ask("check", msgspec.json.encode(blueprint))


def _ask(order: Order, about: bytes, passed: tuple[int, ...] = (), seconds: float = PATIENCE_SECONDS) -> Said:
    """Have the builder do it, in a process of its own, to which descriptors are `passed`: what it imports is gone with
    it.
    """
    try:
        done = subprocess.run(  # noqa: S603 - this Python, and words of ours
            [sys.executable, "-m", BUILDER, order],
            input=about,
            capture_output=True,
            timeout=seconds,
            pass_fds=passed,
            start_new_session=True,  # ^C is the supervisor's to hear: half a namespace helps nobody
            check=False,
        )
        said = msgspec.json.decode(done.stdout, type=Said)
    except subprocess.TimeoutExpired:
        raise RunError(f"the network namespace was not ready within {seconds:.0f} s; try again") from None
    except msgspec.DecodeError:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise RunError(f"the process that builds the network namespace failed: {last or done.returncode}") from None
    if said.fault == "input":
        raise InputError(said.text)
    if said.fault:
        raise RunError(said.text)
    return said
