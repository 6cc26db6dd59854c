"""Values that a JSON Schema (as OpenAPI 3.0 and 3.1 have it) allows, made without chance: examples first."""

from typing import Any, Final, TypeAlias

from chaffinch.load.scenario.faults import shown

Json: TypeAlias = Any
"""What JSON decodes to."""

DEEPEST: Final = 12
"""Nesting past which optional members are left out."""

MOST_VALUES: Final = 10_000
"""Values of one sample."""

_FORMATS: Final = {
    "date": "2026-01-02",
    "date-time": "2026-01-02T03:04:05Z",
    "time": "03:04:05Z",
    "duration": "PT1S",
    "uuid": "00000000-0000-4000-8000-000000000001",
    "email": "user@example.test",
    "hostname": "example.test",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "http://example.test/",
    "uri-reference": "/",
    "byte": "AA==",
    "binary": "0",
    "password": "password",
}


class SpecError(ValueError):
    """What is wrong with a document, and where: a JSON pointer."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}" if place else what)


class Document:
    """A document whose local references can be followed."""

    def __init__(self, root: dict[str, Json]) -> None:
        self.root = root

    def resolved(self, value: Json, place: str) -> Json:
        """The value that `$ref` leads to, over several; only within the document."""
        seen = set()
        while isinstance(value, dict) and "$ref" in value:
            reference = value["$ref"]
            if not isinstance(reference, str) or not reference.startswith("#"):
                what = f"$ref {shown(str(reference))} leads out of the document: bundle it into one"
                raise SpecError(place, what)
            if reference in seen:
                raise SpecError(place, f"$ref {shown(reference)} leads to itself")
            seen.add(reference)
            value = self._at(reference, place)
        return value

    def _at(self, reference: str, place: str) -> Json:
        from urllib.parse import unquote

        found: Json = self.root
        for part in unquote(reference[1:]).split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict) and key in found:
                found = found[key]
            elif isinstance(found, list) and key.isdecimal() and len(key) < 7 and int(key) < len(found):
                found = found[int(key)]
            else:
                raise SpecError(place, f"$ref {shown(reference)} leads nowhere")
        return found


class Sampler:
    """Makes one sample."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._values = 0

    def of(self, schema: Json, place: str, depth: int = 0) -> Json:
        """A value that the schema allows, as far as its types, bounds and formats say."""
        self._values += 1
        if self._values > MOST_VALUES:
            raise SpecError(place, f"an example of this schema has more than {MOST_VALUES:,} values: write one")
        if depth > 3 * DEEPEST:
            raise SpecError(place, "this schema requires itself without an end")
        found = self._document.resolved(schema, place)
        if not isinstance(found, dict):
            return {} if found is True or found == {} else None
        given = _given(found)
        if given is not None:
            return given[0]
        if isinstance(parts := found.get("allOf"), list):
            return self._all_of(found, parts, place, depth)
        for key in ("oneOf", "anyOf"):
            if isinstance(choices := found.get(key), list) and choices:
                chosen = next((one for one in choices if one != {"type": "null"}), choices[0])
                return self.of(chosen, f"{place}/{key}/0", depth + 1)
        return self._typed(found, place, depth)

    def _all_of(self, schema: dict[str, Json], parts: list[Json], place: str, depth: int) -> Json:
        own = {key: value for key, value in schema.items() if key != "allOf"}
        samples = [self.of(part, f"{place}/allOf/{at}", depth + 1) for at, part in enumerate(parts)]
        if "properties" in own or "type" in own:
            samples.append(self.of(own, place, depth + 1))
        if all(isinstance(one, dict) for one in samples):
            return {key: value for one in samples for key, value in one.items()}
        return next((one for one in samples if one is not None), None)

    def _typed(self, schema: dict[str, Json], place: str, depth: int) -> Json:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "null")
        if kind == "object" or (kind is None and "properties" in schema):
            return self._object(schema, place, depth)
        if kind == "array" or (kind is None and "items" in schema):
            return self._array(schema, place, depth)
        if kind in ("integer", "number"):
            return _number(schema, kind)
        if kind == "boolean":
            return True
        return None if kind == "null" else _text(schema)

    def _object(self, schema: dict[str, Json], place: str, depth: int) -> Json:
        properties = schema.get("properties")
        if properties is None:
            return {}
        if not isinstance(properties, dict):
            raise SpecError(f"{place}/properties", "this must be an object")
        required = schema.get("required")
        needed = [one for one in required if isinstance(one, str)] if isinstance(required, list) else []
        found = {}
        for name, inner in properties.items():
            target = self._document.resolved(inner, f"{place}/properties/{name}")
            is_read_only = isinstance(target, dict) and target.get("readOnly") is True
            if not is_read_only and (name in needed or depth < DEEPEST // 3):
                found[name] = self.of(inner, f"{place}/properties/{name}", depth + 1)
        return found

    def _array(self, schema: dict[str, Json], place: str, depth: int) -> Json:
        least = schema.get("minItems")
        count = least if isinstance(least, int) and 0 <= least <= MOST_VALUES else 1
        if depth >= DEEPEST // 3 and not least:
            return []
        return [self.of(schema.get("items", {}), f"{place}/items", depth + 1) for _ in range(count)]


def _given(schema: dict[str, Json]) -> tuple[Json] | None:
    """The value that the schema itself names."""
    for key in ("example", "const", "default"):
        if key in schema:
            return (schema[key],)
    for key in ("examples", "enum"):
        if isinstance(values := schema.get(key), list) and values:
            return (values[0],)
    return None


def _number(schema: dict[str, Json], kind: str) -> float | int:
    low, high = _bound(schema, "minimum"), _bound(schema, "maximum")
    above = _bound(schema, "exclusiveMinimum")
    step = 1 if kind == "integer" else 0.5
    if above is not None:
        value = above + step
    elif low is not None:
        value = low + step if schema.get("exclusiveMinimum") is True else low
    else:
        value = 1 if high is None or high >= 1 else high
    return int(value) if kind == "integer" and abs(value) < 1e18 else value


def _bound(schema: dict[str, Json], key: str) -> float | int | None:
    value = schema.get(key)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _text(schema: dict[str, Json]) -> str:
    kind = schema.get("format")
    text = _FORMATS.get(kind, "text") if isinstance(kind, str) else "text"
    least, most = schema.get("minLength"), schema.get("maxLength")
    if isinstance(least, int) and len(text) < least <= 65_536:
        text = text.ljust(least, "x")
    return text[:most] if isinstance(most, int) and most >= 0 and text in ("text", *_FORMATS.values()) else text
