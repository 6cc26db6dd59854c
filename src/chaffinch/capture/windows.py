"""From packets to events: for each source and kind one window, written as one record when it is old or silent.

`packets counted == the counts of the records written + those of the windows still open`, at every moment.
"""

from collections.abc import Callable

import msgspec

from chaffinch.capture import packet as packets
from chaffinch.capture.distinct import Distinct
from chaffinch.capture.packet import Packet
from chaffinch.config import CaptureSettings
from chaffinch.events import Event, PacketProbe, Syn
from chaffinch.network.addresses import to_text

QUIET_NS = 2_000_000_000
"""A window that was silent for that long is written: a scan that is over shows at once."""

HOSTS_SHOWN = 8
RUNS_SHOWN = 64

MANY = "many"
"""The source, and the decoy host, of a window that gathers sources for which there was no room."""

_NOBODY = -1
"""The key of those sources; no address is negative."""


class Window(msgspec.Struct):
    """Packets of one kind from one source. Times are nanoseconds since the epoch; the look is that of its first."""

    kind: str
    source: str
    first: int
    last: int
    ttl: int
    flags: str
    mac: str
    syn: Syn | None
    quoted: str
    numbers: Distinct
    hosts: Distinct
    shown: list[int]
    count: int = 0


class Windows:
    """All open windows: at most `capture.windows` for sources, and one more for each kind."""

    def __init__(self, publish: Callable[[Event], None], settings: CaptureSettings) -> None:
        self.counted = 0
        self.folded = 0
        """Packets counted without their source, for want of a window."""
        self.events = 0
        self._publish = publish
        self._most = settings.windows
        self._longest = int(settings.window_seconds * 1e9)
        self._open: dict[tuple[int, str], Window] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, packet: Packet, data: memoryview, time: int) -> None:
        """Count the packet, which was parsed from `data`."""
        self.counted += 1
        window = self._open.get((packet.source, packet.kind)) or self._of(packet, data, time)
        window.count += 1
        window.last = time
        window.numbers.add(packet.number)
        window.hosts.add(packet.address & 0xFFFF)
        if len(window.shown) < HOSTS_SHOWN and packet.address not in window.shown:
            window.shown.append(packet.address)

    def _of(self, packet: Packet, data: memoryview, time: int) -> Window:
        """The window that the packet opens, or that of many sources."""
        source, shown = packet.source, to_text(packet.source)
        if len(self._open) >= self._most:
            self.folded += 1
            source, shown = _NOBODY, MANY
        window = self._open.get((source, packet.kind))
        if window is None:
            window = self._open[source, packet.kind] = Window(
                kind=packet.kind,
                source=shown,
                first=time,
                last=time,
                ttl=packet.ttl,
                flags=packets.flags_text(packet),
                mac=packets.mac_text(packet),
                syn=packets.syn_look(packet, data),
                quoted=packets.quoted(packet, data),
                numbers=Distinct(),
                hosts=Distinct(),
                shown=[],
            )
        return window

    def flush(self, time: int) -> None:
        """Write the windows that are old or silent at `time`."""
        for key, window in list(self._open.items()):
            is_young, is_busy = 0 <= time - window.first < self._longest, time - window.last < QUIET_NS
            if not (is_young and is_busy):  # a clock that was set back ends a window, too
                del self._open[key]
                self._write(window)

    def close(self) -> None:
        """Write all of them."""
        windows, self._open = self._open, {}
        for window in windows.values():
            self._write(window)

    def _write(self, window: Window) -> None:
        self.events += 1
        runs = "" if window.kind == packets.ARP else window.numbers.runs(RUNS_SHOWN)
        has_ports = window.kind in packets.WITH_PORTS
        fact = PacketProbe(
            of=window.kind,
            count=window.count,
            first=window.first,
            last=window.last,
            hosts=len(window.hosts),
            sample=tuple(to_text(address) for address in window.shown),
            ports=runs if has_ports else "",
            ports_count=len(window.numbers) if has_ports else 0,
            types="" if has_ports else runs,
            ttl=window.ttl,
            flags=window.flags,
            mac=window.mac,
            syn=window.syn,
            quoted=window.quoted,
        )
        address = MANY if window.source == MANY else to_text(window.shown[0])
        self._publish(Event(time=window.last, fact=fact, address=address, source=window.source))
