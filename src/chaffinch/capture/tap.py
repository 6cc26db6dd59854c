"""The raw socket: opened and filtered by the supervisor, which keeps it. A group gets memory, and no socket.

Whoever holds a packet socket can send any frame, on any device; a decoy's process may not even connect. So packets
come through a ring that the kernel writes (`PACKET_RX_RING`) and that a group has mapped: it can read them, and
nothing else. What the kernel had no room for only the socket tells, so the supervisor writes that where the group
reads it.

Constants: `linux/if_packet.h`, `asm-generic/socket.h`, `asm-generic/sockios.h`; packet(7).
"""

import contextlib
import errno
import fcntl
import logging
import mmap
import os
import socket
import struct
from pathlib import Path

import msgspec

from chaffinch.capture import filter as capture_filter
from chaffinch.capture.filter import Served
from chaffinch.capture.ring import BLOCK_BYTES, FRAME_BYTES, Ring
from chaffinch.errors import InputError, RunError
from chaffinch.network import filter as packet_filter
from chaffinch.network.plan import Plan

log = logging.getLogger("chaffinch.capture")

_ETH_P_ALL = 3
_SOL_PACKET, _PACKET_RX_RING, _PACKET_STATISTICS, _PACKET_VERSION, _PACKET_IGNORE_OUTGOING = 263, 5, 6, 10, 23
_TPACKET_V2 = 1
_SIOCGIFHWADDR = 0x8927
_ARPHRD_ETHER, _ARPHRD_LOOPBACK = 1, 772

DATA_PORTS = "ftp"
"""The service that opens ports as it goes: the system picks them from its range for clients."""

_IFREQ = struct.Struct("=16sH22x")
"""`struct ifreq` with a hardware address: the device's name, and its kind of link."""
_RING = struct.Struct("@IIII")
"""`struct tpacket_req`: bytes and number of blocks, bytes and number of frames."""
_COUNTS = struct.Struct("@II")


class Tap(msgspec.Struct, frozen=True):
    """The socket, and the ring that its packets go to."""

    socket: socket.socket
    ring: Ring

    def admit(self, plan: Plan) -> None:
        """Let in what another plan's listeners do not get, from one packet to the next. Raises as `open_tap` does."""
        if not packet_filter.attach(self.socket, program_for(plan)):
            raise _refused()

    def shut(self) -> None:
        """Let in nothing, from one packet to the next; what the ring holds stays for its reader. Raises as `admit`."""
        if not packet_filter.attach(self.socket, packet_filter.NOTHING):
            raise _refused()
        self.count_drops()

    def count_drops(self) -> None:
        """In the supervisor: tell the ring's reader what the kernel had no room for since the last time."""
        self.ring.add_dropped(_COUNTS.unpack(self.socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, _COUNTS.size))[1])

    def let_go(self, *, reads: bool) -> None:
        """In a group: hold no descriptor of the socket any more, and the ring only where its worker `reads` it.

        The mapping has a descriptor of its own, which cannot be asked for: what is the same socket becomes nothing.
        """
        ours, nothing = os.fstat(self.socket.fileno()), os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        for number in map(int, os.listdir("/proc/self/fd")):
            with contextlib.suppress(OSError):  # the listing's own descriptor is gone
                if os.path.samestat(os.fstat(number), ours):
                    os.dup2(nothing, number, inheritable=False)
        os.close(nothing)
        if not reads:
            self.close()

    def end(self, heir: "Tap | None" = None) -> None:
        """In the supervisor, once no group reads the ring any more: close it. What none could tell of it the reader of
        the `heir` tells as dropped; without one the log says it.
        """
        self.count_drops()
        untold = self.ring.dropped() + self.ring.waiting()
        if heir is not None:
            heir.ring.add_dropped(untold)
        elif untold:
            log.warning("capture.dropped count=%d", untold)
        self.close()

    def close(self) -> None:
        """Give back the socket and the ring."""
        self.ring.close()
        self.socket.close()


def open_tap(plan: Plan, buffer_bytes: int, *, shut: bool = False) -> Tap:
    """The socket on the plan's device, with the plan's filter, and its ring; `shut`, it lets in nothing yet.

    Raises `RunError` without the privilege, the device or the memory, and `InputError` for more prefixes than a filter
    holds.
    """
    linked = _is_linked(plan.device)
    try:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW if linked else socket.SOCK_DGRAM, 0)
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:
            raise RunError(
                "capture.enabled needs a packet socket, which this fleet gets none of: where a service manager's unit "
                "keeps them away (`RestrictAddressFamilies`), write the unit anew with `chaffinch init --systemd` and "
                "restart the fleet; where the kernel has none (CONFIG_PACKET), set `enabled = false` in [capture]"
            ) from None
        if error.errno not in (errno.EPERM, errno.EACCES):
            raise
        raise _refused() from None
    try:
        sock.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)  # spares the copies; the filter has the last word
        tap = Tap(sock, _ring(sock, buffer_bytes, linked))
        tap.admit(plan)
        if shut:
            tap.shut()
        sock.bind((plan.device, _ETH_P_ALL))  # a socket without a protocol gets no packet until now
    except BaseException:
        sock.close()
        raise
    return tap


def _ring(sock: socket.socket, buffer_bytes: int, linked: bool) -> Ring:
    blocks = max(1, buffer_bytes // BLOCK_BYTES)
    size = blocks * BLOCK_BYTES
    sock.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V2)
    try:
        sock.setsockopt(_SOL_PACKET, _PACKET_RX_RING, _RING.pack(BLOCK_BYTES, blocks, FRAME_BYTES, size // FRAME_BYTES))
        memory = mmap.mmap(sock.fileno(), size)
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise
        raise RunError(f"the kernel has no {size} bytes for packets; make capture.buffer_bytes smaller") from None
    return Ring(memory, mmap.mmap(-1, mmap.PAGESIZE), linked)


def program_for(plan: Plan) -> tuple[packet_filter.Instruction, ...]:
    """The kernel's filter for a plan. Raises `InputError` for more prefixes than it holds."""
    served: dict[str, list[Served]] = {"tcp": [], "udp": []}
    for port in plan.ports:
        served[port.transport].append(Served(port.listen, port.listen, plan.placement.ranges(port.port)))
    if buckets := plan.placement.ranges(DATA_PORTS):
        served["tcp"].append(Served(*_client_ports(), buckets))
    try:
        return capture_filter.program(
            plan.prefixes, plan.placement.mixer.steps, served["tcp"], served["udp"], plan.excluded
        )
    except ValueError as error:
        raise InputError(
            f"capture.enabled: {len(plan.prefixes)} prefixes are too many for the kernel's filter: {error}"
        ) from None


def _client_ports() -> tuple[int, int]:
    """The range from which the system picks ports (`ip_local_port_range`, ip(7)); its default where that is hidden."""
    try:
        low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()
    except FileNotFoundError:  # a service manager shows processes alone (`ProcSubset=pid`)
        return 32768, 60999
    return int(low), int(high)


def _is_linked(device: str) -> bool:
    """Whether the device's packets begin with an Ethernet header, as those of loopback do too; not those of tunnels.

    Raises `RunError` when there is no such device.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            answer = fcntl.ioctl(asking, _SIOCGIFHWADDR, _IFREQ.pack(device.encode()[:15], 0))
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
            raise RunError(f"capture.enabled: there is no network device {device!r}; name one with --device") from None
    return _IFREQ.unpack(answer)[1] in (_ARPHRD_ETHER, _ARPHRD_LOOPBACK)


def _refused() -> RunError:
    return RunError(
        "capture.enabled needs a packet socket, which this user may not open: start the fleet as root "
        f"(uid {os.geteuid()} lacks CAP_NET_RAW), or set `enabled = false` in [capture]"
    )
