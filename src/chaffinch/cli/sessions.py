"""`chaffinch sessions`: who connected to what, from the store."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from chaffinch.cli import options, text
from chaffinch.config import Config
from chaffinch.errors import InputError
from chaffinch.fleet.state import store_file
from chaffinch.journal.sqlite import SqliteJournal
from chaffinch.store.protocol import SessionFilter, SessionRow
from chaffinch.store.sqlite import SqliteStore

PATIENCE_SECONDS = 3.0
"""How long the store may take to catch up with what the journal held when the command was given."""

PAGE = 2000
ON_A_TERMINAL = 50


class SessionView(msgspec.Struct, frozen=True):
    """One session as `--json` shows it: times are RFC 3339, `ended` is null while it is open, `count` above 1 is a
    collapsed record.
    """

    id: str
    service: str
    address: str
    port: int
    transport: str
    source: str
    source_port: int
    started: str
    ended: str | None
    bytes_in: int
    bytes_out: int
    count: int
    reason: str


@click.command("sessions")
@click.option("--service", default="", help="Only sessions of this service.")
@click.option("--address", default="", help="Only sessions with this decoy host.")
@click.option("--source", default="", help="Only sessions from this source.")
@click.option("-n", "--last", type=click.IntRange(min=1), help="Only the last so many; 50 on a terminal.")
@options.as_json
@options.placed
def command(
    service: str, address: str, source: str, last: int | None, as_json: bool, state: str | None, config: str | None
) -> None:
    """List who connected to what, the newest first.

    A COUNT above 1 is a collapsed record: so many sessions past the recorded rate.
    """
    directory = options.state_of(state)
    settings = options.running_or_loaded(config, directory)
    if not (directory / "journal").is_dir():
        raise InputError(
            f"there are no sessions in {directory}; start a fleet with `chaffinch up`, or name one with --state"
        )
    if last is None and not as_json and text.on_terminal():
        last = ON_A_TERMINAL
    store = SqliteStore(store_file(directory), settings.store)
    try:
        _catch_up(store, directory, settings)
        rows = itertools.islice(_pages(store, SessionFilter(service, source, address, limit=PAGE)), last)
        (_print_json if as_json else _print_table)(rows)
    finally:
        store.close()


def _catch_up(store: SqliteStore, directory: Path, settings: Config) -> None:
    """Wait until the store holds what the journal held when we came; say so when it does not."""
    journal = SqliteJournal(directory / "journal", settings.journal)
    try:
        wanted = journal.last_seq()
    finally:
        journal.close()
    until = time.monotonic() + PATIENCE_SECONDS
    while (behind := wanted - store.progress()) > 0:
        if time.monotonic() > until:
            click.echo(f"the store is {behind} events behind the journal; is the fleet up?", err=True)
            return
        time.sleep(0.05)


def _pages(store: SqliteStore, wanted: SessionFilter) -> Iterator[SessionRow]:
    while rows := store.sessions(wanted):
        yield from rows
        if len(rows) < wanted.limit:
            return
        wanted = msgspec.structs.replace(wanted, after=rows[-1].id)


def _view(row: SessionRow) -> SessionView:
    return SessionView(
        id=row.id,
        service=row.service,
        address=row.address,
        port=row.port,
        transport=row.transport,
        source=row.source,
        source_port=row.source_port,
        started=text.moment(row.started),
        ended=None if row.ended is None else text.moment(row.ended),
        bytes_in=row.bytes_in,
        bytes_out=row.bytes_out,
        count=row.count,
        reason=row.reason,
    )


def _print_json(rows: Iterator[SessionRow]) -> None:
    text.json_array(_view(row) for row in rows)


def _print_table(rows: Iterator[SessionRow]) -> None:
    text.table(
        ("STARTED", "SERVICE", "SOURCE", "ADDRESS", "LASTED", "IN", "OUT", "COUNT", "ENDED BY", "ID"),
        [
            (
                text.moment(row.started),
                row.service,
                f"{row.source}:{row.source_port}" if row.source_port else row.source,
                row.address,
                "open" if row.ended is None else f"{(row.ended - row.started) / 1e9:.1f}s",
                row.bytes_in,
                row.bytes_out,
                row.count,
                row.reason,
                row.id,
            )
            for row in rows
        ],
    )
