"""Values that are written as a text and mean something else: durations, sizes, rates, status codes, JSON.

A kind stands in the annotation of a field of `declared`, so that reader, schema and reference table know of it.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, TypeAlias

import msgspec

from chaffinch.load.scenario import units
from chaffinch.load.scenario.faults import shown
from chaffinch.load.scenario.nodes import Items, Node, Scalar, Table, as_json


class Kind(msgspec.Struct, frozen=True, eq=False):
    """How such a value is read (`ValueError` says what is wrong), and what may be written."""

    name: str
    """As the reference table calls it."""
    read: Callable[[Any], object]
    schema: Mapping[str, Any]
    forms: tuple[type, ...] = (Scalar,)
    """The nodes that it is read from."""


class Json(msgspec.Struct, frozen=True):
    """A JSON value as text."""

    text: str


class Body(msgspec.Struct, frozen=True):
    """What a request sends."""

    text: str
    is_json: bool = False
    """Whether it was written as a mapping or list, and so is JSON."""


def _of_text(name: str, read: Callable[[str], object], schema: Mapping[str, Any]) -> Kind:
    def of_node(node: Scalar) -> object:
        if node.is_null:
            raise ValueError(f"it is empty: give {name}")
        return read(node.text)

    return Kind(name, of_node, schema)


def _number(pattern: str) -> dict[str, Any]:
    return {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": pattern}]}


_DURATION: Final = {"type": "string", "pattern": r"^\s*([0-9]+(\.[0-9]+)?\s*(us|µs|ms|s|m|h|d)\s*)+$"}


def _positive(text: str) -> int:
    milliseconds = units.duration_ms(text)
    if milliseconds == 0:
        raise ValueError(f"{shown(text)} is no time: give more than 0")
    return milliseconds


def _response_time(node: Scalar) -> float:
    microseconds = units.duration_us(f"{node.text}ms" if node.number else node.text)
    if microseconds == 0:
        raise ValueError(f"{shown(node.text)} is no time: give more than 0")
    return microseconds / 1000


def _statuses(node: Node) -> tuple[tuple[int, int], ...]:
    nodes = node.items if isinstance(node, Items) else (node,)
    if not nodes:
        raise ValueError("the list is empty: give a status such as 200")
    return tuple(_status(one.text if isinstance(one, Scalar) else "a nested value") for one in nodes)


def _status(text: str) -> tuple[int, int]:
    written = text.strip().lower()
    first, _, last = written.partition("-")
    if len(written) == 3 and written[0] in "12345" and written[1:] == "xx":
        low, high = int(written[0]) * 100, int(written[0]) * 100 + 99
    elif _is_status(first) and (not last or _is_status(last)):
        low, high = int(first), int(last or first)
    else:
        low, high = 1, 0
    if not 100 <= low <= high <= 599:
        raise ValueError(f"{shown(text)} is not a status: write 200, 2xx, 200-299 or a list of those")
    return low, high


def _is_status(text: str) -> bool:
    return len(text) == 3 and text.isascii() and text.isdigit()


def _json(node: Node) -> Json:
    return Json(as_json(node))


def _body(node: Node) -> Body:
    return Body(node.text) if isinstance(node, Scalar) else Body(as_json(node), is_json=True)


_STATUS_SCHEMA: Final = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": "^([1-5][xX]{2}|[1-5][0-9]{2}(-[1-5][0-9]{2})?)$"},
    ]
}

Milliseconds: TypeAlias = Annotated[int, _of_text("a duration", units.duration_ms, _DURATION)]
"""A duration, in whole milliseconds."""

SomeMilliseconds: TypeAlias = Annotated[int, _of_text("a duration over 0", _positive, _DURATION)]
"""The same, and not 0."""

ResponseTime: TypeAlias = Annotated[
    float, Kind("a duration; a bare number is milliseconds", _response_time, {"anyOf": [_DURATION, {"type": "number"}]})
]

Size: TypeAlias = Annotated[
    int, _of_text("a size", units.size, _number(r"^\s*[0-9]+(\.[0-9]+)?\s*([kKmMgGtT]?[iI]?[bB]?)\s*$"))
]
"""Bytes."""

Rate: TypeAlias = Annotated[
    float, _of_text("a rate", units.rate, _number(r"^\s*[0-9]+(\.[0-9]+)?\s*((/|per )\s*[smhd]|rps)?\s*$"))
]
"""Requests a second."""

Percent: TypeAlias = Annotated[
    float, _of_text("a percentage", units.percent, _number(r"^\s*[0-9]+(\.[0-9]+)?\s*%?\s*$"))
]
"""A share from 0 to 1."""

Statuses: TypeAlias = Annotated[
    tuple[tuple[int, int], ...],
    Kind(
        "a status: `200`, `2xx`, `200-299`, or a list of them",
        _statuses,
        {"anyOf": [*_STATUS_SCHEMA["anyOf"], {"type": "array", "minItems": 1, "items": _STATUS_SCHEMA}]},
        (Scalar, Items),
    ),
]
"""Ranges of status codes, both ends in them."""

JsonValue: TypeAlias = Annotated[Json, Kind("any value", _json, {}, (Scalar, Items, Table))]

BodyValue: TypeAlias = Annotated[
    Body,
    Kind(
        "a text, or a mapping or list that is sent as JSON",
        _body,
        {"type": ["string", "number", "boolean", "object", "array"]},
        (Scalar, Items, Table),
    ),
]
