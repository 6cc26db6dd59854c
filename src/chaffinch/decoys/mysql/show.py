"""SHOW and DESCRIBE: which answer a statement gets, and those about schemas and tables."""

from collections.abc import Callable, Iterable

from chaffinch.decoys.mysql import catalogue, results, rows, show_server, sql
from chaffinch.decoys.mysql.content import Field
from chaffinch.decoys.mysql.listings import listing
from chaffinch.decoys.mysql.results import BLOB, Column, Result, Row, schema_text, text, whole
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


def _databases(state: State, statement: Statement, full: bool) -> Result:
    columns = (schema_text("SCHEMATA", _named("Database", statement), "SCHEMA_NAME", 64),)
    return listing(statement, columns, ((name,) for name in catalogue.schemas(state)))


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
    return listing(statement, columns, found)


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
    return listing(statement, columns, (tuple(row.get(of) for _, of in _STATUS) for row in listed))


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
    return listing(statement, columns, found)


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
    return listing(statement, columns, found)


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
    "variables": show_server.pairs("SESSION_VARIABLES", catalogue.variables),
    "status": show_server.pairs("SESSION_STATUS", rows.status),
    "grants": show_server.grants,
    "processlist": show_server.processlist,
    "plugins": show_server.plugins,
    "engines": show_server.engines,
    "warnings": show_server.warnings,
    "errors": show_server.warnings,
    "character set": show_server.charsets,
    "charset": show_server.charsets,
    "triggers": show_server.empty(
        "TRIGGERS", "Trigger", "Event", "Table", "Statement", "Timing", "Created", "sql_mode", "Definer"
    ),
    "events": show_server.empty("EVENTS", "Db", "Name", "Definer", "Time zone", "Type", "Execute at", "Status"),
    "procedure status": show_server.empty("ROUTINES", "Db", "Name", "Type", "Definer", "Modified", "Created"),
    "function status": show_server.empty("ROUTINES", "Db", "Name", "Type", "Definer", "Modified", "Created"),
    "master status": show_server.empty("", "File", "Position", "Binlog_Do_DB", "Binlog_Ignore_DB"),
    "slave status": show_server.empty("", "Slave_IO_State", "Master_Host", "Master_User", "Master_Port"),
    "open tables": show_server.empty("", "Database", "Table", "In_use", "Name_locked"),
}
