"""`chaffinch reload`: take over a changed configuration while the fleet runs."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import msgspec

from chaffinch.cli import options
from chaffinch.errors import RunError
from chaffinch.fleet import control
from chaffinch.fleet.control import Reloading

LOOK_SECONDS: Final = 0.05


@click.command("reload")
@options.as_json
@options.placed
def command(as_json: bool, state: str | None, config: str | None) -> int:
    """Take over the configuration as it is written now: the file, environment and flags that the fleet began with.

    What the change touches begins anew, one worker or group after the other, each once the last one serves; all else
    goes on. A configuration that cannot be, or a port that cannot be bound, is refused before anything is touched. A
    worker that does not start with it takes all of it back.
    """
    done = reloaded(options.state_of(state))
    if as_json:
        print(msgspec.json.encode(done).decode())
    else:
        for line in _lines(done):
            print(line)
    if done.error:
        raise RunError(done.error)
    return 0


def reloaded(state: Path) -> Reloading:
    """Ask for it, and wait until it is done; each step is bounded by the supervisor.

    Raises `InputError` or `RunError` where it is refused, and `RunError` where the fleet ends meanwhile.
    """
    now = _of(control.ask(state, "reload"))
    number = now.number
    while not now.done:
        time.sleep(LOOK_SECONDS)
        now = _of(control.ask(state, "reloading"))
        if now.number != number:
            raise RunError("another reload has begun meanwhile; look at `chaffinch status`")
    return now


def _of(reply: bytes) -> Reloading:
    return msgspec.json.decode(reply, type=Reloading)


def _lines(done: Reloading) -> Iterator[str]:
    if not done.settings:
        yield "nothing to do: the configuration is as it was"
    if not done.error:
        yield from (f"{path}: taken over" for path in done.told)
    yield from (f"{one.name}: {one.did}" for one in done.workers)
