"""Anything at all, sent to ftp: the handler never fails, the session is closed, no data listener is left open."""

import asyncio
import contextlib
import os

from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.decoys.ftp import data, replies
from chaffinch.events import SessionClosed
from tests.decoys.harness import decoy, end_input, persona, read_quietly

EXAMPLES = 2000 if os.environ.get("CHAFFINCH_TEST_FUZZ") == "long" else 40

VERBS = (
    *("USER", "QUIT", "FEAT", "PWD", "CWD", "CDUP", "SIZE", "MDTM", "TYPE", "REST", "STAT", "SITE CHMOD", "SITE UMASK"),
    *("PASV", "EPSV", "PORT", "EPRT", "MKD", "RMD", "DELE", "RNFR", "RNTO", "NLST", "RETR", "ABOR", "OPTS", "HELP"),
)
PATHS = (
    *("", "/", "..", "/etc/passwd", "a/b", "-la *", "*", "[", "~", "x" * 300, "777 a", "9" * 30),
    *("1,2,3,4,5,6", "|1|127.0.0.1|99|"),
)
lines = st.tuples(st.sampled_from(VERBS), st.one_of(st.sampled_from(PATHS), st.text(max_size=8))).map(" ".join)


async def attempt(sent: bytes, *, half_closed: bool) -> None:
    async with decoy("ftp", persona("ftp", anonymous="yes", write="yes")) as server:
        reader, writer = await asyncio.open_connection(server.address, server.port)
        writer.write(sent)
        if half_closed:
            end_input(writer)
        await read_quietly(reader, 0.02)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        for session in list(server.sessions.values()):
            session.end(ConnectionResetError())
        for task in list(server.sessions):
            task.cancel()
        await server.settled()
    assert "error" not in [fact.reason for fact in server.recorded.of(SessionClosed)]
    assert not data._open


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=5000), st.booleans())
def test_anything_before_a_login(sent: bytes, half_closed: bool) -> None:
    asyncio.run(attempt(sent, half_closed=half_closed))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.one_of(lines.map(str.encode), st.binary(max_size=40)), max_size=15), st.booleans())
def test_anything_after_a_login(sent: list[bytes], half_closed: bool) -> None:
    login = b"USER anonymous\r\nPASS a@b\r\n"
    asyncio.run(attempt(login + b"\r\n".join(sent) + b"\r\n", half_closed=half_closed))


@given(st.binary(max_size=200))
def test_any_line_is_read(raw: bytes) -> None:
    line = replies.parse_line(raw)
    assert " " not in line.verb
    assert "\0" not in line.argument
