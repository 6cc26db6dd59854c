"""The small shell that ssh and telnet show: it parses, expands and answers; nothing it is given is executed or
fetched."""

from chaffinch.decoys.shell.shell import Result, Shell
from chaffinch.decoys.shell.terminal import LineDiscipline, interact

__all__ = ["LineDiscipline", "Result", "Shell", "interact"]
