"""One client of the decoy: what its connection has set, and replies in the protocol version it asked for."""

import itertools
import time
from collections.abc import Callable, Iterable

from chaffinch.caches import register
from chaffinch.decoys.redis import protocol
from chaffinch.decoys.redis.store import Store, Stores
from chaffinch.decoys.session import Session

STORES = register(Stores())
"""What sources left in this process: a second connection of an attacker finds what the first one wrote."""

_connections = itertools.count()

QUEUE_BYTES = 1 << 20
"""How much a transaction may queue, in bytes."""


class Client:
    """The state of one connection. Anything that most connections never use is None until it is needed."""

    __slots__ = (
        "_count", "_store", "channels", "closing", "database", "dirty", "last", "name", "patterns", "protocol", "queue",
        "queued_bytes", "replies", "requests", "session", "trusted",
    )  # fmt: skip

    def __init__(self, session: Session) -> None:
        self.session = session
        self.trusted = not session.service.option("requirepass")
        self.protocol = 2
        self.database = 0
        self.name = b""
        self.last = b"NULL"
        self.requests = 0
        self.replies = "on"
        self.closing = False
        self.queue: list[list[bytes]] | None = None
        self.queued_bytes = 0
        self.dirty = False
        self.channels: set[bytes] | None = None
        self.patterns: set[bytes] | None = None
        self._count = next(_connections)
        self._store: Store | None = None

    @property
    def id(self) -> int:
        """The connection's number: grows with the time that the server is up, and with each connection here."""
        return connections_since_boot(self.session, self.session.started / 1e9) + self._count

    @property
    def store(self) -> Store:
        """What this source sees of the host's data."""
        if self._store is None or self._store.is_gone:
            key = (self.session.address, self.session.service.port, self.session.source)
            self._store = STORES.find(key)
            if self._store is None:
                self._store = Store(key)
                self._store.seed(self.session.persona, time.time())
        return self._store

    def keep(self) -> None:
        """After a command: hold what it changed for the source's next connection."""
        if self._store is not None and self._store.kept and not self._store.is_gone:
            STORES.keep(self._store)

    @property
    def held(self) -> int:
        """What the connection holds beside its store, in bytes."""
        listened = (*(self.channels or ()), *(self.patterns or ()))
        return self.queued_bytes + len(self.name) + sum(map(len, listened))

    @property
    def subscriptions(self) -> int:
        """How many channels and patterns the client listens to."""
        return len(self.channels or ()) + len(self.patterns or ())

    def setting(self, name: str, default: str = "") -> str:
        """What the source last set with CONFIG SET, or the host's own option of the service."""
        changed = self._store.settings.get(name) if self._store is not None else None
        return self.session.service.option(name, default) if changed is None else changed

    # Replies that differ between protocol versions -----------------------------------------------------------------

    @property
    def nil(self) -> bytes:
        """No value."""
        return b"$-1\r\n" if self.protocol == 2 else b"_\r\n"

    @property
    def nil_array(self) -> bytes:
        """No array."""
        return b"*-1\r\n" if self.protocol == 2 else b"_\r\n"

    def value(self, value: bytes | None) -> bytes:
        """A string, or no value."""
        return self.nil if value is None else protocol.bulk(value)

    def mapping(self, items: Iterable[bytes]) -> bytes:
        """Keys and values in turn, encoded."""
        return protocol.array(items) if self.protocol == 2 else protocol.array(items, b"%", width=2)

    def set_of(self, items: Iterable[bytes]) -> bytes:
        """A set of encoded items."""
        return protocol.array(items, b"*" if self.protocol == 2 else b"~")

    def push(self, items: Iterable[bytes]) -> bytes:
        """A message that is not a command's reply."""
        return protocol.array(items, b"*" if self.protocol == 2 else b">")

    def double(self, value: float) -> bytes:
        """A floating point number."""
        return protocol.bulk(number(value)) if self.protocol == 2 else b",%b\r\n" % number(value)

    def verbatim(self, text: bytes) -> bytes:
        """Text for people."""
        return protocol.bulk(text) if self.protocol == 2 else b"=%d\r\ntxt:%b\r\n" % (len(text) + 4, text)


Handler = Callable[[Client, list[bytes]], bytes]
"""A command: its arguments, name included, in; its reply out. Raises `CommandError`."""

COMMANDS: dict[bytes, Handler] = {}
"""The commands that the decoy has; a subcommand stands under `container|name`."""


def command(*names: str) -> Callable[[Handler], Handler]:
    """Mark a function as the handler of these commands."""

    def mark(handler: Handler) -> Handler:
        for name in names:
            if name.encode() in COMMANDS:
                raise ValueError(f"two handlers for the command {name}")
            COMMANDS[name.encode()] = handler
        return handler

    return mark


def number(value: float) -> bytes:
    """A score as the server prints it: 17 significant digits."""
    return b"%.17g" % value


def milliseconds() -> int:
    """Now, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def connections_since_boot(session: Session, now: float) -> int:
    """How many connections the server had from its own applications by `now`: a host's rate, times its uptime."""
    persona = session.persona
    rate = 0.002 + persona.derive("redis connection rate", 1)[0] / 5000
    return 3 + int((now - persona.booted(now)) * rate)
