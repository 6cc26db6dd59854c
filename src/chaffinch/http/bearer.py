"""The token that a request shows, and what is said to one that shows none that is known (RFC 6750)."""

from typing import Final

from chaffinch.http.problem import RefusalError

_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="chaffinch"'}


def shown_token(authorization: str) -> str:
    """The token of an `Authorization` header; empty if it shows none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else ""


def unauthorized(detail: str) -> RefusalError:
    """The refusal of who shows no token that is known."""
    return RefusalError(401, "unauthorized", detail, _CHALLENGE)
