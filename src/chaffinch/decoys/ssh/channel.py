"""A session channel: what sshd answers to its requests, and the stream that a program of ours runs on."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING

import asyncssh
from asyncssh.constants import EXTENDED_DATA_STDERR, MSG_CHANNEL_EOF, MSG_CHANNEL_WINDOW_ADJUST
from asyncssh.misc import ProtocolError
from asyncssh.packet import SSHPacket, UInt32

if TYPE_CHECKING:
    from chaffinch.decoys.ssh.connection import DecoyConnection

WINDOW_BYTES = 2 << 20
"""What OpenSSH lets a client send ahead."""

INPUT_BYTES = 128 << 10
"""How much input waits for a program before the connection is not read any more."""

OUTPUT_BYTES = 64 << 10
"""How much output waits for the client before a program waits too."""

VARIABLES = 16
"""How many variables a client may set: AcceptEnv of Debian's sshd_config allows `LANG` and `LC_*`."""

_PACKET_BYTES = 32768

Program = Callable[["Stream"], Coroutine[None, None, int]]
Starter = Callable[["Stream", str, bytes], bool]
"""Starts the program for a `shell`, `exec` or `subsystem` request with that argument; False refuses the request."""


class Stream(asyncssh.SSHServerSession[bytes]):
    """A program's standard input, output and error on one channel."""

    def __init__(self, connection: "DecoyConnection", start: Starter) -> None:
        self.connection = connection
        self.pty = False
        self.environment: dict[str, str] = {}
        self._start = start
        self._channel: Channel | None = None
        self._input = bytearray()
        self._eof = False
        self._arrived = asyncio.Event()
        self._waiting: list[tuple[bytes, int | None]] = []
        self._burst = 0

    # What a program does -------------------------------------------------------------------------------------------

    async def read(self) -> bytes:
        """What has arrived; empty once the client has sent the end of its input or closed the channel."""
        while not (self._input or self._eof):
            self._arrived.clear()
            await self._arrived.wait()
        taken = bytes(self._input)
        self.connection.session.hold_more(-len(taken))
        self._input = bytearray()
        self.connection.session.resume()
        return taken

    def write(self, data: bytes) -> None:
        """Standard output. Call `drain` between the parts of a long one."""
        self._send(data, None)

    def write_error(self, data: bytes) -> None:
        """Standard error: the same stream on a terminal."""
        self._send(data, None if self.pty else EXTENDED_DATA_STDERR)

    def _send(self, data: bytes, kind: int | None) -> None:
        """Send now what a slow client may leave unread; the rest waits for `drain`."""
        if self._channel is None or self._channel.is_closing():
            return
        if self._waiting or self._burst + len(data) > OUTPUT_BYTES:
            self._waiting.append((data, kind))
            self.connection.session.hold_more(len(data))
        elif data:
            self._burst += len(data)
            self._channel.write(data, kind)

    async def drain(self) -> None:
        """Wait until the client has taken most of the output, or is gone."""
        waiting, self._waiting = self._waiting, []
        for data, kind in waiting:
            for at in range(0, len(data), _PACKET_BYTES):
                await self._taken()
                self._send(data[at : at + _PACKET_BYTES], kind)
            self.connection.session.hold_more(-len(data))
        await self._taken()

    async def _taken(self) -> None:
        await self.connection.session.drain()
        while self._channel is not None and self._channel.get_write_buffer_size() > OUTPUT_BYTES // 2:
            await asyncio.sleep(0.01)
        self._burst = 0

    async def finish(self, status: int) -> None:
        """The program's end: its status, the end of its output, the close."""
        await self.drain()
        while self._channel is not None and self._channel.get_write_buffer_size():
            await asyncio.sleep(0.01)
        if self._channel is not None:
            self._channel.end(status)

    # What asyncssh calls -------------------------------------------------------------------------------------------

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        assert isinstance(chan, Channel)
        self._channel = chan

    def connection_lost(self, exc: Exception | None) -> None:
        self._channel = None
        self.connection.session.hold_more(-len(self._input))
        self._input = bytearray()
        self.eof_received()
        self.connection.session.resume()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._input += data
        self.connection.session.hold_more(len(data))
        self._arrived.set()
        if len(self._input) > INPUT_BYTES:
            self.connection.session.pause()

    def eof_received(self) -> bool:
        self._eof = True
        self._arrived.set()
        return True

    def pty_requested(self, term_type: str, term_size: object, term_modes: object) -> bool:
        self.pty = True
        self.environment["TERM"] = term_type
        return True

    def request(self, kind: str, argument: bytes) -> bool:
        """Start a program. sshd opens the window before it says yes."""
        assert self._channel is not None
        if not self._start(self, kind, argument):
            return False
        self._channel.open_window()
        return True


class Channel(asyncssh.SSHServerChannel[bytes]):
    """asyncssh's channel with sshd's answers. Its window is closed until a program runs, as sshd's is."""

    _session: Stream

    def __init__(self, connection: "DecoyConnection") -> None:
        super().__init__(
            connection, asyncio.get_running_loop(), True, False, False, 0, 0, None, "strict", 0, _PACKET_BYTES
        )

    async def open(self, sender: int, window: int, size: int, stream: Stream) -> None:
        """Confirm the channel at once, so that a client need not wait with its first request."""
        self._send_chan, self._send_window, self._send_pktsize = sender, window, size
        await self._finish_open_request(stream)

    def open_window(self) -> None:
        self._recv_window = self._init_recv_window = WINDOW_BYTES
        self.send_packet(MSG_CHANNEL_WINDOW_ADJUST, UInt32(WINDOW_BYTES))

    def end(self, status: int) -> None:
        """Send the exit status, the end of output and the close, in sshd's order."""
        if self._send_state in ("close_pending", "closed"):
            return
        self._send_request(b"exit-status", UInt32(status & 0xFF))
        if self._send_state == "open":
            self.send_packet(MSG_CHANNEL_EOF)
            self._send_state = "eof"
        self.close()

    def _process_env_request(self, packet: SSHPacket) -> bool:
        name, value = packet.get_string(), packet.get_string()
        accepted = name == b"LANG" or name.startswith(b"LC_")
        if accepted and len(self._session.environment) < VARIABLES:
            self._session.environment[name.decode("ascii", "replace")[:64]] = value.decode("utf-8", "replace")[:256]
        return accepted

    def _process_shell_request(self, packet: SSHPacket) -> bool:
        return self._once("shell", b"")

    def _process_exec_request(self, packet: SSHPacket) -> bool:
        return self._once("exec", packet.get_string())

    def _process_subsystem_request(self, packet: SSHPacket) -> bool:
        return self._once("subsystem", packet.get_string())

    def _once(self, kind: str, argument: bytes) -> bool:
        if self._session_started:
            return False
        self._session_started = self._session.request(kind, argument)
        return self._session_started

    def _process_pty_req_request(self, packet: SSHPacket) -> bool:
        if self._session.pty:
            raise ProtocolError("Protocol error: you already have a pty.")
        return super()._process_pty_req_request(packet)

    def _process_x11_req_request(self, packet: SSHPacket) -> bool:
        """Granted, as by Debian's default configuration; no display is ever asked."""
        return True

    def _process_auth_agent_req_at_openssh_dot_com_request(self, packet: SSHPacket) -> bool:  # type: ignore[override]
        """Granted too; no agent is ever asked."""
        return True
