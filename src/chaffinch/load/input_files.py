"""Files that a user names: each is read whole, up to a bound, or refused in one sentence."""

import contextlib
from pathlib import Path
from typing import BinaryIO

from chaffinch.errors import InputError


def read_whole(file: Path | BinaryIO, most: int, *, remedy: str, excess: str, name: str = "") -> bytes:
    """What it holds, at most `most` bytes. Raises `InputError`.

    The sentence calls the file by `name`, else by its path. It ends with the remedy where the file cannot be read, and
    with `excess`, whose punctuation is its own, where it is too large.
    """
    named = name or str(file)
    try:
        with file.open("rb") if isinstance(file, Path) else contextlib.nullcontext(file) as opened:
            found = opened.read(most + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{named} cannot be read ({reason}): {remedy}") from None
    if len(found) > most:
        raise InputError(f"{named} is larger than {most >> 20} MiB{excess}")
    return found
