"""`chaffinch logs`: the fleet's own log, which is not what the decoys recorded."""

import collections
import contextlib
import itertools
import os
import time
from typing import TYPE_CHECKING

import click

from chaffinch.cli import options
from chaffinch.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME = "fleet.log"


@click.command("logs")
@click.option("-n", "--lines", type=click.IntRange(min=1), default=50, show_default=True, help="How many of the last.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes.")
@options.placed
def command(lines: int, follow: bool, state: str | None, config: str | None) -> None:
    """Show the fleet's own log."""
    from chaffinch.fleet.log_file import BEFORE

    path = options.state_of(state) / NAME
    try:
        log = path.open(encoding="utf-8", errors="replace")
    except OSError:
        raise RunError(f"there is no log at {path}; start a fleet with `chaffinch up`") from None
    with log, contextlib.ExitStack() as more:
        before: Iterable[str] = ()
        with contextlib.suppress(OSError):
            before = more.enter_context(open(f"{path}{BEFORE}", encoding="utf-8", errors="replace"))
        for line in collections.deque(itertools.chain(before, log), lines):
            print(line, end="")
        while follow:
            line = log.readline()
            if line:
                print(line, end="", flush=True)
            else:
                if os.fstat(log.fileno()).st_size < log.tell():  # it began anew
                    log.seek(0)
                time.sleep(0.3)
