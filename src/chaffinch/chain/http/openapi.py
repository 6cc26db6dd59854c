"""The OpenAPI document, made of the structs that bodies are decoded into and encoded from."""

import functools
from typing import Any, Final

import msgspec

from chaffinch import __version__
from chaffinch.chain.http import wire
from chaffinch.chain.results import Merged, Stats
from chaffinch.http.problem import CONTENT_TYPE
from chaffinch.metrics.exposition import CONTENT_TYPE as METRICS_TYPE

Json = dict[str, Any]

_COMPONENTS: Final = (
    wire.Line,
    wire.GenerateRequest,
    wire.GenerateAnswer,
    wire.MergeRequest,
    wire.ChainsAnswer,
    wire.ForgetAnswer,
    wire.RemoveAnswer,
    wire.HealthAnswer,
    wire.Learned,
    Merged,
    wire.ProblemBody,
    Stats,
)

_REASONS: Final = {
    400: "The request is not what this document says.",
    401: "There is no token, or none that this server knows.",
    403: "The token has not this right, or not on this chain; the same whether there is such a chain.",
    404: "There is no such chain.",
    405: "The path does not take this method.",
    408: "The body came too slowly.",
    409: "The chain, as it was made, cannot do this.",
    413: "The body is too long.",
    415: "The body is of another media type.",
    422: "Nothing new can be said about that.",
    431: "The headers are too long.",
    429: "The token has had its share, or the queue is full.",
    500: "A fault of the server.",
    503: "The chain cannot be read or written now.",
}

_ALWAYS: Final = (400, 405, 408, 431, 500, 503)
"""What any request may get."""

_WITH_TOKEN: Final = (*_ALWAYS, 401, 403, 429)


@functools.cache
def document(max_body_bytes: int) -> bytes:
    """The document as JSON."""
    return msgspec.json.encode(_document(max_body_bytes))


def _document(max_body_bytes: int) -> Json:
    _, schemas = msgspec.json.schema_components(_COMPONENTS, ref_template="#/components/schemas/{name}")
    properties = schemas["Line"]["properties"]
    properties |= {name: _name_schema(_NAME) for name in ("author", "channel")}
    properties["id"] = _name_schema(_NAME | {"pattern": "^[^~]|^$"}, "Learned once, however often it is sent.")
    properties["time"] = _time_schema()
    # A seed and words to start with exclude each other, which a struct cannot say.
    schemas["GenerateRequest"]["not"] = {"required": ["seed", "starting"]}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Chaffinch chains",
            "version": __version__,
            "description": "Markov text engines that learn messages, make new ones, and forget.",
        },
        "security": [{"token": []}],
        "paths": _paths(max_body_bytes),
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "parameters": {"tenant": _tenant_parameter()},
        },
    }


def _paths(max_body_bytes: int) -> Json:
    chain = "/v1/chains/{tenant}"
    lines = {
        "required": True,
        "description": f"One message a line, at most {max_body_bytes} bytes in all. Read and learned as it comes.",
        "content": {"application/x-ndjson": {"schema": {"type": "array", "items": _ref("Line")}}},
    }
    return {
        "/v1/chains": {"get": _operation("list", "The chains that the token reaches", "ChainsAnswer", _PAGE)},
        chain: _on_chain(
            delete=_operation("remove", "Remove a chain and all that it learned", "RemoveAnswer", also=(404,))
        ),
        chain + "/messages": _on_chain(
            post=_operation("learn", "Learn messages", "Learned", [_SKIP_BAD], lines, also=(409, 413, 415)),
            delete=_operation("forget", "Forget messages", "ForgetAnswer", [_FORGET], also=(404, 409)),
        ),
        chain + "/generate": _on_chain(
            post=_operation(
                "generate",
                "Make new messages",
                "GenerateAnswer",
                (),
                _json_body("GenerateRequest", required=True),
                also=(404, 409, 413, 415, 422),
            )
        ),
        chain + "/stats": _on_chain(get=_operation("stats", "A chain in numbers", "Stats", also=(404,))),
        chain + "/merge": _on_chain(
            post=_operation(
                "merge",
                "Write what is in memory, and what was forgotten, into new files",
                "Merged",
                (),
                _json_body("MergeRequest", required=False),
                also=(404, 409, 413, 415),
            )
        ),
        "/healthz": {"get": _open("health", "Whether the server answers", _ref("HealthAnswer"))},
        "/openapi.json": {"get": _open("openapi", "This document", {"type": "object"})},
        "/metrics": {"get": _metrics()},
    }


def _operation(
    name: str, summary: str, answer: str, parameters: Any = (), body: Json | None = None, also: tuple[int, ...] = ()
) -> Json:
    answers: Json = {"200": {"description": "Done.", "content": {"application/json": {"schema": _ref(answer)}}}}
    answers |= {str(status): _refusal(status) for status in sorted({*_WITH_TOKEN, *also})}
    operation: Json = {"operationId": name, "summary": summary, "responses": answers}
    if parameters:
        operation["parameters"] = list(parameters)
    if body is not None:
        operation["requestBody"] = body
    return operation


def _open(name: str, summary: str, schema: Json) -> Json:
    """What needs no token."""
    answers: Json = {"200": {"description": "Done.", "content": {"application/json": {"schema": schema}}}}
    answers |= {str(status): _refusal(status) for status in _ALWAYS}
    return {"operationId": name, "summary": summary, "security": [], "responses": answers}


def _metrics() -> Json:
    operation = _operation("metrics", "Everything that is counted, for Prometheus", "HealthAnswer")
    kind = METRICS_TYPE.partition(";")[0]
    operation["responses"]["200"] = {"description": "OpenMetrics.", "content": {kind: {"schema": {"type": "string"}}}}
    return operation


def _refusal(status: int) -> Json:
    refusal: Json = {
        "description": _REASONS[status],
        "content": {CONTENT_TYPE: {"schema": _ref("ProblemBody")}},
    }
    if status == 429:
        refusal["headers"] = {
            "Retry-After": {"required": True, "description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}
        }
    if status == 401:
        refusal["headers"] = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
    return refusal


def _on_chain(**operations: Json) -> Json:
    return {"parameters": [{"$ref": "#/components/parameters/tenant"}], **operations}


def _json_body(name: str, *, required: bool) -> Json:
    return {"required": required, "content": {"application/json": {"schema": _ref(name)}}}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _tenant_parameter() -> Json:
    schema = {"type": "string", "pattern": wire.TENANT_PATTERN}
    return {"name": "tenant", "in": "path", "required": True, "description": "Whose chain.", "schema": schema}


def _name_schema(text: Json, description: str = "") -> Json:
    whole = {"type": "integer", "minimum": -(1 << 63), "maximum": (1 << 63) - 1}
    schema: Json = {"default": None, "anyOf": [text, whole, {"type": "null"}]}
    return schema | {"description": description} if description else schema


def _time_schema() -> Json:
    bound = 9_000_000_000_000_000
    return {
        "description": "RFC 3339 (UTC where it has no offset), seconds since 1970, or milliseconds from 1e11 on.",
        "default": None,
        "anyOf": [
            {"type": "string", "format": "date-time"},
            {"type": "number", "exclusiveMinimum": -bound, "exclusiveMaximum": bound},
            {"type": "null"},
        ],
    }


_SKIP_BAD: Final = {
    "name": "skip_bad",
    "in": "query",
    "description": "1: pass over lines that cannot be learned, and count them, instead of stopping at the first.",
    "schema": {"type": "string", "enum": ["0", "1"], "default": "0"},
}

# A chain bounds bytes, which a schema cannot count.
_NAME: Final = {
    "type": "string",
    "anyOf": [{"maxLength": 63}, {"maxLength": 255, "pattern": "^[\\u0000-\\u007f]*$"}],
}

# One object whose only property becomes the only parameter: exactly one of these.
_FORGET: Final = {
    "name": "which",
    "in": "query",
    "required": True,
    "style": "form",
    "explode": True,
    "description": "Exactly one of: the id of a message, an author, a channel, or a moment before which all goes.",
    "schema": {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": {
            "message": _NAME | {"minLength": 1},
            "author": _NAME | {"minLength": 1},
            "channel": _NAME | {"minLength": 1},
            "before": {"type": "string", "format": "date-time"},
        },
    },
}

_PAGE: Final = (
    {
        "name": "limit",
        "in": "query",
        "description": "How many at most.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1000},
    },
    {
        "name": "after",
        "in": "query",
        "description": "Only those after this one.",
        "schema": {"type": "string", "pattern": wire.TENANT_PATTERN},
    },
)
