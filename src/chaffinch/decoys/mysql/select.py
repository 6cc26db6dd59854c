"""SELECT: parsed, and computed over the catalogue's tables. One table is read; what others a join names gives NULL."""

import time
from collections.abc import Callable, Iterator

import msgspec

from chaffinch.decoys.mysql import catalogue, columns, expressions, functions, rows, sql
from chaffinch.decoys.mysql.catalogue import Table
from chaffinch.decoys.mysql.content import Field
from chaffinch.decoys.mysql.expressions import Node, Scope, compare, evaluate, truth
from chaffinch.decoys.mysql.results import Result, Row, SqlError, Value
from chaffinch.decoys.mysql.sql import Statement
from chaffinch.decoys.mysql.state import State

MAX_SECONDS = 0.5
"""How long one statement may compute before it is answered as interrupted."""

MAX_NESTING = 4

_OPTIONS = ("all", "distinct", "distinctrow", "sql_no_cache", "sql_cache", "sql_calc_found_rows", "high_priority",
            "straight_join")  # fmt: skip


class Source(msgspec.Struct, frozen=True):
    """A table of the FROM clause under the name that the statement gives it."""

    table: Table
    alias: str


class Select(msgspec.Struct):
    """A parsed SELECT. `into` is what INTO says: the kind of file and its path, or empty."""

    items: list[tuple[Node, str]]
    sources: list[Source] = []
    where: Node | None = None
    group: list[Node] = []
    order: list[tuple[Node, bool]] = []
    limit: int = 1 << 62
    offset: int = 0
    into: tuple[str, str] = ("", "")


# Parsing


def parse(state: State, statement: Statement) -> Select:
    """The SELECT whose keyword was just taken, up to a UNION or the end."""
    while statement.skip_any(*_OPTIONS):
        pass
    select = Select(items=_items(statement))
    _into(statement, select)
    if statement.skip("from") and not statement.skip("dual"):
        _sources(state, statement, select)
    if statement.skip("where"):
        select.where = expressions.parse(statement)
    if statement.skip("group", "by"):
        select.group = [node for node, _ in _ordering(statement)]
    if statement.skip("having"):
        expressions.parse(statement)
    if statement.skip("order", "by"):
        select.order = _ordering(statement)
    if statement.skip("limit"):
        _limit(statement, select)
    _into(statement, select)
    if statement.skip("for", "update") or statement.skip("lock", "in", "share", "mode"):
        pass
    return select


def _items(statement: Statement) -> list[tuple[Node, str]]:
    items: list[tuple[Node, str]] = []
    while True:
        node = expressions.parse(statement)
        name = ""
        if statement.skip("as") or _names_something(statement, sql.WORD, sql.QUOTED, sql.STRING):
            name = statement.next().text
        items.append((node, name))
        if not statement.skip_operator(","):
            return items


_CLAUSES = frozenset(
    (
        *(
            "from",
            "into",
            "where",
            "group",
            "having",
            "order",
            "limit",
            "union",
            "procedure",
            "for",
            "lock",
            "as",
            "on",
        ),
        *("using", "join", "inner", "left", "right", "cross", "natural", "straight_join", "set", "values"),
    )
)


def _names_something(statement: Statement, *kinds: int) -> bool:
    """Whether an alias comes next, not a further clause."""
    here = statement.here
    return here is not None and here.kind in kinds and not (here.kind == sql.WORD and here.text.lower() in _CLAUSES)


def _into(statement: Statement, select: Select) -> None:
    if not statement.skip("into"):
        return
    if statement.skip_any("outfile", "dumpfile"):
        kind = statement.tokens[statement.at - 1].text.lower()
        path = statement.next()
        if path.kind not in (sql.STRING, sql.HEX):
            statement.at -= 1
            raise statement.error()
        text = bytes.fromhex(path.text).decode("utf-8", "replace") if path.kind == sql.HEX else path.text
        select.into = (kind, text)
        while statement.here is not None and not statement.here.is_word("from", "where", "limit"):
            statement.next()  # FIELDS and LINES say how the file would look
    else:
        while statement.here is not None and statement.here.kind == sql.VARIABLE:
            statement.next()
            if not statement.skip_operator(","):
                return


def _sources(state: State, statement: Statement, select: Select) -> None:
    while True:
        while statement.skip_operator("("):
            pass
        if statement.sees("select"):
            raise SqlError(1235, "42000", "This version of MariaDB doesn't yet support 'derived tables here'")
        schema, name = statement.qualified()
        alias = name
        if statement.skip("as") or _names_something(statement, sql.WORD, sql.QUOTED):
            alias = statement.name()
        select.sources.append(Source(catalogue.table(state, schema, name), alias))
        while statement.skip_operator(")"):
            pass
        if not _joined(statement):
            return


def _joined(statement: Statement) -> bool:
    """Take what leads to a further table: a comma, or a JOIN with the condition of the one before."""
    if statement.skip("on"):
        expressions.parse(statement)
    elif statement.skip("using"):
        statement.expect("(")
        while not statement.skip_operator(")"):
            statement.next()
    if statement.skip_operator(","):
        return True
    words = False
    while statement.skip_any("natural", "left", "right", "inner", "outer", "cross", "join", "straight_join"):
        words = True
    return words


def _ordering(statement: Statement) -> list[tuple[Node, bool]]:
    found: list[tuple[Node, bool]] = []
    while True:
        node = expressions.parse(statement)
        found.append((node, statement.skip("desc") or (statement.skip("asc") and False)))
        if not statement.skip_operator(","):
            return found


def _limit(statement: Statement, select: Select) -> None:
    first = _count(statement)
    select.limit = first
    if statement.skip_operator(","):
        select.offset, select.limit = first, _count(statement)
    elif statement.skip("offset"):
        select.offset = _count(statement)


def _count(statement: Statement) -> int:
    token = statement.next()
    if token.kind == sql.PARAMETER:
        return 0
    if token.kind != sql.NUMBER or not token.text.isdigit() or len(token.text) > 20:
        statement.at -= 1
        raise statement.error()
    return int(token.text)


# Computing


class Reader:
    """One SELECT being computed: where its columns stand, and the row they are read from."""

    def __init__(self, state: State, select: Select, statement: Statement, nesting: int) -> None:
        self.state = state
        self.select = select
        self.statement = statement
        self.nesting = nesting
        self.clause = "SELECT"
        self.row: Row = ()
        self.first = select.sources[0] if select.sources else None
        self.places: dict[str, int] = {}
        if self.first is not None:
            self.places = {field.name.lower(): at for at, field in enumerate(self.first.table.fields)}
        self.found: dict[str, list[Value]] = {}
        self.scope = Scope(self.column, self.variable, self.call, self.subquery)

    def field(self, node: Node) -> tuple[Source, Field]:
        """The field that a column's name means. Raises `SqlError` (1054)."""
        *path, name = node.name.split("\0")
        for source in self.select.sources:
            if path and path[-1] not in (source.alias, source.table.name):
                continue
            for field in source.table.fields:
                if field.name.lower() == name.lower():
                    return source, field
        raise SqlError(1054, "42S22", f"Unknown column '{'.'.join([*path, name])}' in '{self.clause}'")

    def column(self, node: Node) -> Value:
        source, field = self.field(node)
        return self.row[self.places[field.name.lower()]] if source is self.first and self.row else None

    def variable(self, name: str) -> Value:
        return columns.variable(self.state, name)

    def call(self, name: str, arguments: list[Value]) -> Value:
        return functions.call(self.state, name, arguments)

    def subquery(self, node: Node) -> list[Value]:
        """The first column of a subquery's rows: computed once, for it cannot depend on the row."""
        if node.name not in self.found:
            if self.nesting >= MAX_NESTING:
                raise expressions.overrun()
            begin, end = map(int, node.name.split())
            inner = Statement(self.statement.source, self.statement.tokens[begin:end])
            inner.skip("select")
            answer = run(self.state, inner, self.nesting + 1)
            self.found[node.name] = [row[0] for row in answer.rows]
        return self.found[node.name]

    def rows(self) -> Iterator[Row]:
        """The rows that the WHERE clause lets pass, each made the current one."""
        until = time.thread_time() + MAX_SECONDS  # what others compute meanwhile is not its own
        self.clause = "WHERE"
        where = self.select.where
        for row in rows.of(self.state, self.first.table) if self.first else iter([()]):
            self.row = row
            if time.thread_time() > until:
                raise SqlError(1317, "70100", "Query execution was interrupted")
            if where is None or truth(evaluate(where, self.scope)):
                yield row


def run(state: State, statement: Statement, nesting: int = 0) -> Result:
    """The rows of the SELECT whose keyword was just taken, with those of its UNIONs."""
    select = parse(state, statement)
    result = _compute(state, select, statement, nesting)
    while statement.skip("union"):
        statement.skip_any("all", "distinct")
        if not statement.skip("select"):
            raise statement.error()
        further = _compute(state, parse(state, statement), statement, nesting)
        if len(further.columns) != len(result.columns):
            raise SqlError(1222, "21000", "The used SELECT statements have a different number of columns")
        result = Result(result.columns, [*result.rows, *further.rows][:MAX_ROWS], scanned=True)
    statement.finished()
    if select.into[1]:
        state.export = select.into
    state.found_rows = len(result.rows)
    return result


MAX_ROWS = 5000


def _compute(state: State, select: Select, statement: Statement, nesting: int) -> Result:
    reader = Reader(state, select, statement, nesting)
    items = list(_expanded(reader))
    for node, _ in items:
        _check(node, reader)
    matching = _sorted(reader, list(reader.rows()))
    reader.clause = "SELECT"
    grouped = bool(select.group) or any(columns.is_aggregate(node) for node, _ in items)
    computed: list[Row] = []
    wanted = slice(select.offset, min(select.offset + select.limit, select.offset + MAX_ROWS))
    if grouped:
        computed = [_folded(reader, items, group) for group in _groups(reader, matching)][wanted]
    else:
        for row in matching[wanted]:
            reader.row = row
            computed.append(tuple(evaluate(node, reader.scope) for node, _ in items))
    sample = computed[0] if computed else (None,) * len(items)
    described = tuple(
        columns.describe(node, name, value, reader.field) for (node, name), value in zip(items, sample, strict=True)
    )
    return Result(described, computed, scanned=bool(select.sources) and not _impossible(select))


def _impossible(select: Select) -> bool:
    """Whether no row can pass, so that no table is read."""
    never = select.where is not None and select.where.op == "literal" and not truth(select.where.value)
    return never or select.limit == 0


def _expanded(reader: Reader) -> Iterator[tuple[Node, str]]:
    """The select list with every `*` replaced by the columns it stands for."""
    for node, name in reader.select.items:
        *path, last = node.name.split("\0") if node.op == "column" else ("",)
        if last != "*":
            yield node, name
            continue
        sources = [s for s in reader.select.sources if not path or path[-1] == s.alias]
        if not sources:
            if path:
                within = f"{reader.state.schema}." if reader.state.schema else ""
                raise SqlError(1051, "42S02", f"Unknown table '{within}{path[-1]}'")
            raise SqlError(1096, "HY000", "No tables used")
        for source in sources:
            for field in source.table.fields:
                yield Node("column", name=f"{source.alias}\0{field.name}", source=field.name), ""


def _check(node: Node, reader: Reader) -> None:
    """Refuse unknown columns before any row is read."""
    if node.op == "column" and node.name != "*":
        reader.field(node)
    for argument in node.arguments:
        _check(argument, reader)


def _sorted(reader: Reader, matching: list[Row]) -> list[Row]:
    import functools

    reader.clause = "ORDER BY"
    names = {name.lower(): node for node, name in reader.select.items if name}
    for node, descending in reversed(reader.select.order):
        by = names.get(node.name.lower(), node) if node.op == "column" else node
        if by.op == "literal":  # ORDER BY 2: the position of a column
            if isinstance(by.value, int) and not 1 <= by.value <= len(list(_expanded(reader))):
                raise SqlError(1054, "42S22", f"Unknown column '{by.value}' in 'ORDER BY'")
            continue
        if columns.is_aggregate(by):
            continue
        keyed = []
        for row in matching:
            reader.row = row
            keyed.append((evaluate(by, reader.scope), row))
        keyed.sort(key=functools.cmp_to_key(_ordered), reverse=descending)
        matching = [row for _, row in keyed]
    return matching


def _ordered(a: tuple[Value, Row], b: tuple[Value, Row]) -> int:
    if a[0] is None or b[0] is None:
        return (a[0] is not None) - (b[0] is not None)
    return compare(a[0], b[0])


def _groups(reader: Reader, matching: list[Row]) -> list[list[Row]]:
    if not reader.select.group:
        return [matching]
    groups: dict[tuple[Value, ...], list[Row]] = {}
    for row in matching:
        reader.row = row
        groups.setdefault(tuple(evaluate(node, reader.scope) for node in reader.select.group), []).append(row)
    return list(groups.values())


def _folded(reader: Reader, items: list[tuple[Node, str]], group: list[Row]) -> Row:
    def values(node: Node) -> list[Value]:
        found: list[Value] = []
        for row in group:
            reader.row = row
            found.append(1 if node.name == "*" else evaluate(node, reader.scope))
        return found

    folded = [_fold(node, values) for node, _ in items]
    reader.row = group[0] if group else ()
    return tuple(evaluate(node, reader.scope) for node in folded)


def _fold(node: Node, values: Callable[[Node], list[Value]]) -> Node:
    if node.op == "call" and node.name in columns.AGGREGATES:
        given = values(node.arguments[0]) if node.arguments else []
        return Node("literal", columns.AGGREGATES[node.name]([value for value in given if value is not None]))
    if not node.arguments:
        return node
    return msgspec.structs.replace(node, arguments=tuple(_fold(argument, values) for argument in node.arguments))
