"""Anything at all, sent to mysql before and after a login: the handler never fails, the session is closed."""

import asyncio
import contextlib
import os

from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.decoys.mysql import packets, prepared, sql
from chaffinch.decoys.mysql.packets import MalformedError
from chaffinch.decoys.mysql.results import SqlError
from chaffinch.events import SessionClosed
from tests.decoys.harness import Decoy, decoy, end_input, persona, read_quietly
from tests.decoys.test_mysql import connect, login

EXAMPLES = 2000 if os.environ.get("CHAFFINCH_TEST_FUZZ") == "long" else 40

WORDS = (
    *(
        "select",
        "from",
        "where",
        "limit",
        "order by",
        "group by",
        "union",
        "show",
        "tables",
        "databases",
        "into outfile",
    ),
    *("users", "customers", "mysql.user", "information_schema.columns", "*", "(", ")", ",", ".", ";", "'", '"', "`"),
    *("1", "0x41", "1.5e3", "@@version", "@a", "?", "count(*)", "max(id)", "concat(1,2)", "like", "'%a%'", "in", "not"),
    *(
        "is null",
        "between",
        "and",
        "or",
        "+",
        "/",
        "0",
        "insert into",
        "values",
        "create table",
        "drop database",
        "set",
    ),
    *(
        "names",
        "utf8",
        "=",
        "use",
        "shop",
        "describe",
        "/*!",
        "*/",
        "--",
        "#",
        "\n",
        "\0",
        "%",
        "as",
        "id",
        "repeat('a',99999)",
    ),
)
statements = st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=5)), max_size=25).map(" ".join)
commands = st.tuples(st.integers(0, 0x20), st.one_of(st.binary(max_size=60), statements.map(str.encode)))


async def closed_properly(server: Decoy) -> None:
    await server.settled()
    reasons = [fact.reason for fact in server.recorded.of(SessionClosed)]
    assert reasons
    assert "error" not in reasons, reasons


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_anything_before_a_login(sent: bytes, framed: bool) -> None:
    async def run() -> None:
        async with decoy("mysql") as server:
            await server.talk(packets.packet(sent, 1) if framed else sent, wait=0.02)
            await closed_properly(server)

    asyncio.run(run())


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(commands, max_size=8), st.booleans())
def test_anything_after_a_login(sent: list[tuple[int, bytes]], half_closed: bool) -> None:
    async def run() -> None:
        async with decoy("mysql", persona("mysql", users="root:", database="shop")) as server:
            client = await connect(server)
            await client.say(login())
            client.writer.write(b"".join(packets.packet(bytes((kind,)) + data, 0) for kind, data in sent))
            if half_closed:
                end_input(client.writer)
            await read_quietly(client.reader, 0.03)
            with contextlib.suppress(OSError):
                await client.close()
            await closed_properly(server)

    asyncio.run(run())


@settings(max_examples=EXAMPLES * 5, deadline=None)
@given(statements)
def test_the_lexer_reads_any_text(statement: str) -> None:
    tokens = sql.tokenize(statement)
    assert all(token.start < token.end for token in tokens.found)
    assert tokens.bad < len(statement)
    list(sql.statements(statement))


@settings(max_examples=EXAMPLES * 5, deadline=None)
@given(st.binary(max_size=200))
def test_parsers_refuse_what_they_cannot_read(data: bytes) -> None:
    with contextlib.suppress(MalformedError):
        packets.parse_login(data)
    with contextlib.suppress(MalformedError, SqlError):
        prepared.bind(prepared.prepare("select ?, ?"), b"\x17" + data)


def test_a_huge_statement_and_a_huge_packet_are_bounded() -> None:
    async def run() -> None:
        async with decoy("mysql", persona("mysql", users="root:", database="shop")) as server:
            client = await connect(server)
            await client.say(login())
            values = b"\3insert into shop.settings values " + b"(1,'a','b')," * 200_000
            answer = await client.say(packets.packet(values, 0))
            assert answer[4] == 0
            client.writer.write(b"\xff\xff\xff\0" + bytes(1000))
            await client.close()
            await closed_properly(server)

    asyncio.run(run())
