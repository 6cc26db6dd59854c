"""Open sessions of a service: who makes room, and that every one of them leaves its record."""

import asyncio
import socket

from chaffinch.decoys import registry, runner
from chaffinch.decoys.overlay import Overlays
from chaffinch.decoys.session import Session
from chaffinch.decoys.table import Room, SessionTable
from chaffinch.events import SessionClosed, SessionOpened
from tests.decoys.harness import Recorded, persona


def opened(table: SessionTable, recorded: Recorded, host_name: str = "redis") -> socket.socket:
    """A session in the table; the peer's end of it."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    host = persona(host_name)
    session = Session(
        ours,
        persona=host,
        service=host.services[0],
        spec=registry.load(host_name).spec,
        local=("127.77.3.9", 6379),
        peer=("127.0.0.1", 5),
        recorder=recorded,
        quarantine=recorded,
        overlays=Overlays(),
    )
    table.make_room()
    table.add(runner.start(session, registry.load(host_name)), session)
    return theirs


def test_a_full_table_keeps_its_size_and_every_session_is_recorded() -> None:
    async def flood() -> None:
        table, recorded = SessionTable(16, Room(100)), Recorded()
        peers = [opened(table, recorded) for _ in range(300)]  # in one turn of the loop, as an accept takes them
        await asyncio.sleep(0.1)
        assert len(table) == 16
        assert table.evicted == 284
        await table.close(2)
        assert len(recorded.of(SessionOpened)) == len(recorded.of(SessionClosed)) == 300
        reasons = [fact.reason for fact in recorded.of(SessionClosed)]
        assert (reasons.count("evicted"), reasons.count("shutdown")) == (284, 16)
        for peer in peers:
            peer.close()

    asyncio.run(flood())


def test_a_close_in_the_turn_of_an_accept_loses_nothing() -> None:
    async def stop_at_once() -> None:
        table, recorded = SessionTable(1000, Room(1000)), Recorded()
        peers = [opened(table, recorded) for _ in range(100)]
        await table.close(2)
        assert len(recorded.of(SessionClosed)) == 100
        for peer in peers:
            peer.close()

    asyncio.run(stop_at_once())


def test_the_most_silent_makes_room() -> None:
    async def one_speaks() -> None:
        table, recorded = SessionTable(3, Room(100)), Recorded()
        peers = [opened(table, recorded) for _ in range(3)]
        await asyncio.sleep(0.01)
        peers[0].sendall(b"PING\r\n")
        peers[2].sendall(b"PING\r\n")
        await asyncio.sleep(0.05)
        peers.append(opened(table, recorded))
        await asyncio.sleep(0.05)
        peers[0].sendall(b"PING\r\n")
        await asyncio.sleep(0.05)
        assert [fact.reason for fact in recorded.of(SessionClosed)] == ["evicted"]
        peers[1].settimeout(1)
        assert peers[1].recv(10) == b""
        await table.close(2)
        for peer in peers:
            peer.close()

    asyncio.run(one_speaks())


def test_a_process_without_room_takes_it_from_the_largest_table() -> None:
    async def crowd() -> None:
        room, recorded = Room(50), Recorded()
        small, large = SessionTable(1000, room), SessionTable(1000, room)
        peers = [opened(large, recorded) for _ in range(45)] + [opened(small, recorded) for _ in range(20)]
        await asyncio.sleep(0.1)
        assert (len(small), len(large)) == (20, 30)
        for table in (small, large):
            await table.close(2)
        assert len(recorded.of(SessionClosed)) == 65
        assert room.tables == []
        for peer in peers:
            peer.close()

    asyncio.run(crowd())
