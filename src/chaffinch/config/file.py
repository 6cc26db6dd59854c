"""The TOML file, and the line on which a setting stands in it."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chaffinch.errors import InputError, SettingError


def read_file(file: Path) -> dict[str, Any]:
    """The TOML file as it is. Raises `InputError`."""
    import tomllib

    try:
        with file.open("rb") as opened:
            return tomllib.load(opened)
    except OSError as error:
        raise InputError(
            f"{file} cannot be read ({error.strerror}): name another with --config, or write one with `chaffinch init`"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is not TOML: {error}") from None


def line_of(file: Path, path: str) -> int:
    """The line of `path` in the file: tomllib does not say. Where it is not found, that of what it stands in, or 1."""
    section, _, key = path.rpartition(".")
    current, section_line = "", 0
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        text = line.strip()
        if text.startswith("["):
            current = text.strip("[] ").split("]")[0].replace('"', "").replace(" ", "")
            if current in (section, path):
                section_line = number
                if current == path:
                    return number
        elif (current == section and re.match(rf'"?{re.escape(key)}"?\s*[=.]', text)) or (
            not current and re.match(rf'"?{re.escape(path)}"?\s*[=.]', text)
        ):
            return number
    return section_line or (line_of(file, section) if "." in section else 1)


@contextlib.contextmanager
def placed(file: Path | None) -> Iterator[None]:
    """Inside the block a setting that turns out to be unusable is refused with its place in the file."""
    try:
        yield
    except SettingError as error:
        if file is None:
            raise
        raise InputError(f"{file}, line {line_of(file, error.path)}: {error}") from None
