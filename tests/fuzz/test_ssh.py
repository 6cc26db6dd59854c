"""Whatever arrives, the ssh decoy closes in an orderly way: no fault of ours, no session left open."""

import asyncio
import contextlib
import os
from typing import Any

import asyncssh
from asyncssh.connection import SSHClientConnection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaffinch.decoys.overlay import Overlays
from chaffinch.decoys.ssh import scp, wire
from chaffinch.decoys.ssh.algorithms import release
from chaffinch.decoys.ssh.preamble import PACKET_BYTES, Close, Plain, identify
from chaffinch.decoys.ssh.sftp import SftpServer
from chaffinch.decoys.ssh.uploads import Room, Uploads
from chaffinch.decoys.ssh.wire import packet, string
from chaffinch.decoys.view import View
from chaffinch.events import SessionClosed
from chaffinch.personas.files import Files
from tests.decoys.harness import decoy, persona
from tests.decoys.test_ssh_preamble import kexinit, sent

EXAMPLES = 2000 if os.environ.get("CHAFFINCH_TEST_FUZZ") == "long" else 40
SLOW = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

IDENTIFICATION = st.one_of(
    st.just(b"SSH-2.0-fuzz\r\n"),
    st.binary(max_size=300),
    st.binary(max_size=40).map(lambda rest: b"SSH-2.0-" + rest + b"\n"),
)
PACKET = st.one_of(
    st.just(sent(kexinit())),
    st.binary(max_size=200),
    st.tuples(st.integers(0, 255), st.binary(max_size=80)).map(lambda parts: packet(bytes((parts[0],)) + parts[1])),
    st.sampled_from([packet(b"\x1e" + string(bytes([9]) + bytes(31))), packet(b"\x15"), b"\0\0\0\x0c"]),
)


@settings(max_examples=EXAMPLES * 5, deadline=None)
@given(st.binary(max_size=9000))
def test_identify_never_raises(data: bytes) -> None:
    identify(data)


@settings(max_examples=EXAMPLES * 5, deadline=None)
@given(st.lists(PACKET, max_size=6), st.integers(1, 4000))
def test_the_preamble_never_raises_and_holds_little(parts: list[bytes], size: int) -> None:
    plain = Plain(release("9.2p1 Debian-2+deb12u10").offer)
    data = b"".join(parts)
    for at in range(0, len(data), size):
        for step in plain.feed(data[at : at + size]):
            if isinstance(step, Close):
                return
        assert len(plain._data) <= PACKET_BYTES + size


@settings(max_examples=EXAMPLES * 5, deadline=None)
@given(st.binary(max_size=200), st.text(max_size=60))
def test_the_parsers_never_raise_anything_else(data: bytes, text: str) -> None:
    with contextlib.suppress(wire.WireError):
        wire.parse_kexinit(data)
    scp.parse("scp " + text)
    scp.parse_header(data)


@SLOW
@given(IDENTIFICATION, st.lists(PACKET, max_size=5), st.integers(0, 50), st.booleans())
def test_any_bytes_end_in_an_orderly_way(first: bytes, packets: list[bytes], chunk: int, half_close: bool) -> None:
    async def talk() -> list[str]:
        async with decoy("ssh", persona("ssh", fail_delay="0")) as running:
            reader, writer = await asyncio.open_connection(running.address, running.port)
            data = first + b"".join(packets)
            try:
                for at in range(0, len(data), chunk or max(1, len(data))):
                    writer.write(data[at : at + (chunk or len(data))])
                if half_close:
                    writer.write_eof()
                await asyncio.wait_for(reader.read(1 << 20), 0.02)
            except (TimeoutError, OSError):
                pass
            writer.close()
            await running.settled()
            return [fact.reason for fact in running.recorded.of(SessionClosed)]

    assert asyncio.run(talk()) in (["peer"], ["service"])


MESSAGE = st.one_of(
    st.tuples(st.integers(0, 255), st.binary(max_size=120)),
    st.tuples(
        st.just(90), st.sampled_from([string(b"session"), string(b"direct-tcpip")]).map(lambda kind: kind + bytes(12))
    ),
    st.tuples(
        st.just(98),
        st.tuples(
            st.sampled_from(
                [b"exec", b"shell", b"subsystem", b"pty-req", b"env", b"x11-req", b"window-change", b"signal"]
            ),
            st.one_of(st.just(string(b"sftp")), st.binary(max_size=40).map(string), st.binary(max_size=60)),
        ).map(lambda parts: bytes(4) + string(parts[0]) + b"\1" + parts[1]),
    ),
    st.tuples(st.just(94), st.binary(max_size=100).map(lambda data: bytes(4) + string(data))),
)


@SLOW
@given(st.booleans(), st.lists(MESSAGE, min_size=1, max_size=6))
def test_any_messages_after_the_key_exchange_end_in_an_orderly_way(
    login: bool, messages: list[tuple[int, bytes]]
) -> None:
    async def talk() -> list[str]:
        async with decoy("ssh", persona("ssh", fail_delay="0")) as running:
            connection = await _connected(running.address, running.port, login=login)
            for number, body in messages:
                if connection._transport is not None:
                    SSHClientConnection.send_packet(connection, number, body)
            await asyncio.sleep(0.02)
            connection.abort()
            await running.settled()
            return [fact.reason for fact in running.recorded.of(SessionClosed)]

    assert asyncio.run(talk()) in (["peer"], ["service"])


async def _connected(address: str, port: int, *, login: bool) -> SSHClientConnection:
    """A client after its key exchange or its login, that ignores what it is told from then on."""
    options = {"known_hosts": None, "config": None, "client_keys": None, "agent_path": None, "username": "root"}
    if login:
        connection = await asyncssh.connect(address, port, password="letmein", **options)  # type: ignore[arg-type]
    else:
        loop = asyncio.get_running_loop()
        built = await asyncssh.SSHClientConnectionOptions.construct(None, **options)  # type: ignore[arg-type]
        built.waiter = loop.create_future()
        connection = SSHClientConnection(loop, built, wait="kex")
        await loop.create_connection(lambda: connection, address, port)
        await built.waiter
        connection._kex_complete = connection._auth_complete = True
    connection.process_packet = lambda *_: True  # type: ignore[method-assign]
    return connection


PATH = st.one_of(
    st.sampled_from(
        [b"/tmp/x", b"/etc/passwd", b"/etc", b".", b"", b"/nope/x", b"/tmp", b"a\0b", b"/bin", b"//", b"~"]
    ),
    st.binary(max_size=20),
)
SFTP = st.tuples(
    st.sampled_from([1, *range(3, 21), 99, 200]),
    st.one_of(
        st.binary(max_size=40),
        st.tuples(PATH, st.sampled_from([1, 2, 10, 26, 30, 58, 63])).map(
            lambda parts: string(parts[0]) + wire.uint32(parts[1]) + bytes(4)
        ),
        st.tuples(PATH, PATH).map(lambda parts: string(parts[0]) + string(parts[1])),
        st.tuples(st.integers(0, 3), st.binary(max_size=30)).map(
            lambda parts: string(wire.uint32(parts[0])) + bytes(8) + string(parts[1])
        ),
        st.tuples(st.sampled_from([b"posix-rename@openssh.com", b"expand-path@openssh.com"]), PATH)
        .map(lambda parts: string(parts[0]) + string(parts[1]) * 2),
    ),
).map(lambda parts: string(bytes((parts[0],)) + bytes(4) + parts[1]))  # fmt: skip


@settings(max_examples=EXAMPLES * 5, deadline=None)
@given(st.lists(SFTP, max_size=8), st.booleans())
def test_sftp_answers_each_request_or_gives_up(messages: list[bytes], root: bool) -> None:
    host = persona("ssh")
    view = View(Files(host), Overlays().of(host.address, "127.0.0.1"), host.users[0 if root else 1])
    silent: Any = Silent()
    kept = Uploads(silent, view, Room(silent))
    server = SftpServer(view, "/root", kept, lambda *_: 0, lambda _: None)
    server.feed(string(b"\x01\0\0\0\x03"))
    with contextlib.suppress(wire.WireError):
        for message in messages:
            assert len(server.feed(message)) == 1
    server.close()


class Silent:
    """A session that keeps nothing."""

    def __init__(self) -> None:
        self.quarantine = self

    def hold_more(self, more: int) -> None:
        pass

    def record(self, fact: object) -> None:
        pass

    def keep(self, data: bytes) -> tuple[str, bool]:
        return "", False
