"""A short storm on a fleet with a budget: see bench/storm.py, which makes one of 20 minutes."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from tests.fleet.running import network_namespace

ROOT = Path(__file__).resolve().parents[2]
SECONDS, BACK_SECONDS, SETTLE_SECONDS = 10, 1, 3
"""The account is looked at, not memory, which would have to settle and to grow warm for half a minute."""


def test_every_connection_of_a_storm_is_recorded_and_newcomers_are_answered() -> None:
    with network_namespace() if os.geteuid() == 0 else contextlib.nullcontext(()) as prefix:
        command = [*prefix, sys.executable, "-m", "bench.storm", *map(str, (SECONDS, BACK_SECONDS, SETTLE_SECONDS))]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if not line.startswith("back within")]
    assert not [line for line in lines if "MISS" in line], done.stdout
    assert sum("connections made" in line and line.endswith(": PASS") for line in lines) == 2
