"""The binary protocol: 24 bytes of header, then extras, key and value."""

import struct
import time

import msgspec

from chaffinch.decoys.memcached import text
from chaffinch.decoys.memcached.cache import ITEM_BYTES, Cache, expiry, size_of

REQUEST = 0x80
HEADER_BYTES = 24
_HEADER = struct.Struct(">BBHBBHI4sQ")

OK, NOT_FOUND, EXISTS, TOO_LARGE, INVALID, NOT_STORED, NOT_A_NUMBER, UNKNOWN = 0, 1, 2, 3, 4, 5, 6, 0x81
_TEXTS = {
    NOT_FOUND: b"Not found",
    EXISTS: b"Data exists for key.",
    TOO_LARGE: b"Too large.",
    INVALID: b"Invalid arguments",
    NOT_STORED: b"Not stored.",
    NOT_A_NUMBER: b"Non-numeric server-side value for incr or decr",
    UNKNOWN: b"Unknown command",
}
NAMES = [
    "get", "set", "add", "replace", "delete", "incr", "decr", "quit", "flush", "getq", "noop", "version",
    "getk", "getkq", "append", "prepend", "stat", "setq", "addq", "replaceq", "deleteq", "incrq", "decrq",
    "quitq", "flushq", "appendq", "prependq", "verbosity", "touch", "gat", "gatq",
]  # fmt: skip
"""Opcodes by number; a name that ends in `q` answers only when something is wrong (a get: only when it hits)."""

_EXTRAS = {"set": 8, "add": 8, "replace": 8, "incr": 20, "decr": 20, "touch": 4, "gat": 4, "verbosity": 4}
_KEYLESS = ("quit", "flush", "noop", "version", "verbosity")


class Request(msgspec.Struct, frozen=True):
    """A request's header."""

    opcode: int
    key_length: int
    extras_length: int
    body_length: int
    opaque: bytes
    cas: int

    @property
    def name(self) -> str:
        """The command's name without its `q`; empty for an unknown one."""
        return self.full_name.removesuffix("q")

    @property
    def full_name(self) -> str:
        return NAMES[self.opcode] if self.opcode < len(NAMES) else ""

    @property
    def quiet(self) -> bool:
        return self.full_name.endswith("q")


def header(data: bytes) -> Request | None:
    """The header in 24 bytes, or None when their magic is not that of a request."""
    magic, opcode, key, extras, _, _, body, opaque, cas = _HEADER.unpack(data)
    return Request(opcode, key, extras, body, opaque, cas) if magic == REQUEST else None


def valid(asked: Request) -> bool:
    """Whether the lengths in a header fit its command; when they do not, the server answers and closes."""
    name = asked.name
    key, extras, body = asked.key_length, asked.extras_length, asked.body_length
    if key > text.KEY_BYTES or key + extras > body or asked.opcode in (0x21, 0x22):
        return False
    if not name:
        return True
    if name == "flush":
        return key == 0 and extras in (0, 4) and body == extras
    if name == "stat":
        return extras == 0 and body == key
    if name in _KEYLESS:
        return key == 0 and extras == _EXTRAS.get(name, 0) and body == extras
    if key == 0 or extras != _EXTRAS.get(name, 0):
        return False
    return name in ("set", "add", "replace", "append", "prepend") or body == key + extras


def response(
    asked: Request, status: int, *, extras: bytes = b"", key: bytes = b"", value: bytes = b"", cas: int = 0
) -> bytes:
    """A response; one that reports a failure carries its text."""
    if status in _TEXTS:
        value = _TEXTS[status]
    length = len(extras) + len(key) + len(value)
    head = _HEADER.pack(0x81, asked.opcode, len(key), len(extras), 0, status, length, asked.opaque, cas)
    return head + extras + key + value


def run(cache: Cache, asked: Request, body: bytes, version: str, stats: list[tuple[str, object]]) -> bytes:
    """The reply to a request whose lengths are valid; `stats` is what `stat` lists."""
    name = asked.name
    extras = body[: asked.extras_length]
    key = body[asked.extras_length : asked.extras_length + asked.key_length]
    value = body[asked.extras_length + asked.key_length :]
    if name == "version":
        return response(asked, OK, value=version.encode())
    if name == "stat":
        lines = [response(asked, OK, key=item.encode(), value=str(shown).encode()) for item, shown in stats]
        return b"".join(lines) + response(asked, OK)
    if name in ("get", "getk", "touch", "gat"):
        return _get(cache, asked, key, extras)
    if name in ("set", "add", "replace", "append", "prepend"):
        return _store(cache, asked, key, value, extras)
    if name in ("incr", "decr"):
        return _count(cache, asked, key, extras)
    if name == "delete":
        gone = cache.get(key) is not None and cache.delete(key)
        return _unless_quiet(asked, response(asked, OK)) if gone else response(asked, NOT_FOUND)
    if name == "flush":
        cache.clear()
    return _unless_quiet(asked, response(asked, OK if name else UNKNOWN)) if name else response(asked, UNKNOWN)


def _unless_quiet(asked: Request, reply: bytes) -> bytes:
    return b"" if asked.quiet else reply


def _get(cache: Cache, asked: Request, key: bytes, extras: bytes) -> bytes:
    cache.count("cmd_touch" if extras else "cmd_get")
    item = cache.get(key)
    shown = key if asked.name == "getk" else b""
    if item is None:
        cache.count("get_misses")
        if asked.quiet:
            return b""
        # The key comes back in place of the text.
        if shown:
            head = _HEADER.pack(0x81, asked.opcode, len(key), 0, 0, NOT_FOUND, len(key), asked.opaque, 0)
            return head + key
        return response(asked, NOT_FOUND)
    cache.count("get_hits")
    item.fetched, item.seen = True, time.time()
    if extras:
        item.expires, cache.changed = _expires(extras), True
    value = b"" if asked.name == "touch" else item.data
    return response(asked, OK, extras=item.flags.to_bytes(4, "big"), key=shown, value=value, cas=item.cas)


def _expires(extras: bytes) -> float:
    return expiry(int.from_bytes(extras[-4:], "big", signed=True), time.time())


def _store(cache: Cache, asked: Request, key: bytes, value: bytes, extras: bytes) -> bytes:
    cache.count("cmd_set")
    item, name = cache.get(key), asked.name
    if item is None and (name == "replace" or asked.cas):
        return response(asked, NOT_FOUND)
    if item is not None and (name == "add" or (asked.cas and asked.cas != item.cas)):
        return response(asked, EXISTS)
    if name in ("append", "prepend"):
        if item is None:
            return response(asked, NOT_STORED)
        data = item.data + value if name == "append" else value + item.data
        flags, expires = item.flags, item.expires
    else:
        data, flags, expires = value, int.from_bytes(extras[:4], "big"), _expires(extras)
    if size_of(key, data) > ITEM_BYTES:
        return response(asked, TOO_LARGE)
    stored = cache.put(key, flags, data, expires)
    return _unless_quiet(asked, response(asked, OK, cas=stored.cas))


def _count(cache: Cache, asked: Request, key: bytes, extras: bytes) -> bytes:
    delta, initial = int.from_bytes(extras[:8], "big"), int.from_bytes(extras[8:16], "big")
    total: int | None = initial
    if cache.get(key) is not None:
        total = text.add(cache, key, delta, down=asked.name == "decr")
    elif extras[16:] == b"\xff\xff\xff\xff":
        return response(asked, NOT_FOUND)
    else:
        cache.put(key, 0, b"%d" % initial, _expires(extras))
    if total is None:
        return response(asked, NOT_A_NUMBER)
    return _unless_quiet(asked, response(asked, OK, value=total.to_bytes(8, "big"), cas=cache.items[key].cas))
