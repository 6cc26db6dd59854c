"""Whatever a peer sends to the smtp decoy: its session ends without a fault of ours, and is recorded."""

import asyncio
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaffinch.decoys.smtp import dialogue, grammar, login
from chaffinch.decoys.smtp.message import Message
from chaffinch.events import SessionClosed, SessionOpened
from tests.decoys.harness import Decoy, decoy, end_input, persona

EXAMPLES = 2000 if os.environ.get("CHAFFINCH_TEST_FUZZ") == "long" else 40

WORDS = st.sampled_from([
    b"EHLO x\r\n", b"HELO\r\n", b"MAIL FROM:<a@b.c>\r\n", b"RCPT TO:<root>\r\n", b"DATA\r\n", b".\r\n", b".\n",
    b"BDAT 5\r\n", b"BDAT 3 LAST\r\nabc", b"RSET\r\n", b"AUTH LOGIN\r\n", b"AUTH PLAIN AGEAYg==\r\n", b"QUIT\r\n",
    b"\r\n", b"\0", b"A" * 3000, b"VRFY \"\r\n", b"MAIL FROM:<\"\\\r\n", b"Subject: x\r\n", b"\xff\n", b"ETRN #\r\n",
])  # fmt: skip
INPUT = st.lists(st.one_of(WORDS, st.binary(max_size=80)), max_size=12).map(b"".join)


async def throw(running: Decoy, sent: bytes, cut: int, *, half: bool) -> None:
    reader, writer = await asyncio.open_connection(running.address, running.port)
    try:
        writer.write(sent[:cut])
        await asyncio.sleep(0)
        writer.write(sent[cut:])
        if half:
            end_input(writer)
        async with asyncio.timeout(2):
            while await reader.read(65536):
                pass
    except (OSError, TimeoutError):
        pass
    finally:
        writer.close()


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(INPUT, st.integers(0, 40)), min_size=1, max_size=4), st.booleans())
def test_any_input_ends_a_session_without_an_error(
    monkeypatch: pytest.MonkeyPatch, sent: list[tuple[bytes, int]], auth: bool
) -> None:
    monkeypatch.setattr(dialogue, "ERROR_SECONDS", 0.0)
    monkeypatch.setattr(login, "FAILED_SECONDS", 0.0)

    async def run() -> None:
        async with decoy("smtp", persona("smtp", auth="yes" if auth else "no")) as running:
            await asyncio.gather(*[throw(running, data, cut, half=True) for data, cut in sent])
            await running.settled()
            assert len(running.recorded.of(SessionOpened)) == len(running.recorded.of(SessionClosed)) == len(sent)
            assert {fact.reason for fact in running.recorded.of(SessionClosed)} <= {"peer", "service", "unread"}

    asyncio.run(run())


@given(st.binary(max_size=200))
def test_parsers_take_anything(data: bytes) -> None:
    try:
        line = grammar.command(data)
    except UnicodeDecodeError:
        line = None
    if line is not None:
        grammar.is_smuggled(data, line.verb)
        grammar.path(line.rest, b"FROM:")
    grammar.path(b"TO:" + data, b"TO:")
    grammar.address(data)
    grammar.chunk(data)
    grammar.subject(data)


@given(st.lists(st.binary(max_size=60).map(lambda line: line.replace(b"\n", b"") + b"\r\n"), max_size=20))
def test_dot_stuffing_is_undone(lines: list[bytes]) -> None:
    message = Message()
    for line in lines:
        assert message.line(b"." + line if line[:1] == b"." else line)
    assert not message.line(b".\r\n")
    assert bytes(message.held) == b"".join(lines)
