"""A request's body, as it comes: counted and passed by, with a bounded part kept."""

PREVIEW_BYTES = 2048
"""How much of a body its record shows."""

KEEP_BYTES = 256 << 10
"""The largest body that is kept; a larger one is counted and dropped."""

_HEX = {ord(digit): int(digit, 16) for digit in "0123456789abcdefABCDEF"}
_MOST_SIZE = (1 << 63) // 16

# Where a chunked body stands. Bytes are told apart as CR, LF, `extension` (";", " ", tab), hex digits and the rest.
START, SIZE, EXTENSION, LINE_END, DATA, AFTER_DATA, AFTER_DATA_END, TRAILER, TRAILER_END, FIELD, FIELD_END, DONE = (
    range(12)
)

_CR, _LF = 13, 10
_NEXT = {
    SIZE: {_CR: LINE_END, _LF: DATA, ord(";"): EXTENSION, ord(" "): EXTENSION, ord("\t"): EXTENSION},
    EXTENSION: {_CR: LINE_END, _LF: DATA},
    LINE_END: {_LF: DATA},
    AFTER_DATA: {_CR: AFTER_DATA_END, _LF: START},
    AFTER_DATA_END: {_LF: START},
    TRAILER: {_CR: TRAILER_END, _LF: DONE},
    TRAILER_END: {_LF: DONE},
    FIELD: {_CR: FIELD_END, _LF: TRAILER},
    FIELD_END: {_LF: TRAILER},
}
"""What a byte of framing leads to. DATA with no size left is TRAILER; EXTENSION and FIELD stay on any other byte."""

_STAYS = {EXTENSION: EXTENSION, FIELD: FIELD, TRAILER: FIELD}


class Body:
    """A body of `length` bytes, or a chunked one (RFC 9112, section 7.1) where `length` is -1, as nginx reads it.

    `size` counts its bytes so far, `kept` holds them up to `KEEP_BYTES` and their beginning past that; `broken` says
    that the framing of the chunks is wrong, after which nothing more belongs to it.
    """

    __slots__ = ("_chunked", "_left", "_state", "broken", "kept", "size")

    def __init__(self, length: int) -> None:
        self.size = 0
        self.kept = bytearray()
        self.broken = False
        self._chunked = length < 0
        self._left = max(length, 0)
        self._state = START if length < 0 else DATA if length else DONE

    @property
    def done(self) -> bool:
        return self._state == DONE

    @property
    def whole(self) -> bool:
        """Whether `kept` is all of it so far."""
        return self.size == len(self.kept)

    def feed(self, data: bytes) -> bytes:
        """Take what belongs to the body, and return what comes after it."""
        at = 0
        while at < len(data) and self._state != DONE and not self.broken:
            if self._state == DATA:
                at += self._take(data[at : at + self._left])
            else:
                self._frame(data[at])
                at += 1
        return data[at:]

    def _take(self, part: bytes) -> int:
        whole = self.whole
        self.size += len(part)
        self._left -= len(part)
        if whole:
            self.kept += part
            if self.size > KEEP_BYTES:
                self.kept = self.kept[:PREVIEW_BYTES]
        if not self._left:
            self._state = AFTER_DATA if self._chunked else DONE
        return len(part)

    def _frame(self, byte: int) -> None:
        state = self._state
        if state in (START, SIZE) and byte in _HEX:
            self._left = self._left * 16 + _HEX[byte]  # nothing is left when a chunk starts
            self._state = SIZE
            self.broken = self._left > _MOST_SIZE
            return
        following = _NEXT.get(state, {}).get(byte, _STAYS.get(state))
        if following is None:
            self.broken = True
        elif following == DATA and not self._left:
            self._state = TRAILER
        else:
            self._state = following
