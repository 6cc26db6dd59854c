"""Before a segment is joined: whether a machine there has one of the decoy hosts' addresses already.

The question is an ARP probe (RFC 5227), which changes nobody's table. A fleet that answered for such an address as
well would take a machine's traffic away from it.
"""

import errno
import socket
import struct
import time
from select import select

from chaffinch.errors import InputError
from chaffinch.network.netns.blueprint import Blueprint

MOST_ASKED = 1024
"""Addresses that are asked for; of more hosts, as many at even distances: probes are broadcasts."""

WAIT_SECONDS = 0.3
"""How long after the last question answers are waited for: a segment's answers take milliseconds."""

_ARP = 0x0806
_HEAD = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)
"""Ethernet, IPv4, their lengths, a question (RFC 826)."""

_ANSWER = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2)


def refuse_taken(wanted: Blueprint) -> None:
    """Raises `InputError` that names an address which is answered for, and by whom."""
    asked = set(wanted.hosts(MOST_ASKED))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ARP)) as sock:
        sock.bind((wanted.device, _ARP))
        own = sock.getsockname()[4]
        for host in sorted(asked):
            _send(sock, _probe(own, host))
        until = time.monotonic() + WAIT_SECONDS
        while (left := until - time.monotonic()) > 0 and select([sock], [], [], left)[0]:
            mac, address = answer(sock.recv(2048))
            if address in asked:
                raise InputError(
                    f"{address} is a machine on {wanted.device} already ({mac}); name prefixes that nothing has"
                )


def _send(sock: socket.socket, frame: bytes) -> None:
    try:
        sock.send(frame)
    except OSError as error:
        if error.errno != errno.ENOBUFS:  # a card with no room loses frames, as a segment may
            raise


def _probe(own: bytes, host: str) -> bytes:
    frame = b"\xff" * 6 + own + struct.pack("!H", _ARP)
    return frame + _HEAD + own + bytes(4) + bytes(6) + socket.inet_aton(host)


def answer(frame: bytes) -> tuple[str, str]:
    """Who answers, and for which address; empty texts for anything that is no ARP answer."""
    if frame[14:22] != _ANSWER or len(frame) < 42:
        return "", ""
    return frame[22:28].hex(":"), socket.inet_ntoa(frame[28:32])
