"""The sockets of a plan: one for each port and TCP/IP look of its hosts, bound to the wildcard of one device."""

import errno
import os
import socket
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from chaffinch.errors import RunError
from chaffinch.network import filter as packet_filter
from chaffinch.network import stacks
from chaffinch.network.holders import holder
from chaffinch.network.plan import Plan, PortPlan
from chaffinch.personas.systems import Stack

if TYPE_CHECKING:
    from chaffinch.network.netns.namespace import Namespace

TCP_SAVE_SYN, TCP_SAVED_SYN = 27, 28

EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""What accept(2) fails with while descriptors or the kernel's memory are short. Who waits stays ready: to try again at
once would keep a loop from all else.
"""

_IP_PKTINFO = 8
_WILDCARD = "0.0.0.0"  # noqa: S104 - of one device, with a filter: that is the design


class Listener(msgspec.Struct, frozen=True):
    """A bound socket.

    `silent`: the kernel drops packets to addresses that do not run the service; else they are reset. The plan's `stack`
    is the look of all hosts that this listener serves; None when they differ, so that each session sets what it can.
    The first listener of a port has the `chooser` among them.
    """

    plan: PortPlan
    socket: socket.socket
    silent: bool
    chooser: tuple[packet_filter.Instruction, ...] = ()

    def refuse(self) -> None:
        """Refuse connections, as a port does that nobody listens on; it stays bound. Datagrams are left unread."""
        if self.plan.transport == "tcp" and self._listens:
            self.socket.shutdown(socket.SHUT_RDWR)

    def listen(self, backlog: int) -> None:
        """Take connections. To do so again, all listeners of a port refuse first, and then listen in their order."""
        if self.plan.transport == "udp" or self._listens:
            return
        if self.plan.stack is not None:
            stacks.wear(self.socket, self.plan.stack)
        if not self.chooser:
            self.socket.listen(backlog)
            return
        self._share(True)
        packet_filter.attach_chooser(self.socket, self.chooser)
        self._share(False)
        try:
            self.socket.listen(backlog)
        finally:
            self._share(True)

    def admit(self, program: Sequence[packet_filter.Instruction]) -> None:
        """Put another plan's filter, and its chooser, on the socket in one step each: who is connected stays so."""
        packet_filter.attach(self.socket, program)
        if self.chooser:
            packet_filter.attach_chooser(self.socket, self.chooser)

    def hold(self, backlog: int) -> None:
        """Let the kernel hold that many connections from now on."""
        if self.plan.transport == "tcp" and self._listens:
            self.socket.listen(backlog)

    @property
    def key(self) -> tuple[str, int, Stack | None]:
        """What tells sockets of one device apart."""
        return self.plan.transport, self.plan.listen, self.plan.stack

    def _share(self, is_shared: bool) -> None:
        """Whether the port's other listeners may join this one. None may while it begins to listen, so that another
        fleet of the same user is refused instead of becoming a part of this one.
        """
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, is_shared)

    @property
    def _listens(self) -> bool:
        return bool(self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def shown_by(listeners: Sequence[Listener], namespace: "Namespace | None" = None) -> str:
    """From where on a host has its own TCP/IP look: `packet` (in all that it sends), `listener` (in its connections,
    from the SYN-ACK on) or `session` (a listener has hosts of several looks; the session sets the TTL once it is
    accepted).
    """
    if not all(listener.plan.stack is not None for listener in listeners if listener.plan.transport == "tcp"):
        return "session"
    return "packet" if namespace is not None and namespace.has_looks else "listener"


def open_all(plan: Plan, kept: Sequence[Listener] = ()) -> tuple[Listener, ...]:
    """Bind every port of the plan, before any privilege is dropped; what `kept` has of a port stays those sockets.

    Raises `RunError` that names each port that could not be bound and, where it can be told, the process that has it.
    """
    there = {listener.socket for listener in kept}
    opened: list[Listener] = []
    refused: list[str] = []
    for port in plan.ports:
        try:
            opened += open_port(plan, port, kept)
        except OSError as error:
            refused.append(_why(plan, port, error))
    if refused:
        for listener in opened:
            if listener.socket not in there:
                listener.socket.close()
        raise RunError(
            f"{len(refused)} of {len(plan.ports)} ports could not be bound: {'; '.join(refused)}. "
            "Stop what holds them or choose another --port-offset"
        )
    return tuple(opened)


def open_port(plan: Plan, port: PortPlan, kept: Sequence[Listener] = ()) -> tuple[Listener, ...]:
    """Bind one port: a listener for each stack of its hosts where the kernel lets us choose among them, else one for
    all. Raises `OSError` as the system says it.

    The kernel numbers a port's listeners as they came, so those that `kept` has go first, also without any host.
    """
    there = {one.plan.stack: one for one in kept if one.key[:2] == (port.transport, port.listen)}
    wanted = plan.placement.stacks(port.port) if port.transport == "tcp" else ()
    looks = tuple(dict.fromkeys((*(look for look in there if look is not None), *wanted)))
    chooser = plan.chooser_for(port, looks)
    if None in there or not looks or not packet_filter.takes_chooser(chooser):
        return (Listener(port, there[None].socket, there[None].silent) if None in there else _open(plan, port),)
    opened: list[Listener] = []
    try:
        for look in looks:
            own, program = msgspec.structs.replace(port, stack=look), () if opened else chooser
            found = there.get(look)
            opened.append(Listener(own, found.socket, found.silent, program) if found else _open(plan, own, program))
    except BaseException:
        for listener in opened[len(there) :]:
            listener.socket.close()
        raise
    return tuple(opened)


def _open(plan: Plan, port: PortPlan, chooser: tuple[packet_filter.Instruction, ...] = ()) -> Listener:
    kind = socket.SOCK_STREAM if port.transport == "tcp" else socket.SOCK_DGRAM
    sock = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, plan.device.encode() + b"\0")
        listener = Listener(port, sock, packet_filter.attach(sock, plan.filter_for(port)), chooser)
        if port.transport == "tcp":
            joins = port.stack is not None and not chooser
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, joins)
            sock.setsockopt(socket.IPPROTO_TCP, TCP_SAVE_SYN, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections inherit it
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        sock.bind((_WILDCARD, port.listen))
        listener.listen(plan.backlog)
    except BaseException:
        sock.close()
        raise
    return listener


def _why(plan: Plan, port: PortPlan, error: OSError) -> str:
    at = f"{port.listen}/{port.transport} ({port.service})"
    if error.errno == errno.EADDRINUSE:
        who = holder(port.listen, port.transport)
        return f"{at} is taken" + (f" by {who}" if who else "")
    if error.errno == errno.ENODEV:
        return f"{at}: there is no network device {plan.device!r}"
    if error.errno == errno.EACCES:
        return f"{at} needs root"
    return f"{at}: {os.strerror(error.errno or 0)}"


def receive_datagram(sock: socket.socket, limit: int = 65535) -> tuple[bytes, tuple[str, int], str]:
    """One datagram: its bytes, who sent it, and the address that was asked. Raises `BlockingIOError` when there is
    none.
    """
    data, ancillary, _, source = sock.recvmsg(limit, socket.CMSG_SPACE(12))
    asked = _asked(ancillary)
    return data, (source[0], source[1]), asked


def send_datagram(sock: socket.socket, data: bytes, peer: tuple[str, int], asked: str, ttl: int = 64) -> int:
    """Answer from the address that was asked, not the one that routing would pick, and with its host's TTL
    (`IP_PKTINFO` and `IP_TTL`, ip(7)).
    """
    info = bytes(4) + socket.inet_aton(asked) + bytes(4)
    said = [(socket.IPPROTO_IP, _IP_PKTINFO, info), (socket.IPPROTO_IP, socket.IP_TTL, struct.pack("i", ttl))]
    return sock.sendmsg([data], said, 0, peer)


def _asked(ancillary: Sequence[tuple[int, int, bytes]]) -> str:
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            return socket.inet_ntoa(data[8:12])
    return ""
