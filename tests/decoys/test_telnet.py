"""Telnet byte by byte: the negotiation, the login, the shell behind it; and the protocol's state machine alone."""

import asyncio

import msgspec
import pytest

from chaffinch.decoys.telnet_wire import DO, WILL, Wire, environment, window
from chaffinch.events import Command, Credential, Fingerprint, Probe, SessionClosed, Terminal
from chaffinch.personas.persona import OperatingSystem, Persona, Service, User
from tests.decoys.harness import Decoy, decoy, persona, read_quietly

OPENING = bytes.fromhex("fffd18 fffd20 fffd23 fffd27")
REFUSED = bytes.fromhex("fffc18 fffc20 fffc23 fffc27")
SECOND = bytes.fromhex("fffb03 fffd01 fffd1f fffb05 fffd21")
AGREED = bytes.fromhex("fffd03 fffc01 fffc1f fffe05 fffc21")
BUSYBOX = bytes.fromhex("fffd01 fffd1f fffb01 fffb03")


def embedded() -> Persona:
    return msgspec.structs.replace(
        persona("telnet"),
        os=OperatingSystem("embedded-linux", "embedded", "Linux", "3.10", "3.10.14", "armv7l"),
        services=(Service("telnet", 23, "BusyBox telnetd", "1.22.1"),),
        users=(User("root", 0, "root", "/root", "/bin/sh", "xc3511"),),
    )


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """login(1)'s delay, shortened."""
    from chaffinch.decoys.shell.terminal import Screen

    real = Screen.sleep
    monkeypatch.setattr(Screen, "sleep", lambda screen, seconds: real(screen, min(seconds, 0.02)))


async def opened(running: Decoy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection at its login prompt."""
    reader, writer = await asyncio.open_connection(running.address, running.port)
    assert await reader.readexactly(len(OPENING)) == OPENING
    writer.write(REFUSED)
    assert await reader.readexactly(len(SECOND)) == SECOND
    writer.write(AGREED)
    assert await reader.readuntil(b"login: ") == b"\xff\xfb\x01Debian GNU/Linux 12\r\natlas login: "
    return reader, writer


async def typed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, keys: bytes, wait: float = 0.15) -> bytes:
    writer.write(keys)
    return await read_quietly(reader, wait)


def test_a_login_a_session_and_what_is_recorded() -> None:
    async def scenario() -> None:
        async with decoy("telnet", persona("telnet")) as running:
            reader, writer = await opened(running)
            assert await typed(reader, writer, b"root\r\0") == b"root\r\nPassword: "
            assert await typed(reader, writer, b"wrong\r\0") == b"\r\n\r\nLogin incorrect\r\natlas login: "
            await typed(reader, writer, b"root\r\0")
            welcome = await typed(reader, writer, b"letmein\r\0")
            assert welcome.endswith(b"root@atlas:~# ")
            assert b"Linux atlas 6.1.0-28-amd64" in welcome
            assert await typed(reader, writer, b"echo hi\r\0") == b"echo hi\r\nhi\r\nroot@atlas:~# "
            assert await typed(reader, writer, b"exit\r\n") == b"exit\r\nlogout\r\n"
            writer.close()
            await running.settled()
        seen = running.recorded
        assert seen.of(Credential) == [Credential("root", "wrong"), Credential("root", "letmein", accepted=True)]
        assert seen.of(Command) == [Command("echo hi"), Command("exit")]
        assert "hi" in "".join(fact.data for fact in seen.of(Terminal) if fact.direction == "out")
        assert [fact.reason for fact in seen.of(SessionClosed)] == ["service"]

    asyncio.run(scenario())


def test_five_tries_and_it_closes() -> None:
    async def scenario() -> None:
        async with decoy("telnet", persona("telnet")) as running:
            reader, writer = await opened(running)
            for _ in range(4):
                await typed(reader, writer, b"a\r\nb\r\n", 0.1)
            last = await typed(reader, writer, b"a\r\nb\r\n", 0.3)
            assert last.endswith(b"\r\nLogin incorrect\r\nMaximum number of tries exceeded (5)\r\n")
            writer.close()
            await running.settled()
            assert len(running.recorded.of(Credential)) == 5
            assert running.recorded.of(SessionClosed)[0].reason == "service"

    asyncio.run(scenario())


def test_the_terminal_and_the_account_that_a_client_names() -> None:
    async def scenario() -> None:
        async with decoy("telnet", persona("telnet")) as running:
            reader, writer = await asyncio.open_connection(running.address, running.port)
            await reader.readexactly(len(OPENING))
            writer.write(bytes.fromhex("fffb18 fffc20 fffc23 fffb27"))
            assert await reader.readexactly(12) == bytes.fromhex("fffa2701fff0 fffa1801fff0")
            writer.write(b"\xff\xfa\x18\x00XTERM\xff\xf0\xff\xfa\x27\x00\x00USER\x01root\xff\xf0")
            assert await reader.readexactly(len(SECOND)) == SECOND
            writer.write(AGREED)
            assert (await read_quietly(reader, 0.2)).endswith(b"Password: ")
            await typed(reader, writer, b"letmein\r\0")
            assert b"xterm\r\n" in await typed(reader, writer, b"echo $TERM\r\0")
            writer.close()
            await running.settled()
            assert running.recorded.of(Fingerprint) == [Fingerprint("terminal", "XTERM")]

    asyncio.run(scenario())


def test_an_option_smuggled_into_login_is_recorded_and_dropped() -> None:
    async def scenario() -> None:
        async with decoy("telnet", persona("telnet")) as running:
            sent = bytes.fromhex("fffc18 fffc20 fffc23 fffb27") + b"\xff\xfa\x27\x00\x00USER\x01-f root\xff\xf0"
            reader, writer = await asyncio.open_connection(running.address, running.port)
            writer.write(sent)
            await read_quietly(reader, 0.1)
            writer.write(AGREED)
            assert (await read_quietly(reader, 0.1)).endswith(b"atlas login: ")
            writer.close()
            await running.settled()
            assert running.recorded.of(Probe) == [Probe("-f root", "option in USER")]

    asyncio.run(scenario())


def test_a_bot_on_a_small_device() -> None:
    async def scenario() -> None:
        async with decoy("telnet", embedded()) as running:
            reader, writer = await asyncio.open_connection(running.address, running.port)
            assert await read_quietly(reader, 0.1) == BUSYBOX + b"atlas login: "
            await typed(reader, writer, b"root\r\n")
            welcome = await typed(reader, writer, b"xc3511\r\n")
            assert b"BusyBox v1.22.1" in welcome
            said = await typed(reader, writer, b"enable\r\nsystem\r\nshell\r\nsh\r\n/bin/busybox ECCHI\r\n", 0.3)
            assert b"ECCHI: applet not found\r\n" in said
            assert b"-sh: enable: not found\r\n" in said
            writer.close()
            await running.settled()
            lines = [fact.line for fact in running.recorded.of(Command)]
            assert lines == ["enable", "system", "shell", "sh", "/bin/busybox ECCHI"]

    asyncio.run(scenario())


def test_what_is_typed_without_the_protocol_is_kept_as_a_probe() -> None:
    async def scenario() -> None:
        async with decoy("telnet", persona("telnet")) as running:
            assert await running.talk(b"GET / HTTP/1.0\r\n\r\n") == OPENING
            await running.settled()
            assert running.recorded.of(Probe)[0].data.startswith("GET / HTTP/1.0")
            assert running.recorded.of(SessionClosed)[0].reason == "peer"

    asyncio.run(scenario())


def test_a_revisit_finds_what_it_wrote() -> None:
    async def scenario() -> None:
        async with decoy("telnet", persona("telnet")) as running:
            for line in (b"echo mine > /tmp/x\r\0", b"cat /tmp/x\r\0"):
                reader, writer = await opened(running)
                await typed(reader, writer, b"root\r\0letmein\r\0")
                shown = await typed(reader, writer, line)
                writer.close()
            assert b"mine\r\n" in shown
            await running.settled()

    asyncio.run(scenario())


def test_a_thousand_connects_and_half_closes_are_recorded() -> None:
    async def scenario() -> None:
        async with decoy("telnet", persona("telnet")) as running:

            async def visit(number: int) -> None:
                reader, writer = await asyncio.open_connection(running.address, running.port)
                if number % 2:
                    writer.write_eof()
                    await reader.read()
                writer.close()

            for start in range(0, 1000, 100):
                await asyncio.gather(*(visit(number) for number in range(start, start + 100)))
            async with asyncio.timeout(10):
                while len(running.recorded.of(SessionClosed)) < 1000:
                    await asyncio.sleep(0.01)
            assert {fact.reason for fact in running.recorded.of(SessionClosed)} == {"peer"}

    asyncio.run(scenario())


def test_login_gives_up_after_its_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaffinch.decoys.telnet.LOGIN_SECONDS", 0.1)

    async def scenario() -> None:
        async with decoy("telnet", persona("telnet")) as running:
            reader, writer = await opened(running)
            assert await read_quietly(reader, 1) == b"\r\nLogin timed out after 60 seconds.\r\n"
            writer.close()
            await running.settled()

    asyncio.run(scenario())


def test_banner_and_prompt_are_options() -> None:
    async def scenario() -> None:
        host = persona("telnet", banner="%h console\n", prompt="Username: ")
        async with decoy("telnet", host) as running:
            answer = await running.talk(REFUSED + AGREED[3:6])
            assert answer == OPENING + SECOND  # the answer to ECHO came before the question
            reader, writer = await asyncio.open_connection(running.address, running.port)
            writer.write(REFUSED)
            await read_quietly(reader, 0.1)
            writer.write(AGREED)
            assert await read_quietly(reader, 0.1) == b"\xff\xfb\x01atlas console\r\nUsername: "
            writer.close()

    asyncio.run(scenario())


# The state machine alone --------------------------------------------------------------------------------------------


def test_text_and_escaped_bytes_pass() -> None:
    wire = Wire()
    assert wire.feed(b"a\xff\xffb\xff\xf1c").text == b"a\xffbc"


def test_pieces_give_the_same_as_the_whole() -> None:
    data = b"ab\xff\xfd\x01\xff\xfa\x18\x00XT\xff\xffERM\xff\xf0cd\xff\xf6\xff\xfb\x63e"
    whole, pieces = Wire(), Wire()
    one = whole.feed(data)
    many = [pieces.feed(data[i : i + 1]) for i in range(len(data))]
    assert b"".join(part.text for part in many) == one.text == b"abcde"
    assert b"".join(part.replies for part in many) == one.replies == b"\xff\xfb\x01\r\n[Yes]\r\n\xff\xfe\x63"
    assert whole.told == pieces.told == {0x18: b"\x00XT\xffERM"}


def test_confirmations_are_not_answered() -> None:
    wire = Wire()
    wire.ask((WILL, 3), (DO, 24))
    assert wire.feed(b"\xff\xfd\x03\xff\xfb\x18\xff\xfd\x03\xff\xfb\x18").replies == b""
    assert wire.feed(b"\xff\xfe\x03\xff\xfe\x03").replies == b"\xff\xfc\x03"


def test_a_subnegotiation_is_bounded() -> None:
    wire = Wire()
    wire.feed(b"\xff\xfa\x18" + b"x" * 100_000)
    wire.feed(b"\xff\xf0")
    assert len(wire.told[24]) < 512


def test_what_subnegotiations_tell() -> None:
    assert window(b"\x00\x50\x00\x18") == (80, 24)
    assert window(b"\x00") is None
    assert environment(b"\x00\x00USER\x01root\x03X\x01y\x02\x01z") == {b"USER": b"root", b"X": b"y\x01z"}
    assert environment(b"") == {}
