"""The tree from a TOML file < `CHAFFINCH_*` environment < flags, and what is said of a setting that cannot be."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import msgspec

from chaffinch.config import variables
from chaffinch.config.declared import settings, unwrap
from chaffinch.config.file import line_of, read_file
from chaffinch.config.tree import SECTIONS, Config, Section, ServiceSettings
from chaffinch.errors import InputError

_OUTSIDE_THE_TREE = frozenset({"CHAFFINCH_CONFIG", "CHAFFINCH_STATE", "CHAFFINCH_BOT_TOKEN"})

_SIZE = re.compile(r"(?i)\s*(\d+(?:\.\d+)?)\s*(|b|k|kb|kib|m|mb|mib|g|gb|gib|t|tb|tib)\s*")


def load(
    file: Path | None = None,
    flags: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Config:
    """The tree from `file`, the environment and `flags` (dotted path to value; None is not given).

    In a namespace of its own a fleet has the real ports unless an offset is given: nothing else is there to have them.

    Raises `InputError` with one sentence that names the file and line, variable or flag, the key, what is allowed
    and, for an unknown key, the nearest known one.
    """
    environ = variables.environment() if environment is None else environment
    tree: dict[str, Any] = {}
    if file is not None:
        tree = read_file(file)
        _convert(tree, lambda path: f"{file}, line {line_of(file, path)}")
    for variable, path, text in _from_environment(environ):
        _set(tree, path, text)
        _convert(tree, lambda _, variable=variable: f"the environment variable {variable}")
    for path, value in (flags or {}).items():
        if value is not None:
            _set(tree, path, value)
            name = "--" + path.rpartition(".")[2].replace("_", "-")
            _convert(tree, lambda _, name=name: f"the flag {name}")
    given = tuple(sorted(_paths(tree)))
    if tree.get("network", {}).get("mode") == "netns":
        tree["network"].setdefault("port_offset", 0)
    return msgspec.structs.replace(_convert(tree, lambda path: path), given=given)


def parse_size(text: str) -> int:
    """A number of bytes such as `128M`, `2 GiB` or `4096`: powers of 1024. Raises `ValueError` for anything else."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a size; write it like 128M or 2G")
    return int(float(match[1]) * 1024 ** "bkmgt".index((match[2] or "b")[0].lower()))


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    known = {setting.variable: setting.path for setting in settings() if not setting.section.startswith("services")}
    for variable in sorted(environ):
        if (
            not variable.startswith("CHAFFINCH_")
            or variable in _OUTSIDE_THE_TREE
            or variable.startswith("CHAFFINCH_TEST_")
        ):
            continue
        if variable not in known:
            raise InputError(f"the environment variable {variable} names no setting{_nearest(variable, known)}")
        yield variable, known[variable], environ[variable]


def _paths(table: Mapping[str, Any], within: str = "") -> Iterator[str]:
    """The settings that stand in the table, by their paths."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _paths(value, f"{within}{key}.")
        else:
            yield within + key


def _set(tree: dict[str, Any], path: str, value: object) -> None:
    section, _, key = path.rpartition(".")
    table = tree
    for name in section.split("."):
        table = table.setdefault(name, {})
    if isinstance(value, str) and _wants_sequence(section, key):
        value = [part.strip() for part in value.split(",") if part.strip()]
    table[key] = value


def _wants_sequence(section: str, key: str) -> bool:
    base, _ = unwrap(get_type_hints(SECTIONS[section], include_extras=True)[key])
    return get_origin(base) is tuple


def _convert(tree: dict[str, Any], where: Any) -> Config:
    _refuse_unknown(tree, where)
    prepared = {name: _sizes(name, table, where) if isinstance(table, dict) else table for name, table in tree.items()}
    try:
        return msgspec.convert(prepared, Config, strict=False)
    except msgspec.ValidationError as error:
        reason, _, at = str(error).partition(" - at `$")
        path = at.rstrip("`").lstrip(".").replace("[...]", "").split("[", maxsplit=1)[0]
        raise InputError(f"{where(path)}: {path or 'the file'} is wrong: {reason}{_allowed(path)}") from None


def _sizes(section: str, table: dict[str, Any], where: Any) -> dict[str, Any]:
    """The table with sizes such as `128M` as numbers."""
    sized = {s.key for s in settings() if s.section == section and s.unit == "bytes"}
    out: dict[str, Any] = {
        key: _sizes(inner, value, where)
        if (inner := f"{section}.{key}") in SECTIONS and isinstance(value, dict)
        else value
        for key, value in table.items()
    }
    for key in sized & out.keys():
        if isinstance(out[key], str):
            try:
                out[key] = parse_size(out[key])
            except ValueError as error:
                raise InputError(f"{where(f'{section}.{key}')}: {section}.{key} is wrong: {error}") from None
    return out


def _refuse_unknown(tree: dict[str, Any], where: Any) -> None:
    names = {name.partition(".")[0] for name in SECTIONS}
    for name, table in tree.items():
        if name not in names:
            raise InputError(f"{where(name)}: there is no section [{name}]{_nearest(name, names)}")
        declared = SECTIONS.get(name)
        if declared is not None and isinstance(table, dict):
            _refuse_unknown_keys(name, table, declared, where)
        elif isinstance(table, dict):
            for service, inner in table.items():
                if isinstance(inner, dict):
                    _refuse_unknown_keys(f"{name}.{service}", inner, ServiceSettings, where)


def _refuse_unknown_keys(section: str, table: dict[str, Any], declared: type[Section], where: Any) -> None:
    fields = declared.__struct_fields__
    for key, value in table.items():
        if key not in fields:
            raise InputError(f"{where(f'{section}.{key}')}: [{section}] has no key {key!r}{_nearest(key, fields)}")
        inner = SECTIONS.get(f"{section}.{key}")
        if inner is not None and isinstance(value, dict):
            _refuse_unknown_keys(f"{section}.{key}", value, inner, where)


def _nearest(name: str, known: Any) -> str:
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(sorted(known))}"


def _allowed(path: str) -> str:
    for setting in settings():
        if setting.path == path:
            return f"; allowed: {setting.type}"
    return ""
