"""What commands print: text that does not drive a terminal, and that is printed somewhere even if stdout takes none."""

import os
import sys

from chaffinch.load import figures

LONGEST = 20_000
"""Characters of one line of an error."""


def safe(text: str) -> str:
    """The text with its lines, without what else would drive a terminal or turn text around."""
    return "\n".join(figures.plain(line, LONGEST) for line in text.split("\n"))


def tell(text: str, *, err: bool = False) -> None:
    """Print lines. What stdout does not take, because its disk is full, goes to stderr; a reader may leave."""
    out = sys.stderr if err else sys.stdout
    try:
        out.write(text)
        out.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())  # what is left in its buffer would fail at exit
        if not err:
            tell(text, err=True)
            tell(f"chaffinch: standard output takes nothing ({error.strerror})\n", err=True)


def warn(sentence: str) -> None:
    """A sentence on stderr."""
    tell(f"chaffinch: {safe(sentence)}\n", err=True)
