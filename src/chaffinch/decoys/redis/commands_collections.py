"""Commands on hashes, lists and sets."""

from collections.abc import Iterable

from chaffinch.decoys.redis.client import Client, command
from chaffinch.decoys.redis.commands_keys import NO_KEY, scan_options
from chaffinch.decoys.redis.glob import matches
from chaffinch.decoys.redis.protocol import EMPTY, OK, array, bulk, bulks, integer
from chaffinch.decoys.redis.store import FIELD_COST, ITEM_COST, CommandError, Hash
from chaffinch.decoys.redis.values import SYNTAX, integer_in, made, span, typed

OUT_OF_RANGE = b"ERR index out of range"
NOT_POSITIVE = b"ERR value is out of range, must be positive"

# Hashes ------------------------------------------------------------------------------------------------------------


def _put_field(client: Client, fields: Hash, field: bytes, text: bytes) -> bool:
    """Set a field; says whether it is new."""
    before = fields.get(field)
    client.store.grow(len(text) - len(before) if before is not None else len(field) + len(text) + FIELD_COST)
    fields[field] = text
    return before is None


@command("hset", "hmset")
def hset(client: Client, args: list[bytes]) -> bytes:
    name = args[0].lower()
    if len(args) % 2:
        raise CommandError(b"ERR wrong number of arguments for '%b' command" % name)
    fields = made(client, args[1], Hash)
    added = sum(_put_field(client, fields, *pair) for pair in zip(args[2::2], args[3::2], strict=True))
    return OK if name == b"hmset" else integer(added)


@command("hsetnx")
def hsetnx(client: Client, args: list[bytes]) -> bytes:
    fields = made(client, args[1], Hash)
    return integer(int(args[2] not in fields and _put_field(client, fields, args[2], args[3])))


@command("hget")
def hget(client: Client, args: list[bytes]) -> bytes:
    return client.value((typed(client, args[1], Hash) or Hash()).get(args[2]))


@command("hmget")
def hmget(client: Client, args: list[bytes]) -> bytes:
    fields = typed(client, args[1], Hash) or Hash()
    return array(client.value(fields.get(field)) for field in args[2:])


@command("hgetall")
def hgetall(client: Client, args: list[bytes]) -> bytes:
    fields = typed(client, args[1], Hash) or Hash()
    return client.mapping(bulk(text) for pair in fields.items() for text in pair)


@command("hkeys")
def hkeys(client: Client, args: list[bytes]) -> bytes:
    return bulks(typed(client, args[1], Hash) or Hash())


@command("hvals")
def hvals(client: Client, args: list[bytes]) -> bytes:
    return bulks((typed(client, args[1], Hash) or Hash()).values())


@command("hlen")
def hlen(client: Client, args: list[bytes]) -> bytes:
    return integer(len(typed(client, args[1], Hash) or Hash()))


@command("hexists")
def hexists(client: Client, args: list[bytes]) -> bytes:
    return integer(int(args[2] in (typed(client, args[1], Hash) or Hash())))


@command("hstrlen")
def hstrlen(client: Client, args: list[bytes]) -> bytes:
    return integer(len((typed(client, args[1], Hash) or Hash()).get(args[2], b"")))


@command("hdel")
def hdel(client: Client, args: list[bytes]) -> bytes:
    fields = typed(client, args[1], Hash)
    removed = 0
    for field in args[2:] if fields else ():
        text = fields.pop(field, None) if fields is not None else None
        if text is not None:
            removed += 1
            client.store.grow(-len(field) - len(text) - FIELD_COST)
    client.store.drop_if_empty(client.database, args[1])
    return integer(removed)


@command("hincrby")
def hincrby(client: Client, args: list[bytes]) -> bytes:
    by = integer_in(args[3])
    fields = made(client, args[1], Hash)
    total = integer_in(fields.get(args[2], b"0"), b"ERR hash value is not an integer") + by
    if not -(1 << 63) <= total < 1 << 63:
        raise CommandError(b"ERR increment or decrement would overflow")
    _put_field(client, fields, args[2], b"%d" % total)
    return integer(total)


@command("hscan")
def hscan(client: Client, args: list[bytes]) -> bytes:
    integer_in(args[2], b"ERR invalid cursor")
    pattern = scan_options(args[3:])[0]
    fields = typed(client, args[1], Hash) or Hash()
    shown = (pair for pair in fields.items() if pattern is None or matches(pattern, pair[0]))
    return array((bulk(b"0"), bulks(text for pair in shown for text in pair)))


# Lists ------------------------------------------------------------------------------------------------------------


@command("lpush", "rpush", "lpushx", "rpushx")
def push(client: Client, args: list[bytes]) -> bytes:
    name = args[0].lower()
    if name.endswith(b"x") and typed(client, args[1], list) is None:
        return integer(0)
    elements = made(client, args[1], list)
    client.store.grow(sum(len(element) + ITEM_COST for element in args[2:]))
    if name.startswith(b"l"):
        elements[:0] = args[:1:-1]
    else:
        elements += args[2:]
    return integer(len(elements))


@command("lpop", "rpop")
def pop(client: Client, args: list[bytes]) -> bytes:
    name = args[0].lower()
    if len(args) > 3:
        raise CommandError(b"ERR wrong number of arguments for '%b' command" % name)
    count = integer_in(args[2], NOT_POSITIVE) if len(args) == 3 else None
    if count is not None and count < 0:
        raise CommandError(NOT_POSITIVE)
    elements = typed(client, args[1], list)
    if not elements:
        return client.nil if count is None else client.nil_array
    wanted = 1 if count is None else min(count, len(elements))
    if name == b"lpop":
        taken, elements[:wanted] = elements[:wanted], []
    else:
        taken = elements[::-1][:wanted]
        del elements[len(elements) - wanted :]
    client.store.grow(-sum(len(element) + ITEM_COST for element in taken))
    client.store.drop_if_empty(client.database, args[1])
    return bulk(taken[0]) if count is None else bulks(taken)


@command("lrange")
def lrange(client: Client, args: list[bytes]) -> bytes:
    start, stop = integer_in(args[2]), integer_in(args[3])
    elements = typed(client, args[1], list)
    if not elements:
        return EMPTY
    first, end = span(start, stop, len(elements))
    return bulks(elements[first:end])


@command("llen")
def llen(client: Client, args: list[bytes]) -> bytes:
    return integer(len(typed(client, args[1], list) or ()))


@command("lindex")
def lindex(client: Client, args: list[bytes]) -> bytes:
    elements = typed(client, args[1], list)
    if elements is None:
        return client.nil
    at = integer_in(args[2])
    return bulk(elements[at]) if -len(elements) <= at < len(elements) else client.nil


@command("lset")
def lset(client: Client, args: list[bytes]) -> bytes:
    elements = typed(client, args[1], list)
    if elements is None:
        raise CommandError(NO_KEY)
    at = integer_in(args[2])
    if not -len(elements) <= at < len(elements):
        raise CommandError(OUT_OF_RANGE)
    client.store.grow(len(args[3]) - len(elements[at]))
    elements[at] = args[3]
    return OK


@command("lrem")
def lrem(client: Client, args: list[bytes]) -> bytes:
    count = integer_in(args[2])
    elements = typed(client, args[1], list)
    places = [at for at, element in enumerate(elements or ()) if element == args[3]]
    places = places[:count] if count > 0 else places[count:] if count < 0 else places
    for at in reversed(places):
        assert elements is not None
        del elements[at]
    client.store.grow(-len(places) * (len(args[3]) + ITEM_COST))
    client.store.drop_if_empty(client.database, args[1])
    return integer(len(places))


@command("ltrim")
def ltrim(client: Client, args: list[bytes]) -> bytes:
    start, stop = integer_in(args[2]), integer_in(args[3])
    elements = typed(client, args[1], list)
    if elements:
        first, end = span(start, stop, len(elements))
        gone = elements[:first] + elements[end:]
        elements[:] = elements[first:end]
        client.store.grow(-sum(len(element) + ITEM_COST for element in gone))
        client.store.drop_if_empty(client.database, args[1])
    return OK


# Sets -------------------------------------------------------------------------------------------------------------


def ordered(elements: Iterable[bytes]) -> list[bytes]:
    """Elements of a set in the order in which a small set of integers answers; others by their bytes."""
    return sorted(
        elements, key=lambda element: (not element.isdigit(), int(element) if element.isdigit() else 0, element)
    )


@command("sadd")
def sadd(client: Client, args: list[bytes]) -> bytes:
    elements = made(client, args[1], set)
    added = [element for element in dict.fromkeys(args[2:]) if element not in elements]
    client.store.grow(sum(len(element) + FIELD_COST for element in added))
    elements.update(added)
    return integer(len(added))


@command("srem")
def srem(client: Client, args: list[bytes]) -> bytes:
    elements = typed(client, args[1], set) or set()
    removed = elements & set(args[2:])
    elements -= removed
    client.store.grow(-sum(len(element) + FIELD_COST for element in removed))
    client.store.drop_if_empty(client.database, args[1])
    return integer(len(removed))


@command("smembers")
def smembers(client: Client, args: list[bytes]) -> bytes:
    return client.set_of(bulk(element) for element in ordered(typed(client, args[1], set) or ()))


@command("scard")
def scard(client: Client, args: list[bytes]) -> bytes:
    return integer(len(typed(client, args[1], set) or ()))


@command("sismember")
def sismember(client: Client, args: list[bytes]) -> bytes:
    return integer(int(args[2] in (typed(client, args[1], set) or ())))


@command("smismember")
def smismember(client: Client, args: list[bytes]) -> bytes:
    elements = typed(client, args[1], set) or ()
    return array(integer(int(element in elements)) for element in args[2:])


@command("spop", "srandmember")
def spop(client: Client, args: list[bytes]) -> bytes:
    if len(args) > 3:
        raise CommandError(SYNTAX)
    popping = args[0].lower() == b"spop"
    count = integer_in(args[2], NOT_POSITIVE if popping else b"ERR value is out of range") if len(args) == 3 else None
    if popping and count is not None and count < 0:
        raise CommandError(NOT_POSITIVE)
    elements = typed(client, args[1], set)
    if not elements:
        return client.nil if count is None else EMPTY
    wanted = 1 if count is None else min(abs(count), len(elements))
    taken = client.session.random.sample(sorted(elements), wanted)
    if popping:
        elements.difference_update(taken)
        client.store.grow(-sum(len(element) + FIELD_COST for element in taken))
        client.store.drop_if_empty(client.database, args[1])
    return bulk(taken[0]) if count is None else bulks(taken)


@command("sscan")
def sscan(client: Client, args: list[bytes]) -> bytes:
    integer_in(args[2], b"ERR invalid cursor")
    pattern = scan_options(args[3:])[0]
    elements = ordered(typed(client, args[1], set) or ())
    return array((bulk(b"0"), bulks(element for element in elements if pattern is None or matches(pattern, element))))
