"""`chaffinch events`: what was recorded, straight from the journal."""

import collections
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import msgspec

from chaffinch.cli import options, text
from chaffinch.errors import InputError
from chaffinch.events import AnyFact, Event, kind_of
from chaffinch.journal.protocol import Record
from chaffinch.journal.sqlite import SqliteJournal

BATCH = 2000
POLL_SECONDS = 0.25
ON_A_TERMINAL = 50

KINDS = tuple(sorted(kind_of(fact) for fact in AnyFact.__args__))


class Chosen(msgspec.Struct, frozen=True):
    """Which events are shown: an empty text chooses all."""

    kind: str = ""
    service: str = ""
    address: str = ""
    source: str = ""
    session: str = ""

    def takes(self, event: Event) -> bool:
        return (
            (not self.kind or event.fact.kind == self.kind)
            and (not self.service or event.service == self.service)
            and (not self.address or event.address == self.address)
            and (not self.source or event.source == self.source)
            and (not self.session or event.session == self.session)
        )


@click.command("events")
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes.")
@click.option("-n", "--last", type=click.IntRange(min=1), help="Only the last so many; 50 on a terminal.")
@click.option("--after", type=click.IntRange(min=0), default=0, help="Only events after this sequence number.")
@click.option("--kind", default="", help="Only events of this kind.")
@click.option("--service", default="", help="Only events of this service.")
@click.option("--address", default="", help="Only events of this decoy host.")
@click.option("--source", default="", help="Only events from this source.")
@click.option("--session", default="", help="Only events of this session.")
@options.as_json
@options.placed
def command(
    follow: bool, last: int | None, after: int, as_json: bool, state: str | None, config: str | None, **chosen: str
) -> None:
    """Show what was recorded, in the order in which it was stored.

    With --json one object a line.
    """
    if chosen["kind"] and chosen["kind"] not in KINDS:
        raise InputError(f"there is no event kind {chosen['kind']!r}; there are: {', '.join(KINDS)}")
    directory = options.state_of(state)
    settings = options.running_or_loaded(config, directory)
    show = as_line if as_json else as_row
    wanted = Chosen(**chosen)
    if last is None and not as_json and text.on_terminal():
        last = ON_A_TERMINAL
    journal = SqliteJournal(_existing(directory / "journal"), settings.journal)
    try:
        shown = journal.last_seq()
        records = _matching(journal, after, shown, wanted)
        for record in records if last is None else collections.deque(records, last):
            print(show(record))
        if follow:
            _follow(journal, max(after, shown), wanted, show)
    finally:
        journal.close()


def _existing(directory: Path) -> Path:
    if not directory.is_dir():
        raise InputError(
            f"there is no journal at {directory}; start a fleet with `chaffinch up`, or name one with --state"
        )
    return directory


def _matching(journal: SqliteJournal, after: int, upto: int, wanted: Chosen) -> Iterator[Record]:
    """What is wanted of the events after one sequence number, up to another."""
    while after < upto and (records := journal.read(after, min(BATCH, upto - after))):
        yield from (record for record in records if record.seq <= upto and wanted.takes(record.event))
        after = records[-1].seq


def _follow(journal: SqliteJournal, after: int, wanted: Chosen, show: Callable[[Record], str]) -> None:
    while True:
        records = journal.read(after, BATCH)
        for record in records:
            after = record.seq
            if wanted.takes(record.event):
                print(show(record), flush=True)
        if not records:
            time.sleep(POLL_SECONDS)


def as_line(record: Record) -> str:
    """One event as one JSON object: its place, its envelope, its kind, and every field of its fact."""
    event = record.event
    row = {
        "seq": record.seq,
        "time": text.moment(event.time),
        "kind": event.fact.kind,
        "service": event.service,
        "address": event.address,
        "source": event.source,
        "session": event.session,
    }
    return msgspec.json.encode(row | msgspec.structs.asdict(event.fact)).decode()


def as_row(record: Record) -> str:
    """One event as a line to read: of its fact what differs from the default."""
    event = record.event
    fact = msgspec.to_builtins(event.fact)
    kind = fact.pop("kind")
    said = " ".join(f"{name}={_short(value)}" for name, value in fact.items())
    where = f"{event.source} -> {event.address} {event.service}" if event.source else f"fleet {event.service}".strip()
    return f"{text.moment(event.time)} {kind:<15} {where}  {said}"


def _short(value: object) -> str:
    shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return shown if len(shown) <= 120 else shown[:119] + "…"
