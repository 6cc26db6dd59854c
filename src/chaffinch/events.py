"""Every event type: an envelope that says where and when, around one tagged, frozen fact.

The journal stores events as JSON, one object each. A fact's tag is its `kind`; facts of a session carry its
identifier in the envelope. Text that a peer sent is made printable by `printable` before it is put into a fact.
"""

import time as _time

import msgspec


class Fact(msgspec.Struct, frozen=True, tag_field="kind", omit_defaults=True, gc=False):
    """What was seen. Subclasses are the event types."""

    @property
    def kind(self) -> str:
        return kind_of(type(self))


class Syn(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The look of the SYN that opened a connection, as the kernel saved it.

    `options` lists the TCP options in their order: `mss`, `nop`, `ws`, `sok`, `sack`, `ts`, `eol`, or `?N` for kind
    N.
    """

    ttl: int
    window: int
    mss: int = 0
    scale: int = -1
    options: tuple[str, ...] = ()
    df: bool = False


class SessionOpened(Fact, tag="session.opened", frozen=True):
    """A connection was accepted on a decoy host."""

    port: int
    source_port: int
    transport: str = "tcp"
    syn: Syn | None = None


class SessionClosed(Fact, tag="session.closed", frozen=True):
    """A session ended.

    `reason`: `peer` (it closed), `service` (the service ended it, as the product would), `idle`, `time`, `bytes`,
    `line` (a longer one than may be), `unread` (it did not read our answers), `evicted` (room was needed), `refused`
    (memory was short: it got the product's answer to one connection too many), `shutdown`, `error` (a fault of ours),
    or a bound of the service's own (`reply`, `queue`, `subscriptions`, `keys`).
    """

    port: int
    source_port: int
    started: int
    duration_ns: int
    bytes_in: int
    bytes_out: int
    reason: str


class Collapsed(Fact, tag="collapsed", frozen=True):
    """`count` facts of kind `of` from one source to one service, past the recorded rate, in one record.

    `first` and `last` are nanoseconds since the epoch. For `of == "session"` the bytes are those of all sessions.
    """

    of: str
    count: int
    first: int
    last: int
    port: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


class Credential(Fact, tag="credential", frozen=True):
    """A login attempt. `secret` is what the mechanism reveals: a password, a hash, a key's fingerprint."""

    username: str
    secret: str
    mechanism: str = "password"
    accepted: bool = False


class Command(Fact, tag="command", frozen=True):
    """A command of the service's protocol, or a line typed into a shell."""

    line: str


class Request(Fact, tag="request", frozen=True):
    """An HTTP request, with its headers in their order."""

    method: str
    target: str
    version: str
    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    body_bytes: int = 0


class Fingerprint(Fact, tag="fingerprint", frozen=True):
    """What the client's handshake says about its software. `method`: `hassh`, `ja4`, `client`, ..."""

    method: str
    value: str
    detail: str = ""


class Upload(Fact, tag="upload", frozen=True):
    """A file that a peer brought. `kept` says whether its bytes are held, under the name of their SHA-256."""

    name: str
    size: int
    sha256: str
    kept: bool
    via: str = ""


class Mail(Fact, tag="mail", frozen=True):
    """A message that a peer handed over for delivery. It goes nowhere."""

    sender: str
    recipients: tuple[str, ...]
    size: int
    sha256: str
    subject: str = ""
    kept: bool = False


class Terminal(Fact, tag="terminal", frozen=True):
    """Bytes of a shell session as the peer saw (`out`) or typed (`in`) them, `offset_ms` after the session began."""

    offset_ms: int
    direction: str
    data: str


class Probe(Fact, tag="probe", frozen=True):
    """Input that is not the service's protocol, or that no ordinary client sends."""

    data: str
    note: str = ""


class PacketProbe(Fact, tag="packet.probe", frozen=True):
    """`count` packets that no listener gets, of kind `of`, from one source within one window.

    `of`: `syn`, `fin`, `null`, `xmas`, `ack`, `tcp` (other flags), `fragment` (TCP in pieces), `udp`, `echo`,
    `icmp`, `ip` (another protocol) or `arp`. `first` and `last` are nanoseconds since the epoch. `hosts` tells decoy
    hosts apart by the lower sixteen bits of their addresses; `sample` has the first of them, and the envelope the
    very first. `ports` (as they were sent to, with the port offset) and `types` (of ICMP; for `ip` protocols) are
    runs such as `22,8000-8080`, cut after 64; `ports_count` is exact. TTL, TCP flags (letters of FSRPAUEC), hardware
    address, SYN and what an ICMP error quotes are those of the first packet. The source `many` stands for all for
    which there was no room.
    """

    of: str
    count: int
    first: int
    last: int
    hosts: int
    sample: tuple[str, ...] = ()
    ports: str = ""
    ports_count: int = 0
    types: str = ""
    ttl: int = 0
    flags: str = ""
    mac: str = ""
    syn: Syn | None = None
    quoted: str = ""


class PacketsDropped(Fact, tag="packet.dropped", frozen=True):
    """The kernel had no room for `count` packets of which probes are made; `malformed` more were no whole header.

    Both since the last such event.
    """

    count: int = 0
    malformed: int = 0


class ServiceStarted(Fact, tag="service.started", frozen=True):
    """The envelope's service begins to accept. What the journal holds of its sessions and not of their end was cut
    off.
    """

    worker: str


class WorkerFailed(Fact, tag="worker.failed", frozen=True):
    """A worker raised and is restarted, or given up after a crash loop."""

    worker: str
    group: str
    error: str
    restarts: int
    given_up: bool = False


class JournalLost(Fact, tag="journal.lost", frozen=True):
    """`count` events could not be stored between `first` and `last` (ns since the epoch)."""

    count: int
    first: int
    last: int
    why: str


class SegmentDropped(Fact, tag="segment.dropped", frozen=True):
    """The journal reached a bound and gave up its oldest segment."""

    segment: str
    first_seq: int
    last_seq: int
    events: int
    bytes: int
    why: str


class SegmentDamaged(Fact, tag="segment.damaged", frozen=True):
    """A segment could not be read on and was set aside; `events` were in it as far as is known."""

    segment: str
    first_seq: int
    events: int
    why: str


AnyFact = (
    SessionOpened
    | SessionClosed
    | Collapsed
    | Credential
    | Command
    | Request
    | Fingerprint
    | Upload
    | Mail
    | Terminal
    | Probe
    | PacketProbe
    | PacketsDropped
    | ServiceStarted
    | WorkerFailed
    | JournalLost
    | SegmentDropped
    | SegmentDamaged
)


class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One recorded fact. `time` is wall-clock nanoseconds since the epoch; `session` is empty for facts about the
    fleet.
    """

    time: int
    fact: AnyFact
    service: str = ""
    address: str = ""
    source: str = ""
    session: str = ""


def kind_of(fact_type: type[Fact]) -> str:
    """The tag under which facts of this type are stored."""
    return str(fact_type.__struct_config__.tag)


def now() -> int:
    """Wall-clock nanoseconds since the epoch."""
    return _time.time_ns()


_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(data: bytes | str, limit: int = 4096) -> str:
    """What a peer sent, as one line of text.

    At most `limit` bytes or characters of it; control characters and bytes that are not UTF-8 are escaped (`\\n`,
    `\\x00`, `\\u202e`), a backslash is doubled, and an ellipsis marks a cut.
    """
    cut = data[:limit]
    text = cut.decode("utf-8", "surrogateescape") if isinstance(cut, bytes) else cut
    if not text.isprintable() or "\\" in text:
        text = "".join(c if c.isprintable() and c != "\\" else _escape(c) for c in text)
    return text + "…" if len(data) > limit else text


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8, as `surrogateescape` carries it
        code -= 0xDC00
    return _ESCAPES.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


encode = msgspec.json.Encoder().encode
"""An event as one JSON object."""

decode = msgspec.json.Decoder(Event).decode
"""The event that `encode` made. Raises `msgspec.DecodeError` for anything else."""
