"""nginx's answers, byte for byte: status line, header order, error pages, compression."""

import time
import zlib

import msgspec

from chaffinch.caches import remembered
from chaffinch.decoys.http.conditional import format_date

REASONS = {
    200: "OK", 206: "Partial Content", 301: "Moved Permanently", 302: "Moved Temporarily", 304: "Not Modified",
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Not Allowed",
    408: "Request Time-out", 412: "Precondition Failed", 413: "Request Entity Too Large", 414: "Request-URI Too Large",
    416: "Requested Range Not Satisfiable", 500: "Internal Server Error", 501: "Not Implemented",
    505: "HTTP Version Not Supported",
}  # fmt: skip
"""nginx's own wording, which is not always that of the standard."""

_TITLES = {401: "401 Authorization Required"}
_TOO_LARGE = "Request Header Or Cookie Too Large"
_PADDING = b"<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n" * 6
_GZIPPED = (200, 403, 404)
_GZIP_LEAST = 20


class Answer(msgspec.Struct, frozen=True):
    """A response but for its date and its Connection header. `closes`: the connection ends after it in any case."""

    status: int
    before: bytes
    between: bytes
    after: bytes
    body: bytes
    closes: bool = False

    def render(self, keep: bool, *, body: bool = True) -> bytes:
        """The response as sent now."""
        return b"".join((
            self.before, http_date(), self.between, b"keep-alive" if keep else b"close", self.after,
            self.body if body else b"",
        ))  # fmt: skip


_date = (0, b"")


def http_date() -> bytes:
    """The Date header's value, formatted once a second."""
    global _date  # noqa: PLW0603
    now = int(time.time())
    if _date[0] != now:
        _date = (now, format_date(now).encode())
    return _date[1]


def answer(
    server: str,
    status: int,
    *,
    content_type: str = "text/html",
    body: bytes = b"",
    length: int | None = -1,
    modified: int = -1,
    location: str = "",
    fields: tuple[tuple[str, str], ...] = (),
    chunked: bool = False,
    closes: bool = False,
) -> Answer:
    """Lay a response out in nginx's order. `length` -1 is that of the body, None leaves it out; `fields` come last."""
    lines = [""]
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    if length is not None and not chunked:
        lines.append(f"Content-Length: {len(body) if length < 0 else length}")
    if modified >= 0:
        lines.append(f"Last-Modified: {format_date(modified)}")
    if location:
        lines.append(f"Location: {location}")
    if chunked:
        lines.append("Transfer-Encoding: chunked")
    lines.append("Connection: ")
    after = "".join(f"\r\n{name}: {value}" for name, value in fields) + "\r\n\r\n"
    return Answer(
        status,
        f"HTTP/1.1 {status} {REASONS[status]}\r\nServer: {server}\r\nDate: ".encode(),
        "\r\n".join(lines).encode(),
        after.encode(),
        chunk(body) if chunked else body,
        closes,
    )


def chunk(body: bytes) -> bytes:
    """The body as one chunk and the last one."""
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def gzip(body: bytes) -> bytes:
    """What nginx's gzip filter makes of a short body: level 1, a window no wider than it needs."""
    window, memory = 15, 8
    while len(body) < (1 << (window - 1)) - 262 and window > 8:
        window, memory = window - 1, max(1, memory - 1)
    packer = zlib.compressobj(1, zlib.DEFLATED, 16 + max(window, 9), memory)
    return packer.compress(body) + packer.flush()


def error_body(server: str, status: int, *, padded: bool = False, large: bool = False) -> bytes:
    """The page of an error. `padded` for browsers that hide short ones, `large` for a head that is too large."""
    heading = _TITLES.get(status, f"{status} {REASONS[status]}")
    title = f"{status} {_TOO_LARGE}" if large else heading
    note = f"<center>{_TOO_LARGE}</center>\r\n" if large else ""
    page = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{heading}</h1></center>\r\n{note}"
        f"<hr><center>{server}</center>\r\n</body>\r\n</html>\r\n"
    ).encode()
    return page + _PADDING if padded else page


@remembered(128)
def error(
    server: str,
    status: int,
    *,
    padded: bool = False,
    gzipped: bool = False,
    large: bool = False,
    head: bool = False,
    fields: tuple[tuple[str, str], ...] = (),
) -> Answer:
    """An error's answer. `head`: it is for a HEAD request, whose compressed answer names no transfer encoding."""
    page = error_body(server, status, padded=padded and status >= 400, large=large)
    closes = status in (400, 413, 414, 500, 501, 505)
    if gzipped and status in _GZIPPED:
        return answer(
            server,
            status,
            body=gzip(page),
            length=None,
            chunked=not head,
            fields=(*fields, ("Content-Encoding", "gzip")),
        )
    return answer(server, status, body=page, fields=fields, closes=closes)
