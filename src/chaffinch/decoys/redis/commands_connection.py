"""Commands on the connection itself: who the client is, which database and protocol it uses, what it listens to."""

import time

from chaffinch.decoys.redis.client import Client, command
from chaffinch.decoys.redis.protocol import EMPTY, OK, array, bulk, bulks, integer
from chaffinch.decoys.redis.store import CommandError
from chaffinch.decoys.redis.values import SYNTAX, integer_in
from chaffinch.errors import LimitError
from chaffinch.events import Credential, printable

WRONG_PASSWORD = b"WRONGPASS invalid username-password pair or user is disabled."
NO_PASSWORD_SET = (
    b"ERR AUTH <password> called without any password configured for the default user. "
    b"Are you sure your configuration is correct?"
)
SUBSCRIPTIONS = 1024
"""How many channels and patterns one client may listen to."""


def _log_in(client: Client, username: bytes, password: bytes) -> bool:
    """Check and record a login. Without a password set, the default user accepts any."""
    required = client.setting("requirepass").encode()
    accepted = username == b"default" and (not required or password == required)
    client.session.record(
        Credential(printable(username, 256), printable(password, 512), mechanism="redis-auth", accepted=accepted)
    )
    if accepted:
        client.trusted = True
    return accepted


@command("auth")
def auth(client: Client, args: list[bytes]) -> bytes:
    if len(args) > 3:
        raise CommandError(SYNTAX)
    accepted = _log_in(client, args[1] if len(args) == 3 else b"default", args[-1])
    if len(args) == 2 and not client.setting("requirepass"):
        raise CommandError(NO_PASSWORD_SET)
    if not accepted:
        raise CommandError(WRONG_PASSWORD)
    return OK


@command("hello")
def hello(client: Client, args: list[bytes]) -> bytes:
    version = client.protocol
    if len(args) > 1:
        version = integer_in(args[1], b"ERR Protocol version is not an integer or out of range")
        if version not in (2, 3):
            raise CommandError(b"NOPROTO unsupported protocol version")
    login = _hello_options(client, args)
    if login is not None and not _log_in(client, *login):
        raise CommandError(WRONG_PASSWORD)
    if not client.trusted:
        raise CommandError(
            b"NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
            b"<proto> AUTH <user> <pass> "
            b"option can be used to authenticate the client and select the RESP protocol version at the same time"
        )
    client.protocol = version
    role = b"master" if client.store.master is None else b"replica"
    words = (b"server", b"redis", b"version", client.session.service.version.encode(), b"proto")
    rest = (b"mode", b"standalone", b"role", role, b"modules")
    items = [*map(bulk, words), integer(version), bulk(b"id"), integer(client.id), *map(bulk, rest), EMPTY]
    return client.mapping(items)


def _hello_options(client: Client, args: list[bytes]) -> tuple[bytes, bytes] | None:
    """The login that HELLO brings. A name is set at once, even if a later option is wrong."""
    login, at = None, 2
    while at < len(args):
        option = args[at].upper()
        if option == b"AUTH" and at + 2 < len(args):
            login = (args[at + 1], args[at + 2])
            at += 3
        elif option == b"SETNAME" and at + 1 < len(args):
            client.name = _valid_name(args[at + 1])
            at += 2
        else:
            raise CommandError(b"ERR Syntax error in HELLO option '%b'" % args[at])
    return login


def _valid_name(name: bytes) -> bytes:
    if any(not 33 <= byte <= 126 for byte in name):
        raise CommandError(b"ERR Client names cannot contain spaces, newlines or special characters.")
    return name[:1024]


@command("ping")
def ping(client: Client, args: list[bytes]) -> bytes:
    if len(args) > 2:
        raise CommandError(b"ERR wrong number of arguments for 'ping' command")
    if client.subscriptions and client.protocol == 2:
        return bulks((b"pong", args[1] if len(args) > 1 else b""))
    return bulk(args[1]) if len(args) > 1 else b"+PONG\r\n"


@command("echo")
def echo(client: Client, args: list[bytes]) -> bytes:
    return bulk(args[1])


@command("select")
def select(client: Client, args: list[bytes]) -> bytes:
    number = integer_in(args[1])
    if not 0 <= number < 16:
        raise CommandError(b"ERR DB index is out of range")
    client.database = number
    return OK


@command("reset")
def reset(client: Client, args: list[bytes]) -> bytes:
    client.queue = client.channels = client.patterns = None
    client.database, client.protocol, client.name, client.replies = 0, 2, b"", "on"
    client.trusted = not client.setting("requirepass")
    return b"+RESET\r\n"


# CLIENT -----------------------------------------------------------------------------------------------------------


def _described(client: Client, shown: bytes) -> bytes:
    """The client's line in CLIENT LIST."""
    session = client.session
    age = session.elapsed_ms // 1000
    request = len(shown) + 2
    return (
        f"id={client.id} addr={session.source}:{session.source_port} "
        f"laddr={session.address}:{session.service.port} fd=8 "
        f"name={client.name.decode()} age={age} idle=0 flags={'P' if client.subscriptions else 'N'} "
        f"db={client.database} "
        f"sub={len(client.channels or ())} psub={len(client.patterns or ())} ssub=0 multi=-1 qbuf={request} "
        f"qbuf-free={20474 - request} argv-mem=10 multi-mem=0 rbs={16384 if age < 5 else 1024} "
        f"rbp={16384 if age < 5 else 0} "
        f"obl=0 oll=0 omem=0 tot-mem={22298 if age >= 5 else 37658} events=r cmd={client.last.decode()} user=default "
        f"redir=-1 resp={client.protocol}\n"
    ).encode()


def _applications(client: Client) -> bytes:
    """The lines of the host's own clients: connected since some time after it booted."""
    session = client.session
    persona, now = session.persona, time.time()
    dice = persona.random("redis clients")
    up = int(now - persona.booted(now))
    lines = []
    for number in range(dice.randrange(1, 4)):
        age, port = max(1, up - dice.randrange(30, 600)), dice.randrange(32768, 60999)
        idle = int(now) % dice.randrange(7, 60)
        lines.append(
            f"id={number + 3} addr=127.0.0.1:{port} laddr=127.0.0.1:{session.service.port} "
            f"fd={9 + number} name= age={age} "
            f"idle={idle} flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 "
            f"multi-mem=0 rbs=1024 rbp=0 "
            f"obl=0 oll=0 omem=0 tot-mem=1800 events=r "
            f"cmd={dice.choice(('get', 'set', 'lpop', 'expire'))} user=default "
            f"redir=-1 resp=2\n"
        )
    return "".join(lines).encode()


def applications(client: Client) -> int:
    """How many clients of its own the host's server has."""
    return _applications(client).count(b"\n")


@command("client|list")
def client_list(client: Client, args: list[bytes]) -> bytes:
    return client.verbatim(_applications(client) + _described(client, b" ".join(args)))


@command("client|info")
def client_info(client: Client, args: list[bytes]) -> bytes:
    return client.verbatim(_described(client, b" ".join(args)))


@command("client|id")
def client_id(client: Client, args: list[bytes]) -> bytes:
    return integer(client.id)


@command("client|getname")
def client_getname(client: Client, args: list[bytes]) -> bytes:
    return client.value(client.name or None)


@command("client|setname")
def client_setname(client: Client, args: list[bytes]) -> bytes:
    client.name = _valid_name(args[2])
    return OK


@command("client|kill")
def client_kill(client: Client, args: list[bytes]) -> bytes:
    if len(args) > 3:
        return integer(0)
    raise CommandError(b"ERR No such client")


@command("client|reply")
def client_reply(client: Client, args: list[bytes]) -> bytes:
    mode = args[2].lower()
    if mode not in (b"on", b"off", b"skip"):
        raise CommandError(SYNTAX)
    if mode != b"skip" or client.replies == "on":
        client.replies = mode.decode()
    return OK if mode == b"on" else b""


@command("client|no-evict")
def client_no_evict(client: Client, args: list[bytes]) -> bytes:
    if args[2].lower() not in (b"on", b"off"):
        raise CommandError(SYNTAX)
    return OK


@command("client|pause", "client|unpause", "client|caching", "client|tracking")
def client_accepted(client: Client, args: list[bytes]) -> bytes:
    return OK


@command("client|getredir")
def client_getredir(client: Client, args: list[bytes]) -> bytes:
    return integer(-1)


@command("client|trackinginfo")
def client_trackinginfo(client: Client, args: list[bytes]) -> bytes:
    flags = client.set_of((bulk(b"off"),))
    return client.mapping((bulk(b"flags"), flags, bulk(b"redirect"), integer(-1), bulk(b"prefixes"), EMPTY))


# Subscriptions ----------------------------------------------------------------------------------------------------


@command("subscribe", "psubscribe")
def subscribe(client: Client, args: list[bytes]) -> bytes:
    kind = args[0].lower()
    client.channels = client.channels or set()
    client.patterns = client.patterns or set()
    listened = client.channels if kind == b"subscribe" else client.patterns
    replies = []
    for channel in args[1:]:
        listened.add(channel[:1024])
        if client.subscriptions > SUBSCRIPTIONS:
            raise LimitError("subscriptions")
        replies.append(client.push((bulk(kind), bulk(channel), integer(client.subscriptions))))
    return b"".join(replies)


@command("unsubscribe", "punsubscribe")
def unsubscribe(client: Client, args: list[bytes]) -> bytes:
    kind = args[0].lower()
    listened = (client.channels if kind == b"unsubscribe" else client.patterns) or set()
    replies = []
    for channel in args[1:] or sorted(listened):
        listened.discard(channel[:1024])
        replies.append(client.push((bulk(kind), bulk(channel), integer(client.subscriptions))))
    return b"".join(replies) or client.push((bulk(kind), client.nil, integer(client.subscriptions)))


@command("publish", "spublish")
def publish(client: Client, args: list[bytes]) -> bytes:
    return integer(0)


@command("pubsub|channels", "pubsub|numsub", "pubsub|shardchannels", "pubsub|shardnumsub")
def pubsub(client: Client, args: list[bytes]) -> bytes:
    if args[1].lower().endswith(b"numsub"):
        return array(item for channel in args[2:] for item in (bulk(channel), integer(0)))
    return EMPTY


@command("pubsub|numpat")
def pubsub_numpat(client: Client, args: list[bytes]) -> bytes:
    return integer(0)
