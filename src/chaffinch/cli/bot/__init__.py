"""`chaffinch bot`: the bot for chat communities. A subcommand's module is imported when called."""

import importlib
from collections.abc import Mapping
from typing import ClassVar

import click

from chaffinch.cli import LazyGroup

COMMANDS = {
    "discord": "Run the Discord bot, or set it up.",
    "import": "Learn what an older bot left, or an export.",
}

_HOMES = {"import": "bring"}
"""Where a command is, if it is not in the module of its name."""


class BotGroup(LazyGroup):
    """The subcommands of `bot`."""

    commands_of: ClassVar[Mapping[str, str]] = COMMANDS

    def load(self, name: str) -> object:
        """The command of that name, imported now."""
        return importlib.import_module(f"chaffinch.cli.bot.{_HOMES.get(name, name)}").command


@click.group("bot", cls=BotGroup)
@click.option("--state", metavar="DIR", help="Where the bot keeps its state.")
@click.option("--config", metavar="FILE", help="The configuration file.")
@click.pass_context
def command(ctx: click.Context, /, **given: str | None) -> None:
    """A bot that learns how a community talks, and talks along.

    `chaffinch bot discord --setup` asks what it needs and writes it down; `chaffinch bot discord` runs it.
    """
    ctx.find_root().obj.update({name: value for name, value in given.items() if value})
