"""The Redis protocol as bytes: requests (multibulk and inline) in, replies out. No I/O."""

import re
from collections.abc import Iterable

from chaffinch.errors import LimitError

LINE_BYTES = 64 << 10
"""How long an inline request or a length may be, in bytes, before the server gives up on the client."""

BULK_BYTES = 512 << 20
"""The largest argument that the server accepts (`proto-max-bulk-len`)."""

REQUEST_BYTES = 1 << 20
"""How much of one request is held, in bytes; the rest is read and thrown away, and the request marked as cut."""

REPLY_BYTES = 4 << 20
"""How large one reply may get; a client that asks for more loses its connection."""

_ARGUMENT_COST = 64
_INTEGER = re.compile(rb"-?[1-9][0-9]{0,18}|0")
_SPACE = b" \n\r\t\v\f"
_ESCAPES = {0x6E: 10, 0x72: 13, 0x74: 9, 0x62: 8, 0x61: 7}


class ProtocolError(Exception):
    """The request cannot be parsed: the server says `reply`, then closes. `rejected` is how the request began."""

    def __init__(self, reply: bytes, rejected: bytes = b"") -> None:
        super().__init__(reply)
        self.reply = reply
        self.rejected = rejected


def integer_of(text: bytes) -> int | None:
    """A decimal integer of 64 bits as the server writes it: no sign `+`, no leading zeros, no spaces."""
    if _INTEGER.fullmatch(text) is None:
        return None
    value = int(text)
    return value if -(1 << 63) <= value < 1 << 63 else None


class RequestReader:
    """Takes bytes as they come and gives requests: lists of arguments.

    Holds at most `REQUEST_BYTES` of arguments and one unfinished line. `cut`: the request given last was longer.
    `trusted` is whether the client is past the password, where there is one: others get low limits.
    """

    __slots__ = ("_arguments", "_at", "_buffer", "_held", "_length", "_missing", "_skip", "cut", "trusted")

    def __init__(self, *, trusted: bool = True) -> None:
        self.trusted = trusted
        self.cut = False
        self._buffer = bytearray()
        self._at = 0
        self._arguments: list[bytes] = []
        self._missing = 0
        self._length = -1
        self._skip = 0
        self._held = 0

    @property
    def held(self) -> int:
        """The bytes of what has not become a request yet."""
        return len(self._buffer) - self._at + sum(map(len, self._arguments))

    def feed(self, data: bytes) -> None:
        """Take what arrived."""
        del self._buffer[: self._at]
        self._at = 0
        self._buffer += data

    def next(self) -> list[bytes] | None:
        """The next whole request, or None until more arrives. Raises `ProtocolError`."""
        while self._at < len(self._buffer) or self._skip:
            if self._missing:
                if not self._read_arguments():
                    return None
            elif self._buffer[self._at] == 0x2A:
                if not self._read_count():
                    return None
                continue
            elif not self._read_inline():
                return None
            if self._arguments:
                taken, self._arguments = self._arguments, []
                return taken
        return None

    def _fault(self, reply: bytes) -> ProtocolError:
        return ProtocolError(reply, bytes(self._buffer[self._at : self._at + 256]))

    def _line_end(self, end: bytes, too_big: bytes) -> int:
        """Where the line ends, or -1 until it does. Raises `ProtocolError` when it is too long."""
        at = self._buffer.find(end, self._at)
        # The server searches with strchr: a NUL hides what comes after it.
        if at >= 0 and self._buffer.find(b"\0", self._at, at) < 0:
            return at
        if len(self._buffer) - self._at > LINE_BYTES:
            raise self._fault(b"too big " + too_big)
        return -1

    def _read_inline(self) -> bool:
        end = self._line_end(b"\n", b"inline request")
        if end < 0:
            return False
        line = bytes(self._buffer[self._at : end])
        self._at = end + 1
        arguments = split_inline(line.removesuffix(b"\r"))
        if arguments is None:
            raise ProtocolError(b"unbalanced quotes in request", line[:256])
        self._arguments = arguments
        self.cut = False
        return True

    def _read_count(self) -> bool:
        end = self._line_end(b"\r", b"mbulk count string")
        if end < 0 or end + 2 > len(self._buffer):
            return False
        count = integer_of(bytes(self._buffer[self._at + 1 : end]))
        if count is None or count > 0x7FFFFFFF:
            raise self._fault(b"invalid multibulk length")
        if count > 10 and not self.trusted:
            raise self._fault(b"unauthenticated multibulk length")
        self._at = end + 2
        self._missing = max(0, count)
        self._held = 0
        self.cut = False
        return True

    def _read_arguments(self) -> bool:
        """Read on in a multibulk request; says whether it is whole."""
        while self._missing:
            if self._skip:
                passed = min(self._skip, len(self._buffer) - self._at)
                self._skip -= passed
                self._at += passed
                if self._skip:
                    return False
                self._missing -= 1
                continue
            if self._length < 0 and not self._read_length():
                return False
            if self._held + self._length + _ARGUMENT_COST > REQUEST_BYTES:
                self.cut = True
                self._skip, self._length = self._length + 2, -1
                continue
            end = self._at + self._length
            if end + 2 > len(self._buffer):
                return False
            self._arguments.append(bytes(memoryview(self._buffer)[self._at : end]))
            self._held += self._length + _ARGUMENT_COST
            self._at = end + 2
            self._length = -1
            self._missing -= 1
        return True

    def _read_length(self) -> bool:
        end = self._line_end(b"\r", b"bulk count string")
        if end < 0 or end + 2 > len(self._buffer):
            return False
        first = bytes(self._buffer[self._at : self._at + 1])
        if first != b"$":
            raise self._fault(b"expected '$', got '%c'" % first)
        length = integer_of(bytes(self._buffer[self._at + 1 : end]))
        if length is None or not 0 <= length <= BULK_BYTES:
            raise self._fault(b"invalid bulk length")
        if length > 16384 and not self.trusted:
            raise self._fault(b"unauthenticated bulk length")
        self._at = end + 2
        self._length = length
        return True


def split_inline(line: bytes) -> list[bytes] | None:
    """The arguments of an inline request, with the quotes of a shell-like syntax; None when they do not match up."""
    arguments: list[bytes] = []
    at = 0
    while True:
        while at < len(line) and line[at] in _SPACE:
            at += 1
        if at == len(line):
            return arguments
        current = bytearray()
        while at < len(line) and line[at] not in _SPACE:
            quote = line[at]
            if quote not in b"\"'":
                current.append(quote)
                at += 1
                continue
            closed = _quoted(line, at + 1, quote, current)
            if closed < 0 or (closed < len(line) and line[closed] not in _SPACE):
                return None
            at = closed
        arguments.append(bytes(current))


def _quoted(line: bytes, at: int, quote: int, into: bytearray) -> int:
    """Append a quoted part to `into`; gives where its closing quote was passed, or -1."""
    double = quote == 0x22
    while at < len(line):
        byte = line[at]
        if byte == quote:
            return at + 1
        if byte == 0x5C and double and re.match(rb"x[0-9a-fA-F]{2}", line[at + 1 : at + 4]):
            into.append(int(line[at + 2 : at + 4], 16))
            at += 4
            continue
        if byte == 0x5C and at + 1 < len(line) and (double or line[at + 1] == quote):
            at += 1
            byte = _ESCAPES.get(line[at], line[at]) if double else quote
        into.append(byte)
        at += 1
    return -1


# Replies ----------------------------------------------------------------------------------------------------------

OK = b"+OK\r\n"
EMPTY = b"*0\r\n"


def simple(text: bytes) -> bytes:
    """A status reply."""
    return b"+%b\r\n" % text


def error(text: bytes) -> bytes:
    """An error reply; line ends in it become spaces, as in the product."""
    return b"-%b\r\n" % text.rstrip(b"\r\n").replace(b"\r", b" ").replace(b"\n", b" ")


def integer(value: int) -> bytes:
    """An integer reply."""
    return b":%d\r\n" % value


def bulk(value: bytes) -> bytes:
    """A string reply."""
    return b"$%d\r\n%b\r\n" % (len(value), value)


def array(items: Iterable[bytes], mark: bytes = b"*", *, width: int = 1) -> bytes:
    """A reply of encoded `items`; `width` of them count as one. Raises `LimitError("reply")` past `REPLY_BYTES`."""
    body = bytearray()
    count = 0
    for item in items:
        count += 1
        body += item
        if len(body) > REPLY_BYTES:
            raise LimitError("reply")
    return b"%b%d\r\n" % (mark, count // width) + body


def bulks(values: Iterable[bytes], mark: bytes = b"*", *, width: int = 1) -> bytes:
    """A reply of strings."""
    return array((bulk(value) for value in values), mark, width=width)
