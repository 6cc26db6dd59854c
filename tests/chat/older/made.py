"""Databases as the migrations of the older bots leave them: tables, columns, and rows as those bots wrote them."""

import json
from collections.abc import Iterable
from pathlib import Path

import apsw
import msgspec

TABLES = """
create table migrations (id integer primary key autoincrement not null, timestamp bigint not null,
  name varchar not null);
create table guild (id text primary key not null);
create table channel (id text primary key not null, listen boolean not null default (0), "guildId" text
  references guild (id));
create table markov_options (id varchar primary key not null, "stateSize" integer not null);
create table markov_root (id varchar primary key not null, "optionsId" text unique
  references markov_options (id) on delete cascade);
create table markov_input_data (id integer primary key autoincrement not null, string varchar not null, tags text,
  custom text, "markovId" text references markov_root (id) on delete cascade);
create index by_string on markov_input_data (string);
create index by_tags on markov_input_data (tags);
create index by_markov on markov_input_data ("markovId");
create table markov_corpus_entry (id integer primary key autoincrement not null, block varchar not null,
  "markovId" text references markov_root (id) on delete cascade);
create table markov_fragment (id integer primary key autoincrement not null, words varchar not null,
  "refId" integer references markov_input_data (id) on delete cascade, "startWordMarkovId" text, "endWordMarkovId" text,
  "corpusEntryId" integer);
"""
"""The last layout of the first of the two bots."""

ANSWERS = (
    'alter table channel add column "autoRespond" boolean not null default (0); create index by_guild on channel (id)'
)
"""What the second one adds."""

BEFORE = """
create table markov_input_data (id integer primary key autoincrement not null, string varchar not null, custom text,
  "fragmentId" integer, tags text);
"""
"""The table of messages before it had the guild's id."""


class Row(msgspec.Struct, frozen=True):
    """A message as that bot wrote it."""

    guild: int
    text: str
    message: int = 0
    channel: int = 0
    thread: int = 0
    attachments: tuple[str, ...] = ()

    @property
    def tags(self) -> str | None:
        """Ids with commas between; None for what has none, as after an edit."""
        found = [self.message, self.thread, self.channel, self.guild] if self.message else []
        return ",".join(str(one) for one in found if one) or None


def database(
    path: Path,
    rows: Iterable[Row],
    channels: Iterable[tuple[int, int, bool, bool]] = (),
    *,
    answers: bool = True,
    journal: str = "delete",
) -> Path:
    """The file, with these messages and channels (guild, id, listens, answers)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    db = apsw.Connection(str(path))
    db.execute(f"pragma journal_mode = {journal}")
    with db:
        db.execute(TABLES)
        if answers:
            db.execute(ANSWERS)
        for guild, channel, listens, responds in channels:
            db.execute("insert or ignore into guild values (?)", (str(guild),))
            values = (str(channel), listens, str(guild), *((responds,) if answers else ()))
            db.execute(f"insert into channel values ({', '.join('?' * len(values))})", values)
        for row in rows:
            db.execute("insert or ignore into markov_options values (?, 2)", (str(row.guild),))
            db.execute("insert or ignore into markov_root values (?, ?)", (str(row.guild), str(row.guild)))
            custom = json.dumps({"attachments": list(row.attachments)}) if row.attachments else None
            db.execute(
                "insert into markov_input_data (string, tags, custom, markovId) values (?, ?, ?, ?)",
                (row.text, row.tags, custom, str(row.guild)),
            )
    db.close()
    return path
