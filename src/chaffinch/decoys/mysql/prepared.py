"""Prepared statements: kept as text, run with their parameters written into it."""

import struct

import msgspec

from chaffinch.decoys.mysql import sql
from chaffinch.decoys.mysql.packets import Cursor, MalformedError
from chaffinch.decoys.mysql.results import BINARY, NULL, Column, SqlError

MAX_STATEMENTS = 16
MAX_BYTES = 16 << 10
"""How many statements a session may keep prepared, and how long each may be."""

PLACE_BYTES = 128
"""What the place of one parameter takes: a tuple of two numbers."""

PLACEHOLDER = Column("?", NULL, 0, BINARY, 0)


class Prepared(msgspec.Struct):
    """One statement, with where its parameters stand and the types that the client last gave them."""

    source: str
    places: tuple[tuple[int, int], ...]
    types: bytes = b""

    @property
    def held(self) -> int:
        """What it counts for, in bytes."""
        return len(self.source) + PLACE_BYTES * len(self.places) + len(self.types)


def prepare(source: str) -> Prepared:
    """Raises `SqlError` (1461) for what is too long to be kept."""
    if len(source) > MAX_BYTES:
        raise SqlError(
            1461, "42000", "Can't create more than max_prepared_stmt_count statements (current value: 16382)"
        )
    tokens = sql.tokenize(source).found
    return Prepared(source, tuple((token.start, token.end) for token in tokens if token.kind == sql.PARAMETER))


def prepared_ok(number: int, columns: int, parameters: int) -> bytes:
    """The payload that answers a PREPARE."""
    return b"\0" + struct.pack("<IHHxH", number, columns, parameters, 0)


def bind(prepared: Prepared, payload: bytes) -> str:
    """The statement with the parameters of an EXECUTE in their places. Raises `MalformedError`."""
    if not prepared.places:
        return prepared.source
    cursor = Cursor(payload, 10)
    count = len(prepared.places)
    nulls = cursor.take((count + 7) // 8)
    if cursor.number(1):
        prepared.types = cursor.take(2 * count)
    if len(prepared.types) != 2 * count:
        raise MalformedError
    parts: list[str] = []
    at = 0
    for index, (start, end) in enumerate(prepared.places):
        null = nulls[index // 8] >> index % 8 & 1
        literal = "NULL" if null else _literal(cursor, prepared.types[2 * index], prepared.types[2 * index + 1])
        parts += (prepared.source[at:start], literal)
        at = end
    return "".join(parts) + prepared.source[at:]


_WHOLE = {0x01: 1, 0x02: 2, 0x0D: 2, 0x03: 4, 0x09: 4, 0x08: 8}


def _literal(cursor: Cursor, kind: int, unsigned: int) -> str:
    if kind == NULL:
        return "NULL"
    if kind in _WHOLE:
        return str(int.from_bytes(cursor.take(_WHOLE[kind]), "little", signed=not unsigned))
    if kind in (0x04, 0x05):
        value = struct.unpack("<f" if kind == 0x04 else "<d", cursor.take(4 if kind == 0x04 else 8))[0]
        return f"{value:f}"
    if kind in (0x07, 0x0A, 0x0B, 0x0C):
        return _moment(cursor.take(cursor.number(1)))
    text = cursor.counted().decode("utf-8", "surrogateescape")
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _moment(data: bytes) -> str:
    if len(data) < 4:
        return "'0000-00-00'"
    year, month, day = struct.unpack_from("<HBB", data)
    clock = " {:02d}:{:02d}:{:02d}".format(*data[4:7]) if len(data) >= 7 else ""
    return f"'{year:04d}-{month:02d}-{day:02d}{clock}'"
