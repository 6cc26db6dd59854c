"""Commands about the server: INFO, COMMAND, ACL, SLOWLOG, MEMORY and others that operators and scanners use."""

import time
from collections.abc import Iterable

from chaffinch.decoys.redis import info, table
from chaffinch.decoys.redis.client import COMMANDS, Client, command
from chaffinch.decoys.redis.protocol import EMPTY, OK, array, bulk, bulks, integer, simple
from chaffinch.decoys.redis.store import CommandError
from chaffinch.decoys.redis.values import SYNTAX, integer_in

Tree = str | int | list["Tree"] | dict[str, "Tree"]
"""What the documentation of a command is made of."""

_NOT_ALLOWED = (
    b'ERR %b command not allowed. If the enable-%b-command option is set to "local", you can run it '
    b"from a local connection, "
    b"otherwise you need to set this option in the configuration file, and then restart the server."
)
_FLAGS = ("flags", "doc_flags")
_NO_CLUSTER = b"ERR This instance has cluster support disabled"
_CATEGORIES = (
    b"keyspace read write set sortedset list hash string bitmap hyperloglog geo stream pubsub admin "
    b"fast slow blocking dangerous "
    b"connection transaction scripting"
).split()


@command("info")
def info_(client: Client, args: list[bytes]) -> bytes:
    return client.verbatim(info.report(client, [argument.lower() for argument in args[1:]]))


@command("time")
def time_(client: Client, args: list[bytes]) -> bytes:
    seconds, rest = divmod(time.time_ns(), 1_000_000_000)
    return bulks((b"%d" % seconds, b"%d" % (rest // 1000)))


@command("lastsave")
def lastsave(client: Client, args: list[bytes]) -> bytes:
    return integer(info.last_save(client))


@command("role")
def role(client: Client, args: list[bytes]) -> bytes:
    master = client.store.master
    if master is None:
        return array((bulk(b"master"), integer(0), EMPTY))
    return array((bulk(b"slave"), bulk(master[0]), integer(master[1]), bulk(b"connecting"), integer(-1)))


@command("lolwut")
def lolwut(client: Client, args: list[bytes]) -> bytes:
    return client.verbatim(b"Redis ver. %b\n" % client.session.service.version.encode())


@command("monitor", "replconf", "memory|purge", "slowlog|reset", "acl|save", "acl|load")
def accepted(client: Client, args: list[bytes]) -> bytes:
    return OK


@command("debug")
def debug(client: Client, args: list[bytes]) -> bytes:
    raise CommandError(_NOT_ALLOWED % (b"DEBUG", b"debug"))


@command("module|load", "module|loadex", "module|unload")
def module(client: Client, args: list[bytes]) -> bytes:
    raise CommandError(_NOT_ALLOWED % (b"MODULE", b"module"))


@command("module|list", "slowlog|get", "latency|latest", "latency|history")
def empty(client: Client, args: list[bytes]) -> bytes:
    return EMPTY


@command("slowlog|len", "latency|reset")
def zero(client: Client, args: list[bytes]) -> bytes:
    return integer(0)


@command("latency|doctor")
def latency_doctor(client: Client, args: list[bytes]) -> bytes:
    return client.verbatim(
        b"I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You may use "
        b'"CONFIG SET latency-monitor-threshold <milliseconds>." in order to enable it. If we '
        b"weren't in a deep space mission "
        b"I'd suggest to take a look at https://redis.io/topics/latency-monitor.\n"
    )


@command("memory|doctor")
def memory_doctor(client: Client, args: list[bytes]) -> bytes:
    return client.verbatim(
        b"Hi Sam, this instance is empty or is using very little memory, my issues detector can't be "
        b"used in these conditions. "
        b"Please, leave for your mission on Earth and fill it with some data. The new Sam and I will "
        b"be back to our programming "
        b"as soon as I finished rebooting.\n"
    )


@command(*(name.decode() for name in table.SPECS if name.startswith(b"cluster|")), "asking", "readonly", "readwrite")
def cluster(client: Client, args: list[bytes]) -> bytes:
    raise CommandError(_NO_CLUSTER)


@command("failover")
def failover(client: Client, args: list[bytes]) -> bytes:
    raise CommandError(b"ERR FAILOVER requires connected replicas.")


# ACL --------------------------------------------------------------------------------------------------------------


@command("acl|whoami")
def acl_whoami(client: Client, args: list[bytes]) -> bytes:
    return bulk(b"default")


@command("acl|users")
def acl_users(client: Client, args: list[bytes]) -> bytes:
    return bulks((b"default",))


@command("acl|list")
def acl_list(client: Client, args: list[bytes]) -> bytes:
    return bulks((b"user default on %b ~* &* +@all" % _password(client, b"#"),))


def _password(client: Client, mark: bytes) -> bytes:
    """How the default user's password is shown: as its SHA-256, or `nopass`."""
    required = client.setting("requirepass")
    if not required:
        return b"nopass"
    import hashlib

    return mark + hashlib.sha256(required.encode()).hexdigest().encode()


@command("acl|getuser")
def acl_getuser(client: Client, args: list[bytes]) -> bytes:
    if args[2] != b"default":
        return client.nil
    password = _password(client, b"")
    flags = (simple(b"on"),) if password != b"nopass" else (simple(b"on"), simple(b"nopass"))
    texts = [flag[1:-2] for flag in flags]
    passwords = () if password == b"nopass" else (password,)
    pairs = (
        (b"flags", client.set_of(map(bulk, texts))),
        (b"passwords", bulks(passwords)),
        (b"commands", bulk(b"+@all")),
        (b"keys", bulk(b"~*")),
        (b"channels", bulk(b"&*")),
        (b"selectors", EMPTY),
    )
    return client.mapping(item for name, item in pairs for item in (bulk(name), item))


@command("acl|cat")
def acl_cat(client: Client, args: list[bytes]) -> bytes:
    if len(args) > 2 and args[2].lower() not in _CATEGORIES:
        raise CommandError(b"ERR Unknown category '%b'" % args[2])
    if len(args) == 2:
        return bulks(_CATEGORIES)
    wanted = "@" + args[2].lower().decode()
    return bulks(found.name.encode() for found in table.documented() if wanted in found.info[6])


@command("acl|setuser", "acl|log")
def acl_accepted(client: Client, args: list[bytes]) -> bytes:
    return OK if args[1].lower() == b"setuser" or len(args) > 2 else EMPTY


@command("acl|deluser")
def acl_deluser(client: Client, args: list[bytes]) -> bytes:
    if b"default" in args[2:]:
        raise CommandError(b"ERR The 'default' user cannot be removed")
    return integer(0)


# COMMAND ----------------------------------------------------------------------------------------------------------


@command("command|count")
def command_count(client: Client, args: list[bytes]) -> bytes:
    return integer(table.COUNT)


@command("command")
def command_(client: Client, args: list[bytes]) -> bytes:
    return array(_info_reply(client, found) for found in table.documented())


@command("command|info")
def command_info(client: Client, args: list[bytes]) -> bytes:
    if len(args) == 2:
        return command_(client, args)
    found = {item.name.encode(): item for item in table.documented(args[2:])}
    wanted = (found.get(name.lower()) for name in args[2:])
    return array(_info_reply(client, item) if item is not None else client.nil for item in wanted)


@command("command|docs")
def command_docs(client: Client, args: list[bytes]) -> bytes:
    found = table.documented(args[2:] if len(args) > 2 else None)
    return client.mapping(part for item in found for part in (bulk(item.name.encode()), _tree(client, item.docs)))


@command("command|list")
def command_list(client: Client, args: list[bytes]) -> bytes:
    names = [name for name in table.SPECS if b"|" not in name]
    if len(args) == 2:
        return bulks(names)
    if len(args) != 5 or args[2].lower() != b"filterby":
        raise CommandError(SYNTAX)
    from chaffinch.decoys.redis.glob import compile_glob, matches

    kind, pattern = args[3].lower(), args[4].lower()
    if kind == b"pattern":
        tokens = compile_glob(pattern)
        return bulks(name for name in names if matches(tokens, name))
    if kind == b"aclcat":
        wanted = "@" + pattern.decode("latin-1")
        return bulks(found.name.encode() for found in table.documented() if wanted in found.info[6])
    if kind == b"module":
        return EMPTY
    raise CommandError(SYNTAX)


@command("command|getkeys")
def command_getkeys(client: Client, args: list[bytes]) -> bytes:
    spec = table.SPECS.get(args[2].lower())
    if spec is None:
        raise CommandError(b"ERR Invalid command specified")
    if not spec.first:
        raise CommandError(b"ERR The command has no key arguments")
    if not spec.takes(len(args) - 2):
        raise CommandError(b"ERR Invalid number of arguments specified for command")
    return bulks(spec.keys(args[2:]))


def _info_reply(client: Client, found: table.Documented) -> bytes:
    return _entry(client, found.info)


def _entry(client: Client, entry: list[Tree]) -> bytes:
    """One command as COMMAND shows it: name, arity, flags, keys, categories, tips, key specifications, subcommands."""
    name, arity, flags, first, last, step, categories, tips, specs, below = entry
    assert isinstance(flags, list)
    assert isinstance(categories, list)
    assert isinstance(below, list)
    numbers = [integer(value) for value in (arity, first, last, step) if isinstance(value, int)]
    return array(
        (
            bulk(str(name).encode()),
            numbers[0],
            _words(client, flags),
            *numbers[1:],
            _words(client, categories),
            _tree(client, tips),
            client.set_of(_tree(client, spec) for spec in specs) if isinstance(specs, list) else EMPTY,
            array(_entry(client, item) for item in below if isinstance(item, list)),
        )
    )


def _words(client: Client, words: Iterable[Tree]) -> bytes:
    return client.set_of(simple(str(word).encode()) for word in words)


def _tree(client: Client, tree: Tree) -> bytes:
    if isinstance(tree, dict):
        items = (
            (name, _words(client, value) if isinstance(value, list) and name in _FLAGS else _tree(client, value))
            for name, value in tree.items()
        )
        return client.mapping(part for name, item in items for part in (bulk(name.encode()), item))
    if isinstance(tree, list):
        return array(_tree(client, item) for item in tree)
    return integer(tree) if isinstance(tree, int) else bulk(tree.encode())


# HELP -------------------------------------------------------------------------------------------------------------


def _help(client: Client, args: list[bytes]) -> bytes:
    return array(simple(line.encode()) for line in table.help_of(args[0].lower().decode()))


for _name in table.SPECS:
    if _name.endswith(b"|help"):
        COMMANDS.setdefault(_name, _help)


@command("wait")
def wait(client: Client, args: list[bytes]) -> bytes:
    integer_in(args[1])
    if integer_in(args[2], b"ERR timeout is not an integer or out of range") < 0:
        raise CommandError(b"ERR timeout is negative")
    return integer(0)


@command("sync", "psync")
def sync(client: Client, args: list[bytes]) -> bytes:
    """A dump with no keys in it: who replicates the server gets what it holds as if it held nothing."""
    version = client.session.service.version.encode()
    identity = client.session.persona.derive("redis replication", 20).hex().encode()
    dump = b"REDIS0010\xfa\x09redis-ver%c%b\xfa\x0aredis-bits\xc0\x40\xff" % (len(version), version) + bytes(8)
    resync = b"+FULLRESYNC %b 0\r\n" % identity if args[0].lower() == b"psync" else b""
    return resync + b"$%d\r\n" % len(dump) + dump


@command("memory|stats")
def memory_stats(client: Client, args: list[bytes]) -> bytes:
    return client.mapping(
        part
        for name, value in info.memory_stats(client)
        for part in (bulk(name.encode()), client.double(value) if isinstance(value, float) else integer(value))
    )
