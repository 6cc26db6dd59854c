"""The rows of a SHOW, as its LIKE or WHERE lets them pass."""

from collections.abc import Iterable

from chaffinch.decoys.mysql import expressions, sql
from chaffinch.decoys.mysql.expressions import Node, Scope, evaluate, string, truth
from chaffinch.decoys.mysql.results import Column, Result, Row, SqlError, Value
from chaffinch.decoys.mysql.sql import Statement


def listing(statement: Statement, columns: tuple[Column, ...], found: Iterable[Row], *, scanned: bool = True) -> Result:
    """The answer to a SHOW, of what it found."""
    names = tuple(column.name for column in columns)
    return Result(columns, _filtered(statement, names, found), scanned)


def _filtered(statement: Statement, names: tuple[str, ...], found: Iterable[Row]) -> list[Row]:
    """The rows that the LIKE or WHERE at the end of a SHOW lets pass."""
    kept = list(found)
    if statement.skip("like"):
        token = statement.next()
        if token.kind != sql.STRING:
            statement.at -= 1
            raise statement.error()
        kept = [row for row in kept if sql.like(string(row[0]), token.text)]
    elif statement.skip("where"):
        kept = _where(expressions.parse(statement), names, kept)
    statement.finished()
    return kept


def _where(condition: Node, names: tuple[str, ...], found: list[Row]) -> list[Row]:
    current: list[Row] = [()]
    lowered = [name.lower() for name in names]

    def column(node: Node) -> Value:
        name = node.name.split("\0")[-1].lower()
        if name not in lowered:
            raise SqlError(1054, "42S22", f"Unknown column '{name}' in 'WHERE'")
        return current[0][lowered.index(name)]

    def nothing(*_: object) -> list[Value]:
        return []

    scope = Scope(column, lambda _: None, lambda *_: None, nothing)
    kept: list[Row] = []
    for row in found:
        current[0] = row
        if truth(evaluate(condition, scope)):
            kept.append(row)
    return kept
