"""Redis: a server without a password, as careless people leave it open, with a small application's keys.

Every reply follows Redis 7.0 of Debian 12. What a source changes is kept for that source for an hour, within a quota,
so that a second connection finds what the first one wrote. Scripts are not run, files are not written, no master is
ever connected to.

Options: `requirepass` (no password by default), `keyspace` (`app`, or `empty`), `build-id`, `enable-protected-configs`
(`yes` by default here, so that the way to code execution through `CONFIG SET dir` looks open), and any directive of
CONFIG GET.
"""

from chaffinch.decoys.redis import (  # noqa: F401  # each registers its commands
    commands_collections,
    commands_config,
    commands_connection,
    commands_keys,
    commands_scripting,
    commands_server,
    commands_sorted,
    commands_strings,
    commands_transactions,
)
from chaffinch.decoys.redis.client import Client
from chaffinch.decoys.redis.dispatch import AbuseError, execute
from chaffinch.decoys.redis.protocol import ProtocolError, RequestReader, error
from chaffinch.decoys.registry import service
from chaffinch.decoys.session import Session
from chaffinch.events import Command, Probe, printable

BATCH_BYTES = 64 << 10
"""How many bytes of replies are gathered before they are written."""

RECORDED_BYTES = 1024
"""How much of one request is recorded as text."""


def refuse(session: Session) -> bytes:
    """`maxclients` reached, as `acceptCommonHandler` in networking.c says it, before the client has said a word."""
    return b"-ERR max number of clients reached\r\n"


@service("redis", tcp=6379, idle=300.0, refuse=refuse)
async def serve(session: Session) -> None:
    """Answer requests until the client quits, breaks the protocol, or goes away."""
    first = await session.read()  # nothing is held for a connection that never speaks
    if not first:
        return
    client = Client(session)
    reader = RequestReader(trusted=client.trusted)
    reader.feed(first)
    del first
    while True:
        try:
            going_on = await _answer(session, client, reader)
        except ProtocolError as problem:
            await _send(session, error(b"ERR Protocol error: " + problem.reply))
            session.record(Probe(printable(problem.rejected, 256), note="protocol error"))
            return
        except AbuseError:
            return
        if not going_on:
            return
        session.hold(reader.held + client.held)
        data = await session.read()
        if not data:
            return
        reader.feed(data)
        del data


async def _answer(session: Session, client: Client, reader: RequestReader) -> bool:
    """Answer what has arrived; says whether the connection goes on."""
    replies = bytearray()
    try:
        while (args := reader.next()) is not None:
            session.record(Command(shown(args)))
            mode = client.replies
            reply = execute(client, args, cut=reader.cut)
            reader.trusted = client.trusted
            if mode == "on" and client.replies == "on":
                replies += reply
            elif mode == "skip" and client.replies == "skip":
                client.replies = "on"
            elif client.replies == "on":
                replies += reply
            if len(replies) > BATCH_BYTES:
                sending, replies = bytes(replies), bytearray()
                await _send(session, sending)
            if client.closing:
                break
    except AbuseError:
        # The server frees the client at once: what it had gathered for it is lost.
        session.record(Probe(printable(b" ".join(args or ()), 256), note="http"))
        raise
    except ProtocolError:
        await _send(session, bytes(replies))
        raise
    await _send(session, bytes(replies))
    return not client.closing


async def _send(session: Session, data: bytes) -> None:
    if len(data) <= BATCH_BYTES:
        session.write(data)
        return
    session.hold(len(data))
    for at in range(0, len(data), BATCH_BYTES):
        session.write(data[at : at + BATCH_BYTES])
        await session.drain()


def shown(args: list[bytes]) -> str:
    """A request as one line of text."""
    parts, left = [], RECORDED_BYTES
    for argument in args:
        if left <= 0:
            parts.append("…")
            break
        text = printable(argument, left)
        parts.append(f'"{text}"' if not argument or b" " in argument else text)
        left -= len(argument) + 1
    return " ".join(parts)
