"""The JSON Schema of results, made of the structs and of what stands under their fields.

`python -m chaffinch.load.report.schema` prints it, `... reference` the tables of `docs/load-results.md`; tests hold the
published ones to them.
"""

import ast
import inspect
import itertools
import sys
import types
from collections.abc import Iterator
from typing import Any, Final, get_args, get_origin, get_type_hints

import msgspec

from chaffinch.load.results import VERSION, Result

ALWAYS: Final = (
    "version",
    "requests",
    "errors",
    "duration_s",
    "rate",
    "asked_rate",
    "latency_ms",
    "labels",
    "folded",
    "memory",
    "generator",
)
"""What every version of this format has."""


def document() -> dict[str, Any]:
    """The schema. Fields that are not in it may be there: a newer version adds some."""
    (found,), definitions = msgspec.json.schema_components([Result], ref_template="#/$defs/{name}")
    for struct in structs_of(Result):
        meanings = meanings_of(struct)
        for field, inner in definitions[struct.__name__]["properties"].items():
            if field in meanings:
                inner["description"] = meanings[field]
    definitions["Result"]["required"] = list(ALWAYS)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Results of chaffinch load, version {VERSION}",
        **found,
        "$defs": dict(sorted(definitions.items())),
    }


def published() -> str:
    """The schema as the file that is shipped has it."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=1).decode() + "\n"


def meanings_of(struct: type[msgspec.Struct]) -> dict[str, str]:
    """What stands under each field in the source, its bases' fields among them."""
    found = {}
    for one in reversed(struct.__mro__[: struct.__mro__.index(msgspec.Struct)]):
        body = ast.parse(inspect.getsource(one)).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, below in itertools.pairwise(body.body):
            text = below.value if isinstance(below, ast.Expr) else None
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(text, ast.Constant)
                and isinstance(field.target, ast.Name)
            ):
                found[field.target.id] = " ".join(str(text.value).split())
    return found


def reference() -> str:
    """A table of each struct's fields."""
    return "\n".join(line for struct in structs_of(Result) for line in _table(struct)) + "\n"


def _table(struct: type[msgspec.Struct]) -> Iterator[str]:
    meanings = meanings_of(struct)
    yield f"### {struct.__name__}"
    yield ""
    yield " ".join((struct.__doc__ or "").split())
    yield ""
    yield "| field | type | meaning |"
    yield "| --- | --- | --- |"
    for field, hint in get_type_hints(struct).items():
        yield f"| `{field}` | {_named(hint)} | {meanings.get(field, '')} |"
    yield ""


def structs_of(hint: Any) -> list[type[msgspec.Struct]]:
    """The structs that a type has in it, however deep, each once: one before those of its fields."""
    found: dict[type[msgspec.Struct], None] = {}

    def look(at: Any) -> None:
        if isinstance(at, type) and issubclass(at, msgspec.Struct) and at not in found:
            found[at] = None
            for inner in get_type_hints(at).values():
                look(inner)
        for inner in get_args(at):
            look(inner)

    look(hint)
    return list(found)


_WORDS: Final = {int: "whole number", float: "number", str: "text", bool: "true or false", type(None): "null"}


def _named(hint: Any) -> str:
    """A type in words."""
    if hint in _WORDS:
        return _WORDS[hint]
    origin, inside = get_origin(hint), get_args(hint)
    if origin is types.UnionType:
        return " or ".join(map(_named, inside))
    if origin is tuple:
        return f"list of {_named(inside[0])}"
    if origin is dict:
        return f"object: text to {_named(inside[1])}"
    if inside:
        return ", ".join(f"`{one}`" for one in inside)
    return f"[{hint.__name__}](#{hint.__name__.lower()})"


if __name__ == "__main__":
    sys.stdout.write(reference() if sys.argv[1:] == ["reference"] else published())
