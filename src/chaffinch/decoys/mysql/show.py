"""SHOW and DESCRIBE: what the server says of itself."""

from collections.abc import Callable, Iterable

from chaffinch.decoys.mysql import auth, catalogue, expressions, results, rows, sql
from chaffinch.decoys.mysql.content import Field
from chaffinch.decoys.mysql.expressions import Node, Scope, evaluate, string, truth
from chaffinch.decoys.mysql.results import BLOB, Column, Result, Row, SqlError, Value, schema_text, text, whole
from chaffinch.decoys.mysql.sql import Statement
from chaffinch.decoys.mysql.state import State

_LONG_TEXT = results.NO_DEFAULT | results.BLOB_FLAG


def show(state: State, statement: Statement) -> Result:
    """The answer to the SHOW whose keyword was just taken. Raises `SqlError`."""
    if statement.sees("count") and len(statement.tokens) > 4:
        statement.at = len(statement.tokens)
        return Result((whole("@@session.warning_count", 21, kind=results.LONGLONG, flags=0xA0),), [(0,)])
    full = statement.skip_any("full", "extended")
    while statement.skip_any("global", "session", "local", "storage"):
        pass
    if statement.skip("create"):
        return _create(state, statement)
    for words, answer in _ANSWERS.items():
        if statement.skip(*words.split()):
            return answer(state, statement, full)
    raise statement.error()


def _schema_of(state: State, statement: Statement) -> str:
    """The schema of a `FROM schema`, or the current one."""
    named = statement.name() if statement.skip_any("from", "in") else state.schema
    return catalogue.require_schema(state, named)


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


def _listing(
    statement: Statement, columns: tuple[Column, ...], found: Iterable[Row], *, scanned: bool = True
) -> Result:
    names = tuple(column.name for column in columns)
    return Result(columns, _filtered(statement, names, found), scanned)


def _databases(state: State, statement: Statement, full: bool) -> Result:
    columns = (schema_text("SCHEMATA", _named("Database", statement), "SCHEMA_NAME", 64),)
    return _listing(statement, columns, ((name,) for name in catalogue.schemas(state)))


def _named(name: str, statement: Statement) -> str:
    """The first column's name, which says the pattern where there is one."""
    if statement.sees("like") and statement.at + 1 < len(statement.tokens):
        return f"{name} ({statement.tokens[statement.at + 1].text})"
    return name


def _tables(state: State, statement: Statement, full: bool) -> Result:
    schema = _schema_of(state, statement)
    columns: tuple[Column, ...] = (
        schema_text("TABLE_NAMES", _named(f"Tables_in_{schema}", statement), "TABLE_NAME", 73),
    )
    found: Iterable[Row] = [(table.name, table.kind) for table in catalogue.tables(state, schema)]
    if full:
        columns += (schema_text("TABLE_NAMES", "Table_type", "TABLE_TYPE", 64),)
    else:
        found = [row[:1] for row in found]
    return _listing(statement, columns, found)


_STATUS = (
    ("Name", "TABLE_NAME"),
    ("Engine", "ENGINE"),
    ("Version", "VERSION"),
    ("Row_format", "ROW_FORMAT"),
    ("Rows", "TABLE_ROWS"),
    ("Avg_row_length", "AVG_ROW_LENGTH"),
    ("Data_length", "DATA_LENGTH"),
    ("Max_data_length", "MAX_DATA_LENGTH"),
    ("Index_length", "INDEX_LENGTH"),
    ("Data_free", "DATA_FREE"),
    ("Auto_increment", "AUTO_INCREMENT"),
    ("Create_time", "CREATE_TIME"),
    ("Update_time", "UPDATE_TIME"),
    ("Check_time", "CHECK_TIME"),
    ("Collation", "TABLE_COLLATION"),
    ("Checksum", "CHECKSUM"),
    ("Create_options", "CREATE_OPTIONS"),
    ("Comment", "TABLE_COMMENT"),
    ("Max_index_length", "MAX_INDEX_LENGTH"),
    ("Temporary", "TEMPORARY"),
)


def _table_status(state: State, statement: Statement, full: bool) -> Result:
    schema = _schema_of(state, statement)
    columns = tuple(schema_text("TABLES", name, of, 64, null=True) for name, of in _STATUS)
    listed = (rows.table_status(state, table) for table in catalogue.tables(state, schema))
    return _listing(statement, columns, (tuple(row.get(of) for _, of in _STATUS) for row in listed))


def _columns(state: State, statement: Statement, full: bool) -> Result:
    if not statement.skip_any("from", "in"):
        raise statement.error()
    schema, name = statement.qualified()
    if statement.skip_any("from", "in"):
        schema = statement.name()
    table = catalogue.table(state, schema, name)
    return _fields(statement, table.fields, full=full)


def describe(state: State, statement: Statement) -> Result:
    """The answer to the DESCRIBE whose keyword was just taken."""
    schema, name = statement.qualified()
    table = catalogue.table(state, schema, name)
    if statement.here is not None and statement.here.kind != sql.STRING:
        wanted = statement.name()
        return _fields(statement, tuple(field for field in table.fields if field.name == wanted), full=False)
    return _fields(statement, table.fields, full=False)


def _fields(statement: Statement, fields: tuple[Field, ...], *, full: bool) -> Result:
    def long_text(name: str, of: str, length: int, flags: int) -> Column:
        return Column(name, BLOB, length, flags, 0, "information_schema", "COLUMNS", "COLUMNS", of)

    plain = (
        schema_text("COLUMNS", "Field", "COLUMN_NAME", 64),
        long_text("Type", "COLUMN_TYPE", 196605, _LONG_TEXT | results.NOT_NULL),
        schema_text("COLUMNS", "Null", "IS_NULLABLE", 3),
        schema_text("COLUMNS", "Key", "COLUMN_KEY", 3),
        long_text("Default", "COLUMN_DEFAULT", 196596, _LONG_TEXT),
        schema_text("COLUMNS", "Extra", "EXTRA", 80),
    )
    more = (
        schema_text("COLUMNS", "Collation", "COLLATION_NAME", 64, null=True),
        schema_text("COLUMNS", "Privileges", "PRIVILEGES", 80),
        schema_text("COLUMNS", "Comment", "COLUMN_COMMENT", 1024),
    )
    columns = (*plain[:2], more[0], *plain[2:], *more[1:]) if full else plain
    found: list[Row] = []
    for field in fields:
        is_text = field.type.startswith(("varchar", "char", "enum", "set", "longtext"))
        row: Row = (field.name, field.type, "YES" if field.null else "NO", field.key, field.default, field.extra)
        if full:
            collation = "utf8mb4_general_ci" if is_text else None
            row = (*row[:2], collation, *row[2:], "select,insert,update,references", "")
        found.append(row)
    return _listing(statement, columns, found)


def _create(state: State, statement: Statement) -> Result:
    if statement.skip_any("database", "schema"):
        name = catalogue.require_schema(state, statement.name())
        made = f"CREATE DATABASE `{name}` /*!40100 DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci */"
        return Result((text("Database", 64), text("Create Database", 1024)), [(name, made)])
    if not statement.skip_any("table", "view"):
        raise statement.error()
    table = catalogue.table(state, *statement.qualified())
    statement.finished()
    made = catalogue.create_statement(table, rows.count(state, table))
    return Result((text("Table", 64), text("Create Table", 1024)), [(table.name, made)])


def _pairs(
    table: str, source: Callable[[State], Iterable[tuple[str, str]]]
) -> Callable[[State, Statement, bool], Result]:
    """A SHOW of names with their values."""

    def answer(state: State, statement: Statement, full: bool) -> Result:
        columns = (
            schema_text(table, "Variable_name", "VARIABLE_NAME", 64),
            schema_text(table, "Value", "VARIABLE_VALUE", 4096),
        )
        return _listing(statement, columns, source(state))

    return answer


def _grants(state: State, statement: Statement, full: bool) -> Result:
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


def _processlist(state: State, statement: Statement, full: bool) -> Result:
    statement.finished()
    return processes(state, statement.source[:100])


def _engines(state: State, statement: Statement, full: bool) -> Result:
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
    return _listing(statement, columns, found)


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


def _plugins(state: State, statement: Statement, full: bool) -> Result:
    columns = (
        schema_text("PLUGINS", "Name", "PLUGIN_NAME", 64),
        schema_text("PLUGINS", "Status", "PLUGIN_STATUS", 16),
        schema_text("PLUGINS", "Type", "PLUGIN_TYPE", 80),
        schema_text("PLUGINS", "Library", "PLUGIN_LIBRARY", 64, null=True),
        schema_text("PLUGINS", "License", "PLUGIN_LICENSE", 80),
    )
    return _listing(statement, columns, ((name, "ACTIVE", kind, None, "GPL") for name, kind in _PLUGINS))


def _warnings(state: State, statement: Statement, full: bool) -> Result:
    columns = (text("Level", 7), whole("Code", 4, flags=0xA1), text("Message", 512))
    return Result(columns, [])


_INDEX = (
    "Table",
    "Non_unique",
    "Key_name",
    "Seq_in_index",
    "Column_name",
    "Collation",
    "Cardinality",
    "Sub_part",
    "Packed",
    "Null",
    "Index_type",
    "Comment",
    "Index_comment",
    "Ignored",
)


def _index(state: State, statement: Statement, full: bool) -> Result:
    if not statement.skip_any("from", "in"):
        raise statement.error()
    table = catalogue.table(state, *statement.qualified())
    rows_in = rows.count(state, table)
    found = [
        (
            table.name,
            int(field.key == "MUL"),
            "PRIMARY" if field.key == "PRI" else field.name,
            1,
            field.name,
            "A",
            rows_in,
            None,
            None,
            "YES" if field.null else "",
            "BTREE",
            "",
            "",
            "NO",
        )
        for field in table.fields
        if field.key
    ]
    columns = tuple(schema_text("STATISTICS", name, name.upper(), 64, null=True) for name in _INDEX)
    return _listing(statement, columns, found)


def _empty(table: str, *names: str) -> Callable[[State, Statement, bool], Result]:
    """A SHOW that finds nothing on these hosts."""

    def answer(state: State, statement: Statement, full: bool) -> Result:
        if table:
            columns = tuple(schema_text(table, name, name.upper(), 64) for name in names)
        else:
            columns = tuple(text(name, 64) for name in names)
        return Result(columns, [])

    return answer


def _charsets(state: State, statement: Statement, full: bool) -> Result:
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
    return _listing(statement, columns, found)


_ANSWERS: dict[str, Callable[[State, Statement, bool], Result]] = {
    "databases": _databases,
    "schemas": _databases,
    "tables": _tables,
    "table status": _table_status,
    "columns": _columns,
    "fields": _columns,
    "index": _index,
    "indexes": _index,
    "keys": _index,
    "variables": _pairs("SESSION_VARIABLES", catalogue.variables),
    "status": _pairs("SESSION_STATUS", rows.status),
    "grants": _grants,
    "processlist": _processlist,
    "plugins": _plugins,
    "engines": _engines,
    "warnings": _warnings,
    "errors": _warnings,
    "character set": _charsets,
    "charset": _charsets,
    "triggers": _empty(
        "TRIGGERS", "Trigger", "Event", "Table", "Statement", "Timing", "Created", "sql_mode", "Definer"
    ),
    "events": _empty("EVENTS", "Db", "Name", "Definer", "Time zone", "Type", "Execute at", "Status"),
    "procedure status": _empty("ROUTINES", "Db", "Name", "Type", "Definer", "Modified", "Created"),
    "function status": _empty("ROUTINES", "Db", "Name", "Type", "Definer", "Modified", "Created"),
    "master status": _empty("", "File", "Position", "Binlog_Do_DB", "Binlog_Ignore_DB"),
    "slave status": _empty("", "Slave_IO_State", "Master_Host", "Master_User", "Master_Port"),
    "open tables": _empty("", "Database", "Table", "In_use", "Name_locked"),
}
