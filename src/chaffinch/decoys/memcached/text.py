"""The classic text commands. Each takes the cache and the words of a line, and gives the parts of its reply."""

import time
from collections.abc import Callable, Iterator

import msgspec

from chaffinch.decoys.memcached.cache import ITEM_BYTES, Cache, expiry, size_of

ERROR = b"ERROR\r\n"
BAD_FORMAT = b"CLIENT_ERROR bad command line format\r\n"
BAD_EXPTIME = b"CLIENT_ERROR invalid exptime argument\r\n"
BAD_CHUNK = b"CLIENT_ERROR bad data chunk\r\n"
TOO_LARGE = b"SERVER_ERROR object too large for cache\r\n"
NOT_NUMERIC = b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
KEY_BYTES = 250

VERBS = (b"set", b"add", b"replace", b"append", b"prepend", b"cas")
"""Commands that bring data on the next line."""


class Storage(msgspec.Struct, frozen=True):
    """A storage command whose data is still to come: `length` bytes and a line end."""

    verb: bytes
    key: bytes
    flags: int
    exptime: int
    length: int
    cas: int = 0
    quiet: bool = False


def number(text: bytes, bits: int = 64) -> int | None:
    """An unsigned decimal of so many bits, or None."""
    if not text.isdigit() or len(text) > 20:
        return None
    value = int(text)
    return value if value < 1 << bits else None


def signed(text: bytes) -> int | None:
    """A decimal with or without a sign that fits 32 bits, or None."""
    digits = text[1:] if text[:1] in (b"-", b"+") else text
    if not digits.isdigit() or len(digits) > 10 or int(digits) >= 1 << 31:
        return None
    return -int(digits) if text.startswith(b"-") else int(digits)


def storage(words: list[bytes]) -> Storage | bytes:
    """What a storage line asks for, or the error that it gets."""
    verb = words[0]
    count = 6 if verb == b"cas" else 5
    if not count <= len(words) <= count + 1:
        return ERROR
    flags, exptime = number(words[2]), signed(words[3])
    length = int(words[4]) if words[4].lstrip(b"-").isdigit() and len(words[4]) < 18 else None
    cas = number(words[5]) if verb == b"cas" else 0
    if len(words[1]) > KEY_BYTES or flags is None or exptime is None or length is None or cas is None:
        return BAD_FORMAT
    length = (length + (1 << 31)) % (1 << 32) - (1 << 31)  # the server reads it into 32 bits
    if not 0 <= length <= (1 << 31) - 3:
        return BAD_FORMAT
    return Storage(verb, words[1], flags & 0xFFFFFFFF, exptime, length, cas, words[-1] == b"noreply")


def store(cache: Cache, asked: Storage, data: bytes) -> bytes:
    """Carry out a storage command with its data (line end taken off)."""
    cache.count("cmd_set")
    item = cache.get(asked.key)
    verb = asked.verb
    if verb == b"cas":
        cache.count("cas_misses" if item is None else "cas_hits" if item.cas == asked.cas else "cas_badval")
        if item is None or item.cas != asked.cas:
            return b"NOT_FOUND\r\n" if item is None else b"EXISTS\r\n"
    if (verb == b"add") is (item is not None) and verb in (b"add", b"replace", b"append", b"prepend"):
        return b"NOT_STORED\r\n"
    flags, expires = asked.flags, expiry(asked.exptime, time.time())
    if item is not None and verb in (b"append", b"prepend"):
        data = item.data + data if verb == b"append" else data + item.data
        flags, expires = item.flags, item.expires
    if size_of(asked.key, data) > ITEM_BYTES:
        return TOO_LARGE
    cache.put(asked.key, flags, data, expires)
    return b"STORED\r\n"


# Reading --------------------------------------------------------------------------------------------------------------


def fetch(cache: Cache, words: list[bytes]) -> Iterator[bytes]:
    """get, gets, gat and gats: the parts of the reply, a value each."""
    verb, keys = words[0], words[1:]
    when: float | None = None
    if verb.startswith(b"gat"):
        if len(words) < 2:
            yield ERROR
            return
        seconds = signed(words[1])
        if seconds is None:
            yield BAD_EXPTIME
            return
        when, keys = expiry(seconds, time.time()), words[2:]
    elif not keys:
        yield ERROR
        return
    for key in keys:
        if len(key) > KEY_BYTES:
            yield BAD_FORMAT
            return
        cache.count("cmd_get" if when is None else "cmd_touch")
        item = cache.get(key)
        cache.count("get_misses" if item is None else "get_hits")
        if item is None:
            continue
        item.fetched, item.seen = True, time.time()
        if when is not None:
            item.expires, cache.changed = when, True
        cas = b" %d" % item.cas if verb.endswith(b"s") else b""
        yield b"VALUE %b %d %d%b\r\n%b\r\n" % (key, item.flags, len(item.data), cas, item.data)
    yield b"END\r\n"


# Changing -------------------------------------------------------------------------------------------------------------


def delete(cache: Cache, words: list[bytes]) -> bytes:
    if not 2 <= len(words) <= 4:
        return ERROR
    if len(words[1]) > KEY_BYTES:
        return BAD_FORMAT
    if len(words) > 2 and words[2:] not in ([b"0"], [b"noreply"], [b"0", b"noreply"]):
        return b"CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n"
    gone = cache.get(words[1]) is not None and cache.delete(words[1])
    cache.count("delete_hits" if gone else "delete_misses")
    return b"DELETED\r\n" if gone else b"NOT_FOUND\r\n"


def touch(cache: Cache, words: list[bytes]) -> bytes:
    if not 3 <= len(words) <= 4:
        return ERROR
    if len(words[1]) > KEY_BYTES:
        return BAD_FORMAT
    seconds = signed(words[2])
    if seconds is None:
        return BAD_EXPTIME
    item = cache.get(words[1])
    cache.count("cmd_touch")
    cache.count("touch_misses" if item is None else "touch_hits")
    if item is None:
        return b"NOT_FOUND\r\n"
    item.expires, cache.changed = expiry(seconds, time.time()), True
    return b"TOUCHED\r\n"


def count(cache: Cache, words: list[bytes]) -> bytes:
    """incr and decr."""
    if not 3 <= len(words) <= 4:
        return ERROR
    if len(words[1]) > KEY_BYTES:
        return BAD_FORMAT
    delta = number(words[2])
    if delta is None:
        return b"CLIENT_ERROR invalid numeric delta argument\r\n"
    name = words[0].decode()
    if cache.get(words[1]) is None:
        cache.count(f"{name}_misses")
        return b"NOT_FOUND\r\n"
    total = add(cache, words[1], delta, down=words[0] == b"decr")
    if total is None:
        return NOT_NUMERIC
    cache.count(f"{name}_hits")
    return b"%d\r\n" % total


def add(cache: Cache, key: bytes, delta: int, *, down: bool) -> int | None:
    """Add to (wrapping at 64 bits) or take from (stopping at 0) an item that is there; None when it is no number."""
    item = cache.items[key]
    value = number(item.data.strip())
    if value is None:
        return None
    total = max(0, value - delta) if down else (value + delta) % (1 << 64)
    shown = b"%d" % total
    # A shorter number is written over the longer one in place, and padded.
    cache.put(key, item.flags, shown.ljust(len(item.data)), item.expires)
    return total


def flush_all(cache: Cache, words: list[bytes]) -> bytes:
    if len(words) > 3:
        return ERROR
    rest = [word for word in words[1:] if word != b"noreply"]
    if rest and signed(rest[0]) is None:
        return BAD_EXPTIME
    cache.count("cmd_flush")
    if not rest or (signed(rest[0]) or 0) <= 0:
        cache.clear()
    return b"OK\r\n"


def verbosity(cache: Cache, words: list[bytes]) -> bytes:
    if len(words) < 2:
        return ERROR
    return b"OK\r\n" if number(words[1], 32) is not None else BAD_FORMAT


# The server -----------------------------------------------------------------------------------------------------------


def shutdown(cache: Cache, words: list[bytes]) -> bytes:
    return b"ERROR: shutdown not enabled\r\n"


def lru_crawler(cache: Cache, words: list[bytes]) -> bytes:
    verb = words[1] if len(words) > 1 else b""
    if verb == b"metadump" and len(words) > 2:
        lines = (
            b"key=%b exp=%d la=%d cas=%d fetch=%b cls=%d size=%d\n"
            % (
                key,
                int(item.expires) if item.expires else -1,
                int(item.seen),
                item.cas,
                b"yes" if item.fetched else b"no",
                slab_class(size_of(key, item.data)),
                size_of(key, item.data),
            )
            for key, item in cache.live()
        )
        return b"".join(lines) + b"END\r\n"
    if verb == b"enable" and len(words) == 2:
        return b"ERROR failed to start lru crawler thread\r\n"
    if verb == b"disable" and len(words) == 2:
        return b"OK\r\n"
    if verb in (b"crawl", b"sleep", b"tocrawl") and len(words) > 2:
        return b"OK\r\n"
    return ERROR


def lru(cache: Cache, words: list[bytes]) -> bytes:
    known = len(words) > 2 and (words[1], words[2]) in ((b"mode", b"flat"), (b"mode", b"segmented"))
    return b"OK\r\n" if known else ERROR


def slabs(cache: Cache, words: list[bytes]) -> bytes:
    if len(words) == 4 and words[1] == b"reassign":
        return b"NOSPARE source class has no spare pages\r\n"
    return b"OK\r\n" if len(words) > 2 and words[1] == b"automove" else ERROR


def watch(cache: Cache, words: list[bytes]) -> bytes:
    kinds = (
        b"fetchers",
        b"mutations",
        b"evictions",
        b"connevents",
        b"rawcmds",
        b"proxyreqs",
        b"proxyevents",
        b"deletions",
    )
    return b"OK\r\n" if len(words) == 1 or all(word in kinds for word in words[1:]) else ERROR


def cache_memlimit(cache: Cache, words: list[bytes]) -> bytes:
    limit = number(words[1]) if len(words) > 1 else None
    if len(words) < 2:
        return ERROR
    if limit is None:
        return BAD_FORMAT
    return b"OK\r\n" if limit >= 8 else b"MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n"


def refresh_certs(cache: Cache, words: list[bytes]) -> bytes:
    return b"Error TLS not enabled\r\n"


COMMANDS: dict[bytes, Callable[[Cache, list[bytes]], bytes]] = {
    b"delete": delete,
    b"touch": touch,
    b"incr": count,
    b"decr": count,
    b"flush_all": flush_all,
    b"verbosity": verbosity,
    b"shutdown": shutdown,
    b"lru_crawler": lru_crawler,
    b"lru": lru,
    b"slabs": slabs,
    b"watch": watch,
    b"cache_memlimit": cache_memlimit,
    b"refresh_certs": refresh_certs,
}


def _classes() -> list[int]:
    sizes, size = [], 96
    while size < (512 << 10) / 1.25:
        sizes.append(size)
        size = (int(size * 1.25) + 7) // 8 * 8
    return [*sizes, 512 << 10]


CHUNK_SIZES = _classes()
"""Sizes of the slab classes, class 1 first, with the default growth factor of 1.25."""


def slab_class(size: int) -> int:
    """The class that an item of `size` bytes is stored in."""
    return next((number for number, chunk in enumerate(CHUNK_SIZES, 1) if size <= chunk), len(CHUNK_SIZES))
