"""Data files: CSV with a line of names, or a JSON list of objects; read in bounds into the plan's JSON."""

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from chaffinch.errors import InputError
from chaffinch.load.input_files import read_whole
from chaffinch.load.plan import Data
from chaffinch.load.scenario.faults import shown
from chaffinch.load.scenario.units import rate

MOST_BYTES: Final = 64 << 20
"""The largest data file."""

MOST_ROWS: Final = 1_000_000

MOST_COLUMNS: Final = 256

Strategy = Literal["sequential", "random", "cycle", "unique"]


def read_data(path: Path, form: str | None = None, strategy: Strategy = "sequential") -> Data:
    """The rows of a file. Raises `InputError` that names the file, the line and what is wrong."""
    chosen = form or path.suffix.lower().lstrip(".")
    if chosen not in ("csv", "json"):
        raise InputError(f"{path}: the ending does not tell the format: give format: csv or json")
    columns, rows = (_csv if chosen == "csv" else _json)(path)
    return Data(columns, rows, strategy)


def read_rates(path: Path) -> tuple[float, ...]:
    """A recorded series: a rate a line, or its last column; a first line that is no number is a head."""
    found: list[float] = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        written = line.rpartition(",")[2].strip()
        if not written:
            continue
        try:
            found.append(rate(written))
        except ValueError as error:
            if number == 1:
                continue
            raise InputError(f"{path}:{number}: {error}") from None
        if len(found) > MOST_ROWS:
            raise InputError(f"{path}:{number}: there are more than {MOST_ROWS:,} rates: use a longer interval")
    if not found:
        raise InputError(f"{path} has no rates: write one a line")
    return tuple(found)


def _bytes(path: Path) -> bytes:
    if not os.path.isfile(path):  # a name that no file can have raises nothing here
        raise InputError(f"{path} is not a file: a path in a scenario file is relative to that file")
    return read_whole(path, MOST_BYTES, remedy="name one that can", excess=": split it")


def _text(path: Path) -> str:
    found = _bytes(path)
    _check_text(found, path)
    return found.decode("utf-8-sig")


def _check_text(found: bytes, path: Path) -> None:
    try:
        found.decode()
    except UnicodeDecodeError as error:
        line = found.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: this is not UTF-8 (byte {error.start})") from None


class _Rows:
    """The JSON of the rows as they come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._json = bytearray(b"[")
        self._encode = msgspec.json.Encoder().encode_into
        self.count = 0

    def add(self, row: list[str], line: int) -> None:
        if self.count >= MOST_ROWS:
            raise InputError(f"{self._path}:{line}: there are more than {MOST_ROWS:,} rows: split the file")
        if self.count:
            self._json += b","
        try:
            self._encode(row, self._json, -1)
        except UnicodeEncodeError:
            raise InputError(f"{self._path}:{line}: a value has a lone surrogate") from None
        self.count += 1

    def raw(self) -> msgspec.Raw:
        if not self.count:
            raise InputError(f"{self._path} has no rows: give at least one")
        self._json += b"]"
        return msgspec.Raw(bytes(self._json))


def _csv(path: Path) -> tuple[tuple[str, ...], msgspec.Raw]:
    found = _bytes(path)
    _check_text(found, path)
    # Line by line: as one text a file takes four bytes a character.
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(found), "utf-8-sig", newline=""), strict=True)
    try:
        columns = _columns([name.strip() for name in next(reader, [])], path, 1)
        rows = _Rows(path)
        for row in reader:
            if not row:
                continue
            if len(row) != len(columns):
                what = f"{len(row)} values, where the first line names {len(columns)}"
                raise InputError(f"{path}:{reader.line_num}: there are {what}")
            rows.add(row, reader.line_num)
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: this is not CSV: {error}") from None
    return columns, rows.raw()


def _columns(names: list[str], path: Path, line: int) -> tuple[str, ...]:
    if not names:
        raise InputError(f"{path}:{line}: there are no columns: the first line names them")
    if len(names) > MOST_COLUMNS:
        raise InputError(f"{path}:{line}: there are {len(names):,} columns: at most {MOST_COLUMNS} are allowed")
    for name in names:
        if not name or len(name) > 64 or any(character in "{}$" or character < " " for character in name):
            raise InputError(
                f"{path}:{line}: {shown(name)} cannot name a variable: 1 to 64 characters without $, {{, }}"
            )
        if names.count(name) > 1:
            raise InputError(f"{path}:{line}: the column {shown(name)} is there twice")
    return tuple(names)


def _json(path: Path) -> tuple[tuple[str, ...], msgspec.Raw]:
    found = _bytes(path).removeprefix(b"\xef\xbb\xbf")
    columns: tuple[str, ...] = ()
    rows = _Rows(path)
    for number, row in enumerate(_objects(found, path), 1):
        if not columns:
            columns = _columns(list(row), path, 1)
        if len(row) != len(columns) or any(name not in row for name in columns):
            names = ", ".join(columns)
            raise InputError(f"{path}: object {number} has other members than the first one: {names}")
        rows.add([_member(row[name]) for name in columns], 1)
    return columns, rows.raw()


def _objects(found: bytes, path: Path) -> Iterator[dict[str, msgspec.Raw]]:
    decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
    try:
        items: list[Any] = msgspec.json.decode(found, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}{_line(found, str(error))}: this is not a list of JSON objects: {error}") from None
    for number, item in enumerate(items, 1):
        try:
            yield decode(item)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: object {number} is not a JSON object: {error}") from None


def _line(found: bytes, error: str) -> str:
    """`:LINE` for msgspec's `(byte 123)`."""
    _, _, at = error.partition("(byte ")
    number = at.partition(")")[0]
    lines = found.count(b"\n", 0, int(number)) if number.isdigit() else 0
    return f":{lines + 1}" if number.isdigit() else ""


def _member(raw: msgspec.Raw) -> str:
    """A member's text: a string is itself, null is empty, the rest as it is written."""
    written = bytes(raw)
    if written.startswith(b'"'):
        return str(msgspec.json.decode(written))
    return "" if written == b"null" else written.decode("utf-8", "replace")
