"""What type an expression's column has, and what variables and aggregates are worth."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from chaffinch.decoys.mysql import catalogue, results
from chaffinch.decoys.mysql.content import Field
from chaffinch.decoys.mysql.expressions import Node, number, string
from chaffinch.decoys.mysql.functions import FUNCTIONS
from chaffinch.decoys.mysql.results import BINARY, NOT_NULL, UNSIGNED, Column, SqlError, Value
from chaffinch.decoys.mysql.state import State


class From(Protocol):
    """A table of the FROM clause."""

    @property
    def table(self) -> catalogue.Table: ...
    @property
    def alias(self) -> str: ...


Resolve = Callable[[Node], tuple[From, Field]]


def variable(state: State, name: str) -> Value:
    """The value of `@name`, `@@name`, `@@global.name` or `@@session.name`. Raises `SqlError` (1193)."""
    if not name.startswith("@@"):
        return state.variables.get(name.lower())
    wanted = name[2:].lower().removeprefix("global.").removeprefix("session.").removeprefix("local.")
    if wanted in ("warning_count", "error_count", "last_insert_id", "identity", "in_transaction"):
        return 0
    if wanted == "time_zone":
        return state.variables.get(wanted, "SYSTEM")
    for known, value in catalogue.variables(state):
        if known == wanted:
            return _typed(known, value)
    raise SqlError(1193, "HY000", f"Unknown system variable '{name[2:].rpartition('.')[2]}'")


def _typed(name: str, value: str) -> Value:
    """A variable as SELECT gives it: switches as 0 and 1, numbers as numbers, and no text where a path is not set."""
    if value in ("ON", "OFF") and name not in _SPELLED_OUT:
        return int(value == "ON")
    if value.isdigit():
        return int(value)
    if not value and name in ("secure_file_priv", "ssl_ca", "ssl_cert", "ssl_key", "init_file"):
        return None
    return value


_SPELLED_OUT = frozenset(("query_cache_type", "innodb_ft_enable_stopword", "slave_skip_errors", "have_ssl"))


def describe(node: Node, alias: str, value: Value, resolve: Resolve) -> Column:
    """The column that an item of a select list makes. `value` is its first row's, or None where there is no row."""
    name = alias or node.source
    if node.op == "column":
        source, field = resolve(node)
        name = field.name if source.table.kind == "VIEW" and not alias else name
        return catalogue.column(source.table, source.alias, field, name)
    if node.op in ("literal", "variable"):
        return _literal(node, name) if node.op == "literal" else _variable(node, name, value)
    if node.op == "call":
        return _call(node, name, value, resolve)
    if node.op in ("+", "-", "*", "negative", "div", "%"):
        width = sum(len(string(argument.value)) for argument in node.arguments if argument.op == "literal") + 1
        if isinstance(value, float):
            return Column(name, results.DOUBLE, 23, BINARY, 31)
        return results.whole(name, max(width, len(string(value))))
    if node.op == "/":
        return Column(name, results.DECIMAL, max(7, len(string(value))), BINARY, 4)
    return _by_value(name, value) if node.op == "subquery" else results.whole(name, 1)


def _literal(node: Node, name: str) -> Column:
    value = node.value
    if value is None:
        return Column(name, results.NULL, 0, BINARY, 0)
    if isinstance(value, int):
        kind = results.LONG if len(str(value)) < 10 else results.LONGLONG
        return results.whole(name, 5 if node.name in ("true", "false") else len(node.source), kind=kind)
    if isinstance(value, float):
        decimals = len(node.source.partition(".")[2])
        return Column(name, results.DECIMAL, len(node.source) + 1, NOT_NULL | BINARY, decimals)
    if isinstance(value, bytes):
        return Column(name, results.VARCHAR, len(value), NOT_NULL | UNSIGNED | BINARY, 0)
    return results.text(name, len(value))


def _variable(node: Node, name: str, value: Value) -> Column:
    if not node.name.startswith("@@"):
        return Column(name, results.LONG_BLOB, 1 << 24, BINARY)
    if isinstance(value, int):
        return results.whole(name, 21, kind=results.LONGLONG, flags=BINARY | UNSIGNED)
    return results.text(name, len(string(value)), flags=NOT_NULL if node.name.lower() == "@@version_x" else 0)


def _call(node: Node, name: str, value: Value, resolve: Resolve) -> Column:
    if node.name == "count":
        return results.whole(name, 21, kind=results.LONGLONG)
    if node.name in ("min", "max") and node.arguments and node.arguments[0].op == "column":
        inner = describe(node.arguments[0], name, value, resolve)
        return msgspec.structs.replace(inner, schema="", table="", of_table="", of_column="", flags=inner.flags & 0xA0)
    if node.name in AGGREGATES:
        return _by_value(name, value)
    column = FUNCTIONS[node.name].column
    if column is FUNCTIONS["if"].column and isinstance(value, int | float):
        return results.whole(name, len(str(value)) + 1) if isinstance(value, int) else _by_value(name, value)
    length = len(string(value)) if column.length < 0 else column.length
    return msgspec.structs.replace(column, name=name, length=length)


def _by_value(name: str, value: Value) -> Column:
    if isinstance(value, int):
        return results.whole(name, 21, kind=results.LONGLONG, flags=BINARY)
    if isinstance(value, float):
        return Column(name, results.DECIMAL, 34, BINARY, 2)
    return results.text(name, max(1, len(string(value))), flags=0)


def is_aggregate(node: Node) -> bool:
    """Whether the expression is computed over all rows."""
    if node.op == "call" and node.name in AGGREGATES:
        return True
    return any(is_aggregate(argument) for argument in node.arguments)


def _sum(values: list[Value]) -> Value:
    return sum(number(value) for value in values) if values else None


def _average(values: list[Value]) -> Value:
    return float(sum(number(value) for value in values)) / len(values) if values else None


def _extreme(pick: Callable[..., Value]) -> Callable[[list[Value]], Value]:
    def extreme(values: list[Value]) -> Value:
        numeric = all(isinstance(value, int | float) for value in values)
        return pick(values, key=number if numeric else string) if values else None

    return extreme


AGGREGATES: dict[str, Callable[[list[Value]], Value]] = {
    "count": len,
    "sum": _sum,
    "avg": _average,
    "min": _extreme(min),
    "max": _extreme(max),
    "group_concat": lambda values: ",".join(map(string, values))[:65536] if values else None,
}
