"""memcached: an open cache with a small application's items, in the text, meta and binary protocols of 1.6.18.

What a source stores is kept for that source for an hour, within 1 MiB; older items are evicted, as in the product.

Options: `items` (`app`, or `empty`), and any name of `stats settings`.
"""

from chaffinch.caches import register
from chaffinch.decoys.memcached import binary, meta, stats, text
from chaffinch.decoys.memcached.cache import ITEM_BYTES, Cache, Caches, size_of
from chaffinch.decoys.registry import service
from chaffinch.decoys.session import Session
from chaffinch.decoys.stream import READ_BYTES
from chaffinch.errors import LimitError
from chaffinch.events import Command, Probe, printable

LINE_BYTES = 2048
"""How much may arrive without a line end before the server gives up on anything but a get."""

KEYS_BYTES = 64 << 10
"""How long a line of keys may be."""

CACHES = register(Caches())
"""What sources left in this process: a second connection of an attacker finds what the first one stored."""


def refuse(session: Session) -> bytes:
    """`-c` reached, with `maxconns_fast`, which is the default since 1.5."""
    return b"ERROR Too many open connections\r\n"


@service("memcached", tcp=11211, idle=300.0, refuse=refuse)
async def serve(session: Session) -> None:
    """Answer in the protocol that the first byte chooses."""
    first = await session.read(1)
    if not first:
        return
    session.unread(first)
    key = (session.address, session.service.port, session.source)
    cache = CACHES.of(key, session.persona)
    conversation = _binary if first[0] == binary.REQUEST else _text
    while await conversation(session, cache):
        if cache.changed:
            CACHES.keep(key, cache)


# The text protocol ----------------------------------------------------------------------------------------------------


async def _text(session: Session, cache: Cache) -> bool:
    """Answer one line; says whether the connection goes on."""
    line = await _line(session)
    if line is None:
        return False
    line = line.removesuffix(b"\n").removesuffix(b"\r")
    # The server's tokenizer stops at a NUL, as C strings do.
    words = [word for word in line.split(b"\0")[0].split(b" ") if word]
    verb = words[0] if words else b""
    if _is_http(words):
        session.record(Probe(printable(line, 512), note="http"))
        return False
    if verb:
        session.record(Command(printable(line, 1024)))
    if verb in (b"get", b"gets", b"gat", b"gats"):
        for part in text.fetch(cache, words):
            for at in range(0, len(part), 64 << 10):
                session.write(part[at : at + (64 << 10)])
                await session.drain()
    elif verb in text.VERBS:
        await _store(session, cache, words)
    elif verb == b"ms":
        await _meta_store(session, cache, words)
    elif verb in (b"mg", b"md", b"ma", b"me"):
        asked = meta.parse(words)
        await _send(session, asked if isinstance(asked, bytes) else meta.run(cache, asked))
    else:
        return _plain(session, cache, words)
    return not session.closing


def _plain(session: Session, cache: Cache, words: list[bytes]) -> bool:
    """Commands whose reply is short and that bring no data."""
    verb = words[0] if words else b""
    if verb == b"quit":
        return False
    if verb == b"mn":
        session.write(b"MN\r\n")
    elif verb == b"version":
        session.write(b"VERSION %b\r\n" % session.service.version.encode())
    elif verb == b"stats":
        session.write(stats.reply(session, cache, words))
    else:
        handler = text.COMMANDS.get(verb)
        reply = text.ERROR if handler is None else handler(cache, words)
        quiet = words[-1:] == [b"noreply"] and not reply.startswith((b"ERROR", b"CLIENT"))
        session.write(b"" if quiet else reply)
    return True


def _is_http(words: list[bytes]) -> bool:
    return len(words) > 2 and words[0] not in text.COMMANDS and words[0].isupper() and words[-1].startswith(b"HTTP/")


async def _line(session: Session) -> bytes | None:
    """A line with its end; None when the peer sent too much without one. Lines that arrive whole may be longer."""
    try:
        return await session.read_line(LINE_BYTES)
    except LimitError as problem:
        if problem.reason != "line":
            raise
    try:
        return await session.read_line(session.buffered)
    except LimitError as problem:
        if problem.reason != "line":
            raise
    head = await session.read(256)
    session.unread(head)
    try:
        if head.startswith((b"get ", b"gets ")):
            return await session.read_line(KEYS_BYTES)
    except LimitError as problem:
        if problem.reason != "line":
            raise
    session.record(Probe(printable(head, 256), note="long line"))
    return None


async def _data(session: Session, key: bytes, length: int) -> bytes | None:
    """The data of a storage command; None, after reading past it, when it cannot be stored."""
    if size_of(key, b"") + length <= ITEM_BYTES:
        return await session.read_exactly(length + 2)
    left = length + 2
    while left:
        taken = await session.read(min(left, READ_BYTES))
        if not taken:
            break
        left -= len(taken)
    return None


async def _store(session: Session, cache: Cache, words: list[bytes]) -> None:
    asked = text.storage(words)
    if isinstance(asked, bytes):
        session.write(asked)
        return
    data = await _data(session, asked.key, asked.length)
    if data is None:
        cache.delete(asked.key)
        reply = text.TOO_LARGE
    elif data.endswith(b"\r\n"):
        reply = text.store(cache, asked, data[:-2])
    else:
        reply = text.BAD_CHUNK
    session.write(b"" if asked.quiet else reply)


async def _meta_store(session: Session, cache: Cache, words: list[bytes]) -> None:
    asked = meta.parse(words)
    if isinstance(asked, bytes):
        session.write(asked)
        return
    data = await _data(session, asked.key, asked.length)
    if data is None:
        session.write(text.TOO_LARGE)
    elif data.endswith(b"\r\n"):
        session.write(meta.run(cache, asked, data[:-2]))
    else:
        session.write(text.BAD_CHUNK)


async def _send(session: Session, data: bytes) -> None:
    for at in range(0, len(data), 64 << 10):
        session.write(data[at : at + (64 << 10)])
        await session.drain()


# The binary protocol --------------------------------------------------------------------------------------------------


async def _binary(session: Session, cache: Cache) -> bool:
    """Answer one binary request; says whether the connection goes on."""
    head = await session.read_exactly(binary.HEADER_BYTES)
    asked = binary.header(head)
    if asked is None:
        session.record(Probe(printable(head, 64), note="bad magic"))
        return False
    if not binary.valid(asked):
        session.write(binary.response(asked, binary.INVALID))
        session.record(Probe(printable(head, 64), note="bad binary request"))
        return False
    if asked.body_length > ITEM_BYTES:
        session.write(binary.response(asked, binary.TOO_LARGE))
        return False
    body = await session.read_exactly(asked.body_length)
    key = body[asked.extras_length : asked.extras_length + asked.key_length]
    session.record(Command(f"{asked.full_name or hex(asked.opcode)} {printable(key, 250)}".strip()))
    listed = stats.general(session, cache) if asked.name == "stat" and not key else []
    await _send(session, binary.run(cache, asked, body, session.service.version, listed))
    return asked.name != "quit"
