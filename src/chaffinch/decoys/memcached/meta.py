"""The meta commands: mn, mg, ms, md, ma, me."""

import binascii
import time

import msgspec

from chaffinch.decoys.memcached import text
from chaffinch.decoys.memcached.cache import ITEM_BYTES, Cache, Item, expiry, size_of


class Meta(msgspec.Struct, frozen=True):
    """A parsed meta command. `key` is decoded, `shown` as it came; `length` is that of the data of `ms`, else -1."""

    verb: bytes
    key: bytes
    shown: bytes
    flags: tuple[tuple[bytes, bytes], ...]
    length: int = -1

    def has(self, flag: bytes) -> bool:
        return any(name == flag for name, _ in self.flags)

    def token(self, flag: bytes) -> bytes | None:
        return next((value for name, value in self.flags if name == flag), None)


def parse(words: list[bytes]) -> Meta | bytes:
    """What a meta line asks for, or the error that it gets."""
    verb = words[0]
    if len(words) < 2:
        return text.BAD_FORMAT if verb == b"me" else text.ERROR
    key, rest, length = words[1], words[2:], -1
    if len(key) > text.KEY_BYTES:
        return text.BAD_FORMAT
    if verb == b"ms":
        found = text.number(rest[0], 31) if rest else None
        if found is None or found > (1 << 31) - 3:
            return text.BAD_FORMAT
        length, rest = found, rest[1:]
    flags = tuple((word[:1], word[1:]) for word in rest)
    if any(name in b"TNFSDJIC" and name != b"I" and text.signed(value) is None for name, value in flags if value):
        return b"CLIENT_ERROR bad token in command line format\r\n"
    asked = Meta(verb, key, key, flags, length)
    if not asked.has(b"b"):
        return asked
    try:
        return msgspec.structs.replace(asked, key=binascii.a2b_base64(key, strict_mode=True))
    except binascii.Error:
        return b"CLIENT_ERROR error decoding key\r\n"


def run(cache: Cache, asked: Meta, data: bytes = b"") -> bytes:
    """The reply to a meta command; `data` is that of `ms`."""
    cache.count("cmd_meta")
    if asked.verb == b"me":
        return _debug(cache, asked)
    if asked.verb == b"ms":
        return _set(cache, asked, data)
    return {b"mg": _get, b"md": _delete, b"ma": _arithmetic}[asked.verb](cache, asked)


def _returned(asked: Meta, item: Item | None, now: float) -> bytes:
    """The flags that come back, each after a space."""
    out = b""
    for name, value in asked.flags:
        if name == b"O":
            out += b" O" + value[:32]
        elif name == b"k":
            out += b" k" + asked.shown + (b" b" if asked.has(b"b") else b"")
        elif item is not None and name in b"cfsthl":
            figures = {
                b"c": item.cas,
                b"f": item.flags,
                b"s": len(item.data),
                b"t": item.ttl(now),
                b"h": int(item.fetched),
                b"l": int(now - item.seen),
            }
            out += b" %b%d" % (name, figures[name])
    return out


def _reply(asked: Meta, status: bytes, item: Item | None, now: float) -> bytes:
    """A reply without a value; `q` keeps the usual ones quiet."""
    quiet = {b"ms": b"HD", b"md": b"HD", b"mg": b"EN", b"ma": b"NF"}[asked.verb]
    if asked.has(b"q") and status in quiet.split():
        return b""
    return status + _returned(asked, item, now) + b"\r\n"


def _get(cache: Cache, asked: Meta) -> bytes:
    now = time.time()
    cache.count("cmd_get")
    item = cache.get(asked.key)
    won = b""
    if item is None:
        cache.count("get_misses")
        vivify = asked.token(b"N")
        if vivify is None:
            return b"" if asked.has(b"q") else b"EN" + _keys(asked) + b"\r\n"
        item = cache.put(asked.key, 0, b"", expiry(text.signed(vivify) or 0, now))
        item.won, won = True, b" W"
    else:
        cache.count("get_hits")
        if item.stale:
            won = b" X Z" if item.won else b" X W"
            item.won = True
        elif item.won:
            won = b" Z"
    touched = asked.token(b"T")
    if touched is not None:
        item.expires, cache.changed = expiry(text.signed(touched) or 0, now), True
    flags = _returned(asked, item, now) + won
    item.fetched, item.seen = True, now
    if asked.has(b"v"):
        return b"VA %d%b\r\n%b\r\n" % (len(item.data), flags, item.data)
    return b"HD" + flags + b"\r\n"


def _keys(asked: Meta) -> bytes:
    return _returned(asked, None, 0.0)


def _set(cache: Cache, asked: Meta, data: bytes = b"") -> bytes:
    now = time.time()
    cache.count("cmd_set")
    mode = asked.token(b"M") if asked.has(b"M") else b"S"
    if mode is None or len(mode) != 1:
        return b"CLIENT_ERROR incorrect length for M token\r\n"
    if mode.upper() not in b"SAERP":
        return b"CLIENT_ERROR invalid mode for ms M token\r\n"
    item = cache.get(asked.key)
    wanted = asked.token(b"C")
    if wanted is not None and item is not None and item.cas != int(wanted):
        return _reply(asked, b"EX", item, now)
    if wanted is not None and item is None:
        return _reply(asked, b"NF", None, now)
    mode = mode.upper()
    if (mode == b"E" and item is not None) or (mode in b"RAP" and item is None):
        return _reply(asked, b"NS", None, now)
    flags = text.number(asked.token(b"F") or b"0", 32) or 0
    expires = expiry(text.signed(asked.token(b"T") or b"0") or 0, now)
    if item is not None and mode in b"AP":
        data, flags, expires = item.data + data if mode == b"A" else data + item.data, item.flags, item.expires
    if size_of(asked.key, data) > ITEM_BYTES:
        return text.TOO_LARGE
    return _reply(asked, b"HD", cache.put(asked.key, flags, data, expires), now)


def _delete(cache: Cache, asked: Meta) -> bytes:
    now = time.time()
    item = cache.get(asked.key)
    cache.count("delete_misses" if item is None else "delete_hits")
    if item is None:
        return _reply(asked, b"NF", None, now)
    wanted = asked.token(b"C")
    if wanted is not None and item.cas != int(wanted):
        return _reply(asked, b"EX", item, now)
    if asked.has(b"I"):
        again = cache.put(asked.key, item.flags, item.data, item.expires)
        again.stale = True
        lifetime = asked.token(b"T")
        if lifetime is not None:
            again.expires = expiry(text.signed(lifetime) or 0, now)
    else:
        cache.delete(asked.key)
    return _reply(asked, b"HD", None, now)


def _arithmetic(cache: Cache, asked: Meta) -> bytes:
    now = time.time()
    down = (asked.token(b"M") or b"I").upper()[:1] in b"D-"
    delta = text.number(asked.token(b"D") or b"1") or 0
    item = cache.get(asked.key)
    if item is None:
        cache.count("decr_misses" if down else "incr_misses")
        vivify = asked.token(b"N")
        if vivify is None:
            return _reply(asked, b"NF", None, now)
        initial = b"%d" % (text.number(asked.token(b"J") or b"0") or 0)
        item = cache.put(asked.key, 0, initial, expiry(text.signed(vivify) or 0, now))
    elif text.add(cache, asked.key, delta, down=down) is None:
        return text.NOT_NUMERIC
    item = cache.items[asked.key]
    if not asked.has(b"v"):
        return _reply(asked, b"HD", item, now)
    shown = item.data.strip()
    return b"VA %d%b\r\n%b\r\n" % (len(shown), _returned(asked, item, now), shown)


def _debug(cache: Cache, asked: Meta) -> bytes:
    item = cache.get(asked.key)
    if item is None:
        return b"EN\r\n"
    now, size = time.time(), size_of(asked.key, item.data)
    # The product counts down to the expiry where others count up to it.
    left = -item.ttl(now) if item.expires else -1
    return b"ME %b exp=%d la=%d cas=%d fetch=%b cls=%d size=%d\r\n" % (
        asked.shown,
        left,
        int(now - item.seen),
        item.cas,
        b"yes" if item.fetched else b"no",
        text.slab_class(size),
        size,
    )
