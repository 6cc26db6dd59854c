"""What the programs take that give packets their host's look: time for a packet, memory, time to load. Needs root."""

import os
import statistics
import time
from pathlib import Path

from tests.network.frames import SOURCE, segment
from tests.network.test_netns_looks import ACK, LINUX, LINUX_ANSWER, LINUX_SYN, PLAN, SYN, WINDOWS

from chaffinch.network.netns.looks import kernel
from chaffinch.network.netns.looks.arriving import arriving
from chaffinch.network.netns.looks.leaving import leaving
from chaffinch.network.netns.looks.wanted import looks
from chaffinch.personas.placement import BUCKETS

REPEATS, ROUNDS = 1_000_000, 5


def main() -> None:
    wanted = looks(PLAN)
    began = time.perf_counter()
    counters = kernel.array(BUCKETS)
    comes = kernel.load(arriving(wanted), "bench")
    goes = kernel.load(leaving(wanted, counters), "bench")
    print(f"loaded in {(time.perf_counter() - began) * 1000:.0f} ms")
    print(f"kernel memory: {sum(map(memory, (counters, comes, goes))) / 1024:.0f} KiB")
    for name, program, frame in (
        ("comes to Linux", comes, segment(SOURCE, LINUX[0], ACK)),
        ("comes to Windows", comes, segment(SOURCE, WINDOWS[0], ACK)),
        ("SYN to Windows", comes, segment(SOURCE, WINDOWS[0], SYN, LINUX_SYN)),
        ("leaves Linux", goes, segment(LINUX[0], SOURCE, ACK)),
        ("leaves Windows", goes, segment(WINDOWS[0], SOURCE, ACK, data=bytes(1000))),
        ("SYN-ACK of Windows", goes, segment(WINDOWS[0], SOURCE, SYN | ACK, LINUX_ANSWER, window=64240)),
    ):
        took = statistics.median(kernel.run(program, frame, REPEATS).nanoseconds for _ in range(ROUNDS))
        print(f"{name:20} {took:.0f} ns")
    for descriptor in (counters, comes, goes):
        os.close(descriptor)


def memory(descriptor: int) -> int:
    """Bytes that the kernel charges for a map or a program."""
    rows = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="ascii").splitlines()
    return int(next(row for row in rows if row.startswith("memlock:")).split()[1])


if __name__ == "__main__":
    main()
