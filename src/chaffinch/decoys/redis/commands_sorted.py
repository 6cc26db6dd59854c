"""Commands on sorted sets."""

from chaffinch.decoys.redis.client import Client, command, number
from chaffinch.decoys.redis.protocol import EMPTY, array, bulk, bulks, integer
from chaffinch.decoys.redis.store import FIELD_COST, CommandError, SortedSet
from chaffinch.decoys.redis.values import SYNTAX, float_in, integer_in, made, span, typed

_BOUND = b"ERR min or max is not a float"
_FLAGS = (b"NX", b"XX", b"GT", b"LT", b"CH", b"INCR")


def _members(client: Client, key: bytes) -> SortedSet:
    return typed(client, key, SortedSet) or SortedSet()


@command("zadd")
def zadd(client: Client, args: list[bytes]) -> bytes:
    at = 2
    flags = set()
    while at < len(args) and args[at].upper() in _FLAGS:
        flags.add(args[at].upper())
        at += 1
    pairs = args[at:]
    if not pairs or len(pairs) % 2:
        raise CommandError(SYNTAX)
    if {b"NX", b"XX"} <= flags:
        raise CommandError(b"ERR XX and NX options at the same time are not compatible")
    if len(flags & {b"GT", b"LT", b"NX"}) > 1:
        raise CommandError(b"ERR GT, LT, and/or NX options at the same time are not compatible")
    if b"INCR" in flags and len(pairs) > 2:
        raise CommandError(b"ERR INCR option supports a single increment-element pair")
    scores = [float_in(score) for score in pairs[::2]]
    if b"XX" in flags and typed(client, args[1], SortedSet) is None:
        return client.nil if b"INCR" in flags else integer(0)
    members = made(client, args[1], SortedSet)
    added = changed = 0
    last: float | None = None
    for score, member in zip(scores, pairs[1::2], strict=True):
        before = members.get(member)
        after = score + before if b"INCR" in flags and before is not None else score
        if not _allowed(flags, before, after):
            continue
        last = after
        if before is None:
            client.store.grow(len(member) + FIELD_COST)
            added += 1
        elif before != after:
            client.store.grow(0)
            changed += 1
        members[member] = after
    client.store.drop_if_empty(client.database, args[1])
    if b"INCR" in flags:
        return client.nil if last is None else client.double(last)
    return integer(added + (changed if b"CH" in flags else 0))


def _allowed(flags: set[bytes], before: float | None, after: float) -> bool:
    if before is None:
        return b"XX" not in flags
    return not (b"NX" in flags or (b"GT" in flags and after <= before) or (b"LT" in flags and after >= before))


@command("zincrby")
def zincrby(client: Client, args: list[bytes]) -> bytes:
    by = float_in(args[2])
    members = made(client, args[1], SortedSet)
    if args[3] not in members:
        client.store.grow(len(args[3]) + FIELD_COST)
    members[args[3]] = members.get(args[3], 0.0) + by
    client.store.grow(0)
    return client.double(members[args[3]])


@command("zrem")
def zrem(client: Client, args: list[bytes]) -> bytes:
    members = _members(client, args[1])
    removed = 0
    for member in args[2:]:
        if members.pop(member, None) is not None:
            removed += 1
            client.store.grow(-len(member) - FIELD_COST)
    client.store.drop_if_empty(client.database, args[1])
    return integer(removed)


@command("zscore")
def zscore(client: Client, args: list[bytes]) -> bytes:
    score = _members(client, args[1]).get(args[2])
    return client.nil if score is None else client.double(score)


@command("zmscore")
def zmscore(client: Client, args: list[bytes]) -> bytes:
    members = _members(client, args[1])
    scores = (members.get(member) for member in args[2:])
    return array(client.nil if score is None else client.double(score) for score in scores)


@command("zcard")
def zcard(client: Client, args: list[bytes]) -> bytes:
    return integer(len(_members(client, args[1])))


@command("zrank", "zrevrank")
def zrank(client: Client, args: list[bytes]) -> bytes:
    names = [name for name, _ in _members(client, args[1]).ordered()]
    if args[2] not in names:
        return client.nil
    rank = names.index(args[2])
    return integer(len(names) - 1 - rank if args[0].lower() == b"zrevrank" else rank)


@command("zcount")
def zcount(client: Client, args: list[bytes]) -> bytes:
    low, high = _bound(args[2]), _bound(args[3])
    return integer(sum(_within(score, low, high) for score in _members(client, args[1]).values()))


@command("zrange", "zrevrange", "zrangebyscore", "zrevrangebyscore")
def zrange(client: Client, args: list[bytes]) -> bytes:
    name = args[0].lower()
    options = {option.upper() for option in args[4:]}
    if not options <= {b"WITHSCORES", b"REV", b"BYSCORE"}:
        raise CommandError(SYNTAX)
    reverse = b"REV" in options or name.startswith(b"zrev")
    if b"BYSCORE" in options or name.endswith(b"byscore"):
        low, high = (_bound(args[3]), _bound(args[2])) if reverse else (_bound(args[2]), _bound(args[3]))
        found = [pair for pair in _members(client, args[1]).ordered() if _within(pair[1], low, high)]
        found = found[::-1] if reverse else found
    else:
        start, stop = integer_in(args[2]), integer_in(args[3])
        found = _members(client, args[1]).ordered()
        if not found:
            return EMPTY
        first, end = span(start, stop, len(found))
        found = (found[::-1] if reverse else found)[first:end]
    if b"WITHSCORES" not in options:
        return bulks(member for member, _ in found)
    if client.protocol == 2:
        return bulks(text for member, score in found for text in (member, number(score)))
    return array(array((bulk(member), client.double(score))) for member, score in found)


def _bound(text: bytes) -> tuple[float, bool]:
    """A score that bounds a range, and whether it is left out."""
    excluded = text.startswith(b"(")
    return float_in(text[1:] if excluded else text, _BOUND), excluded


def _within(score: float, low: tuple[float, bool], high: tuple[float, bool]) -> bool:
    above = score > low[0] if low[1] else score >= low[0]
    return above and (score < high[0] if high[1] else score <= high[0])
