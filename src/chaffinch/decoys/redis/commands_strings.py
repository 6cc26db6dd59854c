"""Commands on strings and counters."""

from chaffinch.decoys.redis.client import Client, command, milliseconds
from chaffinch.decoys.redis.protocol import OK, array, bulk, integer
from chaffinch.decoys.redis.store import STORE_BYTES, CommandError
from chaffinch.decoys.redis.values import (
    NOT_A_FLOAT,
    NOT_AN_INTEGER,
    SYNTAX,
    TOO_LONG,
    float_in,
    integer_in,
    span,
    typed,
    value,
)

_UNITS = {b"EX": (1000, False), b"PX": (1, False), b"EXAT": (1000, True), b"PXAT": (1, True)}


def expiry(text: bytes, unit: int, *, absolute: bool, name: bytes) -> int:
    """When a key expires, in milliseconds since the epoch. Raises `CommandError` when that is no time to come."""
    amount = integer_in(text)
    if amount <= 0 or amount * unit >= 1 << 62:
        raise CommandError(b"ERR invalid expire time in '%b' command" % name)
    return amount * unit if absolute else milliseconds() + amount * unit


def _set(client: Client, key: bytes, text: bytes, expires: int = 0, *, keep_ttl: bool = False) -> None:
    client.store.put(client.database, key, text, keep_ttl=keep_ttl)
    if expires:
        client.store.database(client.database).expires[key] = expires


@command("set")
def set_(client: Client, args: list[bytes]) -> bytes:
    key, text = args[1], args[2]
    condition = b""
    get = keep_ttl = False
    expires = 0
    rest = iter(args[3:])
    for option in rest:
        name = option.upper()
        if name in (b"NX", b"XX") and condition in (b"", name):
            condition = name
        elif name == b"GET":
            get = True
        elif name == b"KEEPTTL" and not expires:
            keep_ttl = True
        elif name in _UNITS and not (expires or keep_ttl):
            amount = next(rest, None)
            if amount is None:
                raise CommandError(SYNTAX)
            unit, absolute = _UNITS[name]
            expires = expiry(amount, unit, absolute=absolute, name=b"set")
        else:
            raise CommandError(SYNTAX)
    before = typed(client, key, bytes) if get else None
    there = value(client, key) is not None
    if (condition == b"NX" and there) or (condition == b"XX" and not there):
        return client.value(before) if get else client.nil
    _set(client, key, text, expires, keep_ttl=keep_ttl)
    return client.value(before) if get else OK


@command("get")
def get(client: Client, args: list[bytes]) -> bytes:
    return client.value(typed(client, args[1], bytes))


@command("setnx")
def setnx(client: Client, args: list[bytes]) -> bytes:
    if value(client, args[1]) is not None:
        return integer(0)
    _set(client, args[1], args[2])
    return integer(1)


@command("setex", "psetex")
def setex(client: Client, args: list[bytes]) -> bytes:
    name = args[0].lower()
    _set(client, args[1], args[3], expiry(args[2], 1000 if name == b"setex" else 1, absolute=False, name=name))
    return OK


@command("getset")
def getset(client: Client, args: list[bytes]) -> bytes:
    before = typed(client, args[1], bytes)
    _set(client, args[1], args[2])
    return client.value(before)


@command("getdel")
def getdel(client: Client, args: list[bytes]) -> bytes:
    before = typed(client, args[1], bytes)
    if before is not None:
        client.store.delete(client.database, args[1])
    return client.value(before)


@command("mget")
def mget(client: Client, args: list[bytes]) -> bytes:
    found = (value(client, key) for key in args[1:])
    return array(client.value(text if isinstance(text, bytes) else None) for text in found)


@command("mset", "msetnx")
def mset(client: Client, args: list[bytes]) -> bytes:
    name = args[0].lower()
    if len(args) % 2 == 0:
        raise CommandError(b"ERR wrong number of arguments for '%b' command" % name)
    if name == b"msetnx" and any(value(client, key) is not None for key in args[1::2]):
        return integer(0)
    for key, text in zip(args[1::2], args[2::2], strict=True):
        _set(client, key, text)
    return OK if name == b"mset" else integer(1)


@command("append")
def append(client: Client, args: list[bytes]) -> bytes:
    text = (typed(client, args[1], bytes) or b"") + args[2]
    _set(client, args[1], text, keep_ttl=True)
    return integer(len(text))


@command("strlen")
def strlen(client: Client, args: list[bytes]) -> bytes:
    return integer(len(typed(client, args[1], bytes) or b""))


@command("getrange", "substr")
def getrange(client: Client, args: list[bytes]) -> bytes:
    start, stop = integer_in(args[2]), integer_in(args[3])
    text = typed(client, args[1], bytes) or b""
    first, end = span(start, stop, len(text))
    return bulk(text[first:end])


@command("setrange")
def setrange(client: Client, args: list[bytes]) -> bytes:
    offset = integer_in(args[2])
    if offset < 0:
        raise CommandError(b"ERR offset is out of range")
    text = typed(client, args[1], bytes) or b""
    if not args[3]:
        return integer(len(text))
    if offset + len(args[3]) > 512 << 20:
        raise CommandError(TOO_LONG)
    client.store.grow(offset)  # refuses before the padding is made
    client.store.grow(-offset)
    text = text[:offset].ljust(offset, b"\0") + args[3] + text[offset + len(args[3]) :]
    _set(client, args[1], text, keep_ttl=True)
    return integer(len(text))


@command("incr", "decr", "incrby", "decrby")
def incr(client: Client, args: list[bytes]) -> bytes:
    name = args[0].lower()
    by = integer_in(args[2]) if len(args) > 2 else 1
    if name == b"decrby" and by == -(1 << 63):
        raise CommandError(b"ERR decrement would overflow")
    text = typed(client, args[1], bytes)
    total = (integer_in(text, NOT_AN_INTEGER) if text is not None else 0) + (-by if name.startswith(b"decr") else by)
    if not -(1 << 63) <= total < 1 << 63:
        raise CommandError(b"ERR increment or decrement would overflow")
    _set(client, args[1], b"%d" % total, keep_ttl=True)
    return integer(total)


@command("incrbyfloat")
def incrbyfloat(client: Client, args: list[bytes]) -> bytes:
    text = typed(client, args[1], bytes)
    total = (float_in(text, NOT_A_FLOAT) if text is not None else 0.0) + float_in(args[2])
    if total in (float("inf"), float("-inf")):
        raise CommandError(b"ERR increment would produce NaN or Infinity")
    shown = b"%d" % int(total) if total == int(total) else repr(total).encode()
    _set(client, args[1], shown, keep_ttl=True)
    return bulk(shown)


def _bit(text: bytes, offset: int) -> int:
    return text[offset >> 3] >> (7 - (offset & 7)) & 1 if offset >> 3 < len(text) else 0


@command("getbit")
def getbit(client: Client, args: list[bytes]) -> bytes:
    return integer(_bit(typed(client, args[1], bytes) or b"", _bit_offset(args[2])))


@command("setbit")
def setbit(client: Client, args: list[bytes]) -> bytes:
    offset = _bit_offset(args[2])
    if args[3] not in (b"0", b"1"):
        raise CommandError(b"ERR bit is not an integer or out of range")
    text = typed(client, args[1], bytes) or b""
    if offset >> 3 > STORE_BYTES:
        client.store.grow(offset >> 3)
    changed = bytearray(text.ljust((offset >> 3) + 1, b"\0"))
    mask = 1 << (7 - (offset & 7))
    changed[offset >> 3] = changed[offset >> 3] | mask if args[3] == b"1" else changed[offset >> 3] & ~mask
    _set(client, args[1], bytes(changed), keep_ttl=True)
    return integer(_bit(text, offset))


def _bit_offset(text: bytes) -> int:
    offset = integer_in(text, b"ERR bit offset is not an integer or out of range")
    if not 0 <= offset < 1 << 32:
        raise CommandError(b"ERR bit offset is not an integer or out of range")
    return offset


@command("bitcount")
def bitcount(client: Client, args: list[bytes]) -> bytes:
    if len(args) not in (2, 4):
        raise CommandError(SYNTAX)
    text = typed(client, args[1], bytes) or b""
    first, end = span(integer_in(args[2]), integer_in(args[3]), len(text)) if len(args) == 4 else (0, len(text))
    return integer(int.from_bytes(text[first:end], "big").bit_count())
