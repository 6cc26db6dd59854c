"""New connections while memory is short: answered as by the product, recorded as any other, and cheap."""

import asyncio
import contextlib
import socket

import msgspec
import pytest

from chaffinch.config import DecoySettings
from chaffinch.decoys import registry, runner
from chaffinch.decoys.datagram import DatagramSession
from chaffinch.decoys.registry import service
from chaffinch.decoys.session import Session
from chaffinch.events import Collapsed, SessionClosed, SessionOpened
from chaffinch.personas.persona import Persona, Service
from tests.decoys.accepting import accepting
from tests.decoys.harness import Recorded, persona

SAYS = {
    "ftp": b"421 There are too many connected users, please try later.\r\n",
    "http": b"",
    "memcached": b"ERROR Too many open connections\r\n",
    "mysql": b"\x17\0\0\0\xff\x10\x04Too many connections",
    "redis": b"-ERR max number of clients reached\r\n",
    "smtp": b"421 4.7.0 atlas.corp.example Error: too many connections from 127.0.0.1\r\n",
    "ssh": b"Exceeded MaxStartups\r\n",
    "telnet": b"telnetd: All network ports in use.\r\n",
}


async def heard(address: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()


@pytest.mark.parametrize("name", SAYS)
def test_the_product_says_it_is_full_and_the_session_is_whole(name: str) -> None:
    async def scenario() -> None:
        async with accepting(name) as running:
            running.relief.refuse()
            assert await heard(running.address, running.port) == SAYS[name]
            opened, closed = running.of(SessionOpened), running.of(SessionClosed)
            assert len(opened) == len(closed) == running.acceptor.refused == 1
            assert (closed[0].reason, closed[0].bytes_out) == ("refused", len(SAYS[name]))
            assert opened[0].source_port == closed[0].source_port
            assert len(running.table) == 0
            running.relief.accept()
            if name not in ("http", "memcached", "redis"):  # these wait for the client to speak first
                async with asyncio.timeout(5):
                    reader, writer = await asyncio.open_connection(running.address, running.port)
                    assert await reader.read(4) != SAYS[name][:4]
                    writer.close()

    asyncio.run(scenario())


def host(name: str, product: str, version: str = "") -> Persona:
    return msgspec.structs.replace(persona(name), services=(Service(name, 22, product, version),))


@pytest.mark.parametrize(
    ("version", "said"),
    [("9.2p1 Debian-2+deb12u10", SAYS["ssh"]), ("8.1", SAYS["ssh"]), ("10.0p2", SAYS["ssh"]), ("7.7", b"")],
)
def test_old_openssh_closes_without_a_word(version: str, said: bytes) -> None:
    async def scenario() -> None:
        async with accepting("ssh", host("ssh", "OpenSSH", version)) as running:
            running.relief.refuse()
            assert await heard(running.address, running.port) == said

    asyncio.run(scenario())


@pytest.mark.parametrize("product", ["BusyBox telnetd", "inetutils telnetd"])
def test_daemons_that_say_nothing_say_nothing(product: str) -> None:
    async def scenario() -> None:
        async with accepting("telnet", host("telnet", product)) as running:
            running.relief.refuse()
            assert await heard(running.address, running.port) == b""

    asyncio.run(scenario())


def test_open_sessions_go_on_while_others_are_refused() -> None:
    async def scenario() -> None:
        async with accepting("redis") as running:
            reader, writer = await asyncio.open_connection(running.address, running.port)
            writer.write(b"PING\r\n")
            assert await reader.readline() == b"+PONG\r\n"
            running.relief.refuse()
            for _ in range(20):
                assert await heard(running.address, running.port) == SAYS["redis"]
            writer.write(b"PING\r\n")
            assert await reader.readline() == b"+PONG\r\n"
            writer.close()

    asyncio.run(scenario())


def test_a_flood_of_refusals_is_accounted_for_and_holds_nothing() -> None:
    async def scenario() -> None:
        settings = DecoySettings(record_rate=0.001, record_burst=100)
        async with accepting("redis", settings=settings) as running:
            running.relief.refuse()
            for _ in range(1000):
                assert await heard(running.address, running.port) == SAYS["redis"]
            counters = running.recorder.counters
            assert counters.opened == counters.closed == running.acceptor.refused == 1000
            assert (counters.recorded, counters.collapsed) == (100, 900)
            running.recorder.flush()
            assert len(running.of(SessionOpened)) == len(running.of(SessionClosed)) == 100
            collapsed = [fact for fact in running.of(Collapsed) if fact.of == "session"]
            assert [(fact.count, fact.bytes_out) for fact in collapsed] == [(900, 900 * len(SAYS["redis"]))]
            assert not running.recorder._collapsed_sessions

    asyncio.run(scenario())


def test_a_client_that_spoke_first_still_hears_why() -> None:
    """Its bytes are unread when the socket closes, which resets the connection: the answer must be there before."""

    async def scenario() -> None:
        async with accepting("ftp") as running:
            running.relief.refuse()
            running.acceptor.close()
            with socket.create_connection((running.address, running.port), 5) as sock:
                sock.sendall(b"USER root\r\n")
                running.acceptor._watch()
                await running.until(lambda: running.acceptor.refused)
                got = b""
                with contextlib.suppress(ConnectionResetError):
                    while data := await asyncio.to_thread(sock.recv, 4096):
                        got += data
                assert got == SAYS["ftp"]

    asyncio.run(scenario())


def test_a_fault_in_a_plugin_s_refusal_ends_one_session_and_is_recorded() -> None:
    def broken(session: Session) -> bytes:
        raise RuntimeError("a fault")

    @service("redis", tcp=6379, refuse=broken)
    async def serve(session: Session) -> None:
        raise AssertionError("it is not asked while memory is short")

    async def scenario() -> None:
        async with accepting("redis", handler=serve) as running:
            running.relief.refuse()
            assert await heard(running.address, running.port) == b""
            assert [fact.reason for fact in running.of(SessionClosed)] == ["error"]

    asyncio.run(scenario())


def test_a_datagram_that_is_refused_gets_no_answer() -> None:
    async def scenario() -> None:
        recorded = Recorded()
        sent: list[object] = []
        one = host("redis", "Redis")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            session = DatagramSession(
                sock, b"PING", answer=lambda *datagram: sent.append(datagram) or 0, persona=one,
                service=one.services[0], spec=registry.load("redis").spec, local=("127.0.0.1", 6379),
                peer=("127.0.0.1", 5), recorder=recorded, quarantine=recorded,
            )  # fmt: skip

            @service("quiet", udp=6379)
            async def serve(session: Session) -> None:
                raise AssertionError

            runner.refuse(session, serve)
        assert not sent
        assert [(fact.reason, fact.bytes_in) for fact in recorded.of(SessionClosed)] == [("refused", 4)]

    asyncio.run(scenario())


def test_without_a_refusal_of_its_own_a_service_closes() -> None:
    @service("redis", tcp=6379)
    async def serve(session: Session) -> None:
        session.write(b"hello")

    async def scenario() -> None:
        async with accepting("redis", handler=serve) as running:
            running.relief.refuse()
            assert await heard(running.address, running.port) == b""
            assert [fact.reason for fact in running.of(SessionClosed)] == ["refused"]

    asyncio.run(scenario())
