"""The SQLite database of an older bot: its messages by guild, and the channels that were chosen. It is only read.

The layout is that of its migrations: `markov_input_data(id, string, tags, custom, markovId)` has a message a row, whose
`markovId` is the guild, whose `tags` are ids with commas between and whose `custom` is JSON; `channel(id, listen,
guildId)` and, of the bot with automatic answers, `autoRespond`.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from chaffinch.chain.results import Message
from chaffinch.chat.guild import Channel
from chaffinch.chat.older.tags import addresses, message_of, places_of
from chaffinch.errors import InputError

if TYPE_CHECKING:
    import apsw

MAGIC: Final = b"SQLite format 3\x00"
"""How every such file begins (sqlite.org/fileformat.html)."""

MOST_BYTES: Final = 16 << 20
"""Of a row, so that a damaged length takes no memory: a message has at most 16 KB, its attachments not many more."""

MESSAGES: Final = frozenset({"id", "string", "tags", "custom", "markovId"})
CHANNELS: Final = frozenset({"id", "listen", "guildId"})


class Corpus(msgspec.Struct, frozen=True):
    """The messages of one guild in a database."""

    guild: str
    messages: int


class Database:
    """An open database. Its methods raise `InputError` for a file that is damaged."""

    def __init__(self, path: Path) -> None:
        """Raises `InputError` for a file that is no database of those bots, with what it is instead."""
        self.path = path
        self.damaged = 0
        """Messages of which something could not be read: a text that is none, or attachments."""
        self._connection = _opened(path)
        with self._faults():
            self._channels = self._columns("channel")
            self._refuse_unknown(self._columns("markov_input_data"))

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def guilds(self) -> list[Corpus]:
        """The guilds that have messages, and how many."""
        with self._faults():
            rows = self._connection.execute(
                "SELECT markovId, count(*) FROM markov_input_data GROUP BY markovId ORDER BY 1"
            )
            return [Corpus(str(guild), count) for guild, count in rows if guild is not None]

    def count(self, guild: int) -> int:
        """The messages of a guild. Raises `InputError` that names those that there are, if it has none."""
        found = self.guilds()
        count = next((one.messages for one in found if one.guild == str(guild)), 0)
        if not count:
            there = ", ".join(f"{one.guild} ({one.messages:,} messages)" for one in found) or "none"
            raise InputError(f"{self.path} has no messages of the guild {guild}; it has those of: {there}")
        return count

    def messages(self, guild: int) -> Iterator[Message]:
        """The messages of a guild, one after the other, as they were learned."""
        query = "SELECT id, string, tags, custom FROM markov_input_data WHERE markovId = ? ORDER BY id"
        with self._faults():
            for row, text, tags, custom in self._connection.execute(query, (str(guild),)):
                if not isinstance(text, str):
                    self.damaged += 1
                    continue
                places = places_of(tags.split(",") if isinstance(tags, str) and tags else (), guild)
                yield message_of(text, places, row, self._addresses(custom))

    def threads(self, guild: int) -> Iterator[tuple[int, int]]:
        """The threads that messages of a guild stood in, each once, with their channels."""
        query = "SELECT DISTINCT tags FROM (SELECT substr(tags, instr(tags, ',') + 1) AS tags FROM markov_input_data"
        query += " WHERE markovId = ? AND length(tags) - length(replace(tags, ',', '')) = 3)"
        with self._faults():
            for (tags,) in self._connection.execute(query, (str(guild),)):
                # Without the id of the message, so that there is a row for each thread; any other in its place will do.
                places = places_of((guild, *str(tags).split(",")), guild)
                if places.thread:
                    yield places.thread, places.channel

    def channels(self, guild: int) -> list[Channel]:
        """The channels of a guild that are learned from, or answered in."""
        if not self._channels >= CHANNELS:
            return []
        responds = "autoRespond" if "autoRespond" in self._channels else "0"
        query = f"SELECT id, listen, {responds} FROM channel WHERE guildId = ? ORDER BY id"  # noqa: S608 - one of two words
        with self._faults():
            rows = list(self._connection.execute(query, (str(guild),)))
        used = [(str(found), bool(listens), bool(answers)) for found, listens, answers in rows if listens or answers]
        return [
            Channel(int(found), listens=listens, responds=answers)
            for found, listens, answers in used
            if found.isascii() and found.isdecimal() and len(found) < 20
        ]

    def _addresses(self, custom: Any) -> tuple[str, ...]:
        if custom is None:
            return ()
        try:
            return addresses(msgspec.json.decode(custom))
        except (ValueError, TypeError, RecursionError, msgspec.DecodeError):
            self.damaged += 1
            return ()

    def _columns(self, table: str) -> frozenset[str]:
        """None of what is no plain table: what a view shows may have no end."""
        plain = "SELECT 1 FROM sqlite_schema WHERE name = ? AND type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
        if not self._connection.execute(plain, (table,)).fetchall():
            return frozenset()
        return frozenset(row[1] for row in self._connection.execute(f"PRAGMA table_info({table})"))

    def _refuse_unknown(self, columns: frozenset[str]) -> None:
        if columns >= MESSAGES:
            return
        self._connection.close()
        if not columns:
            why = "it has no table of messages (markov_input_data)"
        else:
            why = f"its messages have no {' and no '.join(sorted(MESSAGES - columns))}: start that bot's last release "
            why += "once, which brings it up to date, or train anew with /train"
        raise InputError(f"{self.path} is no database of an older bot that can be read: {why}")

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        """What SQLite says of the file, as a sentence."""
        import apsw

        try:
            yield
        except (apsw.Error, UnicodeDecodeError) as error:
            raise InputError(
                f"{self.path} cannot be read as a database ({error}); stop the older bot, and copy the file "
                "together with those that begin with its name"
            ) from None


def is_database(path: Path) -> bool:
    """Whether the file is SQLite's. Raises `OSError`."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _opened(path: Path) -> "apsw.Connection":
    """Where nothing lies beside the file that belongs into it, it is opened as one that nobody changes: so nothing is
    written beside it.
    """
    import apsw

    is_still = not any(_has_bytes(path.with_name(path.name + end)) for end in ("-wal", "-journal"))
    name = f"file:{quote(str(path.absolute()))}?mode=ro" + ("&immutable=1" if is_still else "")
    try:
        opened = apsw.Connection(name, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        opened.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        opened.limit(apsw.SQLITE_LIMIT_LENGTH, MOST_BYTES)
        return opened
    except apsw.Error as error:
        raise InputError(f"{path} cannot be opened as a database ({error}); name the older bot's db.sqlite3") from None


def _has_bytes(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False
