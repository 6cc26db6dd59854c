"""What a statement answers: rows, an OK, or an error; and how columns and rows look on the wire."""

import struct

import msgspec

from chaffinch.decoys.mysql import packets

DECIMAL, LONG, DOUBLE, NULL, LONGLONG, DATE, DATETIME = 0xF6, 0x03, 0x05, 0x06, 0x08, 0x0A, 0x0C
LONG_BLOB, BLOB, VARCHAR, CHAR = 0xFB, 0xFC, 0xFD, 0xFE

NOT_NULL, PRIMARY, UNIQUE, PART_KEY = 0x0001, 0x0002, 0x0004, 0x4000
BLOB_FLAG, UNSIGNED, BINARY, AUTO_INCREMENT, NO_DEFAULT = 0x0010, 0x0020, 0x0080, 0x0200, 0x1000

BINARY_CHARSET = 63
_UNSPECIFIED = 39  # the number of decimals of what has no fixed number: an expression that gives text

Value = str | bytes | int | float | None
"""A cell, in the types the expressions work with."""

Row = tuple[Value, ...]


class SqlError(Exception):
    """A statement's error as the client is told it: `(code, SQL state, message)`."""

    def __init__(self, code: int, state: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.state = state
        self.message = message


class Column(msgspec.Struct, frozen=True):
    """One column of a result. `length` is in characters for text and in bytes otherwise.

    `schema`, `table` (as the query calls it), `of_table` and `of_column` say whence it comes; expressions have none.
    """

    name: str
    type: int = VARCHAR
    length: int = 255
    flags: int = 0
    decimals: int = _UNSPECIFIED
    schema: str = ""
    table: str = ""
    of_table: str = ""
    of_column: str = ""

    @property
    def is_text(self) -> bool:
        return self.type in (VARCHAR, CHAR, BLOB) and not (self.flags & BINARY and self.type == VARCHAR)


class Result(msgspec.Struct, frozen=True):
    """Columns and rows. `scanned` says that a table was read without an index."""

    columns: tuple[Column, ...]
    rows: list[Row]
    scanned: bool = False


class Done(msgspec.Struct, frozen=True):
    """A statement without rows. `changes` are variables of the session that the client may want to be told of."""

    affected: int = 0
    info: str = ""
    warnings: int = 0
    insert_id: int = 0
    changes: tuple[tuple[str, str], ...] = ()
    schema: str = ""


Answer = Result | Done


def text(name: str, characters: int, *, flags: int = NOT_NULL) -> Column:
    """A text column of an expression or of a SHOW that reads no table."""
    return Column(name, VARCHAR, characters, flags)


def whole(name: str, length: int, *, kind: int = LONG, flags: int = NOT_NULL | BINARY) -> Column:
    """A column of whole numbers."""
    return Column(name, kind, length, flags, 0)


def schema_text(table: str, name: str, of_column: str, characters: int, *, null: bool = False) -> Column:
    """A text column that SHOW takes from a table of the information schema."""
    flags = NO_DEFAULT | (0 if null else NOT_NULL)
    return Column(name, VARCHAR, characters, flags, 0, "information_schema", table, table, of_column)


_MULTIBYTE = {33: 3, 83: 3, 45: 4, 46: 4, **dict.fromkeys(range(192, 224), 3), **dict.fromkeys(range(224, 256), 4)}


def bytes_per_character(collation: int) -> int:
    """How many bytes a character may take in text of this collation."""
    return _MULTIBYTE.get(collation, 1)


def column_definition(column: Column, collation: int, *, extended: bool) -> bytes:
    """The payload that describes a column to a client that wants its text in `collation`."""
    length, charset = column.length, BINARY_CHARSET
    if column.is_text:
        length, charset = min(length * bytes_per_character(collation), 0xFFFFFFFF), collation
    names = (column.schema, column.table, column.of_table, column.name, column.of_column)
    return (
        b"\x03def"
        + b"".join(packets.counted(name.encode()) for name in names)
        + (b"\0" if extended else b"")
        + b"\x0c"
        + struct.pack("<HIBHB2x", charset, length, column.type, column.flags, column.decimals)
    )


def plain(value: Value, decimals: int = _UNSPECIFIED) -> bytes | None:
    """A cell as text, as a client's terminal shows it; None for NULL."""
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, float):
        shown = f"{value:.{decimals}f}" if decimals < _UNSPECIFIED - 8 else f"{value:.16g}"
        return shown.encode()
    return str(value).encode("utf-8", "surrogateescape")


def text_row(columns: tuple[Column, ...], row: Row) -> bytes:
    """A row of an ordinary query."""
    cells = (plain(value, column.decimals) for column, value in zip(columns, row, strict=True))
    return b"".join(b"\xfb" if cell is None else packets.counted(cell) for cell in cells)


def binary_row(columns: tuple[Column, ...], row: Row) -> bytes:
    """A row of a prepared statement: a bitmap of the NULLs, then the values by their column's type."""
    nulls = bytearray((len(columns) + 9) // 8)
    values = bytearray()
    for at, (column, value) in enumerate(zip(columns, row, strict=True)):
        if value is None:
            nulls[(at + 2) // 8] |= 1 << (at + 2) % 8
        else:
            values += _binary(column, value)
    return b"\0" + bytes(nulls) + bytes(values)


def _binary(column: Column, value: Value) -> bytes:
    shown = plain(value, column.decimals) or b""
    if column.type in (LONG, LONGLONG):
        size = 4 if column.type == LONG else 8
        return (_whole(shown) & (1 << 8 * size) - 1).to_bytes(size, "little")
    if column.type == DOUBLE:
        return struct.pack("<d", float(value) if isinstance(value, int | float) else 0.0)
    if column.type in (DATE, DATETIME):
        return _binary_time(shown)
    return packets.counted(shown)


def _whole(shown: bytes) -> int:
    try:
        return int(shown)
    except ValueError:
        return 0


def _binary_time(shown: bytes) -> bytes:
    """`YYYY-MM-DD[ HH:MM:SS]` as length, year, month, day and the rest if there is one."""
    parts = [_whole(part) for part in shown.replace(b"-", b" ").replace(b":", b" ").split()][:6]
    if len(parts) < 3:
        return b"\0"
    packed = struct.pack("<HBB", *(part & 0xFF if at else part for at, part in enumerate(parts[:3])))
    packed += bytes(part & 0xFF for part in parts[3:])
    return bytes((len(packed),)) + packed
