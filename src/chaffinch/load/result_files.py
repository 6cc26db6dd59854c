"""Files of results: what is no such file is told in one sentence, and one that is written is whole or not there."""

import os
from pathlib import Path
from typing import Final

import msgspec

from chaffinch.errors import InputError, RunError
from chaffinch.load.input_files import read_whole
from chaffinch.load.results import VERSION, Result

MOST_BYTES: Final = 512 << 20
"""The largest file of results that is read."""


class _Head(msgspec.Struct):
    version: int | None = None


def read(path: Path) -> Result:
    """The results in a file. Raises `InputError` with one sentence."""
    remedy = "name a file that `load run --json FILE` wrote"
    return decode(read_whole(path, MOST_BYTES, remedy=remedy, excess=", which no results are"), str(path))


def decode(data: bytes, source: str) -> Result:
    """Results from their JSON; `source` names it in errors."""
    try:
        version = msgspec.json.decode(data, type=_Head).version
        if version is not None and version > VERSION:
            raise InputError(
                f"{source} has results of format {version}, and this version of chaffinch reads up to {VERSION}: "
                "use the version that wrote it, or a newer one"
            )
        return msgspec.json.decode(data, type=Result)
    except msgspec.ValidationError as error:
        raise InputError(f"{source} has no results of a load run: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{source} is not JSON: {error}") from None


def write(path: Path, data: bytes) -> None:
    """Write a report so that under its name stands the old file or the whole new one. Raises `RunError`."""
    try:
        if path.exists() and not path.is_file():  # a pipe or a terminal cannot be replaced
            path.write_bytes(data)
        else:
            _replace(path.resolve(), data)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunError(f"{path} cannot be written ({reason}): name a file that can") from None


def _replace(path: Path, data: bytes) -> None:
    aside = path.with_name(f".{path.name[:200]}.{os.getpid()}")
    try:
        aside.write_bytes(data)
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
