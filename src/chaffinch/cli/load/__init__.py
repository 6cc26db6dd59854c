"""`chaffinch load`: the load tester from the command line. A subcommand's module is imported when called."""

import importlib
import io
import sys
from collections.abc import Mapping
from typing import ClassVar

import click

from chaffinch.cli import LazyGroup
from chaffinch.errors import ChaffinchError

COMMANDS = {
    "run": "Send requests and say how they were answered.",
    "plan": "Say what fits into so much memory.",
    "compare": "Show what changed from one run to another.",
    "import": "Make a scenario file of what others recorded.",
    "serve": "Run tests that are sent over HTTP.",
}

_HOMES = {"import": "bring"}
"""The module of a command, where it is not that of its name."""


class LoadGroup(LazyGroup):
    """The subcommands of `load`."""

    commands_of: ClassVar[Mapping[str, str]] = COMMANDS

    def load(self, name: str) -> object:
        """The command of that name, imported now."""
        return importlib.import_module(f"chaffinch.cli.load.{_HOMES.get(name, name)}").command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. What an error names may have characters that drive a terminal."""
        try:
            return super().invoke(ctx)
        except ChaffinchError as error:
            from chaffinch.cli.load import shown

            error.args = (shown.safe(str(error)),)
            raise


@click.group("load", cls=LoadGroup)
@click.option("--state", metavar="DIR", help="Where the fleet keeps its state.")
@click.option("--config", metavar="FILE", help="The configuration file.")
@click.pass_context
def command(ctx: click.Context, /, **given: str | None) -> None:
    """Send requests to a server of yours, and say how they were answered, in bounded memory.

    `chaffinch load run http://127.0.0.1:8080/ --rate 500 --duration 30s --threshold 'p99<200ms'` says whether it keeps
    to that. Only hosts that you name are contacted: docs/acceptable-use.md says which those may be.
    """
    ctx.find_root().obj.update({name: value for name, value in given.items() if value})
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names come from files and targets: a terminal of another time cannot show them all.
        sys.stdout.reconfigure(errors="backslashreplace")
