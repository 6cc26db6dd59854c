"""Settings written into the `[bot]` table of a configuration file, without a change of anything else in it."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from chaffinch.errors import InputError

_HEAD: Final = re.compile(r"(?m)^[ \t]*\[[ \t]*bot[ \t]*\][ \t]*(#.*)?$")


def lines(settings: Mapping[str, object]) -> list[str]:
    """The settings as lines of TOML: text, numbers, lists of numbers."""
    return [f"{key} = {_toml(value)}" for key, value in settings.items()]


def write(path: Path, settings: Mapping[str, object]) -> None:
    """Add them to the file, which is made if there is none.

    Raises `InputError`, and changes nothing, for a file that says one of them already, that cannot be written, or that
    is no TOML.
    """
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        after = _added(path, before, settings)
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path.resolve(), after)
    except UnicodeDecodeError:
        raise InputError(f"{path} is not TOML") from None
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror})") from None


def _added(path: Path, before: str, settings: Mapping[str, object]) -> str:
    """The text with them in it."""
    was = _read(path, before)
    table = was.get("bot", {})
    if not isinstance(table, dict) or (there := sorted(table.keys() & settings.keys())):
        said = " and ".join(there) if isinstance(table, dict) else "bot"
        raise InputError(f"{path} says {said} already, and stays as it is")
    text = "\n".join(lines(settings))
    head = _HEAD.search(before)
    if head is not None:
        after = f"{before[: head.end()]}\n{text}{before[head.end() :]}"
    else:
        gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
        after = f"{before}{gap}[bot]\n{text}\n"
    expected = was | {"bot": table | {key: _plain(value) for key, value in settings.items()}}
    if not _says(after, expected):
        raise InputError(f"{path} has its [bot] settings in a way that is not added to by itself, and stays as it is")
    return after


def _says(text: str, expected: dict[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == expected
    except tomllib.TOMLDecodeError:
        return False


def _read(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not TOML: {error}") from None


def _replace(path: Path, text: str) -> None:
    """Whole or not at all, readable by whom it was readable."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        if path.exists():
            part.chmod(path.stat().st_mode & 0o7777)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    # JSON's text is TOML's, but for the one control character that it lets stand.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
