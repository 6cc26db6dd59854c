"""What each entry point costs in a fresh interpreter, and which modules it must not bring in."""

import json
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from tests.floors import FLOORS, Floor

PROBE = """
import json, sys, os
def rss():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
before = rss()
{code}
print(json.dumps({{"grown": rss() - before, "rss": rss(), "modules": sorted(sys.modules)}}))
"""


MEASUREMENTS = 3
"""How much of a file the kernel maps around a page that is touched depends on what else goes on: the least counts."""


def measured(floor: Floor) -> dict[str, Any]:
    code = PROBE.format(code=textwrap.dedent(floor.code))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


@pytest.mark.parametrize("floor", FLOORS, ids=lambda floor: floor.name)
def test_an_entry_point_stays_on_its_floor(floor: Floor) -> None:
    for _ in range(MEASUREMENTS):
        said = measured(floor)
        if said["grown"] <= floor.grows_by:
            break
    else:
        pytest.fail(f"{floor.name} grew by {said['grown'] / 1e6:.1f} MB")
    brought = {name.partition(".")[0] for name in said["modules"]} | set(said["modules"])
    assert sorted(brought & set(floor.forbidden)) == []


def test_help_comes_in_little_memory() -> None:
    code = """
    import sys
    from chaffinch.cli import main
    try:
        main(["--help"])
    finally:
        peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
        print(peak, *sorted(sys.modules), file=sys.stderr)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60, check=True
    )
    peak, *modules = done.stderr.split()
    assert "Bring up the fleet" in done.stdout
    assert int(peak) * 1024 < 16e6
    assert not {"asyncio", "msgspec", "apsw", "asyncssh", "logging", "chaffinch.config"} & set(modules)
