"""`chaffinch start`: start a worker or a group that was stopped."""

import click

from chaffinch.cli import deeds, options


@click.command("start")
@click.argument("name", metavar="WORKER|GROUP")
@options.placed
def command(name: str, state: str | None, config: str | None) -> None:
    """Start a worker, or all workers of a group, that `chaffinch stop` stopped or that was given up."""
    print(deeds.do(options.state_of(state), "start", name))
