"""What capture takes of memory and processor, idle and in floods, and what a decoy beside it does then. Needs root."""

import contextlib
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.capture.sending import send
from tests.capture.test_worker import ASK
from tests.fleet.running import Fleet, network_namespace, running

HOST = "127.77.3.9"
SECONDS = 5
RATES = (1_000, 10_000, 20_000, 40_000, 200_000)
ASKS = 20
SETTLE_SECONDS = 4.0


@contextlib.contextmanager
def fleet(prefix: tuple[str, ...], **environment: str) -> Iterator[Fleet]:
    """A fleet in a network of its own, once it has come to rest."""
    with (
        tempfile.TemporaryDirectory(prefix="chaffinch-bench-") as folder,
        running(Path(folder), prefix=prefix, environment=environment) as up,
    ):
        time.sleep(SETTLE_SECONDS)
        yield up


def anonymous_mb(up: Fleet) -> float:
    """What all its processes hold beside files: of those, how much is theirs depends on who else has them mapped."""
    status = up.status()
    rollups = [Path(f"/proc/{pid}/smaps_rollup") for pid in (status["pid"], *(one["pid"] for one in status["groups"]))]
    lines = [line.split() for one in rollups for line in one.read_text(encoding="ascii").splitlines()]
    return sum(int(line[1]) for line in lines if line[0] == "Pss_Anon:") * 1024 / 1e6


def cpu_seconds(pid: int) -> float:
    """User and system time of a process (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def counted(up: Fleet, kind: str) -> int:
    return sum(row["count"] for row in up.events("--kind", kind))


def flood(up: Fleet, prefix: tuple[str, ...], rate: int) -> None:
    """Packets of 100 sources at that rate, beside a client that asks a decoy."""
    pid = up.group("decoys")["pid"]
    before = {kind: counted(up, kind) for kind in ("packet.probe", "packet.dropped")}
    host, port = up.endpoint("redis")
    began, told = cpu_seconds(pid), list[tuple[int, float]]()
    sender = threading.Thread(target=lambda: told.append(send(prefix, HOST, rate * SECONDS, 100, rate)))
    sender.start()
    asked = [
        float(os.popen(" ".join((*prefix, sys.executable, "-c", f"'{ASK}'", host, str(port)))).read())
        for _ in range(ASKS)
    ]
    sender.join()
    took = cpu_seconds(pid) - began
    time.sleep(SETTLE_SECONDS)
    sent, seconds = told[0]
    read, dropped = (counted(up, kind) - number for kind, number in before.items())
    said = "all accounted for" if read + dropped == sent else "MISMATCH"
    shares = f"{read / sent:5.1%} told with ports, {dropped / sent:5.1%} as a number, {said}"
    cost = f"{took / seconds:.0%} of a core, {took / read * 1e6:.1f} us a packet that was read"
    median_ms = statistics.median(asked) * 1e3
    print(f"{sent / seconds:7,.0f} packets/s: {shares}; {cost}; a decoy answers in {median_ms:.1f} ms", flush=True)


def main() -> None:
    if os.geteuid() != 0:
        print("not measured: only root may open a packet socket")
        return
    with network_namespace() as prefix:
        with fleet(prefix) as up:
            without, pid = anonymous_mb(up), up.group("decoys")["pid"]
            began = cpu_seconds(pid)
            time.sleep(20)
            rest = cpu_seconds(pid) - began
        with fleet(prefix, CHAFFINCH_CAPTURE_ENABLED="true") as up:
            pid = up.group("decoys")["pid"]
            print(f"idle: {anonymous_mb(up) - without:.1f} MB more, and the ring of 1 MiB", end="; ")
            began = cpu_seconds(pid)
            time.sleep(20)
            print(f"{(cpu_seconds(pid) - began - rest) / 20:.2%} of a core more", flush=True)
            for rate in RATES:
                flood(up, prefix, rate)


if __name__ == "__main__":
    main()
