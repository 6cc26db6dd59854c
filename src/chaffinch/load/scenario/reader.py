"""Nodes to the structs of `declared`: every fault is collected, with its line, its field and what is allowed."""

import re
from typing import Any, Final, Literal, NoReturn, TypeVar, get_args, get_origin

from chaffinch.errors import InputError
from chaffinch.load.scenario.declared import ALSO_CALLED, VERSIONS, Part, ScenarioFile
from chaffinch.load.scenario.faults import Faults, Place, nearest, shown
from chaffinch.load.scenario.nodes import Items, Node, Scalar, Table, compose
from chaffinch.load.scenario.shape import Field, Shape, fields, is_part, is_union, members, shape, tag_field, tags

AnyPart = TypeVar("AnyPart", bound=Part)

_FORMS: Final = {Scalar: "a single value", Items: "a list", Table: "a mapping"}
_WHOLE: Final = re.compile(r"-?[0-9]{1,19}")


class _BadError(Exception):
    """A value that cannot be used; what is wrong has been noted."""


def read_scenario(text: str, source: str) -> tuple[ScenarioFile, Faults]:
    """The file as structs. Raises `InputError` with all that is wrong; what building finds is added to the faults."""
    faults = Faults(source)
    root = compose(text, faults)
    if not isinstance(root, Table):
        raise InputError(f'{source}:{root.line}: a scenario file is a mapping that begins with version: "1.0"')
    _check_version(root, faults)
    file = read_part(root, ScenarioFile, faults)
    faults.check()
    assert file is not None
    return file, faults


def read_part(node: Node, part: type[AnyPart], faults: Faults, field: str = "") -> AnyPart | None:
    """One table; None when something in it was wrong."""
    try:
        found: AnyPart = _Reader(faults).value(node, Shape(part), field)
    except _BadError:
        return None
    return found


def _check_version(root: Table, faults: Faults) -> None:
    """Refuse another version before its keys are judged by this one's."""
    known = ", ".join(f'"{version}"' for version in VERSIONS)
    version = root.get("version")
    if version is None:
        raise InputError(f"{faults.source}:{root.line}: version is missing: write version: {known}")
    if not isinstance(version, Scalar) or version.text not in VERSIONS:
        text = version.text if isinstance(version, Scalar) else "nested values"
        raise InputError(f"{faults.source}:{version.line}: field version: {shown(text)} is not known: {known}")


class _Reader:
    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def _bad(self, node: Node, field: str, what: str) -> NoReturn:
        self._faults.add(node.line, field, what)
        raise _BadError

    def value(self, node: Node, wanted: Shape, field: str) -> Any:
        """A node as a value of that shape."""
        if not isinstance(node, wanted.forms):
            self._bad(node, field, f"this is {_FORMS[type(node)]}: it must be {wanted.text}")
        if wanted.kind is not None:
            return self._of_kind(node, wanted, field)
        if isinstance(node, Scalar):
            return self._scalar(node, wanted, field)
        if by_tag := tags(wanted.hint):
            assert isinstance(node, Table)
            return self._tagged(node, by_tag, field)
        if is_union(wanted.hint):
            return self.value(node, next(one for one in members(wanted.hint) if isinstance(node, one.forms)), field)
        if isinstance(node, Items):
            return self._items(node, wanted, field)
        return self._table(node, wanted.hint, field) if is_part(wanted.hint) else self._mapping(node, wanted, field)

    def _of_kind(self, node: Node, wanted: Shape, field: str) -> object:
        assert wanted.kind is not None
        try:
            return wanted.kind.read(node)
        except ValueError as error:
            self._bad(node, field, str(error))

    def _items(self, node: Items, wanted: Shape, field: str) -> tuple[Any, ...]:
        each = shape(get_args(wanted.hint)[0])
        self._check_length(node, len(node.items), wanted, field, "items")
        return tuple(self._all((one, each, f"{field}[{at}]") for at, one in enumerate(node.items)))

    def _mapping(self, node: Table, wanted: Shape, field: str) -> dict[str, Any]:
        each = shape(get_args(wanted.hint)[1])
        names = [key.text for key, _ in node.entries]
        found = self._all((value, each, f"{field}.{key.text[:64]}") for key, value in node.entries)
        return dict(zip(names, found, strict=True))

    def _all(self, wanted: Any) -> list[Any]:
        """All of them, so that each one's faults are noted."""
        found, is_bad = [], False
        for node, each, field in wanted:
            try:
                found.append(self.value(node, each, field))
            except _BadError:
                is_bad = True
        if is_bad:
            raise _BadError
        return found

    def _tagged(self, node: Table, by_tag: dict[str, type[Part]], field: str) -> Part:
        key = tag_field(next(iter(by_tag.values())))
        tag = node.get(key)
        allowed = ", ".join(by_tag)
        if not isinstance(tag, Scalar):
            self._bad(tag or node, f"{field}.{key}" if tag else field, f"it needs a {key}: {allowed}")
        folded = {_folded(one): part for name, part in by_tag.items() for one in (name, *ALSO_CALLED.get(name, ()))}
        part = folded.get(_folded(tag.text))
        if part is None:
            self._bad(tag, f"{field}.{key}", f"{shown(tag.text)} is not a {key}: {allowed}")
        return self._table(node, part, field)

    def _table(self, node: Table, part: type[AnyPart], field: str) -> AnyPart:
        known = {key: one for one in fields(part) for key in one.keys}
        given: dict[str, Any] = {}
        from_key: dict[str, str] = {}
        lines: dict[str, int] = {}
        is_bad = False
        for key, value in node.entries:
            one = known.get(key.text)
            below = f"{field}.{key.text[:64]}" if field else key.text[:64]
            if one is None:
                if key.text != tag_field(part):
                    is_bad = True
                    self._unknown(key, part, field)
                continue
            if isinstance(value, Scalar) and value.is_null and not one.is_required:
                continue
            if one.name in from_key:
                is_bad = True
                self._faults.add(key.line, below, f"this is the same as {from_key[one.name]}: keep one of them")
                continue
            from_key[one.name] = key.text
            lines[one.key] = key.line
            try:
                given[one.name] = self.value(value, one.shape, below)
            except _BadError:
                is_bad = True
        missing = [one for one in fields(part) if one.is_required and one.name not in from_key]
        for one in missing:
            self._faults.add(node.line, field, f"{one.key} is missing: give {_article(one)}")
        if is_bad or missing:
            raise _BadError
        return part(place=Place(self._faults.source, field, node.line, lines), **given)

    def _unknown(self, key: Scalar, part: type[Part], field: str) -> None:
        names = [one.key for one in fields(part)]
        names += [tag_field(part)] if tag_field(part) else []
        where = f"there is no key {shown(key.text)} here"
        self._faults.add(key.line, field, where + nearest(key.text, names))

    def _scalar(self, node: Scalar, wanted: Shape, field: str) -> Any:
        if is_union(wanted.hint):
            inner = next(one for one in members(wanted.hint) if Scalar in one.forms)
            return self.value(node, inner, field)
        if node.is_null:
            empty = ': write "" for an empty text' if wanted.hint is str else f": it must be {wanted.text}"
            self._bad(node, field, f"it is empty{empty}")
        if get_origin(wanted.hint) is Literal:
            return self._literal(node, wanted, field)
        if wanted.hint is str:
            self._check_length(node, len(node.text), wanted, field, "characters")
            return node.text
        if wanted.hint is bool:
            if (truth := node.truth) is None:
                self._bad(node, field, f"{shown(node.text)} must be true or false")
            return truth
        return self._number(node, wanted, field)

    def _literal(self, node: Scalar, wanted: Shape, field: str) -> str:
        allowed = {str(one).lower(): str(one) for one in get_args(wanted.hint)}
        found = allowed.get(node.text.strip().lower())
        if found is None:
            last = field.rpartition(".")[2]
            article = "an" if last[:1] in "aeiou" else "a"
            self._bad(node, field, f"{shown(node.text)} is not {article} {last}: {', '.join(allowed.values())}")
        return found

    def _number(self, node: Scalar, wanted: Shape, field: str) -> float | int:
        text = node.number or (node.text if _WHOLE.fullmatch(node.text) else "")
        value: float | int
        if wanted.hint is int:
            if not _WHOLE.fullmatch(text):
                self._bad(node, field, f"{shown(node.text)} is not a whole number{_bounds(wanted)}")
            value = int(text)
        else:
            if not text:
                self._bad(node, field, f"{shown(node.text)} is not a number{_bounds(wanted)}")
            value = float(text)
        for meta in wanted.metas:
            if (meta.ge is not None and value < meta.ge) or (meta.le is not None and value > meta.le):
                self._bad(node, field, f"{shown(node.text)} is out of range{_bounds(wanted)}")
        return value

    def _check_length(self, node: Node, length: int, wanted: Shape, field: str, of: str) -> None:
        for meta in wanted.metas:
            if meta.min_length is not None and length < meta.min_length:
                self._bad(node, field, f"it is empty: give at least {meta.min_length}")
            if meta.max_length is not None and length > meta.max_length:
                self._bad(node, field, f"it has {length:,} {of}: at most {meta.max_length:,} are allowed")
            if meta.pattern and isinstance(node, Scalar) and not re.search(meta.pattern, node.text):
                what = "use letters, digits, _, . and -, at most 64, with a letter in front"
                self._bad(node, field, f"{shown(node.text)} cannot name a variable: {what}")


def _folded(tag: str) -> str:
    """`status_code`, `statusCode` and `StatusCode` are one."""
    return tag[:64].strip().lower().replace("_", "").replace("-", "")


def _bounds(wanted: Shape) -> str:
    """`: from 1 to 10,000`."""
    low = next((meta.ge for meta in wanted.metas if meta.ge is not None), None)
    high = next((meta.le for meta in wanted.metas if meta.le is not None), None)
    if low is None:
        return ""
    return f": from {low:,} to {high:,}" if high is not None else f": at least {low:,}"


def _article(one: Field) -> str:
    return one.shape.text if one.shape.kind or not is_part(one.shape.hint) else "a mapping"
