"""`chaffinch status`: the fleet, its groups and workers."""

import click

from chaffinch.cli import options, text
from chaffinch.cli.chain import shown
from chaffinch.cli.exits import exits
from chaffinch.errors import RunError
from chaffinch.fleet import asking
from chaffinch.fleet.control import Status

EXITS = {
    0: "the fleet is shown",
    1: "no fleet runs, or a supervisor of it does not answer; the others are shown, and it is named",
}


@click.command("status")
@shown.prints(Status)
@options.placed
@exits(EXITS)
def command(as_json: bool, state: str | None, config: str | None) -> None:
    """Show the fleet, its groups and workers.

    A group is a process: memory and processor time are shown of it, and its workers share them. With
    `--groups split` each worker has its own. BUDGET bounds PRIVATE.
    """
    status = asking.status(options.state_of(state))
    if as_json:
        print(shown.as_json(status))
    else:
        _show(status)
    if status.unanswered:
        raise RunError("; ".join(one.error for one in status.unanswered))


def _show(status: Status) -> None:
    budget = f" of {text.size(status.budget_bytes)}" if status.budget_bytes else ""
    print(
        f"fleet {status.pid}: {status.hosts} decoy hosts, up {text.ago(status.since)}, "
        f"{text.size(status.pss_bytes)}{budget}, {status.sessions_seen} sessions ({status.sessions_open} open), "
        f"{status.events} events" + (f", {status.journal_lost} LOST" if status.journal_lost else "")
    )
    if status.journal_full:
        print(text.FULL)
    print()
    text.table(
        ("GROUP", "PID", "STATE", "SINCE", "RESTARTS", "PSS", "PRIVATE", "BUDGET", "CPU", "CONFINED", "LAST ERROR"),
        [
            (g.name, g.pid or "-", g.state, text.ago(g.since), g.restarts, text.size(g.pss_bytes),
             text.size(g.private_bytes), text.size(g.budget_bytes) if g.budget_bytes else "-", f"{g.cpu_seconds:.1f} s",
             g.confined, shown.line(g.error))
            for g in status.groups
        ],
    )  # fmt: skip
    print(
        f"PSS, PRIVATE, BUDGET and CPU are those of a group's process, which its workers share; "
        f"the supervisor has {text.size(status.supervisor_pss_bytes)} PSS"
    )
    for group in status.groups:
        if group.given_up:
            print(f"{group.name} is short of memory and has given up: {', '.join(group.given_up)}")
    print()
    text.table(
        ("WORKER", "GROUP", "STATE", "SINCE", "RESTARTS", "LAG (EVENTS)", "LAST ERROR"),
        [(w.name, w.group, w.state, text.ago(w.since), w.restarts, w.lag, shown.line(w.error)) for w in status.workers],
    )
