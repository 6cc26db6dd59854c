"""`chaffinch restart`: let a worker or a group begin anew."""

import click

from chaffinch.cli import deeds, options


@click.command("restart")
@click.argument("name", metavar="WORKER|GROUP")
@options.placed
def command(name: str, state: str | None, config: str | None) -> None:
    """Let a worker begin anew, or a group in a new process; its neighbours go on. What was stopped stays stopped."""
    print(deeds.do(options.state_of(state), "restart", name))
