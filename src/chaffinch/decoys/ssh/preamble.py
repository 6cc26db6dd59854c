"""The part of SSH before encryption, as OpenSSH's server behaves in it. Pure: bytes in, decisions out.

Here a scanner tells a copy from the original, so every answer is the one that sshd 9.2p1 gives to the same bytes.
What passes goes on to asyncssh, which a connection that never gets so far does not pay for.
"""

import re
from collections.abc import Iterator

import msgspec

from chaffinch.decoys.ssh.algorithms import STRICT_CLIENT, STRICT_SERVER, Agreement, Release, agree
from chaffinch.decoys.ssh.wire import (
    MSG_DEBUG,
    MSG_DISCONNECT,
    MSG_IGNORE,
    MSG_KEXINIT,
    MSG_NEWKEYS,
    MSG_UNIMPLEMENTED,
    KexInit,
    WireError,
    disconnect,
    packet,
    parse_kexinit,
    uint32,
)

IDENTIFICATION_BYTES = 8192
"""The longest identification that OpenSSH reads; ours is bounded by it too."""

PACKET_BYTES = 256 << 10
"""OpenSSH's longest packet, and so the most that a connection holds before a packet is whole."""

_INVALID = b"Invalid SSH identification string.\r\n"
_DIFFER = b"Protocol major versions differ.\r\n"
_IDENTIFICATION = re.compile(rb"SSH-\s*([+-]?\d+)\.\s*([+-]?\d+)-(.+)", re.DOTALL)

_EXCHANGE_GROUP_REQUEST, _EXCHANGE_GROUP_INIT, _EXCHANGE_INIT = 34, 32, 30
_FIRST_AFTER_TRANSPORT = 50
_FIRST_LOCAL = 192
_IGNORED = (MSG_IGNORE, MSG_UNIMPLEMENTED, MSG_DEBUG)


class Identified(msgspec.Struct, frozen=True):
    """The client's identification without its line end, and how many bytes it took."""

    line: bytes
    size: int


class Refused(msgspec.Struct, frozen=True):
    """Not a client that OpenSSH talks to: `answer` is said before the close."""

    answer: bytes


def identify(data: bytes) -> Identified | Refused | None:
    """What the bytes received so far identify; None while more are needed.

    OpenSSH reads one byte at a time: a carriage return must be followed by another or by the end of the line, and a
    zero byte ends it.
    """
    end = data.find(b"\n")
    line = data if end < 0 else data[:end]
    text = line.rstrip(b"\r")
    if b"\0" in text or b"\r" in text or len(text) > IDENTIFICATION_BYTES:
        return Refused(_INVALID)
    if end < 0:
        return None
    found = _IDENTIFICATION.fullmatch(text)
    if found is None:
        return Refused(_INVALID)
    major, minor = _int32(found[1]), _int32(found[2])
    if major == 2 or (major == 1 and minor == 99):
        return Identified(text, end + 1)
    return Refused(_DIFFER)


def _int32(digits: bytes) -> int:
    """What `sscanf("%d")` of the GNU C library makes of digits of any length."""
    clamped = max(-(1 << 63), min(int(digits[:30]), (1 << 63) - 1))
    return (clamped + (1 << 31)) % (1 << 32) - (1 << 31)


class Pass(msgspec.Struct, frozen=True):
    """Bytes for asyncssh."""

    data: bytes


class Offered(msgspec.Struct, frozen=True):
    """The client's KEXINIT, and its packet for asyncssh. No agreement: OpenSSH closes without a word."""

    client: KexInit
    agreement: Agreement | None
    data: bytes


class Say(msgspec.Struct, frozen=True):
    """A payload to send, and what asyncssh gets for the packet that it answers; the connection goes on."""

    payload: bytes
    data: bytes


class Close(msgspec.Struct, frozen=True):
    """The end of the connection, after `payload` where there is one."""

    payload: bytes = b""


Step = Pass | Offered | Say | Close


class Opening(msgspec.Struct, frozen=True):
    """How a connection began: what we offered, our KEXINIT payload, and both identifications."""

    release: Release
    kexinit: bytes
    client: bytes
    server: bytes


class Plain:
    """The client's packets from its identification to its NEWKEYS; after that everything passes as it comes."""

    __slots__ = ("_agreement", "_data", "_expected", "_keyed", "_offer", "_sequence", "_skip")

    def __init__(self, offer: KexInit) -> None:
        self._offer = offer
        self._data = b""
        self._sequence = 0
        self._agreement: Agreement | None = None
        self._expected = MSG_KEXINIT
        self._keyed = False
        self._skip = False

    @property
    def strict(self) -> bool:
        """Whether both sides agreed on strict key exchange: then nothing but the exchange may be said."""
        return self._agreement is not None and self._agreement.strict

    @property
    def held(self) -> int:
        """The bytes of a packet that is not whole yet."""
        return len(self._data)

    @property
    def sequence(self) -> int:
        """How many packets came before the one that was decided last."""
        return self._sequence

    def feed(self, data: bytes) -> Iterator[Step]:
        """The decisions that follow from these bytes. After a `Close` nothing more may be fed."""
        self._data += data
        while self._data:
            raw = self._next()
            if raw is None:
                return
            step = self._decide(raw)
            yield step
            if isinstance(step, Close):
                return
            self._sequence += 1

    def _next(self) -> bytes | None:
        """The next whole packet, or all there is once packets are encrypted or no packets; None while more is
        needed."""
        if self._keyed or self._broken():
            raw, self._data = self._data, b""
            return raw
        length = 4 + int.from_bytes(self._data[:4], "big")
        if len(self._data) < 4 or len(self._data) < length:
            return None
        raw, self._data = self._data[:length], self._data[length:]
        return raw

    def _broken(self) -> bool:
        """Whether what comes next cannot be a packet."""
        length = int.from_bytes(self._data[:4], "big")
        return len(self._data) >= 4 and (length < 5 or length > PACKET_BYTES or (4 + length) % 8 != 0)

    def _decide(self, raw: bytes) -> Step:
        if self._keyed:
            return Pass(raw)
        length = int.from_bytes(raw[:4], "big")
        return self._packet(raw) if len(raw) == 4 + length else Close()

    def _packet(self, raw: bytes) -> Step:
        padding = raw[4]
        if padding < 4:
            return Close(disconnect(b"Corrupted padlen %d on input." % padding))
        payload = raw[5:-padding]
        if not payload:
            return Close()
        if self._skip:
            self._skip = False
            return Pass(self._stand_in())
        return self._message(payload[0], payload, raw)

    def _message(self, number: int, payload: bytes, raw: bytes) -> Step:
        if number == 0 or number >= _FIRST_LOCAL:
            return Close(disconnect(b"Invalid ssh2 packet type: %d" % number))
        if number == MSG_DISCONNECT or number >= _FIRST_AFTER_TRANSPORT:
            return Close()
        if number == self._expected:
            return self._expected_message(number, payload, raw)
        if self.strict:
            text = b"strict KEX violation: unexpected packet type %d (seqnr %d)" % (number, self._sequence)
            return Close(disconnect(text))
        if number in _IGNORED:
            return Pass(self._stand_in())
        return Say(bytes((MSG_UNIMPLEMENTED,)) + uint32(self._sequence), self._stand_in())

    def _expected_message(self, number: int, payload: bytes, raw: bytes) -> Step:
        if number == MSG_KEXINIT:
            return self._kexinit(payload, raw)
        if number == MSG_NEWKEYS:
            self._keyed = True
        elif number == _EXCHANGE_GROUP_REQUEST:
            self._expected = _EXCHANGE_GROUP_INIT
        else:
            self._expected = MSG_NEWKEYS
        return Pass(raw)

    def _kexinit(self, payload: bytes, raw: bytes) -> Step:
        try:
            client = parse_kexinit(payload)
        except WireError:
            return Close()
        if STRICT_CLIENT in client.kex and STRICT_SERVER in self._offer.kex and self._sequence:
            return Close(disconnect(b"strict KEX violation: KEXINIT was not the first packet"))
        self._agreement = agree(client, self._offer)
        if self._agreement is None:
            return Offered(client, None, b"")
        self._skip = self._agreement.guessed
        grouped = self._agreement.kex.startswith(b"diffie-hellman-group-exchange")
        self._expected = _EXCHANGE_GROUP_REQUEST if grouped else _EXCHANGE_INIT
        return Offered(client, self._agreement, raw)

    def _stand_in(self) -> bytes:
        """What asyncssh gets for a packet that means nothing, so that it counts the same packets as the client.

        Strict key exchange starts the count anew with NEWKEYS, and asyncssh would refuse this: then nothing is passed.
        """
        return b"" if self.strict else packet(bytes((MSG_IGNORE,)) + uint32(0))
