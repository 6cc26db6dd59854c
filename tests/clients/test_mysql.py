"""The mysql decoy beside the real MariaDB on the same bytes, and real clients against it."""

import asyncio
import contextlib
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from chaffinch.decoys.mysql import auth, packets
from chaffinch.events import Command, Credential, Fingerprint
from chaffinch.personas.persona import Persona
from tests.clients.wire import PATIENCE_SECONDS, ask_all, free_port, need, run
from tests.decoys.harness import decoy, persona, read_quietly
from tests.decoys.test_mysql import Server, connect, login

pytestmark = pytest.mark.clients

LOCAL = "127.0.0.1"

LOGINS = {
    "nothing": b"",
    "http": b"GET / HTTP/1.0\r\n\r\n",
    "newlines": b"\r\n\r\n",
    "zeros": bytes(4),
    "proxy": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
    "empty packet": packets.packet(b"", 1),
    "no password": login(),
    "unknown user": login(b"zed"),
    "no user": login(b""),
    "long user": login(b"u" * 200),
    "name that is not UTF-8": login(b"u\xff\xc3\xa9'`"),
    "wrong password": login(b"root", b"x" * 20),
    "short answer": login(b"root", b"12345"),
    "long answer": login(b"root", b"x" * 200),
    "sequence 0": packets.packet(login()[4:], 0),
    "old client": packets.packet(b"\5\0\0\0\0root\0", 1),
    "old client with a password": packets.packet(b"\5\0\0\0\0root\x0012345678", 1),
    "letters": packets.packet(b"A" * 16384, 1),
    "begun": b"\xff\xff\x0f\1abc",
    **{f"{size} bytes of a login": packets.packet(login()[4 : 4 + size], 1) for size in (1, 2, 4, 8, 31, 32, 34, 40)},
}

STATEMENTS = (
    *("select @@version_comment limit 1", "SELECT VERSION()", "select @@version", "select USER()", "select DATABASE()"),
    *(
        "select 1",
        "select 'a'",
        "select null",
        "select 1.5",
        "select @@max_allowed_packet",
        "select @@nope",
        "select @x",
    ),
    *("select 0x41", "select sleep(0)", "select true", "select 1 as x", "select   1  +  1 ", "select concat('a',1)"),
    *("select md5('a')", "select load_file('/nope')", "select @@secure_file_priv", "select length('abc')", "select 1;"),
    *("select 1; select 2", "", " ;", "-- x", "#x", "/* x */", "/*!40101 SET @a=1 */", "/*!999999 x */"),
    *(
        "set names nope",
        "SET autocommit=1",
        "set autocommit=0",
        "commit",
        "begin",
        "set @a=1",
        "rollback",
        "set nope=1",
    ),
    *("set autocommit=1", "selec 1", "select", "select from", "foo bar baz", "select 'abc", "select nope", "use nope"),
    *("select * from nope", "select * from a.b", "show tables from nope", "drop table nope", "drop database nope"),
    *("create database mysql", "insert into nope values(1)", "update nope set a=1", "delete from nope", "show nope"),
    *("select 1 into outfile '/nope/x'", "create function f returns string soname 'u.so'", "drop function f", "help"),
    *("create function f returns string soname '../u.so'", "select f(1)", "explain select 1", "kill 1", "do 1"),
    *("flush privileges", "describe nope", "show create table nope", "call x()", "select 1 2", "show", "unlock tables"),
    *("use sys", "create table zz (a int)", "insert into zz values (1),(2)", "truncate zz", "drop table zz"),
    *("create table zz2", "drop table if exists zz", "select extractvalue(1,concat(0x7e,version()))", "select nope(1)"),
    *("select version(1)", "select 1 from dual", "set character_set_results=null", "show variables like 'version%'"),
    *(
        "set character_set_results=utf8",
        "show engines",
        "show warnings",
        "show databases like 'my%'",
        "select distinct 1",
    ),
    *("select 1 /*!99999 ,2 */", "select benchmark(1,md5(1))", "select 1 union select 1,2", "select `ab`"),
    *("select schema_name from information_schema.schemata where schema_name='mysql'", "show tables from mysql"),
    *("select @@global.version, @@session.sql_mode", "select * from information_schema.nope", "drop database mysqlx"),
    *(
        "install plugin x soname 'x.so'",
        "set @@session.wait_timeout=10",
        "set sql_mode=''",
        "select 'it''s', \"a\"\"b\"",
    ),
)


class Real(msgspec.Struct, frozen=True):
    """A running MariaDB."""

    address: str
    port: int
    version: str


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    """The real server as Debian configures it, with one account that may come from anywhere."""
    server, install = need("mariadbd"), need("mariadb-install-db")
    root = tmp_path_factory.mktemp("mariadb")
    data, port = root / "data", free_port()
    user = f"--user={os.environ.get('USER') or 'root'}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    made = (
        install,
        "--no-defaults",
        user,
        f"--datadir={data}",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
    )
    subprocess.run(made, check=True, **quiet)  # type: ignore[call-overload]
    start = (
        *(server, "--no-defaults", user, f"--datadir={data}", f"--bind-address={LOCAL}", f"--port={port}"),
        *(f"--socket={root / 's'}", f"--pid-file={root / 'pid'}", "--innodb-buffer-pool-size=8M"),
        *("--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci"),
    )
    process = subprocess.Popen(start, **quiet)  # type: ignore[call-overload]
    try:
        version = _ready(root / "s")
        yield Real(LOCAL, port, version)
    finally:
        process.terminate()
        process.wait(30)


def _ready(socket: Path) -> str:
    """Wait for the server, make its account, and return its version."""
    account = (
        "set password for root@localhost=password('letmein'); delete from mysql.global_priv where Host != 'localhost'; "
    )
    query = account + "flush privileges; select version()"
    for _ in range(100):
        asked = ["mysql", "--no-defaults", f"--socket={socket}", "-uroot", "-Ne", query]
        done = subprocess.run(asked, check=False, capture_output=True)
        if done.returncode == 0:
            return done.stdout.decode().strip()
        time.sleep(0.1)
    raise AssertionError(done.stderr)


def twin(real: Real, users: str = "", database: str = "") -> Persona:
    """A decoy host that claims the version of the real server."""
    host = persona("mysql", address=LOCAL, users=users, database=database)
    services = tuple(msgspec.structs.replace(service, version=real.version) for service in host.services)
    return msgspec.structs.replace(host, services=services)


def _settled(greeted: bytes) -> bytes:
    """What a server sent, with its salt, its connection number and a request to switch made the same."""
    at = greeted.index(b"\0", 5) + 1
    fixed = greeted[:at] + greeted[at + 4 + 8 : at + 4 + 8 + 19]
    return re.sub(
        rb"(\xfemysql_native_password\0).{20}\0$", rb"\1", fixed + greeted[at + 4 + 8 + 19 + 12 :], flags=re.DOTALL
    )


def test_greeting_and_bad_logins_are_those_of_the_product(mariadb: Real) -> None:
    async def both() -> None:
        async with decoy("mysql", twin(mariadb)) as server:
            where = (mariadb.address, mariadb.port), (server.address, server.port)
            theirs, ours = await asyncio.gather(*(ask_all(one, LOGINS) for one in where))
        for name, (sent, end) in theirs.items():
            assert (_settled(ours[name][0]), ours[name][1]) == (_settled(sent), end), name

    asyncio.run(both())


async def _answers(server: Server) -> dict[str, bytes]:
    client = await connect(server)
    await client.say(login(b"root", auth.scramble(b"letmein", client.salt)))
    found: dict[str, bytes] = {}
    for statement in STATEMENTS:
        client.writer.write(packets.packet(b"\3" + statement.encode(), 0))
        begun = await asyncio.wait_for(client.reader.read(65536), PATIENCE_SECONDS)
        found[statement] = begun + await read_quietly(client.reader, 0.05)
    await client.close()
    return found


def _without_library(answers: dict[str, bytes]) -> dict[str, bytes]:
    """Without the version of the library, which Debian updates by itself: that of the machine is any."""
    return {
        statement: re.sub(rb"OpenSSL 3\.0\.\d+ \d+ \w+ \d+", b"OpenSSL", answer)
        for statement, answer in answers.items()
    }


def test_statements_are_answered_as_by_the_product(mariadb: Real) -> None:
    async def both() -> None:
        async with decoy("mysql", twin(mariadb)) as server:
            theirs, ours = map(_without_library, await asyncio.gather(_answers(mariadb), _answers(server)))
        assert {k: v for k, v in ours.items() if v != theirs[k]} == {k: v for k, v in theirs.items() if v != ours[k]}

    asyncio.run(both())


def test_the_command_line_client_and_its_dump(mariadb: Real) -> None:
    async def drive() -> None:
        async with decoy("mysql", twin(mariadb, database="shop")) as server:
            who = ("--no-defaults", f"-h{LOCAL}", f"-P{server.port}", "-uroot")
            code, said = await run(
                "mysql", *who, "-pletmein", "shop", "-e", "show tables; select id from users limit 1; \\s"
            )
            assert code == 0, said
            assert "customers" in said
            assert "Server version:\t\t" + mariadb.version in said
            code, said = await run("mysql", *who, "-pwrong")
            assert (code, said) == (
                1,
                "ERROR 1045 (28000): Access denied for user 'root'@'localhost' (using password: YES)\n",
            )
            code, said = await run("mysqldump", *who, "-pletmein", "shop")
            assert code == 0, said
            assert "INSERT INTO `orders` VALUES" in said
            assert "-- Dump completed" in said
            await server.settled()
        assert [fact.accepted for fact in server.recorded.of(Credential)] == [True, False, True]
        assert "show tables" in [fact.line for fact in server.recorded.of(Command)]
        assert server.recorded.of(Fingerprint)[0].value.startswith("libmariadb ")

    asyncio.run(drive())


async def _scanned(port: int) -> str:
    scripts = "mysql-info,mysql-empty-password,mysql-databases,mysql-users"
    arguments = ("--script", scripts, "--script-args", "mysqluser=root,mysqlpass=letmein", f"-p{port}", LOCAL)
    _, said = await run("nmap", "-Pn", "-n", "-sV", *arguments)
    kept = [line for line in said.splitlines() if not re.search(r"Nmap|Salt|Thread ID|latency|Some Cap", line)]
    return "\n".join(kept).replace(str(port), "PORT")


def test_nmap_sees_the_product(mariadb: Real) -> None:
    need("nmap")

    async def both() -> None:
        async with decoy("mysql", twin(mariadb, users="root:letmein")) as server:
            theirs, ours = await asyncio.gather(_scanned(mariadb.port), _scanned(server.port))
        assert f"mysql   MySQL 5.5.5-{mariadb.version}" in ours
        shown = [re.sub(r"^\|[ _] +(\w+)$", r"\1", line) for line in ours.splitlines()]
        assert [line for line in theirs.splitlines() if not line.startswith("|")] == [
            line for line in ours.splitlines() if not line.startswith("|")
        ]
        assert {"information_schema", "mysql", "performance_schema", "sys", "root"} <= set(shown)

    asyncio.run(both())


def test_hydra_finds_the_weak_password(tmp_path: Path) -> None:
    need("hydra")
    words = tmp_path / "words"
    words.write_text("123456\nletmein\n")

    async def drive() -> None:
        async with decoy("mysql", persona("mysql", address=LOCAL)) as server:
            arguments = ("-I", "-l", "root", "-P", str(words), "-t", "2", "-s", str(server.port), LOCAL, "mysql")
            with contextlib.chdir(tmp_path):
                _, said = await run("hydra", *arguments)
            assert "login: root   password: letmein" in said
        assert {fact.accepted for fact in server.recorded.of(Credential)} == {True, False}

    asyncio.run(drive())
