"""Programs that see each packet of a device (cls_bpf in the qdisc `clsact`): classic ones for ARP, extended for IPv4.

Each says itself what becomes of the packet (tc-bpf(8), direct action). pyroute2 has half of this only.
"""

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterable

from pyroute2 import IPRoute, NetlinkError  # type: ignore[import-untyped]

INGRESS, EGRESS = 0xFFFFFFF2, 0xFFFFFFF3
"""Of the qdisc `clsact`: where packets come in, and where they leave (linux/pkt_sched.h)."""

_RTM_NEWTFILTER = 44
_REQUEST_ACK_CREATE_EXCL = 0x1 | 0x4 | 0x400 | 0x200

_ETH_P_IP, _ETH_P_ARP = 0x0800, 0x0806
_TCA_KIND, _TCA_OPTIONS = 1, 2
_TCA_BPF_OPS_LEN, _TCA_BPF_OPS, _TCA_BPF_FD, _TCA_BPF_FLAGS = 4, 5, 6, 8
_DIRECT_ACTION = 1
_INSTRUCTION_BYTES = 8


def make_room(inside: IPRoute, index: int) -> None:
    """Have the device take classifiers. Raises `OSError` where the kernel cannot."""
    try:
        inside.tc("add", "clsact", index)
    except NetlinkError as error:
        if error.code != errno.EEXIST:
            raise OSError(error.code, os.strerror(error.code)) from None


def clear(inside: IPRoute, index: int) -> None:
    """Take all classifiers off the device. Nothing where it has none."""
    with contextlib.suppress(NetlinkError):
        inside.tc("del", "clsact", index)


def on_questions(index: int, program: bytes) -> None:
    """A classic program for what comes in by ARP. Raises `OSError`."""
    length = struct.pack("=H", len(program) // _INSTRUCTION_BYTES)
    _add(index, INGRESS, 1, _ETH_P_ARP, ((_TCA_BPF_OPS_LEN, length), (_TCA_BPF_OPS, program)))


def on_packets(index: int, way: int, descriptor: int) -> None:
    """An extended program, loaded before, for what goes that way by IPv4. Raises `OSError`."""
    _add(index, way, 2, _ETH_P_IP, ((_TCA_BPF_FD, struct.pack("=I", descriptor)),))


def _add(index: int, way: int, priority: int, protocol: int, program: Iterable[tuple[int, bytes]]) -> None:
    options = (*program, (_TCA_BPF_FLAGS, struct.pack("=I", _DIRECT_ACTION)))
    body = (
        struct.pack("=BxxxiIII", socket.AF_UNSPEC, index, 0, way, priority << 16 | socket.htons(protocol))
        + _attribute(_TCA_KIND, b"bpf\0")
        + _attribute(_TCA_OPTIONS, b"".join(_attribute(*one) for one in options))
    )
    head = struct.pack("=IHHII", 16 + len(body), _RTM_NEWTFILTER, _REQUEST_ACK_CREATE_EXCL, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        sock.send(head + body)
        (error,) = struct.unpack_from("=i", sock.recv(4096), 16)
    if error:
        raise OSError(-error, os.strerror(-error))


def _attribute(kind: int, value: bytes) -> bytes:
    """`struct rtattr`, filled up to a multiple of four."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
