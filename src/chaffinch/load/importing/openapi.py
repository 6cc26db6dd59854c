"""An API's description (OpenAPI 3.0 or 3.1, JSON or YAML) to a scenario file: one step an operation.

Parameters and bodies come from the description's examples, else from its schemas. Only `$ref` within the document is
followed. https://spec.openapis.org/oas/v3.1.1.html
"""

import re
from typing import Final

import msgspec

from chaffinch.errors import InputError
from chaffinch.load.importing.draft import MOST_STEPS, Draft, DraftStep, write
from chaffinch.load.importing.samples import Document, Json, Sampler, SpecError
from chaffinch.load.scenario.address import Url, check_header, clean_path, parse_url
from chaffinch.load.scenario.faults import Faults, shown
from chaffinch.load.scenario.nodes import MOST_BYTES, as_json, compose

METHODS: Final = ("get", "post", "put", "patch", "delete", "head", "options")

_VARIABLE: Final = re.compile(r"\{([^{}]{1,200})\}")
_JSON: Final = re.compile(r"\ufeff?\s*\{\s*[\"}]")
_CHANGING: Final = ("PUT", "PATCH", "POST", "DELETE")


def from_openapi(text: str, source: str, *, base_url: str | None = None) -> str:
    """The scenario file of a description; `base_url` goes in place of its first server.

    Raises `InputError` with the file, the place in it and what is wrong.
    """
    root = _root(text, source)
    try:
        document = Document(root)
        url = _server(root, base_url)
        steps = tuple(_steps(document, url))
    except SpecError as error:
        raise InputError(f"{source}: {error}") from None
    if not steps:
        raise InputError(f"{source}: /paths: there is no operation: describe one")
    if len(steps) > MOST_STEPS:
        raise InputError(f"{source}: /paths: there are more than {MOST_STEPS:,} operations: split the document")
    info = root.get("info")
    title = info.get("title") if isinstance(info, dict) else None
    name = (_short(title) if isinstance(title, str) else "") or "api"
    notes = [f"Imported from the OpenAPI description {name}."]
    if changing := sum(step.method in _CHANGING for step in steps):
        notes.append(f"{changing} of {len(steps)} steps may change what the server holds: look at them first.")
    if root.get("security"):
        notes.append("The API asks for credentials: add them under config.customHeaders.")
    return write(Draft(name=name, steps=steps, notes=tuple(notes)))


def _short(text: str) -> str:
    return " ".join(text.split())[:200]


def _root(text: str, source: str) -> dict[str, Json]:
    root: Json
    if not text.strip("\ufeff \t\r\n"):
        raise InputError(f"{source} is empty: name an OpenAPI description")
    try:
        if _JSON.match(text):
            if len(text) > MOST_BYTES:
                raise InputError(f"{source} is larger than {MOST_BYTES >> 20} MiB: split it")
            root = msgspec.json.decode(text.removeprefix("\ufeff"))
        else:
            faults = Faults(source)
            node = compose(text.removeprefix("\ufeff"), faults)
            faults.check()
            root = msgspec.json.decode(as_json(node))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InputError(f"{source} is not JSON: {error}") from None
    if not isinstance(root, dict):
        raise InputError(f"{source}: this is not an OpenAPI description: it must be an object")
    version = root.get("openapi")
    if not isinstance(version, str) or not re.match(r"3\.[01]\b", version):
        given = f"openapi is {shown(str(version))}" if version is not None else "openapi is missing"
        if "swagger" in root:
            given = f"this is Swagger {str(root['swagger'])[:10]}"
        raise InputError(f"{source}: {given}: 3.0 and 3.1 are read, convert others first")
    return root


def _server(root: dict[str, Json], base_url: str | None) -> Url:
    """The first server, with the defaults of its variables."""
    place = "/servers/0/url"
    if base_url is not None:
        written, place = base_url, "the base URL"
    else:
        servers = root.get("servers")
        first = servers[0] if isinstance(servers, list) and servers else {}
        given = first.get("url") if isinstance(first, dict) else None
        if not isinstance(given, str):
            raise SpecError("/servers", "no server is named: give a base URL")
        variables = first.get("variables")
        written = _VARIABLE.sub(lambda found: _default(variables, found[1]), given)
        if written.startswith("/"):
            raise SpecError(place, f"{shown(written)} names no host: give a base URL")
    try:
        return parse_url(written)
    except ValueError as error:
        raise SpecError(place, str(error)) from None


def _default(variables: Json, name: str) -> str:
    variable = variables.get(name) if isinstance(variables, dict) else None
    default = variable.get("default") if isinstance(variable, dict) else None
    if default is None:
        raise SpecError("/servers/0/variables", f"{shown(name)} has no default")
    return _plain(default)


def _steps(document: Document, url: Url) -> list[DraftStep]:
    paths = document.root.get("paths", {})
    if not isinstance(paths, dict):
        raise SpecError("/paths", "this must be an object")
    found = []
    for path, item in paths.items():
        place = f"/paths/{path.replace('~', '~0').replace('/', '~1')}"
        if not path.startswith("/"):
            raise SpecError(place, f"the path {shown(path)} does not begin with /")
        operations = document.resolved(item, place)
        if not isinstance(operations, dict):
            raise SpecError(place, "this must be an object")
        for method in METHODS:
            operation = operations.get(method)
            if operation is None:
                continue
            if not isinstance(operation, dict):
                raise SpecError(f"{place}/{method}", "this must be an object")
            at = f"{place}/{method}"
            found.append(_Operation(document, url, path, operations, operation, at).step(method.upper()))
    return found


class _Operation:
    def __init__(
        self, document: Document, url: Url, path: str, item: dict[str, Json], operation: dict[str, Json], place: str
    ) -> None:
        self._document = document
        self._url = url
        self._path = path
        self._operation = operation
        self._place = place
        shared = self._parameters(item.get("parameters"), f"{place.rpartition('/')[0]}/parameters")
        self._given = shared | self._parameters(operation.get("parameters"), f"{place}/parameters")

    def step(self, method: str) -> DraftStep:
        """The operation as a request."""
        headers = [(name, value) for (kind, name), value in self._given.items() if kind == "header"]
        cookies = [f"{name}={value}" for (kind, name), value in self._given.items() if kind == "cookie"]
        headers += [("Cookie", "; ".join(cookies))] if cookies else []
        body, kind = self._body()
        if body is not None and not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", kind))
        for name, value in headers:
            try:
                check_header(name, value)
            except ValueError as error:
                raise SpecError(self._place, str(error)) from None
        return DraftStep(
            method=method,
            origin=self._url.origin,
            path=self._full_path(),
            name=self._name(method),
            headers=tuple(headers),
            body=body,
            statuses=self._statuses(),
        )

    def _name(self, method: str) -> str:
        known = self._operation.get("operationId")
        return _short(known) if isinstance(known, str) and known.strip() else f"{method} {self._path}"[:200]

    def _full_path(self) -> str:
        from urllib.parse import quote

        def filled(found: re.Match[str]) -> str:
            value = self._given.get(("path", found[1]))
            if value is None:
                raise SpecError(self._place, f"the path has {{{found[1]}}}, but no parameter describes it")
            return quote(value, safe="")

        path = _VARIABLE.sub(filled, self._path)
        query = [
            f"{quote(name, safe='[]')}={quote(value, safe='')}"
            for (kind, name), value in self._given.items()
            if kind == "query"
        ]
        whole = self._url.path.partition("?")[0].rstrip("/") + path
        return clean_path(whole + ("?" + "&".join(query) if query else ""))

    def _parameters(self, written: Json, place: str) -> dict[tuple[str, str], str]:
        """The parameters that are sent, by where they go and their name: required ones, and those with an example."""
        found: dict[tuple[str, str], str] = {}
        for at, one in enumerate(written if isinstance(written, list) else []):
            where = f"{place}/{at}"
            parameter = self._document.resolved(one, where)
            if not isinstance(parameter, dict):
                raise SpecError(where, "this must be an object")
            name, kind = parameter.get("name"), parameter.get("in")
            if not isinstance(name, str) or kind not in ("path", "query", "header", "cookie"):
                raise SpecError(where, "a parameter needs a name, and in: path, query, header or cookie")
            example = self._example(parameter, where)
            if example is not None:
                found[kind, name] = _plain(example[0])
            elif parameter.get("required") is True or kind == "path":
                content = parameter.get("content")
                schema = parameter.get("schema", _first(content)[1].get("schema", {}) if content else {})
                found[kind, name] = _plain(Sampler(self._document).of(schema, f"{where}/schema"))
        return found

    def _example(self, holder: dict[str, Json], place: str) -> tuple[Json] | None:
        """`example`, or the first of `examples`."""
        if "example" in holder:
            return (holder["example"],)
        examples = holder.get("examples")
        if isinstance(examples, dict) and examples:
            first = self._document.resolved(next(iter(examples.values())), f"{place}/examples")
            if isinstance(first, dict) and "value" in first:
                return (first["value"],)
        return None

    def _body(self) -> tuple[str | None, str]:
        """The body and its type; JSON where there is a choice."""
        place = f"{self._place}/requestBody"
        request = self._document.resolved(self._operation.get("requestBody"), place)
        if request is None:
            return None, ""
        content = request.get("content") if isinstance(request, dict) else None
        if not isinstance(content, dict) or not content:
            raise SpecError(place, "a body needs its content: a media type with a schema")
        kinds = sorted(content, key=lambda kind: (not _is_json(kind), "form-urlencoded" not in kind))
        kind = kinds[0]
        media = self._document.resolved(content[kind], f"{place}/content/{kind}")
        if not isinstance(media, dict):
            raise SpecError(f"{place}/content/{kind}", "this must be an object")
        example = self._example(media, place)
        value = example[0] if example else Sampler(self._document).of(media.get("schema", {}), f"{place}/schema")
        if _is_json(kind):
            return msgspec.json.encode(value).decode(), kind
        if "form-urlencoded" in kind and isinstance(value, dict):
            from urllib.parse import urlencode

            return urlencode({name: _plain(one) for name, one in value.items()}), kind
        return _plain(value), kind

    def _statuses(self) -> tuple[str, ...]:
        """The answers that are described as a success."""
        responses = self._operation.get("responses")
        codes = responses if isinstance(responses, dict) else {}
        return tuple(code.lower() for code in codes if re.fullmatch(r"[23](?:[0-9]{2}|[xX]{2})", code))


def _first(content: Json) -> tuple[str, dict[str, Json]]:
    if isinstance(content, dict) and content:
        kind, media = next(iter(content.items()))
        if isinstance(media, dict):
            return kind, media
    return "", {}


def _is_json(kind: str) -> bool:
    essence = kind.partition(";")[0].strip().lower()
    return essence == "application/json" or essence.endswith("+json")


def _plain(value: Json) -> str:
    """A value in a path, a query or a header: a text is itself, a list is separated by commas."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ",".join(map(_plain, value))
    return msgspec.json.encode(value).decode()
