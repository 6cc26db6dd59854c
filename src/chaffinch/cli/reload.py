"""`chaffinch reload`: take over a changed configuration while the fleet runs."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import msgspec

from chaffinch.cli import options
from chaffinch.cli.chain import shown
from chaffinch.errors import ChaffinchError, InputError, RunError
from chaffinch.fleet import asking, control
from chaffinch.fleet.control import AbsentError, Reloading

LOOK_SECONDS: Final = 0.05


@click.command("reload")
@shown.prints(Reloading)
@options.placed
def command(as_json: bool, state: str | None, config: str | None) -> int:
    """Take over the configuration as it is written now: the file, environment and flags that the fleet began with.

    What the change touches begins anew, one worker or group after the other, each once the last one serves; all else
    goes on. A configuration that cannot be, or a port that cannot be bound, is refused before anything is touched. A
    worker that does not start with it takes all of it back.
    """
    done = all_reloaded(options.state_of(state))
    if as_json:
        print(shown.as_json(done))
    else:
        for line in _lines(done):
            print(line)
    if done.error:
        raise RunError(done.error)
    return 0


def all_reloaded(state: Path) -> Reloading:
    """Have every supervisor of the fleet reload, one after the other: where each group has its own, there are several.

    Raises as `reloaded` does, at the first that refuses, and names those before it, which have reloaded. Nothing is
    changed while one of them does not answer.
    """
    there = asking.ask_all(state, "reloading")
    if there.unanswered:
        raise RunError("; ".join(str(one) for one in there.unanswered) + "; nothing was changed")
    parts: list[Reloading] = []
    before: list[str] = []
    for name in there.given:
        with contextlib.suppress(AbsentError):  # it ended meanwhile
            parts.append(_reloaded_after(state, name, before))
            if parts[-1].error:
                break
            before.append(control.group_of(name))
    return _together(parts) if parts else reloaded(state)


def _reloaded_after(state: Path, socket_name: str, before: list[str]) -> Reloading:
    """As `reloaded`; a refusal, or a way back, tells of the groups that have taken the configuration over before."""
    rest = f"; taken over before by {', '.join(before)}" if before else ""
    try:
        done = reloaded(state, socket_name)
    except AbsentError:
        raise
    except ChaffinchError as error:
        raise (InputError if isinstance(error, InputError) else RunError)(f"{error}{rest}") from None
    return msgspec.structs.replace(done, error=f"{done.error}{rest}") if done.error else done


def _together(parts: list[Reloading]) -> Reloading:
    return msgspec.structs.replace(
        parts[-1],
        settings=tuple(dict.fromkeys(path for one in parts for path in one.settings)),
        told=tuple(dict.fromkeys(path for one in parts for path in one.told)),
        workers=tuple(worker for one in parts for worker in one.workers),
    )


def reloaded(state: Path, socket_name: str = control.NAME) -> Reloading:
    """Ask a supervisor for it, and wait until it is done; each step is bounded by the supervisor.

    Raises `AbsentError` where there is none, `InputError` or `RunError` where it refuses, and `RunError` where it ends
    meanwhile.
    """
    now = _of(control.ask(state, "reload", socket_name=socket_name))
    number = now.number
    while not now.done:
        time.sleep(LOOK_SECONDS)
        try:
            now = _of(control.ask(state, "reloading", socket_name=socket_name))
        except AbsentError:
            raise RunError("the fleet was stopped before the reload was done") from None
        if now.number != number:
            raise RunError("another reload has begun meanwhile; look at `chaffinch status`")
    return now


def _of(reply: bytes) -> Reloading:
    return control.read(reply, Reloading)


def _lines(done: Reloading) -> Iterator[str]:
    if not done.settings:
        yield "nothing to do: the configuration is as it was"
    if done.workers or not done.error:  # there are none when the fleet went back: its error says so
        nobody = not done.workers and not done.told
        yield from (f"{path}: taken over" for path in (done.settings if nobody else done.told))
    yield from (f"{one.name}: {one.did}" for one in done.workers)
