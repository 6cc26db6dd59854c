"""From a request to its reply: whether the command exists, fits, is allowed now, and which handler answers."""

from chaffinch.decoys.redis.client import COMMANDS, QUEUE_BYTES, Client
from chaffinch.decoys.redis.protocol import OK, error
from chaffinch.decoys.redis.store import OUT_OF_MEMORY, CommandError
from chaffinch.decoys.redis.table import CONTAINERS, SPECS, CommandSpec
from chaffinch.errors import LimitError

_UNTRUSTED = frozenset((b"auth", b"hello", b"quit", b"reset"))
_SUBSCRIBED = frozenset(
    (
        b"subscribe",
        b"unsubscribe",
        b"psubscribe",
        b"punsubscribe",
        b"ssubscribe",
        b"sunsubscribe",
        b"ping",
        b"quit",
        b"reset",
    )
)
_NOT_QUEUED = frozenset((b"exec", b"discard", b"multi", b"watch", b"quit", b"reset"))
_ABUSES = frozenset((b"post", b"host:"))

_ABSENT = {
    b":0": b"pfcount xlen xack xdel xtrim geosearchstore bitcount zremrangebyscore zremrangebylex "
    b"zlexcount wait zunionstore "
    b"zinterstore zdiffstore sinterstore sunionstore sdiffstore xgroup",
    b"*0": b"xrange xrevrange sinter sunion sdiff zinter zunion zdiff geosearch georadius "
    b"georadius_ro georadiusbymember "
    b"georadiusbymember_ro sort_ro",
    b"$-1": b"dump lpos geodist",
    b"*-1": b"xread xreadgroup blpop brpop bzpopmin bzpopmax lmpop zmpop blmpop bzmpop",
}
_CONSTANT = {name: reply + b"\r\n" for reply, names in _ABSENT.items() for name in names.split()}
"""What commands that the decoy does not have say of a key that is not there."""


class AbuseError(Exception):
    """A browser was made to talk to the server: it drops the connection without an answer."""


def execute(client: Client, args: list[bytes], *, cut: bool = False) -> bytes:
    """The reply to one request. `cut` says that it was too long to be held."""
    name = args[0].lower()
    if name == b"quit":
        client.closing = True
        return OK
    if name in _ABUSES:
        raise AbuseError
    try:
        spec = find(name, args)
        _check(client, spec, name, args)
    except CommandError as problem:
        client.dirty = client.queue is not None
        return error(problem.reply)
    client.last = spec.name
    if client.queue is not None and name not in _NOT_QUEUED:
        return _enqueue(client, args)
    if cut:
        return error(OUT_OF_MEMORY)
    return call(client, spec, args)


def call(client: Client, spec: CommandSpec, args: list[bytes]) -> bytes:
    """Run a command that was checked."""
    handler = COMMANDS.get(spec.name)
    if handler is None:
        return _CONSTANT.get(spec.name) or error(b"ERR syntax error")
    client.requests += 1
    try:
        return handler(client, args)
    except CommandError as problem:
        return error(problem.reply)
    finally:
        client.keep()


def find(name: bytes, args: list[bytes]) -> CommandSpec:
    """The command or subcommand that a request names. Raises `CommandError` when none fits."""
    spec = SPECS.get(name) if b"|" not in name else None
    if spec is None:
        raise CommandError(_unknown(args))
    if name in CONTAINERS and len(args) > 1:
        below = SPECS.get(name + b"|" + args[1].lower())
        if below is None:
            raise CommandError(
                b"ERR unknown subcommand '%b'. Try %b HELP." % (args[1][:128].split(b"\0")[0], name.upper())
            )
        spec = below
    if not spec.takes(len(args)):
        raise CommandError(b"ERR wrong number of arguments for '%b' command" % spec.name)
    return spec


def _unknown(args: list[bytes]) -> bytes:
    shown = b""
    for argument in args[1:]:
        if len(shown) >= 128:
            break
        shown += b"'%b' " % argument[: 128 - len(shown)].split(b"\0")[0]
    return b"ERR unknown command '%b', with args beginning with: %b" % (args[0][:128].split(b"\0")[0], shown)


def _check(client: Client, spec: CommandSpec, name: bytes, args: list[bytes]) -> None:
    """Raise `CommandError` when the command is not allowed now."""
    if not client.trusted and name not in _UNTRUSTED:
        raise CommandError(b"NOAUTH Authentication required.")
    if client.subscriptions and client.protocol == 2 and name not in _SUBSCRIBED:
        raise CommandError(
            b"ERR Can't execute '%b': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
            b"are allowed in this context" % spec.name
        )
    if client.queue is not None and "no_multi" in spec.flags:
        raise CommandError(b"ERR Command not allowed inside a transaction")


def _enqueue(client: Client, args: list[bytes]) -> bytes:
    assert client.queue is not None
    client.queued_bytes += sum(map(len, args)) + 64 * len(args)
    if client.queued_bytes > QUEUE_BYTES:
        raise LimitError("queue")
    client.queue.append(args)
    return b"+QUEUED\r\n"
