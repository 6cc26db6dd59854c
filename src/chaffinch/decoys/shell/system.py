"""system commands."""

from chaffinch.decoys.shell.call import Command

COMMANDS: dict[str, Command] = {}
