"""YAML to nodes that know their lines, within bounds on bytes, nodes and depth.

The text of a scalar stays as it was written: `"1.0"` and `1.0` are both the version 1.0, and no number loses digits.
What plain scalars mean is YAML 1.2's core schema: `yes` is a text. An alias counts as many nodes as it stands for.
"""

import re
from typing import Any, Final, TypeAlias

import msgspec

from chaffinch.errors import InputError, RunError
from chaffinch.load.scenario.faults import Faults, shown

MOST_BYTES: Final = 4 << 20
"""The largest scenario file."""

MOST_NODES: Final = 200_000
"""Values that one file may have, those that aliases stand for among them."""

MOST_DEPTH: Final = 48

NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
"""A number as JSON writes it."""

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_BASED: Final = re.compile(r"0x[0-9a-fA-F]{1,16}|0o[0-7]{1,21}")
_LOOSE: Final = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


class Scalar(msgspec.Struct, frozen=True):
    """A text, a number, a truth value or nothing."""

    line: int
    text: str
    plain: bool = False
    """Whether it stands without quotes, so that it can be something other than a text."""

    @property
    def is_null(self) -> bool:
        return self.plain and self.text in _NULL

    @property
    def truth(self) -> bool | None:
        """What it says if it is `true` or `false`."""
        if not self.plain:
            return None
        return True if self.text in _TRUE else False if self.text in _FALSE else None

    @property
    def number(self) -> str | None:
        """It as a JSON number, if it is a finite one."""
        if not self.plain or len(self.text) > 400:
            return None
        if NUMBER.fullmatch(self.text):
            return self.text if abs(float(self.text)) < float("inf") else None
        if _BASED.fullmatch(self.text):
            return str(int(self.text, 0))
        if not _LOOSE.fullmatch(self.text):
            return None
        whole = self.text.lstrip("+-")
        if whole.isdigit():
            return ("-" if self.text[0] == "-" else "") + (whole.lstrip("0") or "0")
        value = float(self.text)
        return repr(value) if abs(value) < float("inf") else None


class Items(msgspec.Struct, frozen=True):
    """A list."""

    line: int
    items: tuple["Node", ...]


class Table(msgspec.Struct, frozen=True):
    """A mapping, in the order of the file; no key twice."""

    line: int
    entries: tuple[tuple[Scalar, "Node"], ...]

    def get(self, key: str) -> "Node | None":
        return next((value for name, value in self.entries if name.text == key), None)


Node: TypeAlias = Scalar | Items | Table


def compose(text: str, faults: Faults) -> Node:
    """The one document of `text`. Duplicate keys are collected; what cannot be read is an `InputError` at once."""
    try:
        import yaml  # type: ignore[import-untyped]  # 3 MB, for those alone who read files
    except ImportError:
        raise RunError("scenario files need PyYAML: install it with: pip install 'chaffinch[load]'") from None
    if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise InputError(f"{faults.source} is larger than {MOST_BYTES >> 20} MiB: move data into a data file")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Composer(yaml, yaml.parse(text, Loader=loader), faults).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(str(error.problem or error.context).split())
        raise InputError(f"{faults.source}:{mark.line + 1 if mark else 1}: this is not YAML: {problem}") from None
    except yaml.YAMLError as error:
        position = getattr(error, "position", 0)
        line = text.count("\n", 0, position) + 1 if isinstance(position, int) else 1
        reason = getattr(error, "reason", "it cannot be read")
        raise InputError(f"{faults.source}:{line}: this is not YAML: {reason}") from None
    except UnicodeEncodeError:
        raise InputError(f"{faults.source} is not UTF-8: it has a lone surrogate") from None


def as_json(node: Node) -> str:
    """The node as JSON text; numbers as they were written."""
    if isinstance(node, Table):
        return "{" + ",".join(f"{_json_text(key.text)}:{as_json(value)}" for key, value in node.entries) + "}"
    if isinstance(node, Items):
        return "[" + ",".join(map(as_json, node.items)) + "]"
    if node.is_null:
        return "null"
    if node.truth is not None:
        return "true" if node.truth else "false"
    return node.number or _json_text(node.text)


def _json_text(text: str) -> str:
    return msgspec.json.encode(text).decode()


class _Composer:
    """Builds nodes from PyYAML's events, which come one by one: what is over a bound is never built."""

    def __init__(self, yaml: Any, events: Any, faults: Faults) -> None:
        self._yaml = yaml
        self._events = events
        self._faults = faults
        self._anchors: dict[str, tuple[Node, int, int]] = {}
        self._nodes = 0
        self._characters = 0

    def document(self) -> Node:
        event = self._next()
        while isinstance(event, (self._yaml.StreamStartEvent, self._yaml.DocumentStartEvent)):
            event = self._next()
        if isinstance(event, self._yaml.StreamEndEvent):
            raise InputError(f'{self._faults.source}:1: the file is empty: begin with version: "1.0"')
        root = self._node(event, 0)
        self._next()  # the document's end
        event = self._next()
        if not isinstance(event, self._yaml.StreamEndEvent):
            raise self._error(event, "a second document begins here: a scenario file has one")
        return root

    def _next(self) -> Any:
        return next(self._events)

    def _error(self, event: Any, what: str) -> InputError:
        return InputError(f"{self._faults.source}:{event.start_mark.line + 1}: {what}")

    def _count(self, event: Any, nodes: int, characters: int) -> None:
        self._nodes += nodes
        self._characters += characters
        if self._characters > MOST_BYTES:
            raise self._error(event, f"aliases make the file larger than {MOST_BYTES >> 20} MiB up to here")
        if self._nodes > MOST_NODES:
            raise self._error(
                event, f"there are more than {MOST_NODES:,} values up to here: move data into a data file"
            )

    def _node(self, event: Any, depth: int) -> Node:
        line = event.start_mark.line + 1
        if isinstance(event, self._yaml.AliasEvent):
            return self._alias(event)
        if depth > MOST_DEPTH:
            raise self._error(event, f"values are nested more than {MOST_DEPTH} deep")
        nodes, characters = self._nodes, self._characters
        is_scalar = isinstance(event, self._yaml.ScalarEvent)
        self._count(event, 1, len(event.value) if is_scalar else 0)
        tag = event.tag
        if tag not in (None, "!", "tag:yaml.org,2002:str") and not str(tag).startswith("tag:yaml.org,2002:"):
            raise self._error(event, f"the tag {shown(str(tag))} is not known here: leave it out")
        node: Node
        if is_scalar:
            plain = not event.style and event.implicit[0] and tag is None
            node = Scalar(line, event.value, plain)
        elif isinstance(event, self._yaml.SequenceStartEvent):
            node = Items(line, tuple(self._children(depth)))
        else:
            node = self._table(line, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, self._nodes - nodes, self._characters - characters)
        return node

    def _alias(self, event: Any) -> Node:
        if event.anchor not in self._anchors:
            raise self._error(event, f"the alias *{event.anchor[:60]} stands for nothing before it")
        node, nodes, characters = self._anchors[event.anchor]
        self._count(event, nodes, characters)
        return node

    def _children(self, depth: int) -> list[Node]:
        found = []
        while not isinstance(event := self._next(), self._yaml.SequenceEndEvent):
            found.append(self._node(event, depth + 1))
        return found

    def _table(self, line: int, depth: int) -> Table:
        entries: dict[str, tuple[Scalar, Node]] = {}
        merged: list[Table] = []
        while not isinstance(event := self._next(), self._yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            value = self._node(self._next(), depth + 1)
            if not isinstance(key, Scalar):
                raise self._error(event, "a key must be a text")
            if key.plain and key.text == "<<":
                merged += self._merged(event, value)
            elif key.text in entries:
                first = entries[key.text][0].line
                self._faults.add(key.line, "", f"the key {shown(key.text)} is there twice, first in line {first}")
            else:
                entries[key.text] = (key, value)
        for table in merged:
            self._count(event, len(table.entries), 0)
            for key, value in table.entries:
                entries.setdefault(key.text, (key, value))
        return Table(line, tuple(entries.values()))

    def _merged(self, event: Any, value: Node) -> list[Table]:
        """The mappings of a `<<` key."""
        tables = value.items if isinstance(value, Items) else (value,)
        found = [table for table in tables if isinstance(table, Table)]
        if len(found) != len(tables):
            raise self._error(event, "<< takes a mapping or a list of mappings")
        return found
