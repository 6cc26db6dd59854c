"""What is refused, as RFC 9457 says it: a status, a code that programs can tell apart, and one sentence."""

import math
from http import HTTPStatus
from typing import Final

import msgspec
from msgspec import UNSET

from chaffinch.chain.errors import (
    BusyError,
    DamagedError,
    LockedError,
    NothingNewError,
    UnknownTenantError,
)
from chaffinch.chain.http.wire import Learned, ProblemBody
from chaffinch.errors import ChaffinchError, InputError

CONTENT_TYPE: Final = "application/problem+json"


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
            # The engine names a fraction of a second, the header whole ones: a client is told one time.
            after = retry_after(error.retry_after_seconds)
            full = f"there is more to do than there is room for: try again in {after['Retry-After']} s"
            return RefusalError(429, "busy", full, after)
        case LockedError():
            locked = "another process is writing this chain: stop it, or send the request there"
            return RefusalError(503, "locked", locked, retry_after(5))
        case DamagedError():
            damaged = "a file of this chain is damaged: `chaffinch chain verify` on the server says which"
            return RefusalError(503, "damaged", damaged, retry_after(60))
        case InputError() if "backward" in detail:  # the engine names an option of the command line
            forwards = "this chain has no way back, which `containing` and `ending` need: ask with `seed` or `starting`"
            return RefusalError(409, "conflict", forwards)
        case InputError():
            return RefusalError(409, "conflict", detail)
        case _:
            failed = "the server could not store or read this now: its log says why; send the request again later"
            return RefusalError(503, "storage", failed, retry_after(5))


def stopping(learned: Learned | None = None) -> RefusalError:
    """A request is interrupted, because the server stops or the peer has gone."""
    detail = "the server is being stopped: try again later"
    return RefusalError(503, "stopping", detail, retry_after(5), learned)


def retry_after(seconds: float) -> dict[str, str]:
    """The header that says when to come back: whole seconds, at least one."""
    return {"Retry-After": str(max(1, math.ceil(seconds)))}


_encode: Final = msgspec.json.Encoder().encode
