"""The rows of every table that has any: the application's, and those in which the server describes itself."""

import time
from collections.abc import Callable, Iterator

from chaffinch.decoys.mysql import auth, catalogue, content
from chaffinch.decoys.mysql.catalogue import Table
from chaffinch.decoys.mysql.results import Row, Value
from chaffinch.decoys.mysql.state import State

_Named = dict[str, Value]  # a row while it is put together: column to value


def of(state: State, table: Table) -> Iterator[Row]:
    """The table's rows, in the order of its fields."""
    if table.made:
        return iter(())
    if table.schema not in catalogue.SYSTEM:
        return content.rows(state.server.persona, table.name)
    maker = _MAKERS.get(f"{table.schema}.{table.name}")
    names = [field.name.upper() for field in table.fields]
    return (tuple(map(row.get, names)) for row in maker(state)) if maker else iter(())


def count(state: State, table: Table) -> int:
    """How many rows the table has."""
    if table.made or table.schema in catalogue.SYSTEM:
        return 0
    return content.count(state.server.persona, table.name)


def every_table(state: State) -> Iterator[Table]:
    for schema in catalogue.schemas(state):
        yield from catalogue.tables(state, schema)


def created(state: State) -> str:
    """When the application's tables were made: the day this host's data begins."""
    at = 1_640_000_000 + state.server.persona.reboot_phase % (200 * 86400)
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))


def _schemata(state: State) -> Iterator[_Named]:
    for schema in catalogue.schemas(state):
        charset = "utf8mb3" if schema in ("information_schema", "performance_schema", "sys") else "utf8mb4"
        yield {
            "CATALOG_NAME": "def",
            "SCHEMA_NAME": schema,
            "DEFAULT_CHARACTER_SET_NAME": charset,
            "DEFAULT_COLLATION_NAME": f"{charset}_general_ci",
            "SCHEMA_COMMENT": "",
        }


def table_status(state: State, table: Table) -> _Named:
    """A table as the information schema lists it."""
    view = table.kind != "BASE TABLE"
    rows = count(state, table)
    own = table.schema not in catalogue.SYSTEM
    return {
        "TABLE_CATALOG": "def",
        "TABLE_SCHEMA": table.schema,
        "TABLE_NAME": table.name,
        "TABLE_TYPE": table.kind,
        "ENGINE": None if table.engine == "NULL" else table.engine,
        "VERSION": None if view and table.engine == "NULL" else 10,
        "ROW_FORMAT": None if view else "Dynamic",
        "TABLE_ROWS": None if view else rows,
        "AVG_ROW_LENGTH": None if view else (16384 // rows if rows else 0),
        "DATA_LENGTH": None if view else 16384,
        "MAX_DATA_LENGTH": None if view else 0,
        "INDEX_LENGTH": None if view else (16384 if own else 0),
        "DATA_FREE": None if view else 0,
        "AUTO_INCREMENT": rows + 1 if own and rows else None,
        "CREATE_TIME": created(state) if own else None,
        "TABLE_COLLATION": "utf8mb4_general_ci" if own else "utf8mb3_general_ci",
        "CREATE_OPTIONS": "",
        "TABLE_COMMENT": "VIEW" if table.kind == "VIEW" else "",
        "MAX_INDEX_LENGTH": 0,
        "TEMPORARY": "N",
    }


def _tables(state: State) -> Iterator[_Named]:
    return (table_status(state, table) for table in every_table(state))


def _columns(state: State) -> Iterator[_Named]:
    for listed in every_table(state):
        if listed.schema in ("performance_schema", "sys"):
            continue
        for at, field in enumerate(catalogue.with_fields(state, listed).fields, 1):
            kind, _, inside = field.type.partition("(")
            is_text = kind in ("varchar", "char", "longtext", "text", "enum", "set")
            length = inside.partition(")")[0]
            yield {
                "TABLE_CATALOG": "def",
                "TABLE_SCHEMA": listed.schema,
                "TABLE_NAME": listed.name,
                "COLUMN_NAME": field.name,
                "ORDINAL_POSITION": at,
                "COLUMN_DEFAULT": "NULL" if field.default is None and field.null else field.default,
                "IS_NULLABLE": "YES" if field.null else "NO",
                "DATA_TYPE": kind.split()[0],
                "CHARACTER_MAXIMUM_LENGTH": int(length) if is_text and length.isdigit() else None,
                "CHARACTER_SET_NAME": "utf8mb4" if is_text else None,
                "COLLATION_NAME": "utf8mb4_general_ci" if is_text else None,
                "COLUMN_TYPE": field.type,
                "COLUMN_KEY": field.key,
                "EXTRA": field.extra,
                "PRIVILEGES": "select,insert,update,references",
                "COLUMN_COMMENT": "",
                "IS_GENERATED": "NEVER",
            }


def _accounts(state: State) -> Iterator[_Named]:
    """`mysql.user`: the decoy's accounts with their hashes, and the one that the server keeps for itself."""
    allowed = ("SELECT_PRIV", "INSERT_PRIV", "UPDATE_PRIV", "DELETE_PRIV", "CREATE_PRIV", "DROP_PRIV", "RELOAD_PRIV",
               "PROCESS_PRIV", "FILE_PRIV", "GRANT_PRIV", "SHOW_DB_PRIV", "SUPER_PRIV", "EXECUTE_PRIV")  # fmt: skip
    known = auth.accounts(state.server.persona, state.server.service)
    for name, password in known.items():
        secret = auth.stored_hash(password)
        yield {
            "HOST": "%",
            "USER": name,
            "PASSWORD": secret,
            "PLUGIN": "mysql_native_password",
            "AUTHENTICATION_STRING": secret,
            **dict.fromkeys(allowed, "Y"),
        }
    yield {"HOST": "localhost", "USER": "mariadb.sys", "PASSWORD": "", "PLUGIN": "mysql_native_password",
           "AUTHENTICATION_STRING": "", **dict.fromkeys(allowed, "N")}  # fmt: skip


def _variables(state: State) -> Iterator[_Named]:
    for name, value in catalogue.variables(state):
        yield {"VARIABLE_NAME": name.upper(), "VARIABLE_VALUE": value}


def _status(state: State) -> Iterator[_Named]:
    for name, value in status(state):
        yield {"VARIABLE_NAME": name.upper(), "VARIABLE_VALUE": value}


def uptime(state: State) -> int:
    """Seconds since the server started: it came up with its host."""
    now = time.time()
    return max(1, int(now - state.server.persona.booted(now)) - 11)


def questions(state: State) -> int:
    """How many statements the server has seen: what a quiet application asks, and this session's."""
    per_hour = 40 + state.server.persona.reboot_phase % 400
    return uptime(state) * per_hour // 3600 + state.connection_id + state.questions


def status(state: State) -> Iterator[tuple[str, str]]:
    """The status variables, sorted by name."""
    asked = questions(state)
    started = time.strftime("%y%m%d %H:%M:%S", time.gmtime(time.time() - uptime(state)))
    known = {
        "{uptime}": str(uptime(state)),
        "{questions}": str(asked),
        "{queries}": str(asked + 6),
        "{com_select}": str(asked * 3 // 5),
        "{connections}": str(state.connection_id),
        "{booted}": started,
    }
    for name, value in catalogue.lines("status.tsv"):
        for placeholder, real in known.items():
            value = value.replace(placeholder, real)  # noqa: PLW2901
        yield name, value


def _processes(state: State) -> Iterator[_Named]:
    yield {
        "ID": state.connection_id,
        "USER": state.user,
        "HOST": f"{state.host}:{state.source_port}",
        "DB": state.schema or None,
        "COMMAND": "Query",
        "TIME": 0,
        "STATE": "Filling schema table",
        "PROGRESS": 0,
        "TID": 900 + state.connection_id % 9000,
    }


def _privileges(state: State) -> Iterator[_Named]:
    for name in ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "RELOAD", "PROCESS", "FILE", "SUPER"):
        yield {
            "GRANTEE": f"'{state.user}'@'%'",
            "TABLE_CATALOG": "def",
            "PRIVILEGE_TYPE": name,
            "IS_GRANTABLE": "YES",
        }


ENGINES: tuple[tuple[str, str, str, str], ...] = (
    ("CSV", "YES", "Stores tables as CSV files", "NO"),
    ("MRG_MyISAM", "YES", "Collection of identical MyISAM tables", "NO"),
    ("MEMORY", "YES", "Hash based, stored in memory, useful for temporary tables", "NO"),
    (
        "Aria",
        "YES",
        "Crash-safe tables with MyISAM heritage. Used for internal temporary tables and privilege tables",
        "NO",
    ),
    ("MyISAM", "YES", "Non-transactional engine with good performance and small data footprint", "NO"),
    ("SEQUENCE", "YES", "Generated tables filled with sequential values", "YES"),
    ("InnoDB", "DEFAULT", "Supports transactions, row-level locking, foreign keys and encryption for tables", "YES"),
    ("PERFORMANCE_SCHEMA", "YES", "Performance Schema", "NO"),
)  # a data table: engine, support, comment, transactions


def _engines(state: State) -> Iterator[_Named]:
    for name, support, comment, transactions in ENGINES:
        yield {
            "ENGINE": name,
            "SUPPORT": support,
            "COMMENT": comment,
            "TRANSACTIONS": transactions,
            "XA": "YES" if name == "InnoDB" else "NO",
            "SAVEPOINTS": transactions,
        }


_MAKERS: dict[str, Callable[[State], Iterator[_Named]]] = {
    "information_schema.SCHEMATA": _schemata,
    "information_schema.TABLES": _tables,
    "information_schema.COLUMNS": _columns,
    "information_schema.ENGINES": _engines,
    "information_schema.PROCESSLIST": _processes,
    "information_schema.USER_PRIVILEGES": _privileges,
    "information_schema.GLOBAL_VARIABLES": _variables,
    "information_schema.SESSION_VARIABLES": _variables,
    "information_schema.GLOBAL_STATUS": _status,
    "information_schema.SESSION_STATUS": _status,
    "mysql.user": _accounts,
}
