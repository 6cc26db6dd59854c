"""A tap in a process of its own, in whichever network it is started in: run by the tests, `python -m`."""

import contextlib
import json
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from chaffinch.capture.reader import Reader
from chaffinch.capture.tap import open_tap
from chaffinch.capture.windows import Windows
from chaffinch.config import CaptureSettings, Config, NetworkSettings
from chaffinch.fleet import assemble
from chaffinch.network.addresses import parse_prefixes
from chaffinch.network.plan import Plan

if TYPE_CHECKING:
    from chaffinch.events import Event

SEED = b"test"
HOSTS = "127.77.0.0/16"
KEPT_FRAMES = 2000


def plan_of(device: str = "lo", hosts: str = HOSTS) -> Plan:
    """The plan that every tap of these tests has. Other prefixes than loopback's are another mode's: none refuses them
    here.
    """
    settings = NetworkSettings(hosts=(HOSTS,), device=device)
    plan = assemble.describe(Config(network=settings), SEED).plan
    if hosts != HOSTS:
        plan.prefixes = parse_prefixes((hosts,))
    return plan


class Tapping:
    """What a tap saw, once the block is left."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.said: dict[str, Any] = {}

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The records of one kind, each with its source and address."""
        return [row for row in self.said["facts"] if row.get("of") == kind]

    def kinds(self) -> set[str]:
        return {row["of"] for row in self.said["facts"]}

    @property
    def told(self) -> int:
        """Packets in all records."""
        return sum(row["count"] for row in self.said["facts"])


@contextlib.contextmanager
def tapping(prefix: tuple[str, ...], device: str = "lo", hosts: str = HOSTS, share: float = 1.0) -> Iterator[Tapping]:
    """A tap that is open inside the block."""
    with subprocess.Popen(
        [*prefix, sys.executable, "-m", "tests.capture.tapping", device, hosts, str(share)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            seen = Tapping(process)
            yield seen
            time.sleep(0.2)  # what is on its way
            seen.said = json.loads(process.communicate(timeout=60)[0])
        finally:
            process.kill()


def main(device: str, hosts: str, share: str) -> None:
    tap = open_tap(plan_of(device, hosts), 1 << 20)
    events: list[Event] = []
    windows = Windows(events.append, CaptureSettings(window_seconds=3600))
    reader = Reader(tap.ring, windows, float(share))
    frames: list[str] = []
    add = windows.add

    def noting(packet: Any, data: memoryview, at: int) -> None:
        if len(frames) < KEPT_FRAMES:
            frames.append(bytes(data[packet.network :]).hex())
        add(packet, data, at)

    windows.add = noting  # type: ignore[method-assign]
    say("open")
    while not select.select([sys.stdin], [], [], min(reader.turn(), 0.01))[0]:
        pass
    reader.drain()
    windows.close()
    tap.count_drops()
    facts = [msgspec.to_builtins(event.fact) | {"source": event.source, "address": event.address} for event in events]
    said = {
        "facts": facts,
        "seen": reader.seen,
        "malformed": reader.malformed,
        "folded": windows.folded,
        "dropped": tap.ring.dropped(),
        "frames": frames,
        "linked": tap.ring.linked,
    }
    say(json.dumps(said))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
