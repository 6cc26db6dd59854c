"""A request's head, as nginx reads it: line by line, refusing at the first byte that cannot be right."""

import re

LINE_BYTES = 8192
"""The longest line of a head, with its end: one of nginx's large buffers."""
FIRST_BYTES = 1024
LARGE_BUFFERS = 4

_CONTROL = rb"\x00-\x20\x7f"
_SCHEME = rb"[A-Za-z][A-Za-z0-9+.\-]*"
_HOST = rb"(?:\[[A-Za-z0-9:\-._~!$&'()*+,;=]*\]|[A-Za-z0-9.\-]*)"
_REQUEST_LINE = re.compile(
    rb"([A-Z_\-]+) +(?:" + _SCHEME + rb"://(" + _HOST + rb")(?::[0-9]*)?(?:([/?][^" + _CONTROL + rb"]*)|(?= ))"
    rb"|(/[^" + _CONTROL + rb"]*))(?: +(?:HTTP/([1-9][0-9]*)(\.[0-9]+)? *)?)?"
)
_UNFINISHED_LINE = re.compile(
    rb"[A-Z_\-]+(?: +(?:(?:"
    + _SCHEME
    + rb"(?::(?:/(?:/(?:\[[A-Za-z0-9:\-._~!$&'()*+,;=]*|"
    + _HOST
    + rb"(?::[0-9]*)?(?:[/?][^"
    + _CONTROL
    + rb"]*)?)?)?)?)?|/[^"
    + _CONTROL
    + rb"]*)(?: +(?:H(?:T(?:T(?:P(?:/(?:1(?:\.(?:[0-9]+ *)?)?)?)?)?)?)?)?)?\r?)?)?"
)
_TOO_NEW = re.compile(
    rb"[A-Z_\-]+ +(?:"
    + _SCHEME
    + rb"://"
    + _HOST
    + rb"(?::[0-9]*)?(?:[/?][^"
    + _CONTROL
    + rb"]*)?|/[^"
    + _CONTROL
    + rb"]*)"
    rb" +HTTP/(?:[2-9]|1[0-9])"
)
_HEADER = re.compile(rb"([A-Za-z0-9\-]+):([^\x00\r]*)\r*")
_ODD_HEADER = re.compile(rb"([^" + _CONTROL + rb":]+)(?::([^\x00\r]*))?\r*")
_UNFINISHED_HEADER = re.compile(rb"[^" + _CONTROL + rb":]*(?:\r*|:[^\x00\r]*\r*)|\r")
_BAD_HOST = re.compile(rb"[" + _CONTROL + rb"/]|\.\.")
_PATH = re.compile(rb"[^?#]*")
_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})?")

_UNIQUE = frozenset((
    b"authorization", b"content-length", b"content-range", b"expect", b"if-match", b"if-modified-since",
    b"if-none-match", b"if-range", b"if-unmodified-since", b"transfer-encoding",
))  # fmt: skip
_KNOWN = _UNIQUE | {b"accept-encoding", b"content-type", b"cookie", b"range", b"user-agent", b"via"}
_MOST_OFFSET = (1 << 63) - 1


class Refusal(Exception):  # noqa: N818  (an answer to the peer, not a fault)
    """The head gets this error instead of an answer; the connection ends after it."""

    def __init__(self, status: int, *, large: bool = False) -> None:
        super().__init__(status)
        self.status = status
        self.large = large


class Head:
    """One request's head while it is read, and after.

    `bodyless`: it is for HEAD, which is known before the rest of its line is good.
    `version` is 9 for HTTP/0.9, else 1000 and the minor number; `fields` holds the first value of each header that an
    answer depends on, under its lower-case name. `length` is -1 where no Content-Length was sent.
    """

    __slots__ = (
        "_large", "_room", "bodyless", "chunked", "closes", "complete", "fields", "headers", "host", "keeps", "length",
        "method", "path", "target", "version",
    )  # fmt: skip

    def __init__(self) -> None:
        self.method = b""
        self.bodyless = False
        self.target = b""
        self.path = b""
        self.version = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.fields: dict[bytes, bytes] = {}
        self.host = b""
        self.closes = False
        self.keeps = False
        self.length = -1
        self.chunked = False
        self.complete = False
        self._room = FIRST_BYTES
        self._large = 0

    @property
    def keep_alive(self) -> bool:
        """Whether the client wants the connection to stay open."""
        return not self.closes and (self.version > 1000 or self.keeps)

    def read(self, data: bytes, at: int = 0) -> int:
        """Take whole lines from `data[at:]` until the head is complete, and return where the rest begins.

        Raises `Refusal` at the first line, or unfinished line, that nginx would not read on.
        """
        while True:
            end = data.find(b"\n", at) + 1
            if not end:
                self._check_unfinished(data[at:])
                return at
            line = data[at : end - 1]
            at = end
            if self.method:
                self._count(len(line) + 1, 400)
                self._header_line(line)
            else:
                line = line.lstrip(b"\r")
                if not line:
                    continue
                self._count(len(line) + 1, 414)
                self._request_line(line)
            if self.complete:
                return at

    def _count(self, size: int, status: int) -> None:
        # nginx copies a line that does not fit the rest of a buffer into the next one: 1 KiB, then at most 4 of 8 KiB.
        if size > self._room:
            if size > LINE_BYTES or self._large == LARGE_BUFFERS:
                raise Refusal(status, large=status == 400)
            self._large += 1
            self._room = LINE_BYTES
        self._room -= size

    def _check_unfinished(self, rest: bytes) -> None:
        in_line = not self.method
        rest = rest.lstrip(b"\r") if in_line else rest
        if not rest:
            return
        pattern = _UNFINISHED_LINE if in_line else _UNFINISHED_HEADER
        if not pattern.fullmatch(rest):
            self.bodyless = self.bodyless or (in_line and rest.startswith(b"HEAD "))
            raise Refusal(505 if in_line and _TOO_NEW.match(rest) else 400)
        if len(rest) >= LINE_BYTES or (self._large == LARGE_BUFFERS and len(rest) >= self._room):
            raise Refusal(414 if in_line else 400, large=not in_line)

    def _request_line(self, line: bytes) -> None:
        self.bodyless = line.startswith(b"HEAD ")
        found = _REQUEST_LINE.fullmatch(line[:-1] if line[-1:] == b"\r" else line)
        if found is None:
            raise Refusal(505 if _TOO_NEW.match(line) else 400)
        method, host, tail, target, major, minor = found.groups()
        if major is not None and (major != b"1" or minor is None):
            raise Refusal(505 if major != b"1" else 400)
        if host is not None:
            check_host(host)
            self.host = host
            target = tail if tail and tail[:1] == b"/" else b"/" + (tail or b"")
        if minor and int(minor[1:-1] or 0) > 99:
            raise Refusal(400)
        self.method, self.target = method, target
        self.version = 1000 + int(minor[1:]) if minor else 9
        self.path = resolve(target)
        if self.version == 9:
            if method != b"GET":
                raise Refusal(400)
            self.complete = True

    def _header_line(self, line: bytes) -> None:
        found = _HEADER.fullmatch(line)
        if found is None:
            if line in (b"", b"\r"):
                return self._finish()
            found = _ODD_HEADER.fullmatch(line)
            if found is None:
                raise Refusal(400)
            name, value = found.groups()
            self.headers.append((name, (value or b"").strip(b" ")))
            if not value and name.replace(b"-", b"").isalnum() and name.isascii():
                self._field(name.lower(), b"")
            return None
        name, value = found.groups()
        value = value.strip(b" ")
        self.headers.append((name, value))
        return self._field(name.lower(), value)

    def _field(self, name: bytes, value: bytes) -> None:
        if name == b"host":
            if b"host" in self.fields:
                raise Refusal(400)
            check_host(value)
            self.fields[b"host"] = value
            self.host = self.host or value
        elif name == b"connection":
            lower = value.lower()
            if b"close" in lower:
                self.closes, self.keeps = True, False
            elif b"keep-alive" in lower:
                self.closes, self.keeps = False, True
        elif name in _KNOWN:
            if name not in self.fields:
                self.fields[name] = value
            elif name in _UNIQUE:
                raise Refusal(400)

    def _finish(self) -> None:
        fields = self.fields
        if self.version > 1000 and b"host" not in fields:
            raise Refusal(400)
        if b"content-length" in fields:
            length = fields[b"content-length"]
            if not length.isdigit() or int(length[:20]) > _MOST_OFFSET or len(length.lstrip(b"0")) > 19:
                raise Refusal(400)
            self.length = int(length)
        if b"transfer-encoding" in fields:
            if self.version < 1001:
                raise Refusal(400)
            if fields[b"transfer-encoding"].lower() != b"chunked":
                raise Refusal(501)
            if b"content-length" in fields:
                raise Refusal(400)
            self.chunked = True
        if self.method in (b"TRACE", b"CONNECT"):
            raise Refusal(405)
        self.complete = True


def check_host(host: bytes) -> None:
    """Refuse a host that nginx would not look up."""
    if _BAD_HOST.search(host) or not host.partition(b":")[0].removesuffix(b"."):
        raise Refusal(400)


def resolve(target: bytes) -> bytes:
    """The path that a target names: without query and fragment, decoded, `//`, `/.` and `/..` taken out.

    Raises `Refusal` for a broken escape, an escaped NUL and a path above the root.
    """
    path = _PATH.match(target)[0]  # type: ignore[index]  # matches anything
    if b"%" in path:
        path = _ESCAPED.sub(_unescape, path)
    if b"//" not in path and b"/." not in path:
        return path
    kept: list[bytes] = []
    parts = path.split(b"/")[1:]
    for part in parts:
        if part == b"..":
            if not kept:
                raise Refusal(400)
            kept.pop()
        elif part not in (b"", b"."):
            kept.append(part)
    ends_open = parts[-1] not in (b"", b".", b"..")
    return b"/" + b"/".join(kept) + (b"" if ends_open or not kept else b"/")


def _unescape(found: re.Match[bytes]) -> bytes:
    digits = found[1]
    if digits is None or digits == b"00":
        raise Refusal(400)
    return bytes.fromhex(digits.decode())
