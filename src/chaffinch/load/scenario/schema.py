"""The JSON Schema of scenario files and the reference tables, made of `declared`.

`python -m chaffinch.load.scenario.schema` prints the schema, `... reference` the tables; tests hold the published
ones (`load/schema.json`, `docs/load-scenarios.md`) to them.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, get_args, get_origin

import msgspec

from chaffinch.load.scenario.declared import ALSO_CALLED, Part, ScenarioFile
from chaffinch.load.scenario.shape import Field, Shape, fields, is_part, is_union, members, shape, tag_field, tags
from chaffinch.load.variables import VARIABLES

IDENTIFIER: Final = "https://json-schema.org/draft/2020-12/schema"

_TYPES: Final[Mapping[Any, Mapping[str, Any]]] = {
    str: {"type": ["string", "number", "boolean"]},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
}


def document() -> dict[str, Any]:
    """The schema of a file, version 1.0. A key's other names are in it too."""
    definitions: dict[str, Any] = {}
    root = _table(ScenarioFile, definitions)
    return {
        "$schema": IDENTIFIER,
        "title": "A scenario file of chaffinch load, version 1.0",
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def published() -> str:
    """The schema as the file that is shipped has it."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=1).decode() + "\n"


def _table(part: type[Part], definitions: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    if tag := tag_field(part):
        name = str(part.__struct_config__.tag)
        properties[tag] = {"enum": [name, *ALSO_CALLED[name]]} if name in ALSO_CALLED else {"const": name}
    needed: list[Any] = [{"required": [tag]}] if tag else []
    for one in fields(part):
        inner = _of(one.shape, definitions)
        for key in one.keys:
            properties[key] = inner
        properties[one.key] = {**inner, "description": one.meaning} if one.meaning else inner
        if not one.is_required:
            properties = properties | {key: _or_null(properties[key]) for key in one.keys}
        elif one.also:
            needed.append({"anyOf": [{"required": [key]} for key in one.keys]})
        else:
            needed.append({"required": [one.key]})
    found: dict[str, Any] = {
        "type": "object",
        "description": " ".join((part.__doc__ or "").split()),
        "properties": properties,
        "additionalProperties": False,
    }
    if needed:
        found["allOf"] = needed
    return found


def _or_null(inner: dict[str, Any]) -> dict[str, Any]:
    """An optional key may be there without a value."""
    if set(inner) <= {"description"}:
        return inner
    told = {"description": inner["description"]} if "description" in inner else {}
    rest = {key: value for key, value in inner.items() if key != "description"}
    return {"anyOf": [rest, {"type": "null"}], **told}


def _of(wanted: Shape, definitions: dict[str, Any]) -> dict[str, Any]:
    if wanted.kind is not None:
        return dict(wanted.kind.schema)
    hint = wanted.hint
    if by_tag := tags(hint):
        return {"anyOf": [_reference(part, definitions) for part in by_tag.values()]}
    if is_union(hint):
        return {"anyOf": [_of(one, definitions) for one in members(hint)]}
    if is_part(hint):
        return _reference(hint, definitions)
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Literal:
        return _literal(inside)
    if origin is tuple:
        return {"type": "array", "items": _of(shape(inside[0]), definitions), **_bounds(wanted, "Items")}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of(shape(inside[1]), definitions)}
    return {**_TYPES[hint], **_bounds(wanted, "Length")}


def _literal(allowed: tuple[Any, ...]) -> dict[str, Any]:
    """Names are read whatever their case; those that are numbers may stand without quotes."""
    numbers = [float(one) for one in allowed if str(one).replace(".", "").isdigit()]
    return {"enum": [*allowed, *numbers]}


def _reference(part: type[Part], definitions: dict[str, Any]) -> dict[str, Any]:
    name = part.__name__.removesuffix("Part")
    if name not in definitions:
        definitions[name] = {}  # it may have itself within
        definitions[name] = _table(part, definitions)
    return {"$ref": f"#/$defs/{name}"}


def _bounds(wanted: Shape, of: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for meta in wanted.metas:
        given = {
            "minimum": meta.ge,
            "maximum": meta.le,
            f"min{of}": meta.min_length,
            f"max{of}": meta.max_length,
            "pattern": meta.pattern,
        }
        found |= {key: value for key, value in given.items() if value is not None}
    return found


def reference() -> str:
    """The tables of all keys and of all environment variables, in Markdown."""
    lines: list[str] = []
    for part, path in _parts():
        also = ALSO_CALLED.get(path.rpartition(": ")[2], ()) if ": " in path else ()
        title = (f"`{path}`" if path else "The file") + "".join(f", `{name}`" for name in also)
        lines += ["", f"### {title}", "", " ".join((part.__doc__ or "").split()), ""]
        if fields(part):
            lines += ["| key | is | default | meaning |", "| --- | --- | --- | --- |"]
            lines += [_row(one) for one in fields(part)]
    lines += ["", "### Variables", "", "| variable | default | meaning |", "| --- | --- | --- |"]
    lines += [f"| `{one.name}` | {one.default} | {one.meaning} |" for one in VARIABLES]
    return "\n".join(lines).strip() + "\n"


def _row(one: Field) -> str:
    names = f"`{one.key}`" + (f" (or {', '.join(f'`{name}`' for name in one.also)})" if one.also else "")
    default = "required" if one.is_required else _default(one.default)
    if one.shape.kind is not None and one.shape.kind.name.startswith("a duration") and isinstance(one.default, int):
        default = f"`{one.default}ms`"
    return f"| {names} | {one.shape.text}{_range(one.shape)} | {default} | {one.meaning} |"


def _range(wanted: Shape) -> str:
    low = next((meta.ge for meta in wanted.metas if meta.ge is not None), None)
    high = next((meta.le for meta in wanted.metas if meta.le is not None), None)
    return "" if low is None or high is None or high > 10**9 else f", {low:,} to {high:,}"


def _default(default: Any) -> str:
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`" if isinstance(default, (int, float, str)) else ""


def _parts() -> Iterator[tuple[type[Part], str]]:
    """Every table, each after the one that it is in, with its path."""
    waiting: list[tuple[type[Part], str]] = [(ScenarioFile, "")]
    while waiting:
        part, path = waiting.pop(0)
        yield part, path
        within = []
        for one in fields(part):
            key = f"{path}.{one.key}" if path else one.key
            within += list(_within(one.shape, key))
        waiting[:0] = within


def _within(wanted: Shape, path: str) -> Iterator[tuple[type[Part], str]]:
    hint = wanted.hint
    if wanted.kind is not None:
        return
    if by_tag := tags(hint):
        for tag, part in by_tag.items():
            yield part, f"{path}: {tag_field(part)}: {tag}"
    elif is_part(hint):
        yield hint, path
    elif is_union(hint):
        for one in members(hint):
            yield from _within(one, path)
    elif get_origin(hint) is tuple:
        yield from _within(shape(get_args(hint)[0]), f"{path}[]")


if __name__ == "__main__":
    sys.stdout.write(reference() if sys.argv[1:] == ["reference"] else published())
