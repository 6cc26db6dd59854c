"""Exit codes: what they mean for every command, and what a command means by its own.

A command declares its own once, with `exits`; its `--help` shows them, and so does docs/commands.md.
"""

import inspect
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

Command = TypeVar("Command", bound=Callable[..., Any])

EVERYWHERE: Final[Mapping[int, str]] = {0: "success", 1: "a failed run", 2: "bad input", 130: "stopped by Ctrl-C"}

EXITS: Final = "exits"
"""The attribute of a command's function that has what it declared."""

COLUMNS: Final = 76


def exits(own: Mapping[int, str]) -> Callable[[Command], Command]:
    """Says what the codes of a command mean, where that is more than `EVERYWHERE`. Its help ends with them."""

    def declared(command: Command) -> Command:
        setattr(command, EXITS, own)
        # \b keeps click from joining the lines.
        command.__doc__ = f"{inspect.cleandoc(command.__doc__ or '')}\n\n\b\nExit codes:\n{_lines(own)}"
        return command

    return declared


def _lines(own: Mapping[int, str]) -> str:
    return "\n".join(
        textwrap.fill(meaning, COLUMNS, initial_indent=f"  {code:<5}", subsequent_indent=" " * 7)
        for code, meaning in sorted(own.items())
    )
