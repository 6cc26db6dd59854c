"""What schemas, tables and columns there are: the system's from data files, the application's as content."""

import os
from collections.abc import Iterator

import msgspec

from chaffinch.decoys.mysql import content, results
from chaffinch.decoys.mysql.content import Field
from chaffinch.decoys.mysql.results import Column, SqlError
from chaffinch.decoys.mysql.state import State
from chaffinch.personas.persona import Persona

SYSTEM = ("information_schema", "mysql", "performance_schema", "sys")
_DIRECTORY = os.path.dirname(__file__)


class Table(msgspec.Struct, frozen=True):
    """A table with its schema; `made` says that this session created it, so that it is empty."""

    schema: str
    name: str
    kind: str = "BASE TABLE"
    engine: str = "InnoDB"
    fields: tuple[Field, ...] = ()
    made: bool = False


def lines(file: str, *prefix: str) -> Iterator[list[str]]:
    """The rows of a data file of this package that begin with these fields, without regard to case.

    Files are read when asked, not held: they are a few tens of kilobytes and sessions that need them are few.
    """
    wanted = [field.lower() for field in prefix]
    with open(os.path.join(_DIRECTORY, file), encoding="utf-8") as opened:
        for line in opened:
            row = line.rstrip("\n").split("\t")
            if [field.lower() for field in row[: len(wanted)]] == wanted:
                yield row


def schemas(state: State) -> list[str]:
    """Every schema, in the order in which SHOW DATABASES lists them."""
    own = content.schema_name(state.server.persona)
    made = [name for name in state.created if "." not in name]
    return sorted(name for name in {*SYSTEM, own, *made} if name not in state.dropped)


def require_schema(state: State, name: str) -> str:
    """The schema's name as it is stored. Raises `SqlError` (1046, 1049)."""
    if not name:
        raise SqlError(1046, "3D000", "No database selected")
    for known in schemas(state):
        if known == name or (known == "information_schema" and name.lower() == known):
            return known
    raise SqlError(1049, "42000", f"Unknown database '{name}'")


def tables(state: State, schema: str) -> list[Table]:
    """The schema's tables, sorted by name."""
    found = [
        Table(schema, name, made=True)
        for owner, _, name in (key.partition(".") for key in state.created)
        if name and owner == schema
    ]
    if schema in SYSTEM:
        found += [Table(row[0], row[1], row[2], row[3]) for row in lines("tables.tsv", schema)]
    if schema == content.schema_name(state.server.persona) and schema not in state.created:
        found += [Table(schema, name) for name in content.TABLES if f"{schema}.{name}" not in state.dropped]
    return sorted(found, key=lambda table: table.name)


def table(state: State, schema: str, name: str) -> Table:
    """The table with its fields. Raises `SqlError` (1046, 1146, 1109)."""
    schema = schema or state.schema
    if not schema:
        raise SqlError(1046, "3D000", "No database selected")
    in_information = schema.lower() == "information_schema"
    folded = name.lower() if in_information else name
    for known in tables(state, schema.lower() if in_information else schema):
        if (known.name.lower() if in_information else known.name) == folded:
            return with_fields(state, known)
    if in_information:
        raise SqlError(1109, "42S02", f"Unknown table '{name}' in information_schema")
    raise SqlError(1146, "42S02", f"Table '{schema}.{name}' doesn't exist")


def with_fields(state: State, known: Table) -> Table:
    """The table with its fields filled in."""
    return msgspec.structs.replace(known, fields=_fields(state, known))


def _fields(state: State, known: Table) -> tuple[Field, ...]:
    if known.made:
        return tuple(Field(name, "varchar(255)", null=True) for name in state.created[f"{known.schema}.{known.name}"])
    if known.schema in SYSTEM:
        return tuple(
            Field(row[2], row[3], null=row[4] == "YES", key=row[5], default=row[6] or None, extra=row[7])
            for row in lines("columns.tsv", known.schema, known.name)
        )
    return content.TABLES[known.name]


_TYPES = {
    "int": (results.LONG, 11),
    "tinyint": (results.LONG, 4),
    "smallint": (results.LONG, 6),
    "bigint": (results.LONGLONG, 20),
    "decimal": (results.DECIMAL, 0),
    "double": (results.DOUBLE, 22),
    "datetime": (results.DATETIME, 19),
    "timestamp": (results.DATETIME, 19),
    "date": (results.DATE, 10),
    "varchar": (results.VARCHAR, 255),
    "char": (results.CHAR, 255),
    "enum": (results.CHAR, 20),
    "set": (results.CHAR, 100),
    "text": (results.BLOB, 65535),
    "longtext": (results.BLOB, 196605),
}


def column(of: Table, alias: str, field: Field, name: str = "") -> Column:
    """How a field of a table is described to a client that asked for it as `name` from `alias`."""
    base, _, rest = field.type.partition("(")
    kind, length = _TYPES.get(base.split()[0], (results.VARCHAR, 255))
    inside = rest.partition(")")[0]
    decimals = 0
    if base in ("enum", "set"):
        length = max(map(len, inside.replace("'", "").split(",")))
    elif inside:
        length = int(inside.partition(",")[0])
        decimals = int(inside.partition(",")[2] or 0)
    if kind == results.DECIMAL:
        length += 2
    system = of.schema == "information_schema"
    flags = 0 if field.null else results.NOT_NULL
    if system or not (field.null or field.default is not None or field.extra):
        flags |= results.NO_DEFAULT
    flags |= results.UNSIGNED if "unsigned" in field.type else 0
    flags |= results.AUTO_INCREMENT if field.extra == "auto_increment" else 0
    flags |= {"PRI": results.PRIMARY, "UNI": results.UNIQUE}.get(field.key, 0) | (results.PART_KEY if field.key else 0)
    flags |= results.BINARY if kind == results.DATETIME else 0
    flags |= results.BLOB_FLAG if kind == results.BLOB else 0
    if field.key == "MUL":
        flags |= 8
    return Column(name or field.name, kind, length, flags, decimals, of.schema, alias, of.name, field.name)


def create_statement(of: Table, rows: int) -> str:
    """The statement that would make the table, as SHOW CREATE TABLE prints it."""
    parts = [f"  `{field.name}` {field.type}{_clause(field)}" for field in of.fields]
    for field in of.fields:
        if field.key == "PRI":
            parts.append(f"  PRIMARY KEY (`{field.name}`)")
        elif field.key:
            parts.append(f"  {'UNIQUE ' if field.key == 'UNI' else ''}KEY `{field.name}` (`{field.name}`)")
    counter = f" AUTO_INCREMENT={rows + 1}" if any(field.extra == "auto_increment" for field in of.fields) else ""
    ending = f") ENGINE={of.engine}{counter} DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci"
    return f"CREATE TABLE `{of.name}` (\n" + ",\n".join(parts) + "\n" + ending


def _clause(field: Field) -> str:
    if field.extra == "auto_increment":
        return " NOT NULL AUTO_INCREMENT"
    if field.null:
        return " DEFAULT NULL"
    if field.default is None:
        return " NOT NULL"
    literal = field.default if field.default[:1].isdigit() or field.default.endswith("()") else f"'{field.default}'"
    return f" NOT NULL DEFAULT {literal}"


def variables(state: State) -> Iterator[tuple[str, str]]:
    """The system variables with this session's values, sorted by name."""
    known = {
        "{hostname}": state.server.persona.hostname,
        "{port}": str(state.server.port),
        "{version}": state.server.version,
        "{server_uid}": server_uid(state.server.persona),
    }
    for name, value in lines("variables.tsv"):
        shown = value
        if "{" in value:
            for placeholder, real in known.items():
                shown = shown.replace(placeholder, real)
        yield name, state.variables.get(name, shown)


def server_uid(persona: Persona) -> str:
    import base64

    return base64.b64encode(persona.derive("mysql server uid", 20)).decode()
