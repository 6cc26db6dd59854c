"""CONFIG, and what writes files or follows another server: all of it answered, recorded, and done nowhere."""

import re
import time
from functools import cache
from pathlib import Path

import msgspec

from chaffinch.decoys.redis.client import Client, command
from chaffinch.decoys.redis.glob import compile_glob, matches
from chaffinch.decoys.redis.protocol import OK, bulk, simple
from chaffinch.decoys.redis.seeds import seeded
from chaffinch.decoys.redis.store import CommandError
from chaffinch.decoys.redis.values import SYNTAX
from chaffinch.events import Upload, printable

_MEMORY = re.compile(r"(\d+)(b|k|kb|m|mb|g|gb)?", re.IGNORECASE)
_FACTORS = {"": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 10**6, "mb": 1 << 20, "g": 10**9, "gb": 1 << 30}
_DIRECTORY = re.compile(r"\.?/?$|/(bin|boot|dev|etc|home|lib|media|mnt|opt|root|run|sbin|srv|tmp|usr|var)(/|$)")
_PROTECTED = ("dir", "dbfilename")
SETTING_BYTES = 4096
"""How long a value set by CONFIG SET may be to be kept."""


class Setting(msgspec.Struct, frozen=True, gc=False):
    """One directive: what kind of value it takes, what that is checked against, and the value that Debian gives it."""

    name: str
    kind: str
    accepts: str
    value: str

    def parsed(self, text: str) -> str:
        """The value as CONFIG GET shows it. Raises `CommandError` with the reason alone when it is refused."""
        if self.kind == "immutable":
            raise CommandError(b"can't set immutable config")
        if self.kind == "bool" and text.lower() not in ("yes", "no"):
            raise CommandError(b"argument must be 'yes' or 'no'")
        if self.kind == "enum" and text.lower() not in self.accepts.split(","):
            words = self.accepts.replace(",", ", ").encode()
            raise CommandError(b"argument(s) must be one of the following: " + words)
        if self.kind == "int":
            return self._integer(text)
        if self.kind == "memory":
            found = _MEMORY.fullmatch(text)
            if found is None:
                raise CommandError(b"argument must be a memory value")
            return str(int(found[1]) * _FACTORS[(found[2] or "").lower()])
        if self.accepts and text and not re.search(r"\d", text):
            raise CommandError(self.accepts.removeprefix("refused:").encode())
        return text.lower() if self.kind in ("bool", "enum") else text

    def _integer(self, text: str) -> str:
        if not re.fullmatch(r"-?\d{1,19}", text):
            raise CommandError(b"argument couldn't be parsed into an integer")
        low, high = self.accepts.split("..")
        if not int(low) <= int(text) <= int(high):
            raise CommandError(f"argument must be between {low} and {high} inclusive".encode())
        return str(int(text))


@cache
def settings() -> dict[str, Setting]:
    """All directives by name; read once, when a client first asks."""
    lines = Path(__file__).parent.joinpath("config.txt").read_text().splitlines()
    found = (Setting(*line.split("\t")) for line in lines if not line.startswith("#"))
    return {setting.name: setting for setting in found}


def current(client: Client, setting: Setting) -> str:
    """A directive's value on this host, as this source changed it."""
    changed = client.store.settings.get(setting.name)
    if changed is not None:
        return changed
    if setting.name == "port":
        return str(client.session.service.port)
    if setting.name in ("replicaof", "slaveof") and client.store.master is not None:
        return f"{client.store.master[0].decode('utf-8', 'replace')} {client.store.master[1]}"
    return client.session.service.option(setting.name, setting.value)


@command("config|get")
def config_get(client: Client, args: list[bytes]) -> bytes:
    patterns = [compile_glob(pattern.lower()[:1024]) for pattern in args[2:34]]
    named = (item for item in settings().values() if any(matches(pattern, item.name.encode()) for pattern in patterns))
    return client.mapping(bulk(text.encode()) for item in named for text in (item.name, current(client, item)))


@command("config|set")
def config_set(client: Client, args: list[bytes]) -> bytes:
    if len(args) % 2:
        raise CommandError(b"ERR syntax error")
    wanted: dict[str, str] = {}
    for name, text in zip(args[2::2], args[3::2], strict=True):
        setting = settings().get(name.lower().decode("latin-1"))
        if setting is None:
            raise CommandError(b"ERR Unknown option or number of arguments for CONFIG SET - '%b'" % name)
        try:
            if setting.name in _PROTECTED and client.session.service.option("enable-protected-configs", "yes") == "no":
                raise CommandError(b"can't set protected config")
            if setting.name in wanted:
                raise CommandError(b"duplicate parameter")
            wanted[setting.name] = setting.parsed(text[:SETTING_BYTES].decode("utf-8", "replace"))
            if setting.name == "dir" and not _DIRECTORY.match(wanted["dir"]):
                raise CommandError(b"No such file or directory")
            if setting.name == "dbfilename" and "/" in wanted["dbfilename"]:
                raise CommandError(b"dbfilename can't be a path, just a filename")
        except CommandError as problem:
            raise CommandError(
                b"ERR CONFIG SET failed (possibly related to argument '%b') - %b" % (name, problem.reply)
            ) from None
    client.store.grow(sum(len(text) for text in wanted.values()))
    client.store.settings.update(wanted)
    return OK


@command("config|resetstat", "config|rewrite")
def config_done(client: Client, args: list[bytes]) -> bytes:
    return OK


# Files and replication --------------------------------------------------------------------------------------------


def _keep_dump(client: Client) -> None:
    """Keep what a dump would put on the disk: the strings that this source wrote. No file is written."""
    store, session = client.store, client.session
    store.saved = int(time.time())
    store.grow(0)
    own = {key for key, _, _ in seeded(session.persona, time.time())}
    values = (value for base in store.databases.values() for key, value in base.values.items() if key not in own)
    written = b"\n".join(value for value in values if isinstance(value, bytes))
    if not written:
        return
    path = f"{current(client, settings()['dir'])}/{current(client, settings()['dbfilename'])}"
    sha256, kept = session.quarantine.keep(written)
    session.record(Upload(printable(path, 512), len(written), sha256, kept, via="redis-save"))


@command("save")
def save(client: Client, args: list[bytes]) -> bytes:
    _keep_dump(client)
    return OK


@command("bgsave")
def bgsave(client: Client, args: list[bytes]) -> bytes:
    if len(args) > 2 or (len(args) == 2 and args[1].lower() != b"schedule"):
        raise CommandError(SYNTAX)
    _keep_dump(client)
    return b"+Background saving started\r\n"


@command("bgrewriteaof")
def bgrewriteaof(client: Client, args: list[bytes]) -> bytes:
    return b"+Background append only file rewriting started\r\n"


@command("slaveof", "replicaof")
def replicaof(client: Client, args: list[bytes]) -> bytes:
    store = client.store
    if (args[1].lower(), args[2].lower()) == (b"no", b"one"):
        store.master = None
        store.grow(0)
        return OK
    if not args[2].isdigit() or int(args[2][:6]) > 65535:
        raise CommandError(b"ERR Invalid master port")
    master = (args[1][:256], int(args[2]))
    if store.master == master:
        return simple(b"OK Already connected to specified master")
    store.master = master
    store.grow(0)
    return OK


@command("shutdown")
def shutdown(client: Client, args: list[bytes]) -> bytes:
    """The server goes away without an answer; the next connection finds it restarted."""
    words = [argument.lower() for argument in args[1:]]
    if words == [b"abort"]:
        raise CommandError(b"ERR No shutdown in progress.")
    if not set(words) <= {b"nosave", b"save", b"now", b"force"} or {b"save", b"nosave"} <= set(words):
        raise CommandError(SYNTAX)
    client.closing = True
    return b""
