"""`chaffinch chain`: the Markov text engine from the command line. A subcommand's module is imported when called."""

import importlib
import io
import sys
from collections.abc import Mapping
from typing import ClassVar

import click

from chaffinch.cli import LazyGroup
from chaffinch.errors import ChaffinchError

COMMANDS = {
    "train": "Learn messages from files.",
    "generate": "Make new messages.",
    "stats": "Show a chain in numbers.",
    "list": "List the chains.",
    "forget": "Forget messages, exactly.",
    "merge": "Write a chain anew without what was forgotten.",
    "verify": "Read every file against its checksums.",
    "export": "Write a chain to a portable archive.",
    "import": "Make a chain of an archive.",
    "remove": "Remove a chain with all its files.",
    "serve": "Serve chains over HTTP.",
}

_HOMES = {"export": "archive.export", "import": "archive.bring"}
"""Where a command is, if it is not `command` in the module of its name."""


class ChainGroup(LazyGroup):
    """The subcommands of `chain`."""

    commands_of: ClassVar[Mapping[str, str]] = COMMANDS

    def load(self, name: str) -> object:
        """The command of that name, imported now."""
        module, _, attribute = _HOMES.get(name, f"{name}.command").partition(".")
        return getattr(importlib.import_module(f"chaffinch.cli.chain.{module}"), attribute)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. What an error names, a file or a word, may have characters that drive a terminal."""
        try:
            return super().invoke(ctx)
        except ChaffinchError as error:
            from chaffinch.cli.chain import shown

            error.args = (shown.line(str(error)),)
            raise


@click.group("chain", cls=ChainGroup)
@click.option("--state", metavar="DIR", help="Where the fleet keeps its state.")
@click.option("--config", metavar="FILE", help="The configuration file.")
@click.pass_context
def command(ctx: click.Context, /, **given: str | None) -> None:
    """Train chains, make messages of them, and forget.

    A chain learns the messages of a TENANT and makes new ones that nobody wrote. `chaffinch chain train office
    --starter chat` makes the first, `chaffinch chain generate office -n 5` lets it speak.
    """
    ctx.find_root().obj.update({name: value for name, value in given.items() if value})
    if isinstance(sys.stdout, io.TextIOWrapper):
        # People write characters that a terminal of another time cannot show.
        sys.stdout.reconfigure(errors="backslashreplace")
