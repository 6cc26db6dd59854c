"""The functions a statement may call, with the columns they make."""

import hashlib
import time
from collections.abc import Callable

import msgspec

from chaffinch.decoys.mysql import results
from chaffinch.decoys.mysql.expressions import number, string, truth
from chaffinch.decoys.mysql.results import BINARY, NOT_NULL, Column, SqlError, Value
from chaffinch.decoys.mysql.state import State

MAX_TEXT = 64 << 10
"""The longest text a function returns, in characters."""

MAX_DELAY = 20.0
"""The longest that one statement's SLEEP and BENCHMARK calls hold the answer back, in seconds."""

Compute = Callable[[State, list[Value]], Value]


class Function(msgspec.Struct, frozen=True):
    """`least` to `most` arguments; `column` is its result's, of the value's own length where that is -1.

    A `strict` function of NULL is NULL.
    """

    compute: Compute
    least: int
    most: int
    column: Column
    strict: bool = True


def call(state: State, name: str, arguments: list[Value]) -> Value:
    """The function's value. Raises `SqlError` for functions that do not exist and for a wrong number of arguments."""
    function = FUNCTIONS.get(name)
    if function is None:
        schema = f"{state.schema}." if state.schema else ""
        raise SqlError(1305, "42000", f"FUNCTION {schema}{name} does not exist")
    if not function.least <= len(arguments) <= function.most:
        raise SqlError(1582, "42000", f"Incorrect parameter count in the call to native function '{name}'")
    if function.strict and None in arguments:
        return None
    value = function.compute(state, arguments)
    return value[:MAX_TEXT] if isinstance(value, str | bytes) else value


def moment(pattern: str, at: float | None = None) -> str:
    return time.strftime(pattern, time.gmtime(time.time() if at is None else at))


def _sleep(state: State, arguments: list[Value]) -> Value:
    state.delay = min(MAX_DELAY, state.delay + max(0.0, float(number(arguments[0]))))
    return 0


def _benchmark(state: State, arguments: list[Value]) -> Value:
    state.delay = min(MAX_DELAY, state.delay + max(0.0, float(number(arguments[0])) * 2e-7))
    return 0


def _substring(state: State, arguments: list[Value]) -> Value:
    shown, start = string(arguments[0]), int(number(arguments[1]))
    begin = start - 1 if start > 0 else len(shown) + start
    if start == 0 or begin < 0:
        return ""
    length = max(0, int(number(arguments[2]))) if len(arguments) > 2 else len(shown)
    return shown[begin : begin + length]


def _unhex(state: State, arguments: list[Value]) -> Value:
    try:
        return bytes.fromhex(string(arguments[0]))
    except ValueError:
        return None


def _xpath(state: State, arguments: list[Value]) -> Value:
    found = string(arguments[1])[:32]
    if found[:1] == "/" or found.isalnum():
        return ""
    raise SqlError(1105, "HY000", f"XPATH syntax error: '{found}'")


def _raw(value: Value) -> bytes:
    return value if isinstance(value, bytes) else string(value).encode("utf-8", "surrogateescape")


def _digest(name: str, arguments: list[Value]) -> str:
    return hashlib.new(name, _raw(arguments[0]), usedforsecurity=False).hexdigest()


def _hex(state: State, arguments: list[Value]) -> Value:
    value = arguments[0]
    return f"{value:X}" if isinstance(value, int) else _raw(value).hex().upper()


def _char(state: State, arguments: list[Value]) -> Value:
    return bytes(int(number(value)) & 0xFF for value in arguments[:256])


def _concat_ws(state: State, arguments: list[Value]) -> Value:
    if arguments[0] is None:
        return None
    return string(arguments[0]).join(string(value) for value in arguments[1:] if value is not None)


def _repeat(state: State, arguments: list[Value]) -> Value:
    shown = string(arguments[0])
    times = max(0, int(number(arguments[1])))
    return shown * min(times, MAX_TEXT // max(1, len(shown)))


_TEXT = results.text("", -1, flags=0)
_BYTES = Column("", results.VARCHAR, -1, BINARY)
_NUMBER = results.whole("", 10)
_YES_NO = results.whole("", 1)
_DOUBLE = Column("", results.DOUBLE, 23, NOT_NULL | BINARY, 31)
_VERSION = results.text("", -1)
_ACCOUNT = results.text("", 384, flags=0)
_SCHEMA = results.text("", 64, flags=0)
_NOW = results.whole("", 19, kind=results.DATETIME)
_TODAY = results.whole("", 10, kind=results.DATE)
_LONG = results.whole("", 17, kind=results.LONGLONG, flags=BINARY)
_CONNECTION = results.whole("", 10, flags=NOT_NULL | BINARY | results.UNSIGNED)

FUNCTIONS: dict[str, Function] = {
    "version": Function(lambda s, a: s.server.version, 0, 0, _VERSION),
    "user": Function(lambda s, a: s.account, 0, 0, _ACCOUNT),
    "session_user": Function(lambda s, a: s.account, 0, 0, _ACCOUNT),
    "system_user": Function(lambda s, a: s.account, 0, 0, _ACCOUNT),
    "current_user": Function(lambda s, a: f"{s.user}@%", 0, 0, _ACCOUNT),
    "database": Function(lambda s, a: s.schema or None, 0, 0, _SCHEMA),
    "schema": Function(lambda s, a: s.schema or None, 0, 0, _SCHEMA),
    "connection_id": Function(lambda s, a: s.connection_id, 0, 0, _CONNECTION),
    "found_rows": Function(lambda s, a: s.found_rows, 0, 0, results.whole("", 21, kind=results.LONGLONG)),
    "row_count": Function(lambda s, a: -1, 0, 0, results.whole("", 21, kind=results.LONGLONG)),
    "last_insert_id": Function(lambda s, a: 0, 0, 1, results.whole("", 21, kind=results.LONGLONG)),
    "now": Function(lambda s, a: moment("%Y-%m-%d %H:%M:%S"), 0, 1, _NOW),
    "sysdate": Function(lambda s, a: moment("%Y-%m-%d %H:%M:%S"), 0, 1, _NOW),
    "current_timestamp": Function(lambda s, a: moment("%Y-%m-%d %H:%M:%S"), 0, 1, _NOW),
    "localtime": Function(lambda s, a: moment("%Y-%m-%d %H:%M:%S"), 0, 1, _NOW),
    "utc_timestamp": Function(lambda s, a: moment("%Y-%m-%d %H:%M:%S"), 0, 1, _NOW),
    "curdate": Function(lambda s, a: moment("%Y-%m-%d"), 0, 0, _TODAY),
    "current_date": Function(lambda s, a: moment("%Y-%m-%d"), 0, 0, _TODAY),
    "unix_timestamp": Function(lambda s, a: int(time.time()), 0, 1, _LONG),
    "rand": Function(lambda s, a: int(time.time_ns() * 2654435761 % 10**9) / 1e9, 0, 1, _DOUBLE),
    "sleep": Function(_sleep, 1, 1, _YES_NO),
    "benchmark": Function(_benchmark, 2, 2, _YES_NO),
    "load_file": Function(lambda s, a: None, 1, 1, Column("", results.LONG_BLOB, 1 << 24, BINARY)),
    "concat": Function(lambda s, a: "".join(map(string, a)), 1, 64, _TEXT),
    "concat_ws": Function(_concat_ws, 2, 64, _TEXT, strict=False),
    "length": Function(lambda s, a: len(_raw(a[0])), 1, 1, _NUMBER),
    "octet_length": Function(lambda s, a: len(_raw(a[0])), 1, 1, _NUMBER),
    "char_length": Function(lambda s, a: len(string(a[0])), 1, 1, _NUMBER),
    "character_length": Function(lambda s, a: len(string(a[0])), 1, 1, _NUMBER),
    "upper": Function(lambda s, a: string(a[0]).upper(), 1, 1, _TEXT),
    "ucase": Function(lambda s, a: string(a[0]).upper(), 1, 1, _TEXT),
    "lower": Function(lambda s, a: string(a[0]).lower(), 1, 1, _TEXT),
    "lcase": Function(lambda s, a: string(a[0]).lower(), 1, 1, _TEXT),
    "trim": Function(lambda s, a: string(a[0]).strip(" "), 1, 1, _TEXT),
    "reverse": Function(lambda s, a: string(a[0])[::-1], 1, 1, _TEXT),
    "repeat": Function(_repeat, 2, 2, _TEXT),
    "replace": Function(lambda s, a: string(a[0]).replace(string(a[1]) or "\0", string(a[2])[:256]), 3, 3, _TEXT),
    "left": Function(lambda s, a: string(a[0])[: max(0, int(number(a[1])))], 2, 2, _TEXT),
    "right": Function(lambda s, a: string(a[0])[-max(0, int(number(a[1]))) or MAX_TEXT :], 2, 2, _TEXT),
    "substring": Function(_substring, 2, 3, _TEXT),
    "substr": Function(_substring, 2, 3, _TEXT),
    "mid": Function(_substring, 2, 3, _TEXT),
    "ascii": Function(lambda s, a: (_raw(a[0]) or b"\0")[0], 1, 1, results.whole("", 3)),
    "ord": Function(lambda s, a: (_raw(a[0]) or b"\0")[0], 1, 1, results.whole("", 21, kind=results.LONGLONG)),
    "char": Function(_char, 1, 256, _BYTES),
    "hex": Function(_hex, 1, 1, _TEXT),
    "unhex": Function(_unhex, 1, 1, _BYTES),
    "md5": Function(lambda s, a: _digest("md5", a), 1, 1, results.text("", 32, flags=0)),
    "sha": Function(lambda s, a: _digest("sha1", a), 1, 1, results.text("", 40, flags=0)),
    "sha1": Function(lambda s, a: _digest("sha1", a), 1, 1, results.text("", 40, flags=0)),
    "cast": Function(lambda s, a: a[0], 1, 1, _TEXT),
    "convert": Function(lambda s, a: a[0], 1, 2, _TEXT, strict=False),
    "if": Function(lambda s, a: a[1] if truth(a[0]) else a[2], 3, 3, _TEXT, strict=False),
    "ifnull": Function(lambda s, a: a[1] if a[0] is None else a[0], 2, 2, _TEXT, strict=False),
    "nullif": Function(lambda s, a: None if string(a[0]) == string(a[1]) else a[0], 2, 2, _TEXT, strict=False),
    "coalesce": Function(lambda s, a: next((v for v in a if v is not None), None), 1, 64, _TEXT, strict=False),
    "isnull": Function(lambda s, a: int(a[0] is None), 1, 1, _YES_NO, strict=False),
    "greatest": Function(lambda s, a: max(a, key=number), 2, 64, _TEXT),
    "least": Function(lambda s, a: min(a, key=number), 2, 64, _TEXT),
    "abs": Function(lambda s, a: abs(number(a[0])), 1, 1, _NUMBER),
    "floor": Function(lambda s, a: int(number(a[0]) // 1), 1, 1, _NUMBER),
    "round": Function(lambda s, a: int(number(a[0]) + 0.5), 1, 2, _NUMBER),
    "extractvalue": Function(_xpath, 2, 2, _TEXT),
    "updatexml": Function(_xpath, 3, 3, _TEXT),
    "row": Function(lambda s, a: a[0], 1, 64, _TEXT, strict=False),
    "values": Function(lambda s, a: a[0], 1, 1, _TEXT, strict=False),
}  # a data table
