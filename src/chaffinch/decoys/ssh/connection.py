"""asyncssh, made to speak as OpenSSH does: its encryption and its channels, under sshd's answers.

Imported only once a client has sent its KEXINIT: asyncssh costs 21 MB and a sixth of a second.
"""

import asyncio
import functools
import os

import asyncssh
from asyncssh.connection import SSHConnection, SSHServerConnection, SSHServerConnectionOptions
from asyncssh.constants import (
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EOF,
    MSG_CHANNEL_EXTENDED_DATA,
    MSG_CHANNEL_OPEN,
    MSG_CHANNEL_REQUEST,
    MSG_CHANNEL_WINDOW_ADJUST,
    MSG_DEBUG,
    MSG_DISCONNECT,
    MSG_EXT_INFO,
    MSG_GLOBAL_REQUEST,
    MSG_IGNORE,
    MSG_KEXINIT,
    MSG_NEWKEYS,
    MSG_REQUEST_FAILURE,
    MSG_REQUEST_SUCCESS,
    MSG_SERVICE_REQUEST,
    MSG_UNIMPLEMENTED,
    MSG_USERAUTH_FAILURE,
    MSG_USERAUTH_REQUEST,
)
from asyncssh.logging import logger as asyncssh_logger
from asyncssh.misc import ProtocolError
from asyncssh.packet import NameList, SSHPacket, String, UInt32

from chaffinch.decoys.session import Session
from chaffinch.decoys.ssh import hostkeys, primitives
from chaffinch.decoys.ssh.algorithms import STRICT_SERVER
from chaffinch.decoys.ssh.channel import Channel, Starter, Stream
from chaffinch.decoys.ssh.login import Login, Verdict
from chaffinch.decoys.ssh.preamble import Opening
from chaffinch.decoys.ssh.transport import SessionTransport
from chaffinch.events import Command, printable

MAX_CHANNELS = 10
"""MaxSessions of sshd_config(5)."""

WAITING_BYTES = 64 << 10
"""How much a client may send while it waits for an answer."""

_REKEY_BYTES = 1 << 30
_OPEN_PROHIBITED, _OPEN_FAILED = 1, 2
_MISPLACED = (
    "Authentication not in progress",
    "Invalid request before",
    "Key exchange not in progress",
    "New keys not negotiated",
    "Service request received before",
)
"""How asyncssh begins its complaint about a message in the wrong place; sshd answers each with UNIMPLEMENTED and goes
on."""

_SAID = ("Invalid ssh2 packet type", "Protocol error: you already have a pty.")
"""What we complain of in sshd's own words."""

_CHANNEL_MESSAGES = {
    MSG_CHANNEL_DATA: b"data",
    MSG_CHANNEL_EXTENDED_DATA: b"extended data",
    MSG_CHANNEL_EOF: b"ieof",
    MSG_CHANNEL_CLOSE: b"oclose",
}
_FIRST_LOCAL = 192

asyncssh_logger.setLevel("CRITICAL")  # what peers do is recorded as facts, not logged


primitives.register()


@functools.cache
def _options() -> SSHServerConnectionOptions:
    """Options that switch off what asyncssh would do by itself. Its host key is never used: each persona has its
    own."""
    return SSHServerConnectionOptions(
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        config=None,
        gss_host=None,
        login_timeout=0,
        keepalive_interval=0,
        agent_forwarding=False,
        x11_forwarding=False,
        encoding=None,
        line_editor=False,
    )


class DecoyConnection(SSHServerConnection):
    """One client's connection after both KEXINITs. `start` starts the programs that its channels ask for."""

    def __init__(self, session: Session, transport: SessionTransport, opening: Opening, start: Starter) -> None:
        super().__init__(asyncio.get_running_loop(), _options())
        self.session = session
        self.login = Login(session.persona, session.service, session.random)
        self._release = opening.release
        self._server_kexinit = opening.kexinit
        self._client_version, self._server_version = opening.client, opening.server
        self._start = start
        self._host_key: hostkeys.HostKey | None = None
        self._counted = 0
        self._all_keys: list[asyncssh.SSHKey] = []
        self._more_sessions = True
        self._number = 0
        offer = self._release.offer
        self._kex_algs = [name for name in offer.kex if name != STRICT_SERVER]
        self._server_host_key_algs = list(offer.host_keys)
        self._enc_algs, self._mac_algs = list(offer.ciphers[0]), list(offer.macs[0])
        self._cmp_algs = list(offer.compressions[0])
        self._rekey_bytes, self._rekey_seconds = _REKEY_BYTES, 0
        self.connection_made(transport)

    # The key exchange ----------------------------------------------------------------------------------------------

    def take_over(self, host_key: hostkeys.HostKey, *, sent: int, received: int) -> None:
        """Go on where the preamble stopped: our KEXINIT is out, `sent` packets have left and `received` have come."""
        self._kexinit_sent = True
        self._host_key = host_key
        self._send_seq, self._recv_seq = sent, received
        self._recv_handler = self._recv_pkthdr

    def _send_version(self) -> None:
        """It went out before asyncssh was there."""

    def _send_kexinit(self) -> None:
        """Only for a later exchange: the first went out before."""
        self._kex_complete = False
        self._rekey_bytes_sent = 0
        payload = self._release.offer.encode(os.urandom(16))
        self._server_kexinit = payload
        self.send_packet(MSG_KEXINIT, payload[1:])

    async def _first_kexinit(self, number: int, sequence: int, packet: SSHPacket) -> None:
        await super()._process_kexinit(number, sequence, packet)
        self._ignore_first_kex = False  # the preamble drops a wrong guess by OpenSSH's rule
        # asyncssh looks at the client's offer alone; a release without the marker keeps its sequence numbers.
        self._strict_kex = self._strict_kex and STRICT_SERVER in self._release.offer.kex

    def choose_server_host_key(self, peer_host_key_algs: object) -> bool:
        """The preamble agreed on it."""
        return self._host_key is not None

    def get_server_host_key(self) -> hostkeys.HostKey | None:  # type: ignore[override]
        return self._host_key

    def _send_ext_info(self) -> None:
        extensions = [(b"server-sig-algs", b",".join(self._release.signatures))]
        if self._release.host_bound:
            extensions.append((b"publickey-hostbound@openssh.com", b"0"))
        pairs = b"".join(String(name) + String(value) for name, value in extensions)
        self.send_packet(MSG_EXT_INFO, UInt32(len(extensions)), pairs)

    # Packets -------------------------------------------------------------------------------------------------------

    def send_packet(self, pkttype: int, *args: bytes, handler: object = None) -> None:
        """Send a packet, without the empty IGNORE that asyncssh puts before each: OpenSSH sends none."""
        if pkttype != MSG_IGNORE:
            super().send_packet(pkttype, *args, handler=handler)  # type: ignore[arg-type]

    def _recv_packet(self) -> bool:
        try:
            return super()._recv_packet()
        except ProtocolError as error:
            text = str(error)
            if text.startswith("Invalid channel number"):
                self._stray(int(text.split()[3]))
            elif text.startswith(_MISPLACED):
                self._unimplemented()
            else:
                raise
        self._finish_recv_packet(0, self._recv_seq)
        return True

    def log_received_packet(self, pkttype: int, *args: object, **named: object) -> None:
        """Not a log: where asyncssh tells of each packet, and the one place to stop what no version of SSH has."""
        self._number = pkttype
        if pkttype == 0 or pkttype >= _FIRST_LOCAL:
            raise ProtocolError(f"Invalid ssh2 packet type: {pkttype}")

    def log_sent_packet(self, *args: object, **named: object) -> None:
        """asyncssh tells of each packet that it sends."""

    def _unimplemented(self) -> None:
        self.send_packet(MSG_UNIMPLEMENTED, UInt32(self._recv_seq))

    def _stray(self, channel: int) -> None:
        """A message for a channel that is not open: sshd ends the connection, except for a request to send more."""
        if self._number == MSG_CHANNEL_REQUEST:
            self._goodbye(b"server_input_channel_req: unknown channel %d" % channel)
        elif self._number != MSG_CHANNEL_WINDOW_ADJUST:
            what = _CHANNEL_MESSAGES.get(self._number, b"status")
            self._goodbye(b"%s packet referred to nonexistent channel %d" % (what, channel))

    def _finish_recv_packet(self, *args: object, **named: object) -> None:
        super()._finish_recv_packet(*args, **named)  # type: ignore[arg-type]
        self._count_input()
        self.session.resume()

    def _count_input(self) -> None:
        """Have what is not decoded yet counted with what the session holds."""
        held = len(self._inpbuf)
        if held != self._counted:
            self.session.hold_more(held - self._counted)
            self._counted = held

    def receive(self, data: bytes) -> None:
        """Take bytes; while an answer takes its time, no more than `WAITING_BYTES` of them."""
        self.data_received(data)
        self._count_input()
        busy = self._recv_handler not in (self._recv_pkthdr, self._recv_packet)
        if busy and len(self._inpbuf) > WAITING_BYTES:
            self.session.pause()

    @property
    def over(self) -> bool:
        """Whether asyncssh has let go of the connection."""
        return self._transport is None

    def _send_disconnect(self, code: int, reason: str, lang: str) -> None:
        """sshd just closes for most of what asyncssh complains about."""
        if reason.startswith(_SAID):
            super()._send_disconnect(2, reason, "")

    def _goodbye(self, text: bytes) -> None:
        """End the connection as sshd does when it says why."""
        super()._send_disconnect(2, text.decode("utf-8", "replace"), "")
        self._force_close(None)

    def _process_disconnect(self, number: int, sequence: int, packet: SSHPacket) -> None:
        self.session.reason = self.session.reason or "peer"
        super()._process_disconnect(number, sequence, packet)

    def _cleanup(self, exc: Exception | None) -> None:
        """The connection is over: so is everything that asyncssh started for it."""
        for task in list(self._tasks):
            task.cancel()
        super()._cleanup(exc)

    async def ended(self) -> None:
        """Close whatever is still open and wait for the last task."""
        if not self.is_closed():
            self._force_close(None)
            await self.wait_closed()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Authentication ------------------------------------------------------------------------------------------------

    def _process_service_request(self, number: int, sequence: int, packet: SSHPacket) -> None:
        service = packet.get_string()
        if self._auth_complete:
            self._unimplemented()
            return
        if service != b"ssh-userauth":
            self._goodbye(b"bad service request %s" % service)
            return
        self._next_service = service
        super()._process_service_request(number, sequence, SSHPacket(String(service)))

    async def _authenticate(self, _number: int, _sequence: int, packet: SSHPacket) -> None:
        if self._auth_complete or not self._auth_in_progress:
            self._unimplemented()
            return
        verdict = self.login.judge(packet.get_remaining_payload())
        if verdict.fact is not None:
            self.session.record(verdict.fact)
        if verdict.delay:
            await self.session.sleep(verdict.delay)
        await self._answer(verdict)

    async def _answer(self, verdict: Verdict) -> None:
        if verdict.broken:
            self._force_close(None)
        elif verdict.goodbye:
            self._goodbye(verdict.goodbye)
        elif verdict.accepted:
            self._all_keys = [await hostkeys.key_of(self.session.persona, kind) for kind in hostkeys.KINDS]
            self._username = self.login.username
            self.session.deadline = self.session.opened + self.session.spec.total
            await self.send_userauth_success()
        else:
            self.send_packet(MSG_USERAUTH_FAILURE, NameList(self.login.methods), b"\0")

    def send_server_host_keys(self) -> None:
        """Tell the client of all keys, as sshd does after each login."""
        self._send_global_request(b"hostkeys-00@openssh.com", *(String(key.public_data) for key in self._all_keys))

    # Requests and channels -----------------------------------------------------------------------------------------

    def _global_request(self, _number: int, _sequence: int, packet: SSHPacket) -> None:
        name = packet.get_string()
        wants_reply = packet.get_boolean()
        answer = self._answer_to(name, packet)
        if wants_reply and answer is None:
            self.send_packet(MSG_REQUEST_FAILURE)
        elif wants_reply:
            self.send_packet(MSG_REQUEST_SUCCESS, answer or b"")

    def _answer_to(self, name: bytes, packet: SSHPacket) -> bytes | None:
        """What a global request is answered with; None refuses it."""
        if name == b"no-more-sessions@openssh.com":
            self._more_sessions = False
            return b""
        if name == b"hostkeys-prove-00@openssh.com":
            return self._prove(packet)
        if name in (b"tcpip-forward", b"streamlocal-forward@openssh.com"):
            where = printable(packet.get_string(), 256)
            port = f":{packet.get_uint32()}" if name == b"tcpip-forward" else ""
            self.session.record(Command(f"{name.decode()} {where}{port}"))
        return None

    def _prove(self, packet: SSHPacket) -> bytes | None:
        proofs = b""
        while packet.get_remaining_payload():
            blob = packet.get_string()
            key = next((key for key in self._all_keys if key.public_data == blob), None)
            if key is None:
                return None
            algorithm = b"rsa-sha2-512" if key.algorithm == b"ssh-rsa" else key.algorithm
            data = String(b"hostkeys-prove-00@openssh.com") + String(self._session_id) + String(blob)
            proofs += String(key.sign(data, algorithm))
        return proofs

    async def _channel_open(self, _number: int, _sequence: int, packet: SSHPacket) -> None:
        kind = packet.get_string()
        sender, window, size = packet.get_uint32(), packet.get_uint32(), packet.get_uint32()
        if kind == b"session" and not self._more_sessions:
            self._goodbye(b"Possible attack: attempt to open a session after additional sessions disabled")
        elif kind == b"session" and len(self._channels) < MAX_CHANNELS:
            await Channel(self).open(sender, window, size, Stream(self, self._start))
        elif kind in (b"direct-tcpip", b"direct-streamlocal@openssh.com"):
            where = printable(packet.get_string(), 256)
            port = f":{packet.get_uint32()}" if kind == b"direct-tcpip" else ""
            self.session.record(Command(f"{kind.decode()} {where}{port}"))
            self.send_channel_open_failure(sender, _OPEN_PROHIBITED, "open failed", "")
        else:
            self.send_channel_open_failure(sender, _OPEN_FAILED, "open failed", "")

    def _late_answer(self, _number: int, _sequence: int, _packet: SSHPacket) -> None:
        """To a request of ours that wanted none."""

    _packet_handlers = {  # noqa: RUF012  as asyncssh declares it
        MSG_DISCONNECT: _process_disconnect,
        MSG_IGNORE: SSHConnection._process_ignore,  # noqa: SLF001
        MSG_UNIMPLEMENTED: SSHConnection._process_unimplemented,  # noqa: SLF001
        MSG_DEBUG: SSHConnection._process_debug,  # noqa: SLF001
        MSG_KEXINIT: _first_kexinit,
        MSG_NEWKEYS: SSHConnection._process_newkeys,  # noqa: SLF001
        MSG_SERVICE_REQUEST: _process_service_request,
        MSG_USERAUTH_REQUEST: _authenticate,
        MSG_GLOBAL_REQUEST: _global_request,
        MSG_REQUEST_SUCCESS: _late_answer,
        MSG_REQUEST_FAILURE: _late_answer,
        MSG_CHANNEL_OPEN: _channel_open,
    }
