"""What memory holds of the bot's book, and how it comes out of the file."""

import logging
from collections import defaultdict
from typing import Any, Literal

import apsw
import msgspec

from chaffinch.chat.book.schema import NotABookError
from chaffinch.chat.book.stored_settings import decoded
from chaffinch.chat.guild import Channel, GuildSettings

log = logging.getLogger("chaffinch.bot")


class Training(msgspec.Struct, frozen=True):
    """A training of a guild that goes on, or that the next start goes on with."""

    guild: int
    clean: bool
    """Whether a chain is made anew that takes the other's place."""
    started_ms: int
    channel: int
    """Where its progress is shown, and in which message."""
    message: int
    newest: int
    """A message id: only older messages are read, newer ones are learned as they come."""
    file: str
    """Empty, or the path of the JSON attachment that is learned instead; relative ones are in the state directory."""
    state: Literal["reading", "publishing"]


class Cursor(msgspec.Struct, frozen=True):
    """How far one channel or thread was read in a training."""

    channel: int
    parent: int
    name: str
    before: int
    """Messages with a lower id are still to be read."""
    newest_ms: int
    oldest_ms: int
    """When the channel was made: the percentage goes by both and the time of the last message read."""
    learned: int
    done: bool
    failed: str = ""
    """A word why it was passed over, such as `403`."""


class Forgetting(msgspec.Struct, frozen=True):
    """A member whose messages are to be unlearned, or whose own chain alone is to go, and who is not forgotten yet."""

    guild: int
    user: int
    own_only: bool


class Guild:
    """What memory holds of one guild. Sets are replaced, never changed: most guilds share the empty one."""

    __slots__ = (
        "asked_out",
        "channels",
        "cursors",
        "kept_ms",
        "left_ms",
        "own",
        "own_lost",
        "role_out",
        "settings",
        "training",
    )

    def __init__(self) -> None:
        self.settings = _DEFAULTS
        self.channels: dict[int, Channel] = {}
        self.asked_out: frozenset[int] = frozenset()
        self.role_out: frozenset[int] = frozenset()
        self.own: frozenset[int] = frozenset()
        self.own_lost: frozenset[int] = frozenset()
        self.left_ms: int | None = None
        self.kept_ms: int | None = None
        self.training: Training | None = None
        self.cursors: dict[int, Cursor] = {}


_DEFAULTS = GuildSettings()


class Memory:
    """All of the book but its threads."""

    def __init__(self) -> None:
        self.guilds: dict[int, Guild] = {}
        self.forgettings: dict[tuple[int, int], Forgetting] = {}

    def guild(self, guild: int) -> Guild:
        """To change it."""
        return self.guilds.setdefault(guild, Guild())

    def drop(self, guild: int) -> None:
        """Nothing is known of a guild any more."""
        self.guilds.pop(guild, None)
        self.forgettings = {key: due for key, due in self.forgettings.items() if key[0] != guild}

    @classmethod
    def load(cls, db: apsw.Connection) -> "Memory":
        """What the file says. Raises `NotABookError` for a row that no book has."""
        memory = cls()
        try:
            memory._load(db)
        except (ValueError, TypeError) as error:  # ValidationError and DecodeError are ValueErrors
            raise NotABookError(f"a row is not as it was written: {error}") from None
        return memory

    def _load(self, db: apsw.Connection) -> None:
        for guild, settings, left_ms, kept_ms in db.execute("SELECT guild, settings, left_ms, kept_ms FROM guilds"):
            found = self.guild(guild)
            found.left_ms, found.kept_ms = left_ms, kept_ms
            if settings != "{}":
                found.settings = _settings(guild, settings)
        for guild, *values in db.execute("SELECT guild, channel, listens, responds, chance, images FROM channels"):
            channel = _row(Channel, values)
            self.guild(guild).channels[channel.id] = channel
        self._load_members(db)
        for values in _rows(db, "forgettings", Forgetting):
            due = _row(Forgetting, values)
            self.forgettings[due.guild, due.user] = due
        for values in _rows(db, "trainings", Training):
            training = _row(Training, values)
            self.guild(training.guild).training = training
        for guild, *values in _rows(db, "cursors", Cursor, "guild, "):
            cursor = _row(Cursor, values)
            self.guild(guild).cursors[cursor.channel] = cursor

    def _load_members(self, db: apsw.Connection) -> None:
        sets: dict[tuple[int, str], set[int]] = defaultdict(set)
        names = ("asked_out", "role_out", "own", "own_lost")
        for guild, user, *held in db.execute(f"SELECT guild, user, {', '.join(names)} FROM members"):  # noqa: S608
            for name, holds in zip(names, held, strict=True):
                if holds:
                    sets[guild, name].add(user)
        for (guild, name), users in sets.items():
            setattr(self.guild(guild), name, frozenset(users))


def _rows(db: apsw.Connection, table: str, kind: Any, before: str = "") -> Any:
    """The columns have the names of the fields."""
    return db.execute(f"SELECT {before}{', '.join(kind.__struct_fields__)} FROM {table}")  # noqa: S608  # names of ours


def _row(kind: Any, values: Any) -> Any:
    """A row as a struct. SQLite has no switches: 0 and 1 are."""
    return msgspec.convert(dict(zip(kind.__struct_fields__, values, strict=True)), kind, strict=False)


def _settings(guild: int, text: str) -> GuildSettings:
    settings, unusable = decoded(text)
    if unusable:
        log.warning("bot.settings_unusable guild=%d settings=%s; their defaults count", guild, ",".join(unusable))
    return settings
