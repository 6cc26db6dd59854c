"""What CREATE, DROP, INSERT answer: a session remembers the names it made or dropped, and nothing is written."""

from chaffinch.decoys.mysql import catalogue, exports, rows, sql
from chaffinch.decoys.mysql.catalogue import SYSTEM
from chaffinch.decoys.mysql.results import Answer, Done, SqlError
from chaffinch.decoys.mysql.sql import Statement
from chaffinch.decoys.mysql.state import State


def nothing(state: State, statement: Statement) -> Answer:
    """Accepted, without an effect that could be seen."""
    if statement.here is None:
        raise statement.error()
    return Done()


def _target(state: State, statement: Statement) -> tuple[str, str]:
    """The schema and name of a table that need not exist."""
    schema, name = statement.qualified()
    return catalogue.require_schema(state, schema or state.schema), name


def _writable(state: State, schema: str, what: str, table: str) -> None:
    if schema in ("information_schema", "performance_schema"):
        account = f"'{state.user}'@'{state.host}'"
        if schema == "information_schema":
            raise SqlError(1044, "42000", f"Access denied for user {account} to database '{schema}'")
        raise SqlError(1142, "42000", f"{what} command denied to user {account} for table `{schema}`.`{table}`")


def create(state: State, statement: Statement) -> Answer:
    statement.skip("or", "replace")
    if statement.skip_any("database", "schema"):
        return _create_schema(state, statement)
    statement.skip_any("temporary", "aggregate")
    if statement.skip("table"):
        return _create_table(state, statement)
    if statement.skip("function"):
        return _create_function(state, statement)
    if statement.skip_any(
        "user", "role", "view", "index", "unique", "procedure", "trigger", "event", "definer", "server"
    ):
        return nothing(state, statement)
    raise statement.error()


def _create_schema(state: State, statement: Statement) -> Answer:
    lenient = statement.skip("if", "not", "exists")
    name = statement.name()
    if name in catalogue.schemas(state):
        if lenient:
            return Done(affected=1, warnings=1)
        raise SqlError(1007, "HY000", f"Can't create database '{name[:64]}'; database exists")
    state.create(name[:64])
    return Done(affected=1)


def _create_table(state: State, statement: Statement) -> Answer:
    lenient = statement.skip("if", "not", "exists")
    schema, name = _target(state, statement)
    _writable(state, schema, "CREATE", name)
    if any(table.name == name for table in catalogue.tables(state, schema)):
        if lenient:
            return Done(warnings=1)
        raise SqlError(1050, "42S01", f"Table '{name}' already exists")
    if not statement.skip_operator("("):
        if statement.skip_any("as", "like", "select"):
            state.create(f"{schema}.{name}"[:130], ("id",))
            return Done()
        raise (
            SqlError(1113, "42000", "A table must have at least 1 column")
            if statement.here is None
            else statement.error()
        )
    state.create(f"{schema}.{name}"[:130], _column_names(statement))
    return Done()


def _column_names(statement: Statement) -> tuple[str, ...]:
    """The names of the columns in a table's definition."""
    names: list[str] = []
    depth, fresh = 1, True
    while depth and statement.here is not None and len(names) < 32:
        token = statement.next()
        depth += token.is_operator("(") - token.is_operator(")")
        constraint = token.is_word("primary", "unique", "key", "index", "constraint", "foreign", "fulltext", "check")
        if fresh and token.kind in (sql.WORD, sql.QUOTED) and not constraint:
            names.append(token.text[:64])
        fresh = depth == 1 and token.is_operator(",")
    return tuple(names)


def _create_function(state: State, statement: Statement) -> Answer:
    """A function of a shared library: refused as the loader would, for no file that was 'written' is there."""
    statement.name()
    while statement.here is not None and not statement.sees("soname"):
        statement.next()
    if not statement.skip("soname"):
        raise SqlError(1046, "3D000", "No database selected") if not state.schema else statement.error()
    library = statement.next().text[:128]
    if "/" in library:
        raise SqlError(1124, "HY000", "No paths allowed for shared library")
    raise _no_library(library)


def _no_library(library: str) -> SqlError:
    why = "cannot open shared object file: No such file or directory"
    return SqlError(1126, "HY000", f"Can't open shared library '{library}' (errno: 2, {why})")


def install(state: State, statement: Statement) -> Answer:
    if not statement.skip_any("plugin", "soname"):
        raise statement.error()
    while statement.here is not None and statement.here.kind != sql.STRING:
        statement.next()
    raise _no_library(f"/usr/lib/mysql/plugin/{statement.next().text[:128]}")


def drop(state: State, statement: Statement) -> Answer:
    if statement.skip_any("database", "schema"):
        return _drop_schema(state, statement)
    statement.skip_any("temporary")
    if statement.skip_any("table", "tables", "view"):
        return _drop_tables(state, statement)
    if statement.skip("function"):
        return _drop_function(state, statement)
    if statement.skip_any("user", "role"):
        raise SqlError(1396, "HY000", f"Operation DROP USER failed for '{statement.next().text[:64]}'@'%'")
    if statement.skip_any("index", "procedure", "trigger", "event", "prepare", "server"):
        return nothing(state, statement)
    raise statement.error()


def _drop_function(state: State, statement: Statement) -> Answer:
    lenient = statement.skip("if", "exists")
    schema, name = statement.qualified()
    if lenient:
        return Done(warnings=1)
    within = f"{schema or state.schema}." if schema or state.schema else "(UDF) "
    raise SqlError(1305, "42000", f"FUNCTION {within}{name[:64]} does not exist")


def _drop_schema(state: State, statement: Statement) -> Answer:
    lenient = statement.skip("if", "exists")
    name = statement.name()
    if name not in catalogue.schemas(state):
        if lenient:
            return Done(warnings=1)
        raise SqlError(1008, "HY000", f"Can't drop database '{name[:64]}'; database doesn't exist")
    if name in SYSTEM:
        raise SqlError(1044, "42000", f"Access denied for user '{state.user}'@'{state.host}' to database '{name}'")
    affected = len(catalogue.tables(state, name))
    state.drop(name)
    if state.schema == name:
        state.schema = ""
    return Done(affected=affected)


def _drop_tables(state: State, statement: Statement) -> Answer:
    lenient = statement.skip("if", "exists")
    missing = 0
    while True:
        schema, name = _target(state, statement)
        _writable(state, schema, "DROP", name)
        if any(table.name == name for table in catalogue.tables(state, schema)):
            state.drop(f"{schema}.{name}"[:130])
        elif lenient:
            missing += 1
        else:
            raise SqlError(1051, "42S02", f"Unknown table '{schema}.{name[:64]}'")
        if not statement.skip_operator(","):
            return Done(warnings=missing)


def _existing(state: State, statement: Statement, what: str) -> catalogue.Table:
    table = catalogue.table(state, *statement.qualified())
    _writable(state, table.schema, what, table.name)
    return table


def insert(state: State, statement: Statement) -> Answer:
    while statement.skip_any("low_priority", "delayed", "high_priority", "ignore", "into"):
        pass
    _existing(state, statement, "INSERT")
    inserted, depth = 0, 0
    while statement.here is not None and not statement.skip_any("values", "value", "set", "select"):
        statement.next()
    if statement.here is None:
        raise statement.error()
    for token in statement.tokens[statement.at :]:
        inserted += depth == 0 and token.is_operator("(")
        depth += token.is_operator("(") - token.is_operator(")")
    info = f"Records: {inserted}  Duplicates: 0  Warnings: 0" if inserted > 1 else ""
    return Done(affected=max(1, inserted), info=info)


def update(state: State, statement: Statement) -> Answer:
    statement.skip_any("low_priority")
    statement.skip_any("ignore")
    table = _existing(state, statement, "UPDATE")
    if not statement.skip("set"):
        raise statement.error()
    affected = 1 if any(token.is_word("where") for token in statement.tokens) else rows.count(state, table)
    return Done(affected=affected, info=f"Rows matched: {affected}  Changed: {affected}  Warnings: 0")


def delete(state: State, statement: Statement) -> Answer:
    statement.skip_any("low_priority")
    if not statement.skip("from"):
        raise statement.error()
    table = _existing(state, statement, "DELETE")
    affected = 1 if any(token.is_word("where") for token in statement.tokens) else rows.count(state, table)
    return Done(affected=affected)


def truncate(state: State, statement: Statement) -> Answer:
    statement.skip("table")
    _existing(state, statement, "DROP")
    return Done()


def alter(state: State, statement: Statement) -> Answer:
    if not statement.skip("table"):
        return nothing(state, statement)
    _existing(state, statement, "ALTER")
    return Done(info="Records: 0  Duplicates: 0  Warnings: 0")


def load(state: State, statement: Statement) -> Answer:
    """LOAD DATA INFILE; with LOCAL it is refused, so that no client is ever asked for a file of its own."""
    if not statement.skip("data"):
        raise statement.error()
    statement.skip_any("low_priority", "concurrent")
    if statement.skip("local"):
        why = "the MariaDB server or client has disabled the local infile capability"
        raise SqlError(4166, "HY000", f"The used command is not allowed because {why}")
    if not statement.skip("infile"):
        raise statement.error()
    path = statement.next().text[:256]
    exports.check_readable(path)
    raise SqlError(13, "HY000", f"Can't get stat of '{path}' (Errcode: 2 \"No such file or directory\")")
