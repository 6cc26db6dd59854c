"""Anything sent to the telnet decoy: the handler raises nothing of its own, and the session is recorded as closed."""

import asyncio
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaffinch.decoys.shell.terminal import LINE_BYTES, LineDiscipline
from chaffinch.decoys.telnet_wire import SUBNEGOTIATION_BYTES, Wire, environment
from chaffinch.events import SessionClosed
from tests.decoys.harness import decoy, end_input, persona

EXAMPLES = 2000 if os.environ.get("CHAFFINCH_TEST_FUZZ") == "long" else 40

keys = st.one_of(
    st.binary(max_size=200),
    st.lists(
        st.sampled_from(
            [
                b"\xff",
                b"\xfa",
                b"\xf0",
                b"\xfd",
                b"\xfb",
                b"\x18",
                b"\x1b[A",
                b"\r\0",
                b"\r\n",
                b"\x7f",
                b"\x03",
                b"\x04",
                b"root",
                b"ls ",
            ]
        ),
        max_size=60,
    ).map(b"".join),
)
ANSWERS = bytes.fromhex("fffc18 fffc20 fffc23 fffc27")


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    from chaffinch.decoys.shell.terminal import Screen

    real = Screen.sleep
    monkeypatch.setattr(Screen, "sleep", lambda screen, seconds: real(screen, min(seconds, 0.001)))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(keys, max_size=6), st.booleans(), st.booleans())
def test_any_bytes_leave_a_closed_session(parts: list[bytes], negotiates: bool, half_close: bool) -> None:
    async def scenario() -> None:
        async with decoy("telnet", persona("telnet")) as running:
            reader, writer = await asyncio.open_connection(running.address, running.port)
            if negotiates:
                writer.write(ANSWERS)
                await asyncio.sleep(0.002)
                writer.write(b"\xff\xfc\x01root\r\0letmein\r\0")
            try:
                for part in parts:
                    writer.write(part)
                    await asyncio.sleep(0)
                if half_close:
                    end_input(writer)
                    await asyncio.wait_for(reader.read(), 5)
            except (TimeoutError, ConnectionError):
                pass
            writer.close()
            await running.settled()
            closed = running.recorded.of(SessionClosed)
            assert len(closed) == 1
            assert closed[0].reason != "error"

    asyncio.run(scenario())


@given(st.binary(max_size=4000))
def test_the_state_machine_takes_anything_and_stays_small(data: bytes) -> None:
    wire = Wire()
    received = wire.feed(data)
    assert len(received.text) <= len(data)
    assert len(received.replies) <= 9 * len(data)
    assert sum(map(len, wire.told.values())) <= 16 * SUBNEGOTIATION_BYTES
    pieces = Wire()
    assert b"".join(pieces.feed(data[i : i + 1]).text for i in range(len(data))) == received.text


@given(st.binary(max_size=600))
def test_any_environment_is_read(body: bytes) -> None:
    assert len(environment(body)) <= 16


@given(st.binary(max_size=6000), st.booleans())
def test_line_editing_takes_anything(data: bytes, echo: bool) -> None:
    line = LineDiscipline([b"ls", b"echo hello"])
    line.start(b"$ ", echo=echo)
    count = 0
    while data and count < 7000:
        _, done, data = line.feed(data)
        count += 1
        assert all(not isinstance(item, bytes) or len(item) <= LINE_BYTES for item in done)
        if done:
            line.start(b"$ ", echo=echo)
    assert data == b""
