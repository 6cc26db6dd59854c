"""Commands on keys of any type."""

from chaffinch.decoys.redis.client import Client, command, milliseconds
from chaffinch.decoys.redis.glob import compile_glob, matches
from chaffinch.decoys.redis.protocol import EMPTY, OK, array, bulk, bulks, integer, simple
from chaffinch.decoys.redis.store import CommandError, Hash, Value, cost
from chaffinch.decoys.redis.values import SYNTAX, integer_in, value

_TYPES = {"bytes": b"string", "list": b"list", "set": b"set", "Hash": b"hash", "SortedSet": b"zset"}
NO_KEY = b"ERR no such key"


def type_of(found: Value | None) -> bytes:
    """What TYPE says."""
    return b"none" if found is None else _TYPES[type(found).__name__]


def _live(client: Client) -> list[bytes]:
    keys = list(client.store.database(client.database).values)
    return [key for key in keys if value(client, key) is not None]


@command("del", "unlink")
def delete(client: Client, args: list[bytes]) -> bytes:
    return integer(
        sum(value(client, key) is not None and client.store.delete(client.database, key) for key in args[1:])
    )


@command("exists", "touch")
def exists(client: Client, args: list[bytes]) -> bytes:
    return integer(sum(value(client, key) is not None for key in args[1:]))


@command("type")
def type_(client: Client, args: list[bytes]) -> bytes:
    return simple(type_of(value(client, args[1])))


@command("keys")
def keys(client: Client, args: list[bytes]) -> bytes:
    pattern = compile_glob(args[1])
    return bulks(key for key in _live(client) if matches(pattern, key))


@command("dbsize")
def dbsize(client: Client, args: list[bytes]) -> bytes:
    return integer(len(_live(client)))


@command("randomkey")
def randomkey(client: Client, args: list[bytes]) -> bytes:
    there = _live(client)
    return bulk(client.session.random.choice(there)) if there else client.nil


@command("scan")
def scan(client: Client, args: list[bytes]) -> bytes:
    cursor = integer_in(args[1], b"ERR invalid cursor") if not args[1].startswith(b"-") else -1
    if cursor < 0:
        raise CommandError(b"ERR invalid cursor")
    pattern, count, kind = scan_options(args[2:], typed=True)
    there = sorted(_live(client))
    found = there[cursor : cursor + count]
    following = cursor + count if cursor + count < len(there) else 0
    shown = [key for key in found if pattern is None or matches(pattern, key)]
    shown = [key for key in shown if kind is None or type_of(value(client, key)) == kind]
    return array((bulk(b"%d" % following), bulks(shown)))


def scan_options(
    options: list[bytes], *, typed: bool = False
) -> tuple[list[tuple[bool, frozenset[int]] | None] | None, int, bytes | None]:
    """MATCH, COUNT and TYPE of a scan. Raises `CommandError`."""
    pattern, count, kind = None, 10, None
    if len(options) % 2:
        raise CommandError(SYNTAX)
    for option, argument in zip(options[::2], options[1::2], strict=True):
        name = option.upper()
        if name == b"COUNT":
            count = integer_in(argument)
            if count < 1:
                raise CommandError(SYNTAX)
        elif name == b"MATCH":
            pattern = compile_glob(argument)
        elif name == b"TYPE" and typed:
            kind = argument.lower()
        else:
            raise CommandError(SYNTAX)
    return pattern, count, kind


@command("ttl", "pttl", "expiretime", "pexpiretime")
def ttl(client: Client, args: list[bytes]) -> bytes:
    name = args[0].lower()
    if value(client, args[1]) is None:
        return integer(-2)
    expires = client.store.database(client.database).expires.get(args[1])
    if expires is None:
        return integer(-1)
    left = expires if name.endswith(b"expiretime") else max(0, expires - milliseconds())
    return integer(left if name.startswith(b"p") else (left + 500) // 1000 if name == b"ttl" else left // 1000)


@command("expire", "pexpire", "expireat", "pexpireat")
def expire(client: Client, args: list[bytes]) -> bytes:
    name = args[0].lower()
    amount = integer_in(args[2])
    options = {option.upper() for option in args[3:]}
    for option in args[3:]:
        if option.upper() not in (b"NX", b"XX", b"GT", b"LT"):
            raise CommandError(b"ERR Unsupported option %b" % option)
    if b"NX" in options and len(options) > 1:
        raise CommandError(b"ERR NX and XX, GT or LT options at the same time are not compatible")
    if {b"GT", b"LT"} <= options:
        raise CommandError(b"ERR GT and LT options at the same time are not compatible")
    when = amount if name.startswith(b"p") else amount * 1000
    when = when if name.endswith(b"at") else when + milliseconds()
    if not -(1 << 63) <= when < 1 << 63:
        raise CommandError(b"ERR invalid expire time in '%b' command" % name)
    if value(client, args[1]) is None:
        return integer(0)
    expires = client.store.database(client.database).expires
    before = expires.get(args[1])
    if (
        (b"NX" in options and before is not None)
        or (b"XX" in options and before is None)
        or (b"GT" in options and (before is None or when <= before))
        or (b"LT" in options and before is not None and when >= before)
    ):
        return integer(0)
    if when <= milliseconds():
        client.store.delete(client.database, args[1])
    else:
        expires[args[1]] = when
        client.store.grow(0)
    return integer(1)


@command("persist")
def persist(client: Client, args: list[bytes]) -> bytes:
    if value(client, args[1]) is None:
        return integer(0)
    gone = client.store.database(client.database).expires.pop(args[1], None)
    client.store.grow(0)
    return integer(int(gone is not None))


@command("rename", "renamenx")
def rename(client: Client, args: list[bytes]) -> bytes:
    found = value(client, args[1])
    if found is None:
        raise CommandError(NO_KEY)
    only_new = args[0].lower() == b"renamenx"
    if only_new and value(client, args[2]) is not None:
        return integer(0)
    if args[1] != args[2]:
        expires = client.store.database(client.database).expires.get(args[1])
        client.store.delete(client.database, args[1])
        client.store.put(client.database, args[2], found)
        if expires is not None:
            client.store.database(client.database).expires[args[2]] = expires
    return integer(1) if only_new else OK


@command("move")
def move(client: Client, args: list[bytes]) -> bytes:
    target = integer_in(args[2])
    if not 0 <= target < 16:
        raise CommandError(b"ERR DB index is out of range")
    if target == client.database:
        raise CommandError(b"ERR source and destination objects are the same")
    found = value(client, args[1])
    if found is None or client.store.get(target, args[1]) is not None:
        return integer(0)
    client.store.delete(client.database, args[1])
    client.store.put(target, args[1], found)
    return integer(1)


@command("flushall", "flushdb")
def flush(client: Client, args: list[bytes]) -> bytes:
    if len(args) > 2 or (len(args) == 2 and args[1].upper() not in (b"SYNC", b"ASYNC")):
        raise CommandError(SYNTAX)
    client.store.clear(None if args[0].lower() == b"flushall" else client.database)
    return OK


@command("swapdb")
def swapdb(client: Client, args: list[bytes]) -> bytes:
    first = integer_in(args[1], b"ERR invalid first DB index")
    second = integer_in(args[2], b"ERR invalid second DB index")
    if not (0 <= first < 16 and 0 <= second < 16):
        raise CommandError(b"ERR DB index is out of range")
    databases = client.store.databases
    databases[first], databases[second] = client.store.database(second), client.store.database(first)
    client.store.grow(0)
    return OK


@command("object|encoding")
def encoding(client: Client, args: list[bytes]) -> bytes:
    found = value(client, args[2])
    return client.nil if found is None else bulk(_encoding(found))


def _encoding(found: Value) -> bytes:
    kind = type_of(found)
    if isinstance(found, bytes):
        whole = found.lstrip(b"-").isdigit() and len(found) < 20
        return b"int" if whole else b"embstr" if len(found) <= 44 else b"raw"
    if isinstance(found, list):
        return b"quicklist"
    if isinstance(found, set):
        whole = len(found) <= 512 and all(element.lstrip(b"-").isdigit() for element in found)
        return b"intset" if whole else b"hashtable"
    wide = max((len(name) for name in found), default=0)
    if isinstance(found, Hash):
        wide = max((wide, *(len(text) for text in found.values())))
    small = len(found) <= (128 if kind == b"zset" else 512) and wide <= 64
    return b"listpack" if small else b"skiplist" if kind == b"zset" else b"hashtable"


@command("object|refcount", "object|idletime")
def object_number(client: Client, args: list[bytes]) -> bytes:
    if value(client, args[2]) is None:
        return client.nil
    return integer(1 if args[1].lower() == b"refcount" else 0)


@command("object|freq")
def object_freq(client: Client, args: list[bytes]) -> bytes:
    if value(client, args[2]) is None:
        return client.nil
    raise CommandError(
        b"ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that "
        b"when switching between "
        b"policies at runtime LRU and LFU data will take some time to adjust."
    )


@command("memory|usage")
def memory_usage(client: Client, args: list[bytes]) -> bytes:
    if len(args) not in (3, 5) or (len(args) == 5 and args[3].upper() != b"SAMPLES"):
        raise CommandError(SYNTAX)
    found = value(client, args[2])
    return client.nil if found is None else integer((cost(found) + len(args[2]) + 7) // 8 * 8)


@command("sort")
def sort(client: Client, args: list[bytes]) -> bytes:
    found = value(client, args[1])
    if found is None:
        return EMPTY
    if isinstance(found, (bytes, Hash)):
        raise CommandError(b"WRONGTYPE Operation against a key holding the wrong kind of value")
    options = {option.upper() for option in args[2:]}
    if not options <= {b"ALPHA", b"DESC", b"ASC"}:
        raise CommandError(SYNTAX)
    if b"ALPHA" in options:
        return bulks(sorted(found, reverse=b"DESC" in options))
    try:
        return bulks(sorted(found, key=float, reverse=b"DESC" in options))
    except ValueError:
        raise CommandError(b"ERR One or more scores can't be converted into double") from None
