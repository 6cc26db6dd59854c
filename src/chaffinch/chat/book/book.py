"""What the bot keeps of guilds beside their chains: settings, opt-outs, progress of trainings. Never message text.

One SQLite file in the state directory, `bot/bot.sqlite3`, which one bot at a time has (`docs/bot-book.md`). What it
says is read from memory, threads aside; what is written is on the disk before memory says it.
"""

import asyncio
import os
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import apsw
import msgspec

from chaffinch.chat.book import schema, stored_settings
from chaffinch.chat.book.memory import Cursor, Forgetting, Guild, Memory, Training
from chaffinch.chat.book.unlearnings import Unlearnings
from chaffinch.chat.book.writer import Writer
from chaffinch.chat.guild import Channel, GuildSettings
from chaffinch.errors import InputError

__all__ = ["Book", "Cursor", "Forgetting", "Training"]

_NOBODY = Guild()
"""What is read of a guild of which nothing was written."""

_PUT_CHANNEL = "INSERT INTO channels (guild, channel, listens, responds, chance, images) VALUES (?, ?, ?, ?, ?, ?)"
_PUT_TRAINING = f"INSERT OR REPLACE INTO trainings VALUES (?{', ?' * (len(Training.__struct_fields__) - 1)})"  # noqa: S608
_PUT_CURSOR = f"INSERT OR REPLACE INTO cursors VALUES (?{', ?' * len(Cursor.__struct_fields__)})"  # noqa: S608
_PUT_FORGETTING = """
INSERT INTO forgettings VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET own_only = own_only AND excluded.own_only
"""


class Book:
    """See the module. Reads are synchronous and cheap.

    Writes return when they are durable, and reads see them then. A write that cannot be done raises `RunError` (a full
    disk) or `InputError` (a value that cannot be), and changes nothing; one that is cancelled may still have its
    effect, on the disk and in memory alike.
    """

    def __init__(self, path: Path, lock: int, writer: Writer, reader: apsw.Connection, memory: Memory) -> None:
        """Use `open`."""
        self.path = path
        self._lock = lock
        self._writer = writer
        self._reader = reader
        self._memory = memory
        self.unlearnings = Unlearnings(self._change, self._read)
        self._turns: weakref.WeakValueDictionary[tuple[int, int], asyncio.Lock] = weakref.WeakValueDictionary()

    @classmethod
    async def open(cls, state: Path) -> Self:
        """The book of a state directory; an empty one is made if there is none.

        Raises `RunError` if another bot has it, if it is damaged or of a later release, or if it cannot be written.
        """
        path = state / "bot" / schema.NAME
        lock = schema.locked(path.parent)
        try:
            db, reader, memory = await asyncio.to_thread(_opened, path)
        except BaseException:
            os.close(lock)
            raise
        return cls(path, lock, Writer(db, path), reader, memory)

    async def close(self) -> None:
        """Write what waits, close the file, let another bot have it. May be called again."""
        await self._writer.close()
        self._reader.close(True)
        lock, self._lock = self._lock, -1
        if lock != -1:
            os.close(lock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def turn(self, guild: int, user: int = 0) -> asyncio.Lock:
        """Under it a guild's chains change: who learns looks at `is_out` and learns in one turn, who forgets has all of
        one. So nothing that was looked at before somebody was marked out is learned after they were forgotten.

        With `user`, under which what a member says of themselves is carried out; it is taken before that of the guild.
        """
        return self._turns.setdefault((guild, user), asyncio.Lock())

    # Guilds ---------------------------------------------------------------------------------------------------------

    def guilds(self) -> list[int]:
        """Those that anything is known of, left ones too."""
        return list(self._memory.guilds)

    def is_known(self, guild: int) -> bool:
        """Whether anything is known of a guild: not once it was left and deleted."""
        return guild in self._memory.guilds

    async def joined(self, guild: int) -> None:
        """The bot is in a guild: what was due because it had left is not any more."""
        if not (self._is_settled() and guild in self._memory.guilds and self.left_at(guild) is None):

            def noted(found: Guild) -> None:
                found.left_ms = None

            await self._change(guild, _set_left(guild, None), noted)

    async def left(self, guild: int, now_ms: int) -> None:
        """The bot is in a guild no more; the first time that this was noticed counts."""

        def noted(found: Guild) -> None:
            if found.left_ms is None:
                found.left_ms = now_ms

        await self._change(guild, _set_left(guild, now_ms), noted)

    def left_at(self, guild: int) -> int | None:
        """When that was noticed, in milliseconds since 1970; None of a guild that the bot is in."""
        return self._of(guild).left_ms

    def kept_at(self, guild: int) -> int | None:
        """When what a guild keeps was last looked through, in milliseconds since 1970."""
        return self._of(guild).kept_ms

    async def set_kept(self, guild: int, now_ms: int) -> None:
        """It was, now."""

        def noted(found: Guild) -> None:
            found.kept_ms = now_ms

        values = (now_ms, guild)
        await self._change(guild, lambda db: db.execute("UPDATE guilds SET kept_ms = ? WHERE guild = ?", values), noted)

    async def drop_guild(self, guild: int) -> None:
        """Nothing is known of it any more, nor is it left in free pages of the file or in SQLite's log."""

        def write(db: apsw.Connection) -> None:
            for table in schema.TABLES:
                db.execute(f"DELETE FROM {table} WHERE guild = ?", (guild,))  # noqa: S608  # names of ours

        await self._writer.write(write, lambda: self._memory.drop(guild), fold=True)

    # Settings and channels ------------------------------------------------------------------------------------------

    def settings(self, guild: int) -> GuildSettings:
        """The defaults for a guild that has set nothing."""
        return self._of(guild).settings

    async def set_settings(self, guild: int, settings: GuildSettings) -> None:
        """Raises `InputError` for a value that its setting cannot have.

        With another opt-out role nobody is out by role until they are seen with it; who asked to be out stays so.
        """
        settings = stored_settings.checked(settings)

        def write(db: apsw.Connection) -> None:
            ((stored,),) = db.execute("SELECT settings FROM guilds WHERE guild = ?", (guild,))
            text = stored_settings.encoded(settings, stored)
            db.execute("UPDATE guilds SET settings = ? WHERE guild = ?", (text, guild))
            if stored_settings.decoded(stored)[0].opt_out_role != settings.opt_out_role:
                db.execute("UPDATE members SET role_out = 0 WHERE guild = ?", (guild,))
                db.execute("DELETE FROM members WHERE guild = ? AND NOT (asked_out OR own OR own_lost)", (guild,))

        def noted(found: Guild) -> None:
            if found.settings.opt_out_role != settings.opt_out_role:
                found.role_out = frozenset()
            found.settings = settings

        await self._change(guild, write, noted)

    def channel(self, guild: int, channel: int) -> Channel:
        """What a channel is used for; for nothing, if nobody said."""
        return self._of(guild).channels.get(channel) or Channel(channel)

    def channels(self, guild: int) -> list[Channel]:
        """Those that are used for something, or have a chance of their own; by id."""
        return [channel for _, channel in sorted(self._of(guild).channels.items())]

    async def set_channels(self, guild: int, channels: Iterable[Channel]) -> None:
        """Set several; others stay as they are. Raises `InputError` for a chance that is none."""
        given = {channel.id: channel for channel in channels}
        for channel in given.values():
            for chance in (channel.chance, channel.images):
                if chance is not None and not 0 <= chance <= 1:
                    raise InputError(f"{chance} is no chance: give a number from 0 to 1")
        kept = {channel.id: channel for channel in given.values() if channel != Channel(channel.id)}

        def write(db: apsw.Connection) -> None:
            db.executemany(
                "DELETE FROM channels WHERE guild = ? AND channel = ?", [(guild, channel) for channel in given]
            )
            db.executemany(_PUT_CHANNEL, [(guild, *msgspec.structs.astuple(channel)) for channel in kept.values()])

        def noted(found: Guild) -> None:
            others = {channel.id: channel for channel in found.channels.values() if channel.id not in given}
            found.channels = others | kept

        await self._change(guild, write, noted)

    async def drop_channel(self, guild: int, channel: int) -> None:
        """A channel or thread is gone: what it was used for, and which threads it had. Unlearn before."""

        def write(db: apsw.Connection) -> None:
            db.execute("DELETE FROM channels WHERE guild = ? AND channel = ?", (guild, channel))
            db.execute("DELETE FROM threads WHERE guild = ?1 AND ?2 IN (parent, thread)", (guild, channel))

        def noted(found: Guild) -> None:
            found.channels.pop(channel, None)

        await self._change(guild, write, noted)

    async def note_thread(self, guild: int, thread: int, parent: int) -> None:
        """Something of a thread is learned. Costs a look at the file when that is known."""
        row = (guild, parent, thread)
        if not self._read("SELECT 1 FROM threads WHERE guild = ? AND parent = ? AND thread = ?", row):
            await self._change(guild, lambda db: db.execute("INSERT OR IGNORE INTO threads VALUES (?, ?, ?)", row))

    def threads_of(self, guild: int, channel: int) -> list[int]:
        """Threads of a channel of which something was learned; from the file, since there may be any number."""
        rows = self._read("SELECT thread FROM threads WHERE guild = ? AND parent = ?", (guild, channel))
        return [thread for (thread,) in rows]

    def parent_of(self, guild: int, thread: int) -> int | None:
        """The channel of a thread of which something was learned; from the file, as the others."""
        rows = self._read("SELECT parent FROM threads WHERE guild = ? AND thread = ?", (guild, thread))
        return int(rows[0][0]) if rows else None

    # Members --------------------------------------------------------------------------------------------------------

    def is_out(self, guild: int, user: int) -> bool:
        """Whether nothing is learned from somebody: they asked for it, or have the opt-out role."""
        found = self._of(guild)
        return user in found.asked_out or user in found.role_out

    def opted_out(self, guild: int) -> frozenset[int]:
        """Everybody from whom nothing is learned."""
        found = self._of(guild)
        return found.asked_out | found.role_out

    def asked_out(self, guild: int) -> frozenset[int]:
        """Those who asked to be out."""
        return self._of(guild).asked_out

    def out_by_role(self, guild: int) -> frozenset[int]:
        """Those who were last seen with the opt-out role."""
        return self._of(guild).role_out

    async def set_out(self, guild: int, user: int, out: bool, *, by_role: bool = False) -> None:
        """Learn nothing from somebody from now on, or do again. They are out for as long as either reason stands: that
        they asked, or (`by_role`) that they have the role. Costs nothing where nothing changes.
        """
        await self._set_member(guild, user, "role_out" if by_role else "asked_out", out)

    def has_own(self, guild: int, user: int) -> bool:
        """Whether somebody agreed to have a chain of their own."""
        return user in self._of(guild).own

    def owners_of_chains(self, guild: int) -> frozenset[int]:
        """Everybody who did."""
        return self._of(guild).own

    async def set_own(self, guild: int, user: int, own: bool) -> None:
        """Agree, or not any more. The chain itself stays: `owe_forgetting` is for who wants it gone."""
        await self._set_member(guild, user, "own_lost", False)
        await self._set_member(guild, user, "own", own)

    def is_own_lost(self, guild: int, user: int) -> bool:
        """Whether somebody's own chain was damaged and removed, and is begun anew."""
        return user in self._of(guild).own_lost

    async def set_own_lost(self, guild: int, user: int, lost: bool) -> None:
        """It was, of somebody who agreed to one; or what it had is learned again."""
        await self._set_member(guild, user, "own_lost", lost)

    async def owe_forgetting(self, guild: int, user: int, *, own_only: bool = False) -> None:
        """Mark somebody out and without a chain of their own (or only that), and that they are to be forgotten."""

        def write(db: apsw.Connection) -> None:
            db.execute(_PUT_FORGETTING, (guild, user, own_only))
            _put_member(db, guild, user, "own_lost", False)
            _put_member(db, guild, user, "own", False)
            if not own_only:
                _put_member(db, guild, user, "asked_out", True)

        def noted(found: Guild) -> None:
            before = self.forgetting(guild, user)
            only = own_only and (before is None or before.own_only)
            self._memory.forgettings[guild, user] = Forgetting(guild, user, only)
            found.own -= {user}
            found.own_lost -= {user}
            if not own_only:
                found.asked_out |= {user}

        await self._change(guild, write, noted)

    def forgettings(self) -> list[Forgetting]:
        """Those that are due."""
        return list(self._memory.forgettings.values())

    def forgetting(self, guild: int, user: int) -> Forgetting | None:
        """That of one member, if one is due."""
        return self._memory.forgettings.get((guild, user))

    async def end_forgetting(self, guild: int, user: int) -> None:
        """It was done."""

        def write(db: apsw.Connection) -> None:
            db.execute("DELETE FROM forgettings WHERE guild = ? AND user = ?", (guild, user))

        await self._change(guild, write, lambda found: self._memory.forgettings.pop((guild, user), None))

    # Trainings ------------------------------------------------------------------------------------------------------

    def training(self, guild: int) -> Training | None:
        """That which goes on, or is to be gone on with."""
        return self._of(guild).training

    async def set_training(self, training: Training) -> None:
        """Begin one, or say how far it is. Its cursors stay as they are."""
        row = msgspec.structs.astuple(training)

        def noted(found: Guild) -> None:
            found.training = training

        await self._change(training.guild, lambda db: db.execute(_PUT_TRAINING, row), noted)

    async def end_training(self, guild: int) -> None:
        """It is over; its cursors go with it."""

        def write(db: apsw.Connection) -> None:
            db.execute("DELETE FROM trainings WHERE guild = ?", (guild,))
            db.execute("DELETE FROM cursors WHERE guild = ?", (guild,))

        def noted(found: Guild) -> None:
            found.training, found.cursors = None, {}

        await self._change(guild, write, noted)

    def cursors(self, guild: int) -> list[Cursor]:
        """How far its channels were read, in any order."""
        return list(self._of(guild).cursors.values())

    async def set_cursors(self, guild: int, cursors: Iterable[Cursor]) -> None:
        """Set several; others stay as they are."""
        given = list(cursors)
        rows = [(guild, *msgspec.structs.astuple(cursor)) for cursor in given]

        def noted(found: Guild) -> None:
            found.cursors.update((cursor.channel, cursor) for cursor in given)

        await self._change(guild, lambda db: db.executemany(_PUT_CURSOR, rows), noted)

    # The file -------------------------------------------------------------------------------------------------------

    def _of(self, guild: int) -> Guild:
        return self._memory.guilds.get(guild, _NOBODY)

    def _is_settled(self) -> bool:
        """Whether memory has all that was given: else what memory says may be about to change."""
        return not self._writer.unfinished

    async def _change(
        self, guild: int, write: Callable[[apsw.Connection], object], noted: Callable[[Guild], object] | None = None
    ) -> None:
        """Write something about a guild, which is known from then on."""

        def statements(db: apsw.Connection) -> None:
            db.execute("INSERT OR IGNORE INTO guilds (guild) VALUES (?)", (guild,))
            write(db)

        def note() -> None:
            found = self._memory.guild(guild)
            if noted is not None:
                noted(found)

        await self._writer.write(statements, note)

    async def _set_member(self, guild: int, user: int, name: str, value: bool) -> None:
        if self._is_settled() and (user in getattr(self._of(guild), name)) == value:
            return

        def noted(found: Guild) -> None:
            users: frozenset[int] = getattr(found, name)
            setattr(found, name, users | {user} if value else users - {user})

        await self._change(guild, lambda db: _put_member(db, guild, user, name, value), noted)

    def _read(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with schema.explained(self.path):
            return self._reader.execute(query, values).fetchall()


def _put_member(db: apsw.Connection, guild: int, user: int, name: str, value: bool) -> None:
    """`name` is a column. Of whom nothing is to be said there is no row."""
    db.execute(
        f"INSERT INTO members (guild, user, {name}) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET {name} = ?3",  # noqa: S608  # names of ours
        (guild, user, value),
    )
    db.execute(
        "DELETE FROM members WHERE guild = ? AND user = ? AND NOT (asked_out OR role_out OR own OR own_lost)",
        (guild, user),
    )


def _set_left(guild: int, when: int | None) -> Callable[[apsw.Connection], object]:
    change = "NULL" if when is None else "coalesce(left_ms, ?2)"
    values = (guild,) if when is None else (guild, when)
    return lambda db: db.execute(f"UPDATE guilds SET left_ms = {change} WHERE guild = ?1", values)  # noqa: S608


def _opened(path: Path) -> tuple[apsw.Connection, apsw.Connection, Memory]:
    """The connection that writes, the one that reads, and what the file says."""
    db = schema.open_book(path)
    try:
        with schema.explained(path):
            memory = Memory.load(db)
            return db, schema.connect(path), memory
    except BaseException:
        schema.leave(db)
        raise
