"""SHOW of what the server is and does: variables, connections, engines, plugins, grants."""

from collections.abc import Callable, Iterable

from chaffinch.decoys.mysql import auth, results, rows
from chaffinch.decoys.mysql.listings import listing
from chaffinch.decoys.mysql.results import Column, Result, Row, SqlError, schema_text, text, whole
from chaffinch.decoys.mysql.sql import Statement
from chaffinch.decoys.mysql.state import State


def pairs(
    table: str, source: Callable[[State], Iterable[tuple[str, str]]]
) -> Callable[[State, Statement, bool], Result]:
    """A SHOW of names with their values."""

    def answer(state: State, statement: Statement, full: bool) -> Result:
        columns = (
            schema_text(table, "Variable_name", "VARIABLE_NAME", 64),
            schema_text(table, "Value", "VARIABLE_VALUE", 4096),
        )
        return listing(statement, columns, source(state))

    return answer


def grants(state: State, statement: Statement, full: bool) -> Result:
    name = state.user
    if statement.skip("for"):
        asked = statement.next().text
        if asked.lower() not in ("current_user", state.user.lower()):
            message = f"There is no such grant defined for user '{asked}' on host '%'"
            raise SqlError(1141, "42000", message)
        statement.at = len(statement.tokens)
    secret = auth.stored_hash(auth.accounts(state.server.persona, state.server.service).get(name, ""))
    by = f" IDENTIFIED BY PASSWORD '{secret}'" if secret else ""
    grant = f"GRANT ALL PRIVILEGES ON *.* TO `{name}`@`%`{by} WITH GRANT OPTION"
    return Result((text(f"Grants for {name}@%", 1024),), [(grant,)])


def processes(state: State, info: str | None) -> Result:
    """The list of connections: this one. Its `info` is the statement that asks."""
    columns = (
        whole("Id", 11, kind=results.LONGLONG),
        text("User", 128),
        text("Host", 64),
        text("db", 64, flags=0),
        text("Command", 16),
        whole("Time", 7),
        text("State", 30, flags=0),
        text("Info", 100, flags=0),
        Column("Progress", results.DOUBLE, 7, 0x81, 3),
    )
    host = f"{state.host}:{state.source_port}"
    doing = "starting" if info is not None else ""
    row: Row = (state.connection_id, state.user, host, state.schema or None, "Query", 0, doing, info, 0.0)
    return Result(columns, [row])


def processlist(state: State, statement: Statement, full: bool) -> Result:
    statement.finished()
    return processes(state, statement.source[:100])


def engines(state: State, statement: Statement, full: bool) -> Result:
    columns = tuple(
        schema_text("ENGINES", name, name.upper(), length, null=name in ("Transactions", "XA", "Savepoints"))
        for name, length in (
            ("Engine", 64),
            ("Support", 8),
            ("Comment", 160),
            ("Transactions", 3),
            ("XA", 3),
            ("Savepoints", 3),
        )
    )
    found = (
        (name, support, comment, transactions, "YES" if name == "InnoDB" else "NO", transactions)
        for name, support, comment, transactions in rows.ENGINES
    )
    return listing(statement, columns, found)


_PLUGINS = (
    ("binlog", "STORAGE ENGINE"),
    ("mysql_native_password", "AUTHENTICATION"),
    ("mysql_old_password", "AUTHENTICATION"),
    ("CSV", "STORAGE ENGINE"),
    ("MEMORY", "STORAGE ENGINE"),
    ("Aria", "STORAGE ENGINE"),
    ("MyISAM", "STORAGE ENGINE"),
    ("MRG_MyISAM", "STORAGE ENGINE"),
    ("wsrep", "REPLICATION"),
    ("SQL_SEQUENCE", "STORAGE ENGINE"),
    ("InnoDB", "STORAGE ENGINE"),
    ("PERFORMANCE_SCHEMA", "STORAGE ENGINE"),
    ("SEQUENCE", "STORAGE ENGINE"),
    ("unix_socket", "AUTHENTICATION"),
    ("partition", "STORAGE ENGINE"),
)


def plugins(state: State, statement: Statement, full: bool) -> Result:
    columns = (
        schema_text("PLUGINS", "Name", "PLUGIN_NAME", 64),
        schema_text("PLUGINS", "Status", "PLUGIN_STATUS", 16),
        schema_text("PLUGINS", "Type", "PLUGIN_TYPE", 80),
        schema_text("PLUGINS", "Library", "PLUGIN_LIBRARY", 64, null=True),
        schema_text("PLUGINS", "License", "PLUGIN_LICENSE", 80),
    )
    return listing(statement, columns, ((name, "ACTIVE", kind, None, "GPL") for name, kind in _PLUGINS))


def warnings(state: State, statement: Statement, full: bool) -> Result:
    columns = (text("Level", 7), whole("Code", 4, flags=0xA1), text("Message", 512))
    return Result(columns, [])


def empty(table: str, *names: str) -> Callable[[State, Statement, bool], Result]:
    """A SHOW that finds nothing on these hosts."""

    def answer(state: State, statement: Statement, full: bool) -> Result:
        if table:
            columns = tuple(schema_text(table, name, name.upper(), 64) for name in names)
        else:
            columns = tuple(text(name, 64) for name in names)
        return Result(columns, [])

    return answer


def charsets(state: State, statement: Statement, full: bool) -> Result:
    columns = tuple(
        schema_text("CHARACTER_SETS", name, of, 60)
        for name, of in (
            ("Charset", "CHARACTER_SET_NAME"),
            ("Description", "DESCRIPTION"),
            ("Default collation", "DEFAULT_COLLATE_NAME"),
            ("Maxlen", "MAXLEN"),
        )
    )
    found: tuple[Row, ...] = (
        ("latin1", "cp1252 West European", "latin1_swedish_ci", 1),
        ("ascii", "US ASCII", "ascii_general_ci", 1),
        ("utf8mb3", "UTF-8 Unicode", "utf8mb3_general_ci", 3),
        ("utf8mb4", "UTF-8 Unicode", "utf8mb4_general_ci", 4),
        ("binary", "Binary pseudo charset", "binary", 1),
    )
    return listing(statement, columns, found)
