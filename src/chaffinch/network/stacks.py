"""A system's TCP/IP look on a listening socket, so that its SYN-ACK and every segment of its connections have it.

What a socket of Linux can be told: the TTL, the MSS, and by `TCP_WINDOW_CLAMP` how large a window may ever become, from
which the kernel computes the scale that it offers (`tcp_select_initial_window` in `net/ipv4/tcp_output.c`). What holds
for a whole network namespace, or cannot be told at all, stands in docs/personas.md.
"""

import socket
from pathlib import Path

from chaffinch.personas.systems import LARGEST_WINDOW, Stack

ETHERNET_MSS = 1460
"""An Ethernet frame of 1500 bytes without the two headers of 20 bytes each (RFC 9293, section 3.7.1)."""

_SYSCTLS = Path("/proc/sys/net")


def wear(sock: socket.socket, stack: Stack) -> None:
    """Give the look to a socket that does not listen yet. `shutdown` takes MSS and window off again."""
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, stack.ttl)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, ETHERNET_MSS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, stack.window << stack.scale)


def largest_scale() -> int | None:
    """The largest window scale that this machine's kernel offers, by `net.ipv4.tcp_rmem` and `net.core.rmem_max`; None
    where they cannot be read.
    """
    try:
        most = int((_SYSCTLS / "ipv4" / "tcp_rmem").read_text("ascii").split()[2])
        most = max(most, int((_SYSCTLS / "core" / "rmem_max").read_text("ascii")))
    except (OSError, ValueError, IndexError):
        return None
    return max(0, min(14, most.bit_length() - LARGEST_WINDOW.bit_length()))
