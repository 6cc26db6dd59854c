"""What is to be unlearned and is not yet: in the book's file alone, since there may be any number."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final, Literal, Protocol

import apsw
import msgspec

Rows = Callable[[str, tuple[Any, ...]], list[tuple[Any, ...]]]

AT_ONCE: Final = 1000
"""Rows that are read together."""


class Unlearning(msgspec.Struct, frozen=True, order=True):
    """A message, all of a channel or thread, or all of a member who has the opt-out role."""

    kind: Literal["author", "channel", "message"]
    id: int


class Change(Protocol):
    """Writes something about a guild, durably."""

    def __call__(self, guild: int, write: Callable[[apsw.Connection], object], /) -> Awaitable[None]: ...


class Unlearnings:
    """Those of all guilds. Raises what the book raises."""

    def __init__(self, change: Change, read: Rows) -> None:
        self._change = change
        self._read = read

    async def owe(self, guild: int, things: Collection[Unlearning]) -> None:
        """These are to be unlearned, also after a restart."""
        rows = [(guild, one.kind, one.id) for one in things]
        await self._change(guild, lambda db: db.executemany("INSERT OR IGNORE INTO unlearnings VALUES (?, ?, ?)", rows))

    async def end(self, guild: int, things: Collection[Unlearning]) -> None:
        """They are. Nothing is written of a guild that nothing is due of: it may be deleted."""
        if not self.due(guild, most=1):
            return
        rows = [(guild, one.kind, one.id) for one in things]
        query = "DELETE FROM unlearnings WHERE guild = ? AND kind = ? AND id = ?"
        await self._change(guild, lambda db: db.executemany(query, rows))

    def due(self, guild: int, after: Unlearning | None = None, *, most: int = AT_ONCE) -> list[Unlearning]:
        """Some of those that are due, in order."""
        kind, last = ("", 0) if after is None else (after.kind, after.id)
        query = "SELECT kind, id FROM unlearnings WHERE guild = ? AND (kind, id) > (?, ?) ORDER BY kind, id LIMIT ?"
        return [Unlearning(*row) for row in self._read(query, (guild, kind, last, most))]

    def guilds(self) -> list[int]:
        """Guilds of which something is due."""
        return [guild for (guild,) in self._read("SELECT DISTINCT guild FROM unlearnings", ())]
