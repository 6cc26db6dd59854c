"""A message on its way in: hashed and counted as it comes, its beginning held up to a bound."""

import hashlib

SIZE_LIMIT = 10_240_000
"""Postfix's `message_size_limit`, in bytes."""

HELD_BYTES = 1 << 20
"""How much of a message a session holds: a longer one is taken, counted and hashed, but not kept."""

LINE_BYTES = 2048
"""Postfix's `line_length_limit`: a longer line is taken in pieces."""


class Message:
    """Takes lines (`DATA`) or chunks (`BDAT`). `size` counts its bytes, `held` is its beginning."""

    __slots__ = ("_hash", "_in_line", "_last", "held", "size")

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._in_line = False
        self._last = b""
        self.held = bytearray()
        self.size = 0

    def line(self, line: bytes) -> bool:
        """Take a line, or a piece of one, as read from the peer; False when it is the dot that ends the message."""
        if not self._in_line and line[:1] == b".":
            if line.rstrip(b"\r\n") == b".":
                return False
            line = line[1:]
        self._in_line = line[-1:] != b"\n"
        self.add(line)
        return True

    def add(self, data: bytes) -> None:
        """Take bytes as they are."""
        if not data:
            return
        self._hash.update(data)
        self.size += len(data)
        self._last = data[-1:]
        if len(self.held) < HELD_BYTES:
            self.held += data[: HELD_BYTES - len(self.held)]

    def finish_line(self) -> None:
        """End an unfinished last line, as Postfix does after the last chunk."""
        if self._last not in (b"", b"\n"):
            self.add(b"\r\n")

    @property
    def whole(self) -> bool:
        """Whether `held` is all of it."""
        return self.size == len(self.held)

    @property
    def too_big(self) -> bool:
        return self.size > SIZE_LIMIT

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()
