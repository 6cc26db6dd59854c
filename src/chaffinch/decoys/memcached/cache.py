"""One host's items as one source sees them: the host's own and what the source stored."""

import time
from collections import OrderedDict
from collections.abc import Iterator

from chaffinch.decoys.kept import Kept
from chaffinch.personas.persona import Persona

ITEM_BYTES = 1 << 20
"""The largest item, its key and header included, in bytes."""

CACHE_BYTES = 1 << 20
"""What one source's items may take; beyond it the least recently used one is evicted, as in the product."""

CACHE_ITEMS = 4096
"""How many items that may be: small ones take more here than in the product."""

CACHES = 8
"""How many sources' caches a process keeps after their connections are gone, for `TTL` seconds."""

TTL = 3600.0
HEADER_BYTES = 56
"""What the product spends on an item beside key and data."""


class Item:
    """One stored value. `expires` is in seconds since the epoch, 0 for never; `cas` changes with each store."""

    __slots__ = ("cas", "data", "expires", "fetched", "flags", "seen", "stale", "won")

    def __init__(self, flags: int, data: bytes, expires: float, cas: int) -> None:
        self.flags = flags
        self.data = data
        self.expires = expires
        self.cas = cas
        self.seen = time.time()
        self.fetched = False
        self.stale = False
        self.won = False

    def ttl(self, now: float) -> int:
        """Seconds left, or -1."""
        return int(self.expires - now) if self.expires else -1


def size_of(key: bytes, data: bytes) -> int:
    """What an item takes in the product: header, key with its end, data with its line end."""
    return HEADER_BYTES + len(key) + 1 + len(data) + 2


def expiry(seconds: int, now: float) -> float:
    """When an item expires: up to 30 days are relative, more is a date; a negative time has passed already."""
    if seconds < 0:
        return now - 1
    return 0.0 if seconds == 0 else seconds if seconds > 2_592_000 else now + seconds


class Cache:
    """Items by key, with the counters that `stats` shows for what this source did."""

    def __init__(self) -> None:
        self.items: OrderedDict[bytes, Item] = OrderedDict()
        self.held = 0
        self.cas = 0
        self.changed = False
        self.counts: dict[str, int] = {}

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter of `stats`."""
        self.counts[name] = self.counts.get(name, 0) + by

    def get(self, key: bytes) -> Item | None:
        """The item at `key` that has not expired, or None; it becomes the most recently used."""
        item = self.items.get(key)
        if item is None:
            return None
        if item.expires and item.expires <= time.time():
            self.delete(key)
            return None
        self.items.move_to_end(key)
        return item

    def put(self, key: bytes, flags: int, data: bytes, expires: float) -> Item:
        """Store an item, and evict others when there is no room."""
        self.delete(key)
        self.cas += 1
        item = self.items[key] = Item(flags, data, expires, self.cas)
        self.held += size_of(key, data)
        self.changed = True
        while (self.held > CACHE_BYTES or len(self.items) > CACHE_ITEMS) and len(self.items) > 1:
            self.delete(next(iter(self.items)))
            self.count("evictions")
        return item

    def delete(self, key: bytes) -> bool:
        """Remove an item; says whether it was there."""
        item = self.items.pop(key, None)
        if item is None:
            return False
        self.held -= size_of(key, item.data)
        self.changed = True
        return True

    def clear(self) -> None:
        """Remove every item."""
        self.items.clear()
        self.held = 0
        self.changed = True

    def live(self) -> list[tuple[bytes, Item]]:
        """Items that have not expired, most recently used last."""
        now = time.time()
        return [(key, item) for key, item in self.items.items() if not item.expires or item.expires > now]

    def seed(self, persona: Persona, now: float) -> None:
        """Fill in the host's own items: an application's page cache and sessions."""
        for key, flags, data, expires in _seeded(persona, now):
            self.put(key, flags, data, expires)
        self.cas = int(persona.derive("memcached cas", 3).hex(), 16) + int(now - persona.booted(now)) // 9
        self.counts.clear()
        self.changed = False


def _seeded(persona: Persona, now: float) -> Iterator[tuple[bytes, int, bytes, float]]:
    service = persona.service("memcached")
    if service is not None and service.option("items", "app") == "empty":
        return
    dice = persona.random("memcached items")
    for page in dice.sample(("index", "about", "search", "login", "products", "news", "contact", "help"), 4):
        body = b'a:2:{s:4:"etag";s:16:"%s";s:5:"bytes";i:%d;}' % (
            persona.derive(f"memcached {page}", 8).hex().encode(),
            dice.randrange(2000, 90_000),
        )
        yield b"page:" + page.encode(), 0, body, (int(now / 1800) + 1) * 1800.0
    for slot in range(dice.randrange(3, 8)):
        phase = dice.randrange(1440)
        turn = int((now + phase) // 1440)
        session = persona.random(f"memcached session {slot} {turn}")
        user = session.choice(persona.users).name.encode() if persona.users else b"admin"
        began = turn * 1440 - phase
        key = b"memc.sess.key.%026x" % session.getrandbits(100)
        yield key, 0, b'user|s:%d:"%s";since|i:%d;' % (len(user), user, began), began + 1440.0
    yield b"stats:hits", 0, b"%d" % (dice.randrange(1000, 90_000) + int(now // 61) % 100_000), 0.0


class Caches(Kept[tuple[str, int, str], Cache]):
    """The caches that sources changed, by host, port and source: at most `CACHES` of them, each counted with what it
    may take. Who is still connected when one goes finds it empty, as after an eviction.
    """

    def __init__(self) -> None:
        super().__init__(CACHES * CACHE_BYTES, TTL, Cache.clear)

    def __len__(self) -> int:
        return len(self._by_key)

    def of(self, key: tuple[str, int, str], persona: Persona) -> Cache:
        """What a source left on a host within the TTL, or the host's own items."""
        cache = self.find(key)
        if cache is None:
            cache = Cache()
            cache.seed(persona, time.time())
        return cache

    def keep(self, key: tuple[str, int, str], cache: Cache) -> None:
        """Hold a changed cache for the source's next connection."""
        self.put(key, cache, CACHE_BYTES)
