"""What each entry point costs in a fresh interpreter, and which modules it must not bring in."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import click
import pytest

from chaffinch.cli import cli
from chaffinch.decoys.registry import BUILT_IN
from chaffinch.fleet import workers
from tests.floors import COMMANDS, FLOORS, GROUPS, WORKERS, Floor

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


@pytest.fixture(scope="module")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which compiled sources are kept: compiling takes memory of its own."""
    without = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return without | {"PYTHONPYCACHEPREFIX": str(tmp_path_factory.mktemp("bytecode"))}


def measured(floor: Floor, environment: dict[str, str]) -> dict[str, Any]:
    code = PROBE.format(code=textwrap.dedent(floor.code))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, env=environment
    )
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


@pytest.mark.parametrize("floor", FLOORS, ids=lambda floor: floor.name)
def test_an_entry_point_stays_on_its_floor(floor: Floor, bytecode: dict[str, str]) -> None:
    for _ in range(MEASUREMENTS):
        said = measured(floor, bytecode)
        if said["grown"] <= floor.grows_by:
            break
    else:
        pytest.fail(f"{floor.name} grew by {said['grown'] / 1e6:.1f} MB")
    brought = {name.partition(".")[0] for name in said["modules"]} | set(said["modules"])
    assert sorted(brought & set(floor.forbidden)) == []


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[str]:
    """The name of every command that does something."""
    if not isinstance(command, click.Group):
        yield " ".join(path)
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield from commands(below, (*path, name))


def test_every_command_worker_and_group_has_a_floor() -> None:
    rows = (*workers.table(BUILT_IN), workers.CAPTURE, workers.BOT)
    assert set(COMMANDS) == set(commands(cli))
    assert set(WORKERS) == {row.name for row in rows}
    assert set(GROUPS) == {row.group for row in rows} | {"fleet"}


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
