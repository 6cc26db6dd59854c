"""`chaffinch status`: the fleet, its groups and workers."""

import click
import msgspec

from chaffinch.cli import options, text
from chaffinch.fleet import asking

FULL = "the disk of the state directory is FULL: events wait in memory until there is room"


@click.command("status")
@options.as_json
@options.placed
def command(as_json: bool, state: str | None, config: str | None) -> None:
    """Show the fleet, its groups and workers."""
    status = asking.status(options.state_of(state))
    if as_json:
        print(msgspec.json.encode(status).decode())
        return
    budget = f" of {text.size(status.budget_bytes)}" if status.budget_bytes else ""
    print(
        f"fleet {status.pid}: {status.hosts} decoy hosts, up {text.ago(status.since)}, "
        f"{text.size(status.pss_bytes)}{budget}, {status.sessions_seen} sessions ({status.sessions_open} open), "
        f"{status.events} events" + (f", {status.journal_lost} LOST" if status.journal_lost else "")
    )
    if status.journal_full:
        print(FULL)
    print()
    text.table(
        ("GROUP", "PID", "STATE", "SINCE", "RESTARTS", "PSS", "PRIVATE", "BUDGET", "CPU", "CONFINED", "LAST ERROR"),
        [
            (g.name, g.pid or "-", g.state, text.ago(g.since), g.restarts, text.size(g.pss_bytes),
             text.size(g.private_bytes), text.size(g.budget_bytes) if g.budget_bytes else "-", f"{g.cpu_seconds:.1f} s",
             g.confined, g.error)
            for g in status.groups
        ],
    )  # fmt: skip
    for group in status.groups:
        if group.given_up:
            print(f"{group.name} is short of memory and has given up: {', '.join(group.given_up)}")
    print()
    text.table(
        ("WORKER", "GROUP", "STATE", "SINCE", "RESTARTS", "LAG", "LAST ERROR"),
        [(w.name, w.group, w.state, text.ago(w.since), w.restarts, w.lag, w.error) for w in status.workers],
    )
