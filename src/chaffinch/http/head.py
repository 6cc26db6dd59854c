"""The head of a request, and why one that h11 can read may be refused all the same."""

from typing import Final

import h11
import msgspec

from chaffinch.http.limits import HEAD_BYTES
from chaffinch.http.problem import RefusalError

VERSIONS: Final = (b"1.1", b"1.0")


class Head(msgspec.Struct, frozen=True):
    """What comes before a body."""

    method: str
    path: str
    query: bytes
    headers: dict[str, str]
    fault: RefusalError | None
    """Why it is refused."""

    @property
    def body_bytes(self) -> int:
        """How long the body is said to be; 0 if that is not said."""
        return int(self.headers.get("content-length", 0))


def head_of(event: h11.Request) -> Head:
    """The head that h11 read. Names of headers are in lower case; one that came twice has both values."""
    headers: dict[str, str] = {}
    size = len(event.target)
    for raw, value in event.headers:
        name = raw.decode("ascii")
        size += len(raw) + len(value) + 4
        text = value.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    path, _, query = event.target.partition(b"?")
    fault = _fault(event.http_version, headers, size)
    return Head(event.method.decode("ascii"), path.decode("latin-1"), query, headers, fault)


def malformed(error: h11.RemoteProtocolError) -> RefusalError:
    """The refusal of what h11 cannot read."""
    if error.error_status_hint == 431:
        return _too_long()
    return RefusalError(400, "malformed", "this is not HTTP/1.1: send a whole request")


def _fault(version: bytes, headers: dict[str, str], size: int) -> RefusalError | None:
    if size > HEAD_BYTES:
        return _too_long()
    if version not in VERSIONS:
        return RefusalError(505, "malformed", "only HTTP/1.1 is spoken here: use it")
    if "transfer-encoding" in headers and ("content-length" in headers or version == b"1.0"):
        # Proxies do not agree on where such a request ends: what follows could be somebody else's request.
        twice = "where the body ends is said in two ways: send Content-Length, or chunks in HTTP/1.1"
        return RefusalError(400, "malformed", twice)
    return None


def _too_long() -> RefusalError:
    return RefusalError(431, "malformed", f"the headers have more than {HEAD_BYTES:,} bytes: send fewer")
