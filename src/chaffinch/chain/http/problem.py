"""What is refused, as RFC 9457 says it: a status, a code that programs can tell apart, and one sentence."""

import math
from http import HTTPStatus
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from chaffinch.chain.errors import (
    BusyError,
    DamagedError,
    LockedError,
    NothingNewError,
    UnknownTenantError,
)
from chaffinch.errors import ChaffinchError, InputError

CONTENT_TYPE: Final = "application/problem+json"


class BadLine(msgspec.Struct, frozen=True):
    """A line of an NDJSON body that cannot be learned."""

    line: int
    """From 1."""
    reason: str


class Learned(msgspec.Struct, frozen=True):
    """What became of the lines of one request. What was learned is durable."""

    lines: int = 0
    """Lines that were read, bad ones among them; blank ones are not lines."""
    learned: int = 0
    duplicates: int = 0
    """Their id was known: they were learned before."""
    empty: int = 0
    """Nothing was left of them: no words, or none but control characters."""
    no_room: int = 0
    """The vocabulary had no room for them."""
    replaced: int = 0
    """Secrets and personal data that were replaced."""
    tokens_dropped: int = 0
    """Tokens after the last one that a message may have."""
    tokens_shortened: int = 0
    """Tokens kept without their end."""
    messages_cut: int = 0
    """Messages that lost tokens."""
    bad: int = 0
    first_bad: tuple[BadLine, ...] = ()
    """The first 20 of them."""


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
    learned: Learned | UnsetType = UNSET
    """What was learned before it went wrong, and stays."""


class RefusalError(Exception):
    """A request that is refused; it becomes the answer."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        headers: dict[str, str] | None = None,
        learned: Learned | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or {}
        self.learned = learned

    def body(self) -> bytes:
        """The answer's body."""
        title = HTTPStatus(self.status).phrase
        return _encode(ProblemBody(title, self.status, self.code, self.detail, learned=self.learned or UNSET))


def problem_of(error: ChaffinchError) -> RefusalError:
    """The refusal that an error of the engine is. The sentence stays its own."""
    detail = str(error)
    match error:
        case NothingNewError():
            return RefusalError(422, "nothing_new", detail)
        case UnknownTenantError():
            # The engine names a directory of ours, which is nobody's business out there.
            return RefusalError(404, "unknown_tenant", "there is no such chain: learn messages first, or name another")
        case BusyError():
            return busy(detail, error.retry_after_seconds)
        case LockedError():
            locked = "another process is writing this chain: stop it, or send the request there"
            return RefusalError(503, "locked", locked, retry_after(5))
        case DamagedError():
            damaged = "a file of this chain is damaged: `chaffinch chain verify` on the server says which"
            return RefusalError(503, "damaged", damaged, retry_after(60))
        case InputError():
            return RefusalError(409, "conflict", detail)
        case _:
            failed = "the server could not store or read this now: its log says why; send the request again later"
            return RefusalError(503, "storage", failed, retry_after(5))


def busy(detail: str, seconds: float) -> RefusalError:
    """There is more to do than there is room for."""
    return RefusalError(429, "busy", detail, retry_after(seconds))


def retry_after(seconds: float) -> dict[str, str]:
    """The header that says when to come back: whole seconds, at least one."""
    return {"Retry-After": str(max(1, math.ceil(seconds)))}


_encode: Final = msgspec.json.Encoder().encode
