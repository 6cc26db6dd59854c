"""The session's own promises: bounds on what is held, ends that wake the handler, a writer that does not spin."""

import asyncio
import socket

import pytest

from chaffinch.decoys import registry
from chaffinch.decoys.overlay import Overlays
from chaffinch.decoys.session import Session
from chaffinch.decoys.session_ids import new_session_id
from chaffinch.decoys.stream import READ_BYTES, WRITE_BYTES
from chaffinch.errors import LimitError, PeerClosedError, PeerIdleError
from tests.decoys.harness import Recorded, persona


def pair() -> tuple[Session, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.settimeout(2)
    host, recorded = persona("redis"), Recorded()
    session = Session(
        ours,
        persona=host,
        service=host.services[0],
        spec=registry.load("redis").spec,
        local=("127.77.3.9", 6379),
        peer=("127.0.0.1", 5),
        recorder=recorded,
        quarantine=recorded,
        overlays=Overlays(),
    )
    return session, theirs


def test_reads_in_every_way() -> None:
    async def talk() -> None:
        session, peer = pair()
        peer.sendall(b"one\ntwo\nthreefour")
        assert await session.read_line() == b"one\n"
        assert await session.read_exactly(4) == b"two\n"
        assert await session.read(5) == b"three"
        session.unread(b"x")
        assert await session.read() == b"xfour"
        peer.sendall(b"no end")
        peer.close()
        with pytest.raises(PeerClosedError):
            await session.read_line()
        assert await session.read() == b"no end"
        assert await session.read() == b""
        assert session.at_eof
        session.close()

    asyncio.run(talk())


def test_a_line_that_is_too_long_is_refused_and_stays_to_be_read() -> None:
    async def talk() -> None:
        session, peer = pair()
        peer.sendall(b"a" * 50)
        with pytest.raises(LimitError, match="line"):
            await session.read_until(b"\n", 20)
        assert await session.read(100) == b"a" * 50
        session.close()
        peer.close()

    asyncio.run(talk())


def test_no_more_is_held_than_stated_while_nobody_reads() -> None:
    async def talk() -> None:
        session, peer = pair()
        peer.sendall(b"x")
        assert await session.read() == b"x"  # reading has begun, and goes on while the handler does something else
        peer.setblocking(False)
        sent = 0
        for _ in range(2000):
            try:
                sent += peer.send(b"x" * 4096)
            except BlockingIOError:
                break
            await asyncio.sleep(0)
        assert sent > 4 * READ_BYTES
        assert READ_BYTES <= session.buffered < 2 * READ_BYTES
        session.close()
        peer.close()

    asyncio.run(talk())


def test_a_peer_that_reads_nothing_ends_as_unread() -> None:
    async def talk() -> None:
        session, peer = pair()
        for _ in range(200):
            session.write(b"x" * 8192)
        assert session.reason == "unread"
        assert session.closing
        assert len(session._out) <= WRITE_BYTES + 8192
        session.close()
        peer.close()

    asyncio.run(talk())


def test_a_peer_that_resets_leaves_no_writer_behind() -> None:
    async def talk() -> None:
        session, peer = pair()
        session.write(b"x" * 250_000)
        peer.close()
        await asyncio.sleep(0.05)
        assert session.closing
        assert not asyncio.get_running_loop().remove_writer(session._socket)
        session.close()

    asyncio.run(talk())


def test_silence_and_age_end_it() -> None:
    async def talk() -> None:
        session, peer = pair()
        reading = asyncio.ensure_future(session.read())
        await asyncio.sleep(0)
        assert not session.expire(session.opened + session.idle - 1)
        assert session.expire(session.opened + session.idle)
        with pytest.raises(PeerIdleError):
            await reading
        assert session.reason == "idle"
        peer.sendall(b"awake")
        assert await session.read() == b"awake"
        assert session.reason == ""
        reading = asyncio.ensure_future(session.read())
        await asyncio.sleep(0)
        assert session.expire(session.deadline)
        with pytest.raises(LimitError, match="time"):
            await reading
        session.close()
        peer.close()

    asyncio.run(talk())


def test_identifiers_differ() -> None:
    assert len({new_session_id() for _ in range(1000)}) == 1000
    assert all(len(identifier) == 16 for identifier in (new_session_id(),))
