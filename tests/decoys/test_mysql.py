"""The mysql decoy, byte by byte: the greeting, logins of every kind, and what statements answer."""

import asyncio
import struct
from typing import Protocol

from chaffinch.decoys.mysql import auth, packets, prepared, sql
from chaffinch.events import Command, Credential, Fingerprint, Probe, SessionClosed, Upload
from tests.decoys.harness import decoy, persona

CAPABILITIES = 0x008F_A285
OK = b"\x07\0\0\2\0\0\0\2\0\0\0"


def login(
    user: bytes = b"root", answer: bytes = b"", *, plugin: bytes = packets.NATIVE_PASSWORD, extra: int = 0
) -> bytes:
    head = struct.pack("<IIB23x", CAPABILITIES | extra, 1 << 24, 33)
    return packets.packet(head + user + b"\0" + bytes((len(answer),)) + answer + plugin + b"\0", 1)


class Server(Protocol):
    """Where a server listens: the decoy, or the real one."""

    @property
    def address(self) -> str: ...
    @property
    def port(self) -> int: ...


class Client:
    """A raw client: packets out, bytes in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, salt: bytes) -> None:
        self.reader, self.writer, self.salt = reader, writer, salt

    async def packet(self) -> bytes:
        """The next whole packet with its header; empty at the end."""
        try:
            header = await asyncio.wait_for(self.reader.readexactly(4), 5)
        except asyncio.IncompleteReadError:
            return b""
        return header + await self.reader.readexactly(int.from_bytes(header[:3], "little"))

    async def say(self, data: bytes) -> bytes:
        self.writer.write(data)
        return await self.packet()

    async def query(self, statement: str) -> bytes:
        return await self.say(packets.packet(b"\3" + statement.encode(), 0))

    async def rows(self, statement: str) -> list[bytes]:
        """The rows of a result, as they were sent."""
        head = await self.query(statement)
        assert head[4] not in (0, 0xFF), head
        found: list[bytes] = []
        ends = 0
        while ends < 2:
            packet = (await self.packet())[4:]
            if packet[:1] == b"\xfe" and len(packet) < 9:
                ends += 1
            elif ends == 1:
                found.append(packet)
        return found

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


async def connect(server: Server) -> Client:
    reader, writer = await asyncio.open_connection(server.address, server.port)
    client = Client(reader, writer, b"")
    greeting = (await client.packet())[4:]
    at = greeting.index(b"\0") + 5
    client.salt = greeting[at : at + 8] + greeting[at + 27 : at + 39]
    return client


async def logged_in(server: Server, user: bytes = b"root", password: bytes = b"letmein") -> Client:
    client = await connect(server)
    assert await client.say(login(user, auth.scramble(password, client.salt))) == OK
    return client


def test_the_greeting_is_that_of_mariadb_with_a_fresh_salt() -> None:
    async def run() -> None:
        async with decoy("mysql") as server:
            first, second = await server.talk(b"", wait=0.1), await server.talk(b"", wait=0.1)
        assert first[4:].startswith(b"\x0a5.5.5-10.11.6-MariaDB-0+deb12u1\0")
        assert first.endswith(b"\0mysql_native_password\0")
        at = first.index(b"\0", 5) + 5
        fixed = first[at + 9 : at + 9 + 18]
        assert fixed == bytes.fromhex("fef72d0200ff8115") + bytes(6) + bytes.fromhex("1d000000")
        assert first[at : at + 8] != second[at : at + 8]
        assert b"\0" not in first[at : at + 8] + first[at + 27 : at + 39]
        numbers = [int.from_bytes(data[at - 4 : at], "little") for data in (first, second)]
        assert numbers[0] < numbers[1] < numbers[0] + 5

    asyncio.run(run())


def test_a_right_password_logs_in_and_a_wrong_one_is_refused_and_can_be_cracked() -> None:
    async def run() -> None:
        async with decoy("mysql") as server:
            client = await logged_in(server)
            await client.close()
            client = await connect(server)
            refused = await client.say(login(b"bob", auth.scramble(b"hunter2", client.salt)))
            assert refused[7:] == b"#28000Access denied for user 'bob'@'localhost' (using password: YES)"
            assert refused[3:7] == b"\2\xff\x15\x04"
            assert await client.packet() == b""
            await client.close()
            empty = await (client := await connect(server)).say(login(b"bob"))
            assert empty.endswith(b"(using password: NO)")
            await client.close()
            await server.settled()
        good, bad, none = server.recorded.of(Credential)
        assert (good.username, good.accepted, bad.accepted) == ("root", True, False)
        salt, answer = bad.secret.removeprefix("$mysqlna$").split("*")
        assert auth.scramble(b"hunter2", bytes.fromhex(salt)).hex() == answer
        assert none.secret == ""
        assert none.mechanism == "mysql_native_password"
        assert {fact.reason for fact in server.recorded.of(SessionClosed)} <= {"peer", "service"}

    asyncio.run(run())


def test_another_plugin_is_asked_to_switch() -> None:
    async def run() -> None:
        async with decoy("mysql") as server:
            client = await connect(server)
            asked = await client.say(login(b"root", b"letmein\0", plugin=b"mysql_clear_password"))
            assert asked == b",\0\0\2\xfemysql_native_password\0" + client.salt + b"\0"
            assert (
                await client.say(packets.packet(auth.scramble(b"letmein", client.salt), 3)) == OK[:3] + b"\4" + OK[4:]
            )
            await client.close()
        clear, native = server.recorded.of(Credential)
        assert (clear.mechanism, clear.secret) == ("mysql_clear_password", "letmein")
        assert native.accepted

    asyncio.run(run())


def test_what_is_not_a_login_is_answered_as_by_the_product() -> None:
    answers = {
        packets.packet(b"\x85\xa2\x8f\0", 1): b"\x16\0\0\2\xff\x13\x04#08S01Bad handshake",
        packets.packet(b"\1\0\0", 1): b"\x10\0\0\2\xff\x13\x04Bad handshake",
        b"GET / HTTP/1.0\r\n\r\n": b"!\0\0\1\xff\x84\x04#08S01Got packets out of order",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n": b"4\0\0\1\xffj\x04#HY000Proxy header is not accepted from 127.0.0.1",
        packets.packet(b"\5\0\0\0\0root\0", 1): b"A\0\0\2\xff\x15\x04Access denied for user 'root'@'localhost' "
        b"(using password: NO)",
        packets.packet(b"\5\0\0\0\0root\x0012345678", 1): b"i\0\0\2\xff\xe3\x04Client does not support authentication "
        b"protocol requested by server; consider upgrading MariaDB client",
    }

    async def run() -> None:
        async with decoy("mysql") as server:
            for sent, expected in answers.items():
                got = await server.talk(sent)
                assert got[4 + int.from_bytes(got[:3], "little") :] == expected, sent
            await server.settled()
        assert len(server.recorded.of(Probe)) == 4

    asyncio.run(run())


def test_client_attributes_become_a_fingerprint() -> None:
    pairs = b"\x0c_client_name\x07PyMySQL\x0f_client_version\x051.1.0"

    async def run() -> None:
        async with decoy("mysql") as server:
            client = await connect(server)
            sent = login(b"x", extra=packets.CONNECT_ATTRS)[4:] + packets.counted(pairs)
            await client.say(packets.packet(sent, 1))
            await client.close()
            await server.settled()
        assert server.recorded.of(Fingerprint)[0].value == "PyMySQL 1.1.0"

    asyncio.run(run())


def test_statements_are_answered_and_recorded() -> None:
    async def run() -> None:
        async with decoy("mysql", persona("mysql", database="shop")) as server:
            client = await logged_in(server)
            assert await client.rows("select @@version_comment limit 1") == [b"\x09Debian 12"]
            assert await client.rows("select user(), 1+1, 'a' like 'A%'") == [b"\x0eroot@localhost\x012\x011"]
            assert b"\x04shop" in await client.rows("show databases")
            assert await client.query("use shop") == ok_of_use()
            assert await client.rows("show tables") == [b"\x09customers", b"\x06orders", b"\x08settings", b"\x05users"]
            first = await client.rows("select id, email from customers order by id desc limit 2")
            assert first == await client.rows("select id, email from customers order by id desc limit 2")
            counted = (await client.rows("select count(*) from customers"))[0][1:]
            assert first[0].startswith(packets.counted(counted))
            grouped = await client.rows(
                "select status, count(*) from orders where total > 10 group by status order by 1"
            )
            assert len(grouped) == 4
            await client.close()
            await server.settled()
        assert "use shop" in [fact.line for fact in server.recorded.of(Command)]

    asyncio.run(run())


def ok_of_use() -> bytes:
    """The OK of a USE, with the schema that it tells a client that tracks it."""
    return packets.packet(packets.ok(0, 0, packets.AUTOCOMMIT, 0, b"", packets.schema_changed(b"shop")), 1)


def test_errors_carry_the_codes_of_the_product() -> None:
    errors = {
        "selec 1": (1064, b"42000", b"near 'selec 1' at line 1"),
        "select nope from users": (1054, b"42S22", b"Unknown column 'nope' in 'SELECT'"),
        "select * from nope": (1146, b"42S02", b"Table 'shop.nope' doesn't exist"),
        "use nope": (1049, b"42000", b"Unknown database 'nope'"),
        "": (1065, b"42000", b"Query was empty"),
        "select nope(1)": (1305, b"42000", b"FUNCTION shop.nope does not exist"),
        "select @@nope": (1193, b"HY000", b"Unknown system variable 'nope'"),
        "create function f returns string soname 'u.so'": (1126, b"HY000", b"Can't open shared library 'u.so'"),
        "drop database mysql": (1044, b"42000", b"Access denied for user 'root'@'localhost' to database 'mysql'"),
        "select 1, (select (select (select (select (select (select 1))))))": (1436, b"HY000", b"Thread stack overrun"),
        "select " + "(" * 500 + "1": (1436, b"HY000", b"Thread stack overrun"),
        "select 1" + "+1" * 900: (1436, b"HY000", b"Thread stack overrun"),
        "load data local infile '/etc/passwd' into table users": (4166, b"HY000", b"local infile"),
    }

    async def run() -> None:
        async with decoy("mysql", persona("mysql", database="shop")) as server:
            client = await logged_in(server)
            await client.query("use shop")
            for statement, (code, state, text) in errors.items():
                answer = await client.query(statement)
                assert answer[4] == 0xFF, (statement, answer)
                assert int.from_bytes(answer[5:7], "little") == code, (statement, answer)
                assert answer[7:13] == b"#" + state, (statement, answer)
                assert text in answer, (statement, answer)
            await client.close()
            await server.settled()
        assert server.recorded.of(SessionClosed)[0].reason == "peer"

    asyncio.run(run())


def test_what_a_session_drops_and_makes_is_its_own() -> None:
    async def run() -> None:
        async with decoy("mysql", persona("mysql", database="shop")) as server:
            client = await logged_in(server)
            assert (await client.query("drop database shop"))[4] == 0
            assert b"\x04shop" not in await client.rows("show databases")
            assert (await client.query("create database README"))[4] == 0
            assert (await client.query("create table README.note (id int, text text)"))[4] == 0
            assert (await client.query("insert into README.note values (1, 'pay'), (2, 'now')"))[5] == 2
            assert await client.rows("select * from README.note") == []
            await client.close()
            client = await logged_in(server)
            assert b"\x04shop" in await client.rows("show databases")
            await client.close()

    asyncio.run(run())


def test_into_dumpfile_is_kept_and_refused() -> None:
    async def run() -> None:
        async with decoy("mysql") as server:
            client = await logged_in(server)
            refused = await client.query("select 0x7f454c46 into dumpfile '/usr/lib/mysql/plugin/u.so'")
            assert refused.endswith(b"'/usr/lib/mysql/plugin/u.so' (Errcode: 13 \"Permission denied\")")
            assert (await client.query("select '<?php' into outfile '/tmp/x.php'"))[4:6] == b"\0\1"
            await client.close()
        first, second = server.recorded.of(Upload)
        assert server.recorded.files[first.sha256] == b"\x7fELF"
        assert server.recorded.files[second.sha256] == b"<?php\n"
        assert first.via == "mysql"
        assert first.name == "/usr/lib/mysql/plugin/u.so"

    asyncio.run(run())


def test_prepared_statements_take_parameters() -> None:
    async def run() -> None:
        async with decoy("mysql") as server:
            client = await logged_in(server)
            made = await client.say(packets.packet(b"\x16select ?, 'a'", 0))
            assert made == packets.packet(prepared.prepared_ok(1, 2, 1), 1)
            for _ in range(5):
                await client.packet()
            bound = b"\x17\1\0\0\0\0\1\0\0\0" + b"\0" + b"\1" + b"\x08\0" + struct.pack("<q", 5)
            assert await client.say(packets.packet(bound, 0)) == b"\1\0\0\1\2"
            got = [await client.packet() for _ in range(5)]
            assert got[3][4:] == b"\0\0" + struct.pack("<i", 5) + b"\1a"
            await client.close()

    asyncio.run(run())


def test_an_account_without_a_password_lets_anybody_in() -> None:
    async def run() -> None:
        async with decoy("mysql", persona("mysql", users="admin:,dba:x")) as server:
            client = await connect(server)
            assert await client.say(login(b"admin")) == OK
            await client.close()
            client = await connect(server)
            assert (await client.say(login(b"root")))[4] == 0xFF
            await client.close()

    asyncio.run(run())


def test_like_never_backtracks() -> None:
    assert sql.like("MySQL", "my%")
    assert sql.like("a_b", "a\\_b")
    assert not sql.like("axb", "a\\_b")
    assert sql.like("", "%")
    assert not sql.like("", "_")
    assert not sql.like("a" * 512, "%a" * 32 + "b")
