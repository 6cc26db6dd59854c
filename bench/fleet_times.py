"""What an owner waits for: a start to the first connection, a stop (idle, and with 2,000 open sessions), a restart.

The median and the longest of ten (or of as many as the argument says), each from a cold process: the command line's own
start is part of every figure.
"""

import contextlib
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.apart import at_most
from bench.fleet import OFFSET, chaffinch, endpoint, prepare

RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 10
SESSIONS = 2000
RESTARTED = ("decoy-redis", "decoy-ssh", "sessions", "metrics")


def tell(what: str, seconds: list[float], bound_ms: float) -> None:
    median, most = statistics.median(seconds) * 1000, max(seconds) * 1000
    print(f"{what}: median {median:,.0f} ms, longest of {len(seconds)} {at_most(most, bound_ms, 'ms', 0)}", flush=True)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="chaffinch-bench-") as name:
        yield Path(name) / "state"


def start(state: Path, where: tuple[str, int]) -> tuple[float, float]:
    """`up --detach` on a new state directory: seconds to the first connection that is accepted and answered, and until
    the command returns.
    """
    flags = ("--detach", "--port-offset", str(OFFSET), "--metrics-port", "0", "--state", str(state))
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "-m", "chaffinch", "up", *flags], stdout=subprocess.DEVNULL) as process:
        answered = when_answered(where) - began
        process.wait()
    if process.returncode:
        raise RuntimeError(f"up ended with {process.returncode}")
    return answered, time.perf_counter() - began


def when_answered(where: tuple[str, int]) -> float:
    """When a redis there first says something."""
    while True:
        with contextlib.suppress(ConnectionError), socket.create_connection(where, timeout=5) as sock:
            sock.sendall(b"PING\r\n")
            if sock.recv(100):
                return time.perf_counter()
        time.sleep(0.002)


def stop(state: Path) -> float:
    began = time.perf_counter()
    chaffinch(state, "stop")
    return time.perf_counter() - began


def starts_and_stops(where: tuple[str, int]) -> None:
    answered, returned, stopped = [], [], []
    for _ in range(RUNS):
        with folder() as state:
            first, whole = start(state, where)
            time.sleep(1)
            stopped.append(stop(state))
        answered.append(first)
        returned.append(whole)
    tell("start to the first answer, 65,536 addresses", answered, 1500)
    tell("`up --detach` returns", returned, 1500)
    tell("stop, idle", stopped, 2000)


def stops_in_the_middle(where: tuple[str, int]) -> None:
    stopped = []
    for _ in range(RUNS):
        with folder() as state:
            start(state, where)
            held = [socket.create_connection(where, timeout=5) for _ in range(SESSIONS)]
            while status(state)["sessions_open"] < SESSIONS:  # beside the one that saw the start
                time.sleep(0.1)
            stopped.append(stop(state))
            for sock in held:
                sock.close()
            closed = chaffinch(state, "events", "--kind", "session.closed", "--json")
            if len(closed.splitlines()) != SESSIONS + 1:
                raise RuntimeError(f"{len(closed.splitlines())} sessions have an end, not {SESSIONS + 1}")
    tell(f"stop with {SESSIONS:,} open sessions, each with its end in the journal", stopped, 2000)


def status(state: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(chaffinch(state, "status", "--json"))
    return found


def restarts(where: tuple[str, int]) -> None:
    """The whole command, and the worker's own way from stopping to running."""
    with folder() as state:
        start(state, where)
        time.sleep(1)
        for name in RESTARTED:
            took = [restart(state, name) for _ in range(RUNS)]
            tell(f"restart {name}, neighbours untouched", took, 300)
        stop(state)


def restart(state: Path, name: str) -> float:
    before = since(state, name)
    began = time.perf_counter()
    chaffinch(state, "restart", name)
    took = time.perf_counter() - began
    if since(state, name) != before:
        raise RuntimeError(f"restarting {name} touched its neighbours")
    return took


def since(state: Path, without: str) -> dict[str, float]:
    return {one["name"]: one["since"] for one in status(state)["workers"] if one["name"] != without}


def place() -> tuple[str, int]:
    """A redis of a seed that stays the same."""
    with folder() as state:
        chaffinch(state, "up", "--detach", "--port-offset", str(OFFSET), "--metrics-port", "0")
        try:
            return endpoint(state, "redis")
        finally:
            chaffinch(state, "stop")


def main() -> None:
    prepare()
    where = place()
    starts_and_stops(where)
    stops_in_the_middle(where)
    restarts(where)


if __name__ == "__main__":
    main()
