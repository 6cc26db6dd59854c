"""Reading one TOML file of persona data into a frozen struct, or saying in one sentence what is wrong with it."""

import functools
import typing
from pathlib import Path
from typing import TypeVar

import msgspec

from chaffinch.errors import InputError

DATA = Path(__file__).parent / "data"
"""The data that ships with the package."""

S = TypeVar("S", bound=msgspec.Struct)


def read(path: Path, kind: type[S]) -> S:
    """The file as a `kind`.

    Raises `InputError` for a file that cannot be read, is not TOML, has a key that `kind` does not, lacks one that it
    needs, or holds a value of another type.
    """
    import tomllib  # only a process that loads archetypes pays for it

    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror} ({path})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} is not TOML: {error}") from None
    check_keys(path.name, table, kind)
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        raise InputError(f"{path.name}: {where.rstrip('`') or 'the file'}: {what.replace('`', '')}") from None


def names_in(directory: Path) -> list[str]:
    """The names of a directory's TOML files, without the suffix, sorted. Raises `InputError` when there is none."""
    names = sorted(path.stem for path in directory.glob("*.toml"))
    if not names:
        raise InputError(f"no archetypes or systems in {directory}: it holds no .toml file")
    return names


def check_keys(file: str, table: object, kind: object, where: str = "") -> None:
    """Refuse the first key, at any depth, that the struct does not have."""
    struct = _struct_in(kind)
    if struct is None:
        return
    if isinstance(table, list):
        for number, item in enumerate(table):
            check_keys(file, item, struct, f"{where}[{number}]")
    elif isinstance(table, dict):
        hints = _hints(struct)
        if not _is_struct(kind) and not _is_list(kind):  # a mapping of names to structs
            for name, item in table.items():
                check_keys(file, item, struct, f"{where}.{name}".lstrip("."))
            return
        for key, value in table.items():
            at = f"{where}.{key}".lstrip(".")
            if key not in struct.__struct_fields__:
                raise InputError(unknown(file, at, key, struct.__struct_fields__))
            check_keys(file, value, hints[key], at)


def unknown(file: str, where: str, name: str, known: typing.Iterable[str]) -> str:
    """The sentence that refuses `name`: with the nearest known one, and with all of them."""
    import difflib

    allowed = sorted(known)
    near = difflib.get_close_matches(name, allowed, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{file}: {where}: {name!r} is not known; {hint}allowed: {', '.join(allowed)}"


def _struct_in(kind: object) -> type[msgspec.Struct] | None:
    """The struct that a type is, or that its items or values are."""
    if _is_struct(kind):
        return typing.cast(type[msgspec.Struct], kind)
    for argument in typing.get_args(kind):
        found = _struct_in(argument)
        if found is not None:
            return found
    return None


def _is_struct(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _is_list(kind: object) -> bool:
    return typing.get_origin(kind) is tuple


@functools.cache
def _hints(struct: type[msgspec.Struct]) -> dict[str, object]:
    return typing.get_type_hints(struct)
