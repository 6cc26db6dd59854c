"""`chaffinch stop`: end the fleet in order, or one worker or group of it."""

import time
from pathlib import Path

import click
import msgspec

from chaffinch.cli import options
from chaffinch.errors import RunError
from chaffinch.fleet import asking
from chaffinch.fleet.control import AbsentError
from chaffinch.fleet.state import is_running, running_alone

PATIENCE_SECONDS = 30.0


@click.command("stop")
@click.argument("name", metavar="[WORKER|GROUP]", required=False)
@options.placed
def command(name: str | None, state: str | None, config: str | None) -> None:
    """Stop the fleet: sessions end, the journal is flushed, every process is gone when this returns.

    With a name stop that worker, or all workers of that group, and nothing else: its ports refuse connections, and it
    stays stopped, whatever begins anew, until `chaffinch start`.
    """
    directory = options.state_of(state)
    if name is not None:
        from chaffinch.cli import deeds

        print(deeds.do(directory, "stop", name))
        return
    try:
        answers = asking.ask_all(directory, "stop")
    except AbsentError:
        if not _tidied(directory):
            raise
        return
    _wait_for_end(directory, answers)
    print("stopped")


def _wait_for_end(directory: Path, answers: asking.Answers) -> None:
    """Until all who heard it have ended. Raises `RunError` for who did not hear it and is still there, and for who
    takes too long.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if not is_running(directory):
            return
        alone = running_alone(directory)
        deaf = [one for one in answers.unanswered if not one.group or one.group in alone]
        if deaf and {one.group for one in deaf}.issuperset(alone):
            rest = "; all others have stopped" if answers.given or len(deaf) < len(answers.unanswered) else ""
            raise RunError("; ".join(str(one) for one in deaf) + rest)
        time.sleep(0.05)
    who = ", ".join(str(msgspec.json.decode(answer)["pid"]) for answer in answers.given.values())
    raise RunError(f"the fleet (pid {who}) is still stopping after {PATIENCE_SECONDS:.0f} s; look at `chaffinch logs`")


def _tidied(directory: Path) -> bool:
    """Where no fleet runs, but a crash left its network namespace: take that away."""
    from chaffinch.network.netns import namespace
    from chaffinch.network.netns.blueprint import name_of

    if not namespace.is_left(name_of(directory)) or is_running(directory):
        return False
    namespace.refuse_impossible()
    namespace.remove(name_of(directory))
    print(f"no fleet runs; removed the network namespace {name_of(directory)} that a crash left")
    return True
