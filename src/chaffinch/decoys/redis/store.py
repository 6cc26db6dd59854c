"""What one source sees in a host's Redis: the host's own keys and what it changed, within a quota, for a while."""

import sys
import time
from collections.abc import Callable

from chaffinch.decoys.kept import Kept
from chaffinch.decoys.redis.seeds import seeded
from chaffinch.personas.persona import Persona

STORE_BYTES = 1 << 20
"""How much the values of one source on one host may take, in bytes."""

TOTAL_BYTES = 8 << 20
"""How much the changes of all sources may take in one process, in bytes."""

TTL = 3600.0
"""How long a source's changes are kept after it was last seen, in seconds."""

ITEM_COST = 64
"""What a key, or an element of a list, counts for beside its bytes: about what it takes in memory."""

FIELD_COST = 128
"""The same for what stands in a table: a field with its value, a member."""

CONTAINER_COST = 256
"""The same for a list, a set or a table itself."""

BASE_COST = 5 << 10
"""What a changed store counts for beside its values, among all: the host's own keys."""

DATABASE_COST = 64
"""The same for a database, beside its tables."""

EXPIRY_COST = 32
"""The same for a time at which a key expires, beside its place in the table."""

WRONG_TYPE = b"WRONGTYPE Operation against a key holding the wrong kind of value"
OUT_OF_MEMORY = b"OOM command not allowed when used memory > 'maxmemory'."


class CommandError(Exception):
    """The command fails: the server says `reply`, which begins with the error's code."""

    def __init__(self, reply: bytes) -> None:
        super().__init__(reply)
        self.reply = reply


class SortedSet(dict[bytes, float]):
    """Members and their scores."""

    def ordered(self) -> list[tuple[bytes, float]]:
        """Members by score, then by bytes."""
        return sorted(self.items(), key=lambda item: (item[1], item[0]))


class Hash(dict[bytes, bytes]):
    """Fields and their values."""


Value = bytes | list[bytes] | set[bytes] | Hash | SortedSet


def cost(value: Value) -> int:
    """What a value counts for, in bytes."""
    if isinstance(value, bytes):
        return len(value) + ITEM_COST
    if isinstance(value, Hash):
        return sum(len(field) + len(text) + FIELD_COST for field, text in value.items()) + CONTAINER_COST
    each = ITEM_COST if isinstance(value, list) else FIELD_COST
    return sum(len(element) + each for element in value) + CONTAINER_COST


class Database:
    """One of the numbered databases."""

    __slots__ = ("expires", "values")

    def __init__(self) -> None:
        self.values: dict[bytes, Value] = {}
        self.expires: dict[bytes, int] = {}

    @property
    def table_bytes(self) -> int:
        """What it takes beside keys and values: its tables keep the room of keys that were deleted."""
        times = sys.getsizeof(self.expires) + EXPIRY_COST * len(self.expires)
        return DATABASE_COST + sys.getsizeof(self.values) + times


class Store:
    """Databases, settings and replication of one host, as one source sees them. `kept`: something was changed."""

    __slots__ = ("databases", "held", "is_gone", "kept", "key", "master", "saved", "scripts", "settings")

    def __init__(self, key: tuple[str, int, str]) -> None:
        self.key = key
        self.databases: dict[int, Database] = {}
        self.held = 0
        self.kept = False
        self.is_gone = False
        self.settings: dict[str, str] = {}
        self.master: tuple[bytes, int] | None = None
        self.saved = 0
        self.scripts: dict[bytes, bytes] = {}

    def seed(self, persona: Persona, now: float) -> None:
        """Fill in the host's own keys. They count for nothing until they are changed."""
        database = self.databases[0] = Database()
        for name, value, expires in seeded(persona, now):
            database.values[name] = _value(value)
            if expires:
                database.expires[name] = expires

    def database(self, number: int) -> Database:
        """A database by number; made when it is first asked for."""
        found = self.databases.get(number)
        if found is None:
            found = self.databases[number] = Database()
        return found

    def size(self, number: int) -> int:
        """How many keys a database has."""
        found = self.databases.get(number)
        return len(found.values) if found else 0

    @property
    def taken(self) -> int:
        """Bytes that it counts for among all stores: at least about what it takes in memory."""
        tables = sum(base.table_bytes for base in self.databases.values())
        texts = FIELD_COST * (len(self.settings) + len(self.scripts))
        return BASE_COST + self.held + tables + texts + sys.getsizeof(self.settings) + sys.getsizeof(self.scripts)

    # Values --------------------------------------------------------------------------------------------------------

    def get(self, number: int, key: bytes) -> Value | None:
        """The value at `key` that has not expired, or None."""
        found = self.databases.get(number)
        if found is None:
            return None
        if found.expires:
            expires = found.expires.get(key)
            if expires is not None and expires <= time.time_ns() // 1_000_000:
                self.delete(number, key)
                return None
        return found.values.get(key)

    def put(self, number: int, key: bytes, value: Value, *, keep_ttl: bool = False) -> None:
        """Set the value at `key`. Raises `CommandError` past the quota."""
        database = self.database(number)
        before = database.values.get(key)
        self.grow(cost(value) + (0 if before is None else -cost(before)) + (len(key) if before is None else 0))
        database.values[key] = value
        if not keep_ttl:
            database.expires.pop(key, None)

    def delete(self, number: int, key: bytes) -> bool:
        """Remove `key`; says whether it was there."""
        found = self.databases.get(number)
        value = None if found is None else found.values.pop(key, None)
        if found is None or value is None:
            return False
        found.expires.pop(key, None)
        self.grow(-cost(value) - len(key))
        return True

    def drop_if_empty(self, number: int, key: bytes) -> None:
        """Remove a collection that lost its last element; make one anew that lost most of them, since it would keep
        their room.
        """
        values = self.database(number).values
        value = values.get(key)
        if value is None or isinstance(value, bytes):
            return
        if not value:
            self.delete(number, key)
        elif sys.getsizeof(value) > CONTAINER_COST + 2 * FIELD_COST * len(value):
            values[key] = type(value)(value)  # type: ignore[arg-type]  # of its own kind

    def clear(self, number: int | None = None) -> None:
        """Forget the keys of one database, or of all."""
        for name in list(self.databases) if number is None else [number]:
            self.databases[name] = Database()
        self.held = sum(
            cost(value) + len(key) for base in self.databases.values() for key, value in base.values.items()
        ) + sum(map(len, (*self.settings.values(), *self.scripts.values())))
        self.grow(0)

    def leave(self) -> None:
        """Hold nothing any more: whoever still has this store finds the host's own keys in a new one."""
        self.is_gone = True
        self.databases, self.settings, self.scripts = {}, {}, {}
        self.held = 0

    def grow(self, by: int) -> None:
        """Account for a change. Raises `CommandError` when the source's quota does not allow it."""
        if by > 0 and self.held + by > STORE_BYTES:
            raise CommandError(OUT_OF_MEMORY)
        self.held = max(0, self.held + by)
        self.kept = True


def _value(value: bytes | list[bytes] | set[bytes] | dict[bytes, bytes] | dict[bytes, float]) -> Value:
    if isinstance(value, dict):
        scores = SortedSet({name: item for name, item in value.items() if isinstance(item, float)})
        return scores or Hash({name: item for name, item in value.items() if isinstance(item, bytes)})
    return value


class Stores(Kept[tuple[str, int, str], Store]):
    """The changed stores of a process, by host, port and source."""

    def __init__(
        self, total_bytes: int = TOTAL_BYTES, ttl: float = TTL, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(total_bytes, ttl, Store.leave, clock)

    def keep(self, store: Store) -> None:
        """Hold a changed store for its source's next connection."""
        self.put(store.key, store, store.taken)
