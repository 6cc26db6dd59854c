"""Open sessions of a service: who makes room, and that every one of them leaves its record."""

import asyncio
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        holdings=table._room,
    )
    table.make_room()
    table.add(runner.start(session, registry.load(host_name)), session)
    return theirs


async def turned(times: int = 10) -> None:
    """So many turns of the loop with a little time between them, however long the machine takes for one."""
    for _ in range(times):
        await asyncio.sleep(0.005)


def test_a_full_table_keeps_its_size_and_every_session_is_recorded() -> None:
    async def flood() -> None:
        table, recorded = SessionTable(16, Room(100)), Recorded()
        peers = [opened(table, recorded) for _ in range(300)]  # in one turn of the loop, as an accept takes them
        await turned(20)
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
        await turned()
        peers[0].sendall(b"PING\r\n")
        peers[2].sendall(b"PING\r\n")
        await turned()
        peers.append(opened(table, recorded))
        await turned()
        peers[0].sendall(b"PING\r\n")
        await turned()
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
        await turned(20)
        assert (len(small), len(large)) == (20, 30)
        for table in (small, large):
            await table.close(2)
        assert len(recorded.of(SessionClosed)) == 65
        assert room.tables == []
        for peer in peers:
            peer.close()

    asyncio.run(crowd())


def test_a_flood_in_one_turn_ends_no_newcomer_while_there_are_older_ones() -> None:
    async def flood() -> None:
        room, recorded = Room(40), Recorded()
        tables = [SessionTable(1000, room) for _ in range(4)]
        peers = [opened(table, recorded) for table in tables for _ in range(10)]
        await turned()
        new = [opened(table, recorded) for table in tables for _ in range(8)]
        await turned()
        assert sum(table.evicted for table in tables) == 32
        for peer in new:
            peer.setblocking(False)
            with pytest.raises(BlockingIOError):  # it is open, and nothing was said
                peer.recv(1)
        for table in tables:
            await table.close(2)
        for peer in (*peers, *new):
            peer.close()

    asyncio.run(flood())


def test_a_lowered_bound_ends_the_most_silent_as_the_tables_are_swept() -> None:
    async def crowd() -> None:
        room, recorded = Room(200), Recorded()
        tables = [SessionTable(200, room) for _ in range(3)]
        peers = [opened(tables[number % 2], recorded) for number in range(150)]
        await turned()
        room.limit_to(40, 1 << 20)
        for _ in range(3):
            for table in tables:  # each service's worker sweeps its own, in one turn of the loop
                table.expire()
            await turned()
        assert sum(map(len, tables)) == 40, "and not one more ended than had to"
        assert sum(table.evicted for table in tables) == 110
        peers += [opened(tables[2], recorded) for _ in range(5)]
        await turned()
        assert (sum(map(len, tables)), len(tables[2])) == (40, 5), "newcomers are served"
        room.limit_to(60, 1 << 20)
        peers += [opened(tables[2], recorded) for _ in range(50)]
        await turned()
        assert sum(map(len, tables)) == 60, "one service may have as many as the process"
        for table in tables:
            await table.close(2)
        assert len(recorded.of(SessionClosed)) == len(recorded.of(SessionOpened)) == 205
        for peer in peers:
            peer.close()

    asyncio.run(crowd())


def test_a_lowered_bound_in_bytes_ends_those_that_hold_most() -> None:
    async def hold() -> None:
        room, recorded = Room(100, most_bytes=1 << 20), Recorded()
        table = SessionTable(100, room)
        peers = [opened(table, recorded) for _ in range(3)]
        for session, size in zip(list(table._open.values()), (300_000, 400_000, 200_000), strict=True):
            session.hold(size)
        room.limit_to(100, 550_000)
        table.expire()
        assert (room.held, table.evicted) == (500_000, 1)
        await turned()
        await table.close(2)
        for peer in peers:
            peer.close()

    asyncio.run(hold())


def test_past_the_bytes_of_a_process_the_largest_holder_ends() -> None:
    async def hold() -> None:
        room, recorded = Room(100, most_bytes=1 << 20), Recorded()
        table, other = SessionTable(100, room), SessionTable(100, room)
        peers = [opened(table, recorded) for _ in range(3)] + [opened(other, recorded, "mysql")]
        sessions = [*table._open.values(), *other._open.values()]
        for session, size in zip(sessions, (300_000, 400_000, 200_000, 100_000), strict=True):
            session.hold(size)
        assert room.held == 1_000_000
        sessions[2].hold(300_000)
        assert room.held == 700_000
        assert (table.evicted, other.evicted) == (1, 0)
        sessions[3].hold(500_000)
        assert (table.evicted, other.evicted) == (1, 1)
        assert room.held == 600_000
        await turned()
        assert [fact.reason for fact in recorded.of(SessionClosed)] == ["evicted", "evicted"]
        await table.close(2)
        await other.close(2)
        assert room.held == 0
        assert not room._holders
        for peer in peers:
            peer.close()

    asyncio.run(hold())


def test_what_is_unsent_and_unread_counts_until_it_is_gone() -> None:
    async def talk() -> None:
        room, recorded = Room(100), Recorded()
        table = SessionTable(100, room)
        peer = opened(table, recorded)
        (session,) = table._open.values()
        await turned()
        session.write(bytes(350_000))
        assert room.held == len(session._out) > 50_000
        peer.setblocking(False)
        while room.held:
            peer.recv(1 << 20)
            await asyncio.sleep(0.01)
        assert not session.closing
        peer.setblocking(True)
        peer.sendall(b"SET key " + bytes(5000))  # a line without its end: the handler holds it
        await turned()
        assert room.held >= 5000
        peer.close()
        await table.close(2)

    asyncio.run(talk())


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1 << 19)), max_size=100))
def test_the_sum_is_that_of_the_holders_and_within_the_bound(steps: list[tuple[int, int]]) -> None:
    async def hold() -> None:
        room, recorded = Room(100, most_bytes=1 << 20), Recorded()
        table = SessionTable(100, room)
        peers = [opened(table, recorded) for _ in range(10)]
        sessions = list(table._open.values())
        for number, size in steps:
            sessions[number].hold(size)
            assert room.held == sum(room._holders.values()) <= 1 << 20
        await table.close(2)
        assert room.held == 0
        for peer in peers:
            peer.close()

    asyncio.run(hold())
