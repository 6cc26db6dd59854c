"""Settings of the older bots, and how they come below ours. None is read and ignored: `table` has what becomes of each.

They are read from the environment, as those bots did, and from their JSON5 file, where one is named; what stands in the
file goes before the environment, as with them, and ours before both.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from chaffinch import config as configuration
from chaffinch.chat.older.table import SETTINGS, TOKEN, Older
from chaffinch.chat.older.values import Word
from chaffinch.chat.token import Token, shared
from chaffinch.config import Config
from chaffinch.errors import InputError

MOST_BYTES: Final = 1 << 20
"""Of a settings file."""


class Read(msgspec.Struct, frozen=True):
    """What one place of them says. `values` are ours by path, each with the name that it had there."""

    values: Mapping[str, tuple[str, Any]]
    words: tuple[str, ...] = ()
    """What sets nothing, and why: a sentence each."""
    token: Token | None = None


class Merged(msgspec.Struct, frozen=True):
    """Our configuration with theirs below it, and what is to be said about that."""

    config: Config
    said: tuple[str, ...]
    token: Token | None


def merged(config: Config, file: str | None, *, only: str = "") -> Merged:
    """Our configuration with those of the environment and of `file`, where one is named, below it.

    With `only`, nothing but what is ours under that path is looked at. Raises `InputError` as they do.
    """
    rows = [one for one in SETTINGS if one.ours.startswith(only)]
    reads = [of_environment(configuration.environment(), rows)]
    if file is not None:
        found = of_file(Path(file), rows)
        reads.append(Read(found.values) if only else found)
    return below(config, reads)


def of_environment(environ: Mapping[str, str], settings: Sequence[Older] = SETTINGS) -> Read:
    """What the variables say, but for the token, which is looked for with ours. An empty one is as good as none.

    Raises `InputError` for a value that cannot be.
    """
    named = {one: environ[one.variable] for one in settings if one.variable and environ.get(one.variable)}
    return _read(((one, one.variable, value) for one, value in named.items() if one.variable != "TOKEN"))


def of_file(path: Path, settings: Sequence[Older] = SETTINGS) -> Read:
    """What the JSON or JSON5 file says; null and an empty text are as good as none.

    Raises `InputError` for one that cannot be read, for a value that cannot be, and for a token that others can read.
    """
    found = _members(path)
    rows = {key: one for one in settings for key in one.keys}
    given = [(rows[key], key, value) for key, value in found.items() if key in rows and value not in (None, "")]
    where = f"{path}: "
    read = _read(((one, key, value) for one, key, value in given if key != TOKEN), where)
    unknown = [f"{where}{key} is no setting of those bots, and sets nothing" for key in found if key not in rows]
    secret = found.get(TOKEN)
    if not secret or TOKEN not in rows:
        return msgspec.structs.replace(read, words=(*read.words, *unknown))
    if path.stat().st_mode & 0o077:
        raise shared(path)
    return Read(read.values, (*read.words, *unknown), Token(str(secret), str(path)))


def below(config: Config, reads: Iterable[Read]) -> Merged:
    """Our configuration, and where nobody gave a setting of ours, theirs: of several places the last that has it."""
    values: dict[str, tuple[str, Any]] = {}
    said: list[str] = []
    token = None
    for read in reads:
        values |= read.values
        said += read.words
        token = read.token or token
    taken = {path: pair for path, pair in values.items() if path not in config.given}
    for path, (name, _) in values.items():
        if path not in taken:
            said.append(f"{name} is not taken, because {path} is set")
    for path, (_, value) in taken.items():
        config = _with(config, path.split("."), value)
    if taken:
        said.insert(0, "taken from an older bot: " + ", ".join(f"{path} ({taken[path][0]})" for path in sorted(taken)))
    return Merged(config, tuple(said), token)


def _read(given: Iterable[tuple[Older, str, Any]], where: str = "") -> Read:
    found: dict[str, tuple[str, Any]] = {}
    words: list[str] = []
    for one, name, value in given:
        try:
            made = one.convert(value)
            if not isinstance(made, Word):
                found[one.ours] = (name, _checked(one.ours, made))
                continue
        except ValueError as error:
            raise InputError(f"{where}{name} {error}") from None
        words.append(f"{where}{name} {made}")
    return Read(found, tuple(words))


def _checked(path: str, value: object) -> object:
    """The value as our setting has it. Raises `ValueError` for one that is out of its bounds."""
    tree: Any = value
    for name in reversed(path.split(".")):
        tree = {name: tree}
    try:
        found: Any = msgspec.convert(tree, Config)
    except msgspec.ValidationError as error:
        allowed = next(setting.type for setting in configuration.settings() if setting.path == path)
        reason = str(error).partition(" - at `$")[0]
        raise ValueError(f"is {path} here, which it cannot be: {reason}; allowed: {allowed}") from None
    for name in path.split("."):
        found = getattr(found, name)
    return found


def _with(inside: Any, path: list[str], value: object) -> Any:
    name, *rest = path
    return msgspec.structs.replace(inside, **{name: _with(getattr(inside, name), rest, value) if rest else value})


def _members(path: Path) -> dict[str, Any]:
    try:
        import json5
    except ModuleNotFoundError:
        raise InputError("json5 is not installed; install it with: pip install 'chaffinch[bot]'") from None
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); name the older bot's settings file") from None
    if len(data) > MOST_BYTES:
        raise InputError(f"{path} has more than {MOST_BYTES >> 20} MiB; name the older bot's settings file")
    try:
        found = json5.loads(data.decode("utf-8-sig"), allow_duplicate_keys=False)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON5{_place(error)}; correct it, or name another file") from None
    if not isinstance(found, dict):
        raise InputError(f"{path} has no settings: it is to be an object, in braces")
    return found


def _place(error: Exception) -> str:
    """Where the parser stopped. The rest of what it says may show a piece of the token."""
    import re

    at = re.match(r"<string>:(\d+) .* at column (\d+)", str(error), re.DOTALL)
    return f" (line {at[1]}, column {at[2]})" if at else ""
