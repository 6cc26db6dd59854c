"""`chaffinch bot discord`: run the Discord bot, or set it up."""

from typing import TYPE_CHECKING

import click

from chaffinch.chat import token as tokens
from chaffinch.cli import options
from chaffinch.errors import InputError

if TYPE_CHECKING:
    from chaffinch.config import Config


@click.command("discord")
@click.option(
    "--setup", is_flag=True, help="Ask for the token and settings on a terminal, check them, write them down."
)
@click.option("--older-settings", metavar="FILE", help="JSON5 settings of an older bot, for what ours do not say.")
@options.setting("bot.token_file", "--token-file")
@options.setting("bot.prefix", "--prefix")
@options.setting("bot.command", "--command")
@options.setting("bot.activity", "--activity")
@options.setting("bot.owners", "--owner", multiple=True)
@options.setting("bot.dev_guild", "--dev-guild")
@options.setting("bot.log_level", "--log-level")
@options.setting("bot.metrics_port", "--metrics-port")
@options.placed
def command(*, setup: bool, older_settings: str | None, state: str | None, config: str | None, **given: object) -> int:
    """Run the Discord bot until it is stopped (^C, SIGTERM), or set it up.

    The token comes from the environment variable CHAFFINCH_BOT_TOKEN, the file of bot.token_file, a service manager's
    credential, `discord-token` in the state directory, or a keyring. Variables of older bots (TOKEN, OWNER_IDS, ...)
    are read, below settings of ours.
    """
    _refuse_missing()
    place, flags = options.state_of(state), options.flags_given(given)
    if setup:
        from chaffinch.cli.bot.setup import Setup

        named = tuple(f"--{name}={value}" for name, value in (("state", state), ("config", config)) if value)
        return Setup(place, options.file_of(config), _readable(config, flags), named).run()
    from chaffinch.chat.older.settings import merged

    ours = merged(options.load(config, flags), older_settings)
    token = tokens.found(ours.config.bot, place, older=ours.token)
    from chaffinch.chat.run import run

    return run(ours.config, place, token, ours.said)


def _readable(config: str | None, flags: dict[str, object]) -> "Config":
    """The configuration; of a file that is named and not there yet the set-up will make one."""
    from chaffinch.config import load

    file = options.file_of(config)
    return load(file if file.exists() else None, flags)


def _refuse_missing() -> None:
    from importlib.util import find_spec

    if find_spec("discord") is None:
        raise InputError("discord.py is not installed; install it with: pip install 'chaffinch[bot]'")
