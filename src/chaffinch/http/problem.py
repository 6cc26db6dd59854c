"""What is refused, as RFC 9457 says it: a status, a code that programs can tell apart, and one sentence."""

import math
from http import HTTPStatus
from typing import Final

import msgspec

CONTENT_TYPE: Final = "application/problem+json"


class ProblemBody(msgspec.Struct, frozen=True):
    """Why a request was refused."""

    title: str
    """The status in words."""
    status: int
    code: str
    """What kind of refusal it is; never changes."""
    detail: str
    """One sentence: what is wrong, and what to do."""
    type: str = "about:blank"


class RefusalError(Exception):
    """A request that is refused; it becomes the answer."""

    def __init__(self, status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or {}

    def body(self) -> ProblemBody:
        """The answer's body."""
        return ProblemBody(HTTPStatus(self.status).phrase, self.status, self.code, self.detail)


def stopping() -> RefusalError:
    """A request is interrupted, because the server stops or the peer has gone."""
    return RefusalError(503, "stopping", "the server is being stopped: try again later", retry_after(5))


def retry_after(seconds: float) -> dict[str, str]:
    """The header that says when to come back: whole seconds, at least one."""
    return {"Retry-After": str(max(1, math.ceil(seconds)))}
