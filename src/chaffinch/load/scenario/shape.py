"""What the annotations of `declared` say, taken apart once: for the reader, the schema and the reference tables."""

import types
from functools import cache
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from chaffinch.load.scenario.declared import Part
from chaffinch.load.scenario.kinds import Kind
from chaffinch.load.scenario.nodes import Items, Scalar, Table


class Shape(msgspec.Struct, frozen=True):
    """A type with what its annotations say."""

    hint: Any
    metas: tuple[Meta, ...] = ()
    kind: Kind | None = None

    @property
    def forms(self) -> tuple[type, ...]:
        """The nodes that it is read from."""
        if self.kind is not None:
            return self.kind.forms
        origin = get_origin(self.hint)
        if origin is tuple:
            return (Items,)
        if origin is dict or is_part(self.hint):
            return (Table,)
        if is_union(self.hint):
            return tuple(form for one in members(self.hint) for form in one.forms)
        return (Scalar,)

    @property
    def text(self) -> str:
        """As errors and the reference call it."""
        if self.kind is not None:
            return self.kind.name
        origin, inside = get_origin(self.hint), get_args(self.hint)
        if origin is Literal:
            return ", ".join(map(str, inside))
        if origin is tuple:
            within = shape(inside[0])
            return f"a list of {_PLURALS.get(within.text, 'mappings')}"
        if origin is dict:
            return f"a mapping of names to {shape(inside[1]).text}"
        if is_union(self.hint):
            return " or ".join(dict.fromkeys(one.text for one in members(self.hint)))
        return _WORDS.get(self.hint, "a mapping")


class Field(msgspec.Struct, frozen=True):
    """A key of a table."""

    name: str
    key: str
    also: tuple[str, ...]
    shape: Shape
    is_required: bool
    default: Any
    meaning: str

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.key, *self.also)


_PLURALS: Final = {"a text": "texts", "a rate": "rates"}
_WORDS: Final = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def is_part(found: Any) -> bool:
    return isinstance(found, type) and issubclass(found, Part)


def is_union(found: Any) -> bool:
    return get_origin(found) in (Union, types.UnionType)


def shape(annotation: Any) -> Shape:
    """An annotation taken apart."""
    metas: list[Meta] = []
    kind = None
    while get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        metas += [one for one in more if isinstance(one, Meta)]
        kind = next((one for one in more if isinstance(one, Kind)), kind)
    if is_union(annotation):
        left = [one for one in get_args(annotation) if one is not type(None)]
        if len(left) == 1:
            inner = shape(left[0])
            return Shape(inner.hint, (*metas, *inner.metas), inner.kind)
    return Shape(annotation, tuple(metas), kind)


def members(union: Any) -> list[Shape]:
    """What a union may be, besides nothing."""
    return [shape(one) for one in get_args(union) if one is not type(None)]


def tags(union: Any) -> dict[str, type[Part]]:
    """The tables of a tagged union by their tag; empty if it is none."""
    if not is_union(union):
        return {}
    parts = [one.hint for one in members(union)]
    if not all(is_part(one) and one.__struct_config__.tag for one in parts):
        return {}
    return {str(one.__struct_config__.tag): one for one in parts}


def tag_field(part: type[Part]) -> str:
    """The key that says which table it is; empty for a table that stands alone."""
    return str(part.__struct_config__.tag_field or "")


@cache
def fields(part: type[Part]) -> tuple[Field, ...]:
    """The keys of a table, in the order of their declaration."""
    hints = get_type_hints(part, include_extras=True)
    found = []
    for one in msgspec.structs.fields(part):
        known = shape(hints[one.name])
        extra = {key: value for meta in known.metas for key, value in (meta.extra or {}).items()}
        if extra.get("hidden"):
            continue
        meaning = next((str(meta.description) for meta in known.metas if meta.description), "")
        if not meaning and is_part(known.hint):
            meaning = (known.hint.__doc__ or "").strip()
        found.append(
            Field(one.name, one.encode_name, tuple(extra.get("also", ())), known, one.required, one.default, meaning)
        )
    return tuple(found)
