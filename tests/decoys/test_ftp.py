"""The ftp decoy, byte by byte: before the login, the login itself, the file tree, and data connections."""

import asyncio
import re

import pytest

from chaffinch.decoys import ftp
from chaffinch.decoys.ftp import data, replies
from chaffinch.decoys.session import Session
from chaffinch.events import Command, Credential, Probe, SessionClosed, Upload
from tests.decoys.harness import Decoy, decoy, persona, read_quietly

GREETING = b"220 (vsFTPd 3.0.3)\r\n"
PLEASE = b"530 Please login with USER and PASS.\r\n"
ASK = b"331 Please specify the password.\r\n"


class Client:
    """A control connection, and data connections on demand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, line: str, wait: float = 0.05) -> bytes:
        """Send a line and return what comes until it is quiet."""
        self.writer.write(line.encode() + b"\r\n")
        return await read_quietly(self.reader, wait)

    async def transfer(self, line: str, sent: bytes | None = None) -> tuple[bytes, bytes]:
        """A command with its passive data connection: the replies, and what arrived."""
        port = int(re.findall(rb"\|\|\|(\d+)\|", await self.say("EPSV"))[0])
        reader, writer = await asyncio.open_connection("127.77.3.9", port, local_addr=("127.0.0.1", 0))
        self.writer.write(line.encode() + b"\r\n")
        if sent is not None:
            writer.write(sent)
            writer.write_eof()
        got = await read_quietly(reader, 0.1)
        writer.close()
        return await read_quietly(self.reader, 0.05), got

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


async def connect(server: Decoy) -> Client:
    reader, writer = await asyncio.open_connection(server.address, server.port)
    assert await reader.readline() == GREETING
    return Client(reader, writer)


async def logged_in(server: Decoy) -> Client:
    client = await connect(server)
    assert await client.say("USER backup") == ASK
    assert await client.say("PASS backup123") == b"230 Login successful.\r\n"
    return client


@pytest.fixture(autouse=True)
def no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take out the seconds that a refused login costs."""

    async def at_once(self: Session, seconds: float) -> None:
        assert 0.5 < seconds < 4

    monkeypatch.setattr(Session, "sleep", at_once)


def test_before_a_login_little_is_said() -> None:
    answers = {
        b"FEAT\r\n": replies.FEATURES,
        b"GET / HTTP/1.0\r\n\r\n": PLEASE,
        b"\r\n\n\r\r\n": b"",
        b"   \r\n": PLEASE,
        b"opts utf8 on\nOPTS MLST\r\n": b"200 Always in UTF8 mode.\r\n501 Option not understood.\r\n",
        b"PASS x\r\n": b"503 Login with USER first.\r\n",
        b"\xff\xf4\xff\xf2ABOR\r\n": PLEASE,
        b"user ro\0ot\r\nquit now\r\n": ASK + b"221 Goodbye.\r\n",
        b"A" * 4000 + b"\r\n": PLEASE,
        b"A" * 5000 + b"\r\n": b"500 Input line too long.\r\n",
    }

    async def run() -> None:
        async with decoy("ftp") as server:
            for sent, expected in answers.items():
                assert await server.talk(sent, wait=0.1) == GREETING + expected, sent[:40]
            await server.settled()
        assert {"FEAT", "QUIT now"} <= {fact.line for fact in server.recorded.of(Command)}
        assert any(fact.note == "line too long" for fact in server.recorded.of(Probe))

    asyncio.run(run())


def test_three_refused_logins_end_the_session_and_all_are_recorded() -> None:
    refused = b"530 Login incorrect.\r\n"

    async def run() -> None:
        async with decoy("ftp") as server:
            sent = b"".join(f"USER {name}\r\nPASS {name}1\r\n".encode() for name in ("root", "a", "mdavis", "late"))
            assert await server.talk(sent) == GREETING + (ASK + refused) * 3
            await server.settled()
        tried = server.recorded.of(Credential)
        assert [(fact.username, fact.secret) for fact in tried] == [
            ("root", "root1"),
            ("a", "a1"),
            ("mdavis", "mdavis1"),
        ]
        assert "PASS ***" in [fact.line for fact in server.recorded.of(Command)]
        assert server.recorded.of(SessionClosed)[0].reason == "service"

    asyncio.run(run())


def test_root_may_not_log_in_unless_the_host_lets_it() -> None:
    async def attempt(root_login: str) -> bytes:
        async with decoy("ftp", persona("ftp", root_login=root_login)) as server:
            return await server.talk(b"USER root\r\nPASS letmein\r\n", wait=0.1)

    assert asyncio.run(attempt("no")).endswith(b"530 Login incorrect.\r\n")
    assert asyncio.run(attempt("yes")).endswith(b"230 Login successful.\r\n")


def test_a_logged_in_user_sees_the_hosts_files() -> None:
    async def run() -> None:
        async with decoy("ftp", persona("ftp")) as server:
            client = await logged_in(server)
            assert await client.say("PWD") == b'257 "/home/backup" is the current directory\r\n'
            assert await client.say("CWD /etc") == b"250 Directory successfully changed.\r\n"
            said, got = await client.transfer("LIST hostname")
            assert said == b"150 Here comes the directory listing.\r\n226 Directory send OK.\r\n"
            assert re.fullmatch(rb"-rw-r--r--    1 0        0 {15}\d [A-Z][a-z]{2} \d\d [ \d:]{5} hostname\r\n", got), (
                got
            )
            said, got = await client.transfer("RETR hostname")
            assert got == b"atlas\n"
            assert said.startswith(b"150 Opening BINARY mode data connection for hostname (6 bytes).\r\n226 ")
            assert await client.say("REST 2") == b"350 Restart position accepted (2).\r\n"
            assert (await client.transfer("RETR hostname"))[1] == b"las\n"
            assert (await client.transfer("RETR shadow"))[0] == b"550 Failed to open file.\r\n"
            assert await client.say("SIZE hostname") == b"213 6\r\n"
            assert await client.say("STOR x") == b"550 Permission denied.\r\n"
            assert await client.say("MLSD") == b"500 Unknown command.\r\n"
            assert await client.say("QUIT") == b"221 Goodbye.\r\n"
            await client.close()

    asyncio.run(run())


def test_what_is_uploaded_is_kept_and_found_again() -> None:
    async def run() -> None:
        async with decoy("ftp", persona("ftp", write="yes")) as server:
            client = await logged_in(server)
            said, _ = await client.transfer("STOR tool.sh", b"#!/bin/sh\n")
            assert said == b"150 Ok to send data.\r\n226 Transfer complete.\r\n"
            assert (await client.transfer("APPE tool.sh", b"id\n"))[0].endswith(b"226 Transfer complete.\r\n")
            assert (await client.transfer("RETR tool.sh"))[1] == b"#!/bin/sh\nid\n"
            assert await client.say('MKD a"b') == b'257 "/home/backup/a""b" created\r\n'
            assert await client.say("RNFR tool.sh") == b"350 Ready for RNTO.\r\n"
            assert await client.say('RNTO a"b/t') == b"250 Rename successful.\r\n"
            assert await client.say('SITE CHMOD 755 a"b/t') == b"200 SITE CHMOD command ok.\r\n"
            assert await client.say('DELE a"b/t') == b"250 Delete operation successful.\r\n"
            assert await client.say('RMD a"b') == b"250 Remove directory operation successful.\r\n"
            assert (await client.transfer("STOR /etc/x", b""))[0] == b"553 Could not create file.\r\n"
            await client.close()
            await server.settled()
        first = server.recorded.of(Upload)[0]
        assert server.recorded.files[first.sha256] == b"#!/bin/sh\n"
        assert (first.name, first.via) == ("/home/backup/tool.sh", "ftp")

    asyncio.run(run())


def test_a_decoy_never_connects_out() -> None:
    async def run() -> None:
        async with decoy("ftp", persona("ftp")) as server:
            client = await logged_in(server)
            assert await client.say("PORT 8,8,8,8,4,1") == b"500 Illegal PORT command.\r\n"
            assert await client.say("EPRT |1|8.8.8.8|5555|") == b"500 Illegal EPRT command.\r\n"
            listening = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
            port = listening.sockets[0].getsockname()[1]
            assert (await client.say(f"PORT 127,0,0,1,{port >> 8},{port & 255}")).startswith(
                b"200 PORT command successful."
            )
            assert await client.say("LIST") == b"425 Failed to establish connection.\r\n"
            assert await client.say("LIST") == b"425 Use PORT or PASV first.\r\n"
            listening.close()
            await client.close()

    asyncio.run(run())


def test_data_listeners_are_bounded_and_given_back() -> None:
    async def run() -> None:
        async with decoy("ftp", persona("ftp")) as server:
            client = await logged_in(server)
            for _ in range(5):
                await client.say("PASV", wait=0.02)
            assert len(data._open) == 1
            passives = [data.Passive("127.0.0.1", "127.0.0.1") for _ in range(data.MAX_LISTENERS + 3)]
            assert len(data._open) == data.MAX_LISTENERS
            for passive in passives:
                passive.close()
            await client.close()
            await server.settled()
        assert not data._open

    asyncio.run(run())


def test_a_silent_client_is_told_of_the_timeout() -> None:
    async def run() -> None:
        async with decoy("ftp") as server:
            client = await connect(server)
            await asyncio.sleep(0.05)
            (session,) = server.sessions.values()
            assert session.idle == ftp.IDLE
            assert session.expire(session.last_read + 301)
            assert await read_quietly(client.reader, 0.2) == b"421 Timeout.\r\n"
            await client.close()
            await server.settled()
        assert server.recorded.of(SessionClosed)[0].reason == "idle"

    asyncio.run(run())


def test_anonymous_stays_below_its_root() -> None:
    async def run() -> None:
        async with decoy("ftp", persona("ftp", anonymous="yes")) as server:
            client = await connect(server)
            await client.say("USER anonymous")
            assert await client.say("PASS me@") == b"230 Login successful.\r\n"
            assert await client.say("PWD") == b'257 "/" is the current directory\r\n'
            assert await client.say("CWD /etc") == b"550 Failed to change directory.\r\n"
            assert await client.say("SIZE ../../etc/hostname") == b"550 Could not get file size.\r\n"
            assert (await client.transfer("RETR ../../../etc/passwd"))[0] == b"550 Failed to open file.\r\n"
            assert b"etc" not in (await client.transfer("LIST -a ../.."))[1]
            await client.close()

    asyncio.run(run())
