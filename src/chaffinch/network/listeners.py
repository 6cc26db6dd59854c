"""The sockets of a plan: one for each port, bound to the wildcard of one device."""

import errno
import os
import socket
from collections.abc import Sequence

import msgspec

from chaffinch.errors import RunError
from chaffinch.network import filter as packet_filter
from chaffinch.network.holders import holder
from chaffinch.network.plan import Plan, PortPlan

TCP_SAVE_SYN, TCP_SAVED_SYN = 27, 28
_IP_PKTINFO = 8
_WILDCARD = "0.0.0.0"  # noqa: S104 - of one device, with a filter: that is the design


class Listener(msgspec.Struct, frozen=True):
    """A bound socket. `silent`: the kernel drops packets to addresses that do not run the service; else they are
    reset.
    """

    plan: PortPlan
    socket: socket.socket
    silent: bool

    def refuse(self) -> None:
        """Refuse connections, as a port does that nobody listens on; it stays bound. Datagrams are left unread."""
        if self.plan.transport == "tcp" and self._listens:
            self.socket.shutdown(socket.SHUT_RDWR)

    def listen(self, backlog: int) -> None:
        """Take connections again."""
        if self.plan.transport == "tcp" and not self._listens:
            self.socket.listen(backlog)

    def admit(self, program: Sequence[packet_filter.Instruction]) -> None:
        """Put another plan's filter on the socket in one step: who is connected stays so."""
        packet_filter.attach(self.socket, program)

    def hold(self, backlog: int) -> None:
        """Let the kernel hold that many connections from now on."""
        if self.plan.transport == "tcp" and self._listens:
            self.socket.listen(backlog)

    @property
    def key(self) -> tuple[str, int]:
        """What tells sockets of one device apart: transport and port."""
        return self.plan.transport, self.plan.listen

    @property
    def _listens(self) -> bool:
        return bool(self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def open_all(plan: Plan, kept: Sequence[Listener] = ()) -> tuple[Listener, ...]:
    """Bind every port of the plan, before any privilege is dropped; a port that one of `kept` has is that socket's.

    Raises `RunError` that names each port that could not be bound and, where it can be told, the process that has it.
    """
    there = {listener.key: listener for listener in kept}
    all_of_them: list[Listener] = []
    opened: list[Listener] = []
    refused: list[str] = []
    for port in plan.ports:
        if found := there.get((port.transport, port.listen)):
            all_of_them.append(Listener(port, found.socket, found.silent))
            continue
        try:
            opened.append(open_one(plan, port))
            all_of_them.append(opened[-1])
        except OSError as error:
            refused.append(_why(plan, port, error))
    if refused:
        for listener in opened:
            listener.socket.close()
        raise RunError(
            f"{len(refused)} of {len(plan.ports)} ports could not be bound: {'; '.join(refused)}. "
            "Stop what holds them or choose another --port-offset"
        )
    return tuple(all_of_them)


def open_one(plan: Plan, port: PortPlan) -> Listener:
    """Bind one port. Raises `OSError` as the system says it."""
    kind = socket.SOCK_STREAM if port.transport == "tcp" else socket.SOCK_DGRAM
    sock = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, plan.device.encode() + b"\0")
        silent = packet_filter.attach(sock, plan.filter_for(port))
        if port.transport == "tcp":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.IPPROTO_TCP, TCP_SAVE_SYN, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections inherit it
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        sock.bind((_WILDCARD, port.listen))
        if port.transport == "tcp":
            sock.listen(plan.backlog)
    except BaseException:
        sock.close()
        raise
    return Listener(port, sock, silent)


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


def send_datagram(sock: socket.socket, data: bytes, peer: tuple[str, int], asked: str) -> int:
    """Answer from the address that was asked (`IP_PKTINFO`, ip(7)), not the one that routing would pick."""
    info = bytes(4) + socket.inet_aton(asked) + bytes(4)
    return sock.sendmsg([data], [(socket.IPPROTO_IP, _IP_PKTINFO, info)], 0, peer)


def _asked(ancillary: Sequence[tuple[int, int, bytes]]) -> str:
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            return socket.inet_ntoa(data[8:12])
    return ""
