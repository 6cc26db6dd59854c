"""docs/journal-format.md says what the code does: log events, tables and columns, versions."""

import re
from pathlib import Path

from chaffinch.journal import catalog, segment
from chaffinch.store import sqlite as store

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "journal-format.md").read_text()


def test_every_log_event_is_documented() -> None:
    sources = [*(ROOT / "src/chaffinch/journal").glob("*.py"), *(ROOT / "src/chaffinch/store").glob("*.py")]
    named = {name for path in sources for name in re.findall(r'"((?:journal|store)\.[a-z_]+)[ "]', path.read_text())}
    assert "journal.full" in named
    assert {name for name in named if f"`{name}`" not in PAGE} == set()


def test_every_table_and_column_is_documented() -> None:
    for schema in (segment._SCHEMA, catalog._SCHEMA, store._SCHEMA):
        for table, columns in re.findall(r"CREATE TABLE (\w+) \((.*?)\n?\) STRICT", schema, re.DOTALL):
            assert f"`{table}`" in PAGE or f"CREATE TABLE {table}" in PAGE
            for column in re.findall(r"(\w+) (?:INTEGER|TEXT|BLOB)", columns):
                if column != "id":
                    assert f"`{column}`" in PAGE, f"{table}.{column}"


def test_application_ids_are_documented() -> None:
    for number in (segment.APPLICATION_ID, catalog.APPLICATION_ID, store.APPLICATION_ID):
        assert f"0x{number:08X}" in PAGE
