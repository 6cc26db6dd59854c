"""How a group goes over to another configuration: what it was forked with, made anew from what it was told."""

import socket
from collections.abc import Iterable, Sequence

import msgspec

from chaffinch.config import Config
from chaffinch.fleet import assemble
from chaffinch.fleet.messages import Adopt
from chaffinch.fleet.parts import Parts
from chaffinch.network.listeners import Listener


def adopted(parts: Parts, told: Adopt, held: Iterable[Listener], descriptors: Sequence[int]) -> Parts:
    """The parts that the group goes on with. `held` are all listeners that it has, `descriptors` those that came along.

    A socket that it has already is not taken twice.
    """
    sockets = {listener.key: listener.socket for listener in held}
    for port, descriptor in zip(told.passed, descriptors, strict=True):
        came = socket.socket(fileno=descriptor)
        if sockets.setdefault((port.transport, port.listen, port.stack), came) is not came:
            came.close()
    listeners = tuple(
        Listener(port, sockets[port.transport, port.listen, port.stack], silent)
        for port, silent in zip(told.ports, told.silent, strict=True)
    )
    return msgspec.structs.replace(replanned(parts, told.config), listeners=listeners)


def replanned(parts: Parts, config: Config) -> Parts:
    """The parts with another configuration, and with its plan where that differs; the seed stays."""
    if (config.network, config.services) == (parts.config.network, parts.config.services):
        return msgspec.structs.replace(parts, config=config)
    found = assemble.describe(config, parts.seed)
    return msgspec.structs.replace(parts, config=config, plan=found.plan, personas=found.personas)
