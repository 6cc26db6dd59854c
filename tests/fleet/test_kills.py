"""Random kills of any process of a fleet under load, for a while: see bench/chaos.py, which does it for ten minutes."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.fleet.running import eventually, network_namespace, running
from tests.fleet.test_fleet import ping

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 20
"""`make test` is to stay quick; the bench takes ten minutes."""


def test_nothing_acknowledged_is_lost_and_nothing_is_there_twice() -> None:
    with network_namespace() if os.geteuid() == 0 else contextlib.nullcontext(()) as prefix:
        command = [*prefix, sys.executable, "-m", "bench.chaos", str(SECONDS)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing acknowledged is missing, and nothing is there twice" in done.stdout


def test_who_is_killed_often_while_it_serves_is_never_given_up(tmp_path: Path) -> None:
    environment = {"CHAFFINCH_FLEET_CRASH_LIMIT": "2"}
    with running(tmp_path, environment=environment) as fleet:
        for count in range(1, 7):
            os.kill(fleet.group("decoys")["pid"], signal.SIGKILL)
            eventually(
                lambda count=count: (
                    fleet.group("decoys")["restarts"] == count and fleet.worker("decoy-redis")["state"] == "running"
                )
            )
            assert ping(fleet) == b"+PONG\r\n"
