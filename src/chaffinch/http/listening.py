"""What a server has before its first connection: an address, a socket that listens there, files that it may open."""

import ipaddress
import resource
import socket
from typing import Any

import msgspec

from chaffinch.errors import InputError


class Address(msgspec.Struct, frozen=True):
    """Where a server can listen."""

    family: socket.AddressFamily
    protocol: int
    place: tuple[Any, ...]
    """As `bind` takes it: of most families host and port, of IPv6 two more."""

    @property
    def is_loopback(self) -> bool:
        """Whether only programs on this machine reach it."""
        return is_loopback(self.place[0])

    def listen(self, backlog: int) -> socket.socket:
        """A socket that listens there. Raises `OSError` if it cannot be had."""
        listener = socket.socket(self.family, socket.SOCK_STREAM, self.protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self.family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind(self.place)
            listener.listen(backlog)
            listener.setblocking(False)
        except OSError:
            listener.close()
            raise
        return listener


def address_of(host: str, port: int, remedy: str) -> Address:
    """The address of a name or number. Raises `InputError`, which ends with the remedy, if there is none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise InputError(f"{host!r} is no address here ({error}): {remedy}") from None
    family, _, protocol, _, place = found[0]
    return Address(family, protocol, place)


def is_loopback(host: str) -> bool:
    """Whether a numeric address is one of this machine alone."""
    return ipaddress.ip_address(host.partition("%")[0]).is_loopback


def shown_host(host: str) -> str:
    """A host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def allow_files(needed: int, remedy: str) -> None:
    """Raise the soft limit of open files to the hard one. Raises `InputError` with the remedy if it is too low."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise InputError(f"this process may open {hard} files and needs {needed}: {remedy}")
