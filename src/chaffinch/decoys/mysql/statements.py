"""Which statement is answered by what, and the answers of those that read or set."""

from collections.abc import Callable

from chaffinch.decoys.mysql import catalogue, changes, packets, select, show, sql
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


def _kill(state: State, statement: Statement) -> Answer:
    statement.skip_any("hard", "soft", "connection", "query")
    raise SqlError(1094, "HY000", f"Unknown thread id: {statement.next().text[:20]}")


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
    "flush": changes.nothing,
    "lock": changes.nothing,
    "unlock": changes.nothing,
    "do": changes.nothing,
    "grant": changes.nothing,
    "revoke": changes.nothing,
    "analyze": changes.nothing,
    "optimize": changes.nothing,
    "rename": changes.nothing,
    "savepoint": changes.nothing,
    "release": changes.nothing,
    "kill": _kill,
    "create": changes.create,
    "drop": changes.drop,
    "insert": changes.insert,
    "replace": changes.insert,
    "update": changes.update,
    "delete": changes.delete,
    "truncate": changes.truncate,
    "alter": changes.alter,
    "load": changes.load,
    "install": changes.install,
    "call": _call,
    "shutdown": _shutdown,
}
