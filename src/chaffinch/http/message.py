"""A request as handlers see it, and a response."""

from typing import Final

import msgspec

from chaffinch.http.body import Body
from chaffinch.http.problem import CONTENT_TYPE, RefusalError

_encode: Final = msgspec.json.Encoder().encode


class Request(msgspec.Struct, frozen=True):
    """One request. Names of headers are in lower case; one that came twice has both values, with a comma."""

    method: str
    path: str
    """As it was sent: percent-encoded, without the query."""
    query: bytes
    headers: dict[str, str]
    body: Body


class Response(msgspec.Struct, frozen=True):
    """One answer, whole."""

    status: int
    body: bytes
    kind: str = "application/json"
    """Its media type."""
    headers: dict[str, str] = {}


def json_response(answer: msgspec.Struct) -> Response:
    """An answer of status 200."""
    return Response(200, _encode(answer))


def response_of(problem: RefusalError) -> Response:
    """The answer that a refusal is."""
    return Response(problem.status, _encode(problem.body()), CONTENT_TYPE, problem.headers)
