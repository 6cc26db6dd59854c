"""The fleet's memory: idle in each arrangement, with more addresses and workers, and for each idle open connection."""

import compileall
import contextlib
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.fleet.running import plug_in

import chaffinch as chaffinch_package
from bench.apart import at_most

OFFSET = 19000
SETTLE_SECONDS = 4.0
CONNECTIONS = 5000
FURTHER = (0, 1, 2, 4, 8, 16)
"""Idle workers of another package beside those that every fleet has."""

SERVICES = ("ssh", "telnet", "http", "ftp", "smtp", "redis", "mysql", "memcached")


def chaffinch(state: Path, *arguments: str) -> str:
    """Run one command; its output."""
    done = subprocess.run(
        [sys.executable, "-m", "chaffinch", *arguments, "--state", str(state)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout


@contextlib.contextmanager
def fleet(*flags: str) -> Iterator[Path]:
    """A detached fleet in a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="chaffinch-bench-") as folder:
        state = Path(folder) / "state"
        chaffinch(state, "up", "--detach", "--port-offset", str(OFFSET), "--metrics-port", "9479", *flags)
        try:
            time.sleep(SETTLE_SECONDS)
            yield state
        finally:
            chaffinch(state, "stop")


def pss(state: Path) -> int:
    """Bytes of PSS over all processes of the fleet, from the kernel."""
    status: dict[str, Any] = json.loads(chaffinch(state, "status", "--json"))
    pids = [status["pid"], *(group["pid"] for group in status["groups"])]
    return sum(pss_of(pid) for pid in pids)


def pss_of(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no PSS for {pid}")


def idle() -> None:
    """PSS of an idle fleet, by arrangement and number of addresses."""
    for flags, said, bound in (
        (("--groups", "default"), "default groups, 65,536 addresses", 80),
        (("--groups", "one"), "one process, 65,536 addresses", 56),
        (("--groups", "split"), "a process a worker, 65,536 addresses", None),
        (("--hosts", "127.77.0.0/16", "--hosts", "127.78.0.0/18"), "default groups, 81,920 addresses", None),
    ):
        with fleet(*flags) as state:
            held = pss(state) / 1e6
        print(f"idle PSS, {said}: {at_most(held, bound, 'MB', 1) if bound else f'{held:.1f} MB'}", flush=True)


IDLE = """
async def run(context):
    await context.stopping.wait()
"""


def further_workers() -> None:
    """What each idle worker more costs in `split`: from the slope over 0 to 16 of another package."""
    held = {}
    for count in FURTHER:
        with tempfile.TemporaryDirectory(prefix="chaffinch-bench-") as name:
            for number in range(count):
                os.environ.update(plug_in(Path(name), f"idle{number}", IDLE, "workers"))
            compileall.compile_dir(name, quiet=2)
            os.environ["CHAFFINCH_FLEET_WORKERS"] = ",".join(f"idle{number}" for number in range(count))
            with fleet("--groups", "split") as state:
                held[count] = pss(state) / 1e6
    del os.environ["CHAFFINCH_FLEET_WORKERS"]
    each = statistics.linear_regression(list(held), list(held.values())).slope
    told = ", ".join(f"{count} more: {value:.1f} MB" for count, value in held.items())
    print(f"idle PSS, a process a worker: {told}; each further idle worker {at_most(each, 4, 'MB')}", flush=True)


def endpoint(state: Path, service: str) -> tuple[str, int]:
    host = json.loads(chaffinch(state, "hosts", "--service", service, "--limit", "1", "--json"))[0]
    return host["address"], next(one["port"] for one in host["services"] if one["name"] == service)


def connections() -> None:
    """Growth of PSS for each of 5,000 open connections that send nothing."""
    for service in SERVICES:
        with fleet() as state:
            where = endpoint(state, service)
            warm = [socket.create_connection(where) for _ in range(50)]
            time.sleep(1.5)
            before = pss(state)
            opened = [socket.create_connection(where) for _ in range(CONNECTIONS)]
            time.sleep(2.5)
            grown = pss(state) - before
            seen = json.loads(chaffinch(state, "status", "--json"))["sessions_open"]
            if seen != len(warm) + len(opened):
                raise RuntimeError(f"{service}: {seen} sessions are open, not {len(warm) + len(opened)}")
            for sock in (*warm, *opened):
                sock.close()
            print(f"{service:10} {grown / CONNECTIONS / 1024:5.1f} KiB an idle connection ({seen} open)")


def compile_all() -> None:
    """As an installed package is: groups may not write what they compile, and each would pay for it."""
    compileall.compile_dir(Path(chaffinch_package.__file__).parent, quiet=2)


def prepare() -> None:
    """For what brings fleets up and connects to them: compiled sources, the same hosts each time, all descriptors."""
    compile_all()
    os.environ["CHAFFINCH_FLEET_SEED"] = "bench"
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> None:
    prepare()
    idle()
    further_workers()
    connections()


if __name__ == "__main__":
    main()
