"""The worker `capture`: tells what no listener gets, a few events a source, and what of it was lost."""

import time

from chaffinch.capture.reader import Reader
from chaffinch.capture.windows import Windows
from chaffinch.events import Event, PacketsDropped, now
from chaffinch.fleet.context import Context

TICK_SECONDS = 0.5
"""How often windows that are over are looked for."""


class Losses:
    """Packets that no window counts, told as soon as there are any."""

    def __init__(self) -> None:
        self.dropped = 0
        self._told_malformed = 0

    def fact(self, dropped: int, malformed: int) -> PacketsDropped | None:
        """What was lost since the last time: `dropped` by the kernel since then, `malformed` of all packets so far."""
        self.dropped += dropped
        fact = PacketsDropped(dropped, malformed - self._told_malformed)
        self._told_malformed = malformed
        return fact if fact.count or fact.malformed else None


async def run(context: Context) -> None:
    """Read until the context is stopping; then read the rest, and write what the windows hold."""
    ring = context.ring
    windows = Windows(context.journal.publish, context.config.capture)
    reader = Reader(ring, windows, context.config.capture.share)
    losses = Losses()

    def tell() -> None:
        if (fact := losses.fact(ring.dropped(), reader.malformed)) is not None:
            context.journal.publish(Event(time=now(), fact=fact))

    _export(context, reader, windows, losses)
    due = 0.0
    try:
        while not context.stopping.is_set():
            wait = reader.turn()
            if time.monotonic() >= due:
                windows.flush(now())
                tell()
                due = time.monotonic() + TICK_SECONDS
            await context.pause(wait)
        reader.drain()
    finally:
        windows.close()
        tell()


def _export(context: Context, reader: Reader, windows: Windows, losses: Losses) -> None:
    context.counter("packets_seen", lambda: reader.seen)
    context.counter("packets_dropped", lambda: losses.dropped)
    context.counter("packets_malformed", lambda: reader.malformed)
    context.counter("packets_folded", lambda: windows.folded)
    context.counter("events_recorded", lambda: windows.events, service=context.name)
    context.gauge("capture_windows", lambda: len(windows))
