"""What each kind of statement answers. Nothing is written: a session remembers the names it made or dropped."""

from collections.abc import Callable

from chaffinch.decoys.mysql import catalogue, exports, packets, rows, select, show, sql
from chaffinch.decoys.mysql.catalogue import SYSTEM
from chaffinch.decoys.mysql.expressions import evaluate, parse, string
from chaffinch.decoys.mysql.results import Answer, Done, Result, SqlError, text, whole
from chaffinch.decoys.mysql.select import Reader, Select
from chaffinch.decoys.mysql.sql import Statement
from chaffinch.decoys.mysql.state import State


def answer(state: State, statement: Statement) -> Answer:
    """Run one statement. Raises `SqlError` for what the server refuses."""
    if not statement.tokens and statement.bad < 0:
        return Done()
    while statement.skip_operator("("):
        pass
    first = statement.here
    handler = _STATEMENTS.get(first.text.lower()) if first is not None and first.kind == sql.WORD else None
    if handler is None:
        raise statement.error()
    statement.at += 1
    return handler(state, statement)


# Reading


def _select(state: State, statement: Statement) -> Answer:
    if statement.tokens[-1].is_operator(")") and statement.tokens[0].is_operator("("):
        inner = Statement(statement.source, statement.tokens[: len(statement.tokens) - 1], statement.bad)
        inner.at = statement.at
        statement = inner
    return select.run(state, statement)


def _show(state: State, statement: Statement) -> Answer:
    return show.show(state, statement)


def _describe(state: State, statement: Statement) -> Answer:
    statement.skip_any("extended")
    if statement.skip_any("select", "update", "delete", "insert"):
        columns = (
            whole("id", 3, kind=8, flags=0xA0),
            text("select_type", 19),
            text("table", 64, flags=0),
            text("type", 10, flags=0),
            text("possible_keys", 4096, flags=0),
            text("key", 64, flags=0),
            text("key_len", 4096, flags=0),
            text("ref", 2048, flags=0),
            text("rows", 64, flags=0),
            text("Extra", 255),
        )
        return Result(columns, [(1, "SIMPLE", None, None, None, None, None, None, None, "No tables used")])
    return show.describe(state, statement)


def _use(state: State, statement: Statement) -> Answer:
    state.schema = catalogue.require_schema(state, statement.name())
    statement.finished()
    return Done(schema=state.schema)


def _help(state: State, statement: Statement) -> Answer:
    if statement.here is None:
        raise statement.error()
    columns = (text("source_category_name", 64), text("name", 64), text("is_it_category", 1))
    return Result(columns, [])


# The session

_CHARSETS = {
    "utf8mb4": 45,
    "utf8": 33,
    "utf8mb3": 33,
    "latin1": 8,
    "ascii": 11,
    "binary": 63,
    "cp1251": 51,
    "gbk": 28,
    "latin2": 9,
}
_TRACKED = frozenset(
    ("autocommit", "character_set_client", "character_set_connection", "character_set_results", "time_zone")
)


def _set(state: State, statement: Statement) -> Answer:
    if statement.skip("names") or statement.skip("character", "set") or statement.skip("charset"):
        return _set_names(state, statement)
    statement.skip_any("statement")
    if statement.skip_any("password", "role") or _transaction(statement):
        return Done()
    changes: list[tuple[str, str]] = []
    while True:
        changes += _assignment(state, statement)
        if not statement.skip_operator(","):
            break
    statement.finished()
    return Done(changes=tuple(changes))


def _transaction(statement: Statement) -> bool:
    return any(statement.skip(*words.split()) for words in ("transaction", "session transaction", "global transaction"))


def _set_names(state: State, statement: Statement) -> Answer:
    name = "utf8mb4" if statement.skip("default") else statement.next().text.lower()
    if name not in _CHARSETS:
        raise SqlError(1115, "42000", f"Unknown character set: '{name}'")
    state.results = _CHARSETS[name]
    shown = "utf8mb3" if name == "utf8" else name
    changes = [(f"character_set_{of}", shown) for of in ("connection", "client", "results")]
    for variable, value in changes:
        state.set_variable(variable, value)
    return Done(changes=tuple(changes))


def _assignment(state: State, statement: Statement) -> list[tuple[str, str]]:
    """One `name = value` of a SET: what of it the client may want to be told."""
    statement.skip_any("global", "session", "local", "persist")
    token = statement.next()
    if token.kind not in (sql.WORD, sql.QUOTED, sql.VARIABLE):
        statement.at -= 1
        raise statement.error()
    name = token.text.lower()
    if not (statement.skip_operator("=") or statement.skip_operator(":=")):
        raise statement.error()
    value = _value(state, statement)
    if token.kind == sql.VARIABLE and not name.startswith("@@"):
        state.set_variable(name, value)
        return []
    name = name.removeprefix("@@").removeprefix("global.").removeprefix("session.").removeprefix("local.")
    if not any(known == name for known, _ in catalogue.variables(state)):
        if name not in ("insert_id", "last_insert_id", "timestamp", "rand_seed1", "identity"):
            raise SqlError(1193, "HY000", f"Unknown system variable '{name}'")
        return []
    return _applied(state, name, value)


def _value(state: State, statement: Statement) -> str:
    """The value of an assignment as text; a bare word (`ON`, `utf8`, `DEFAULT`) is itself."""
    here = statement.here
    following = statement.tokens[statement.at + 1 : statement.at + 2]
    opens = bool(following) and following[0].is_operator("(", ".")
    if here is not None and here.kind == sql.WORD and not opens:
        return statement.next().text
    node = parse(statement)
    return string(evaluate(node, Reader(state, Select([]), statement, 0).scope))


def _applied(state: State, name: str, value: str) -> list[tuple[str, str]]:
    if name == "autocommit":
        on = value.lower() in ("1", "on", "true", "default")
        state.status = state.status & ~packets.AUTOCOMMIT | (packets.AUTOCOMMIT if on else 0)
        value = "ON" if on else "OFF"
    elif name == "character_set_results":
        value = "" if value.lower() in ("null", "") else value.lower()
        if value and value not in _CHARSETS:
            raise SqlError(1115, "42000", f"Unknown character set: '{value}'")
        state.results = _CHARSETS.get(value, 33)  # without one, names come in the system's own utf8mb3
        value = "utf8mb3" if value == "utf8" else value
    elif value.lower() == "default":
        state.variables.pop(name, None)
        return []
    state.set_variable(name, value)
    return [(name, value)] if name in _TRACKED else []


def _begin(state: State, statement: Statement) -> Answer:
    state.status |= packets.IN_TRANSACTION
    return Done()


def _start(state: State, statement: Statement) -> Answer:
    if statement.skip("transaction"):
        return _begin(state, statement)
    if statement.skip_any("slave", "replica"):
        raise SqlError(
            1200, "HY000", "Misconfigured slave: MASTER_HOST was not set; Fix in config file or with CHANGE MASTER TO"
        )
    raise statement.error()


def _end(state: State, statement: Statement) -> Answer:
    state.status &= ~packets.IN_TRANSACTION
    return Done()


def _nothing(state: State, statement: Statement) -> Answer:
    """Accepted, without an effect that could be seen."""
    if statement.here is None:
        raise statement.error()
    return Done()


def _kill(state: State, statement: Statement) -> Answer:
    statement.skip_any("hard", "soft", "connection", "query")
    raise SqlError(1094, "HY000", f"Unknown thread id: {statement.next().text[:20]}")


# Writing


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


def _create(state: State, statement: Statement) -> Answer:
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
        return _nothing(state, statement)
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


def _install(state: State, statement: Statement) -> Answer:
    if not statement.skip_any("plugin", "soname"):
        raise statement.error()
    while statement.here is not None and statement.here.kind != sql.STRING:
        statement.next()
    raise _no_library(f"/usr/lib/mysql/plugin/{statement.next().text[:128]}")


def _drop(state: State, statement: Statement) -> Answer:
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
        return _nothing(state, statement)
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


def _insert(state: State, statement: Statement) -> Answer:
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


def _update(state: State, statement: Statement) -> Answer:
    statement.skip_any("low_priority")
    statement.skip_any("ignore")
    table = _existing(state, statement, "UPDATE")
    if not statement.skip("set"):
        raise statement.error()
    affected = 1 if any(token.is_word("where") for token in statement.tokens) else rows.count(state, table)
    return Done(affected=affected, info=f"Rows matched: {affected}  Changed: {affected}  Warnings: 0")


def _delete(state: State, statement: Statement) -> Answer:
    statement.skip_any("low_priority")
    if not statement.skip("from"):
        raise statement.error()
    table = _existing(state, statement, "DELETE")
    affected = 1 if any(token.is_word("where") for token in statement.tokens) else rows.count(state, table)
    return Done(affected=affected)


def _truncate(state: State, statement: Statement) -> Answer:
    statement.skip("table")
    _existing(state, statement, "DROP")
    return Done()


def _alter(state: State, statement: Statement) -> Answer:
    if not statement.skip("table"):
        return _nothing(state, statement)
    _existing(state, statement, "ALTER")
    return Done(info="Records: 0  Duplicates: 0  Warnings: 0")


def _load(state: State, statement: Statement) -> Answer:
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


def _call(state: State, statement: Statement) -> Answer:
    schema, name = statement.qualified()
    if not schema and not state.schema:
        raise SqlError(1046, "3D000", "No database selected")
    raise SqlError(1305, "42000", f"PROCEDURE {schema or state.schema}.{name[:64]} does not exist")


def _shutdown(state: State, statement: Statement) -> Answer:
    statement.finished()
    raise SqlError(
        1227, "42000", "Access denied; you need (at least one of) the SHUTDOWN privilege(s) for this operation"
    )


_STATEMENTS: dict[str, Callable[[State, Statement], Answer]] = {
    "select": _select,
    "show": _show,
    "describe": _describe,
    "desc": _describe,
    "explain": _describe,
    "use": _use,
    "help": _help,
    "set": _set,
    "begin": _begin,
    "start": _start,
    "commit": _end,
    "rollback": _end,
    "flush": _nothing,
    "lock": _nothing,
    "unlock": _nothing,
    "do": _nothing,
    "grant": _nothing,
    "revoke": _nothing,
    "analyze": _nothing,
    "optimize": _nothing,
    "rename": _nothing,
    "savepoint": _nothing,
    "release": _nothing,
    "kill": _kill,
    "create": _create,
    "drop": _drop,
    "insert": _insert,
    "replace": _insert,
    "update": _update,
    "delete": _delete,
    "truncate": _truncate,
    "alter": _alter,
    "load": _load,
    "install": _install,
    "call": _call,
    "shutdown": _shutdown,
}
