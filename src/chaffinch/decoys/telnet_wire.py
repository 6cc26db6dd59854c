"""The Telnet protocol as a server sees it (RFC 854, 855, 1143): bytes in; text, replies and answers out. Pure and
bounded."""

import msgspec

SE, NOP, BRK, IP, AO, AYT, EC, EL, GA = 240, 241, 243, 244, 245, 246, 247, 248, 249
SB, WILL, WONT, DO, DONT, IAC = 250, 251, 252, 253, 254, 255

BINARY, ECHO, SGA, STATUS, TIMING_MARK, TTYPE, NAWS, TSPEED, LFLOW, LINEMODE, XDISPLOC = (
    0,
    1,
    3,
    5,
    6,
    24,
    31,
    32,
    33,
    34,
    35,
)
OLD_ENVIRON, AUTHENTICATION, ENCRYPT, NEW_ENVIRON = 36, 37, 38, 39

IS, SEND = 0, 1

SUBNEGOTIATION_BYTES = 512
"""What is kept of one subnegotiation: as much as the daemons keep."""

_OURS = frozenset((BINARY, ECHO, SGA, STATUS))
_THEIRS = frozenset((BINARY, TTYPE, NAWS, TSPEED, LFLOW, XDISPLOC, NEW_ENVIRON))
_KEYS = {IP: b"\x03", BRK: b"\x03", EC: b"\x7f", EL: b"\x15"}


class Received(msgspec.Struct, frozen=True, gc=False):
    """What some bytes held: the text in them, and what to send back at once."""

    text: bytes
    replies: bytes


class Wire:
    """One connection's protocol state: a few small integers, and the options in force.

    `theirs` and `ours` are the options that are on; `asked` those that we asked about and that were not answered
    yet, as (WILL or DO, option). Subnegotiations that came stand in `told`, the last of each option.
    """

    __slots__ = ("_command", "_held", "_state", "asked", "extra", "ours", "theirs", "told")

    def __init__(self, extra: frozenset[int] = frozenset()) -> None:
        self.extra = extra
        self.ours: set[int] = set()
        self.theirs: set[int] = set()
        self.asked: set[tuple[int, int]] = set()
        self.told: dict[int, bytes] = {}
        self._state = "text"
        self._command = 0
        self._held = bytearray()

    @property
    def held(self) -> int:
        """The bytes of what was told."""
        return len(self._held) + sum(map(len, self.told.values()))

    def ask(self, *requests: tuple[int, int]) -> bytes:
        """The bytes that ask for options: (DO, option) of the peer, (WILL, option) for ourselves. What is on is not
        asked for."""
        requests = tuple(
            (command, option)
            for command, option in requests
            if option not in (self.ours if command == WILL else self.theirs)
        )
        self.asked.update(requests)
        return b"".join(bytes((IAC, command, option)) for command, option in requests)

    def waits_for(self, *options: int) -> bool:
        """Whether any of these is asked for and not answered."""
        return any((command, option) in self.asked for option in options for command in (DO, WILL))

    def feed(self, data: bytes) -> Received:
        """Take what arrived."""
        text, replies = bytearray(), bytearray()
        at = 0
        while at < len(data):
            if self._state == "text":
                end = data.find(b"\xff", at)
                end = len(data) if end < 0 else end
                text += data[at:end]
                at = end + 1
                if end < len(data):
                    self._state = "iac"
                continue
            self._byte(data[at], text, replies)
            at += 1
        return Received(bytes(text), bytes(replies))

    def _byte(self, byte: int, text: bytearray, replies: bytearray) -> None:
        match self._state:
            case "iac":
                self._state = "text"
                if byte == IAC:
                    text.append(IAC)
                elif byte in (WILL, WONT, DO, DONT):
                    self._state, self._command = "option", byte
                elif byte == SB:
                    self._state = "sub"
                    self._held = bytearray()
                elif byte == AYT:
                    replies += b"\r\n[Yes]\r\n"
                else:
                    text += _KEYS.get(byte, b"")
            case "option":
                self._state = "text"
                replies += self._option(self._command, byte)
            case "sub":
                if byte == IAC:
                    self._state = "sub iac"
                elif len(self._held) < SUBNEGOTIATION_BYTES:
                    self._held.append(byte)
            case "sub iac":
                self._state = "sub"
                if byte == SE:
                    self._state = "text"
                    self._subnegotiation()
                elif byte == IAC and len(self._held) < SUBNEGOTIATION_BYTES:
                    self._held.append(byte)

    def _option(self, command: int, option: int) -> bytes:
        """Answer WILL, WONT, DO or DONT: never to what only confirms, so that nothing loops (RFC 1143)."""
        ours = command in (DO, DONT)
        on, asked = (self.ours, (WILL, option)) if ours else (self.theirs, (DO, option))
        was_asked = asked in self.asked
        self.asked.discard(asked)
        yes, no = (WILL, WONT) if ours else (DO, DONT)
        if command in (WILL, DO):
            if ours and option == TIMING_MARK:
                return bytes((IAC, WILL, option))
            if option in on:
                return b""
            if not was_asked and option not in ((_OURS if ours else _THEIRS) | self.extra):
                return bytes((IAC, no, option))
            on.add(option)
            return b"" if was_asked else bytes((IAC, yes, option))
        if option not in on:
            return b""
        on.discard(option)
        return bytes((IAC, no, option))

    def _subnegotiation(self) -> None:
        """Keep what is told of the options that are in use here; others are dropped."""
        if self._held and self._held[0] in _THEIRS | self.extra:
            self.told[self._held[0]] = bytes(self._held[1:])
        self._held = bytearray()


def subnegotiation(option: int, body: bytes) -> bytes:
    """`body` for an option, with its frame."""
    return bytes((IAC, SB, option)) + body.replace(b"\xff", b"\xff\xff") + bytes((IAC, SE))


def window(body: bytes) -> tuple[int, int] | None:
    """Columns and rows that a NAWS subnegotiation tells (RFC 1073)."""
    return (int.from_bytes(body[:2], "big"), int.from_bytes(body[2:4], "big")) if len(body) == 4 else None


def environment(body: bytes) -> dict[bytes, bytes]:
    """The variables of a NEW-ENVIRON IS or INFO (RFC 1572): at most 16."""
    found: dict[bytes, bytes] = {}
    if not body or body[0] not in (IS, 2):
        return found
    name, value, reading = bytearray(), bytearray(), ""
    at = 1
    while at <= len(body):
        byte = body[at] if at < len(body) else 0
        if byte in (0, 3) or at == len(body):
            if name and len(found) < 16:
                found[bytes(name)] = bytes(value)
            name, value, reading = bytearray(), bytearray(), "name"
        elif byte == 1:
            reading = "value"
        else:
            if byte == 2:
                at += 1
                byte = body[at] if at < len(body) else 0
            (value if reading == "value" else name).append(byte)
        at += 1
    return found
