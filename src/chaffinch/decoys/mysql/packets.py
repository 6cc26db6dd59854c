"""The client/server protocol as bytes: packets in, packets out. Nothing here waits, and nothing here knows a session.

A packet is three bytes of length, one sequence number, and a payload: protocol version 10, as MariaDB speaks it.
"""

import struct

import msgspec

MAX_PAYLOAD = 0xFFFFFF

CONNECT_WITH_DB = 1 << 3
PROTOCOL_41 = 1 << 9
MULTI_STATEMENTS = 1 << 16
SECURE_CONNECTION = 1 << 15
PLUGIN_AUTH = 1 << 19
CONNECT_ATTRS = 1 << 20
LENGTH_ENCODED_AUTH = 1 << 21
SESSION_TRACK = 1 << 23
DEPRECATE_EOF = 1 << 24
CLIENT_MYSQL = 1 << 0
EXTENDED_METADATA = 1 << 35
CACHE_METADATA = 1 << 36

SERVER_CAPABILITIES = 0x1D_81FF_F7FE
"""What MariaDB 10.11 offers as Debian configures it: everything but TLS, with its own extensions above bit 32."""

AUTOCOMMIT = 0x0002
IN_TRANSACTION = 0x0001
MORE_RESULTS = 0x0008
NO_INDEX_USED = 0x0020
STATE_CHANGED = 0x4000

UTF8MB4_GENERAL_CI = 45
NATIVE_PASSWORD = b"mysql_native_password"


class MalformedError(Exception):
    """The payload is not what the client should have sent; `sqlstate` says whether the answer carries one."""

    def __init__(self, *, sqlstate: bool = True) -> None:
        super().__init__()
        self.sqlstate = sqlstate


class Login(msgspec.Struct, frozen=True):
    """What a client answers to the greeting. `attributes` are what it says of itself, in its order."""

    capabilities: int
    charset: int
    user: bytes
    auth: bytes
    database: bytes
    plugin: bytes
    attributes: tuple[tuple[bytes, bytes], ...] = ()


def packet(payload: bytes, sequence: int) -> bytes:
    """One packet. Payloads of 16 MiB and more do not occur in what a decoy sends."""
    return struct.pack("<I", len(payload) | (sequence & 0xFF) << 24) + payload


def length_encoded(value: int) -> bytes:
    if value < 0xFB:
        return bytes((value,))
    if value < 0x10000:
        return b"\xfc" + struct.pack("<H", value)
    if value < 0x1000000:
        return b"\xfd" + struct.pack("<I", value)[:3]
    return b"\xfe" + struct.pack("<Q", value)


def counted(data: bytes) -> bytes:
    """A string with its length before it."""
    return length_encoded(len(data)) + data


def greeting(version: str, connection_id: int, salt: bytes) -> bytes:
    """The payload of the server's first packet. `salt` is 20 bytes without NUL."""
    return (
        b"\x0a5.5.5-"  # the prefix lets replicas that compare versions take MariaDB 10 for something newer than MySQL 5
        + version.encode()
        + b"\0"
        + struct.pack("<I", connection_id)
        + salt[:8]
        + b"\0"
        + struct.pack(
            "<HBHHB6xI",
            SERVER_CAPABILITIES & 0xFFFF,
            UTF8MB4_GENERAL_CI,
            AUTOCOMMIT,
            SERVER_CAPABILITIES >> 16 & 0xFFFF,
            len(salt) + 1,
            SERVER_CAPABILITIES >> 32,
        )
        + salt[8:]
        + b"\0"
        + NATIVE_PASSWORD
        + b"\0"
    )


def switch_request(salt: bytes) -> bytes:
    """Ask the client to authenticate with the native plug-in and this salt."""
    return b"\xfe" + NATIVE_PASSWORD + b"\0" + salt + b"\0"


def error(code: int, state: str, message: str | bytes, *, sqlstate: bool = True) -> bytes:
    """An error's payload; clients of the old protocol get it without its SQL state."""
    text = message if isinstance(message, bytes) else message.encode("utf-8", "surrogateescape")
    return b"\xff" + struct.pack("<H", code) + (b"#" + state.encode() if sqlstate else b"") + text[:511]


def ok(affected: int, insert_id: int, status: int, warnings: int, info: bytes = b"", changes: bytes = b"") -> bytes:
    """An OK's payload. `changes` are encoded session changes, empty for clients that did not ask to be told."""
    head = b"\0" + length_encoded(affected) + length_encoded(insert_id)
    if changes:
        return head + struct.pack("<HH", status | STATE_CHANGED, warnings) + counted(info) + counted(changes)
    return head + struct.pack("<HH", status, warnings) + (counted(info) if info else b"")


def end_of_rows(status: int, *, deprecated: bool) -> bytes:
    """What follows columns and rows: an EOF, or for newer clients an OK with the EOF's header."""
    if deprecated:
        return b"\xfe\0\0" + struct.pack("<HH", status, 0)
    return b"\xfe" + struct.pack("<HH", 0, status)


def schema_changed(name: bytes) -> bytes:
    return b"\x01" + counted(counted(name))


def variable_changed(name: bytes, value: bytes) -> bytes:
    return b"\x00" + counted(counted(name) + counted(value))


class Cursor:
    """A payload that is taken apart from its beginning; running past its end is `MalformedError`."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise MalformedError
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def terminated(self) -> bytes:
        """Up to the next NUL, which must be there."""
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise MalformedError
        found = self.data[self.at : end]
        self.at = end + 1
        return found

    def rest_until_nul(self) -> bytes:
        """Up to the next NUL, or all that is left."""
        return self.terminated() if b"\0" in self.data[self.at :] else self.rest()

    def rest(self) -> bytes:
        found = self.data[self.at :]
        self.at = len(self.data)
        return found

    def length(self) -> int:
        first = self.number(1)
        if first < 0xFB:
            return first
        if first in (0xFB, 0xFF):
            raise MalformedError
        return self.number({0xFC: 2, 0xFD: 3, 0xFE: 8}[first])

    def counted(self) -> bytes:
        return self.take(self.length())

    @property
    def left(self) -> int:
        return len(self.data) - self.at


def parse_login(payload: bytes) -> Login:
    """The client's answer to the greeting, of the 4.1 protocol or the one before. Raises `MalformedError`."""
    if len(payload) < 2:
        raise MalformedError
    low = int.from_bytes(payload[:2], "little")
    if low & PROTOCOL_41:
        return _parse_login_41(Cursor(payload))
    try:
        return _parse_login_320(Cursor(payload), low)
    except MalformedError:
        raise MalformedError(sqlstate=False) from None


def _parse_login_320(cursor: Cursor, capabilities: int) -> Login:
    cursor.take(5)
    user = cursor.terminated()
    password, _, rest = cursor.rest().partition(b"\0")
    database = rest.partition(b"\0")[0] if capabilities & CONNECT_WITH_DB else b""
    return Login(capabilities, 8, user, password, database, b"mysql_old_password")


def _parse_login_41(cursor: Cursor) -> Login:
    capabilities = cursor.number(4)
    cursor.take(4)
    charset = cursor.number(1)
    filler = cursor.take(23)
    if not capabilities & CLIENT_MYSQL:
        capabilities |= int.from_bytes(filler[19:], "little") << 32
    user = cursor.terminated()
    if capabilities & LENGTH_ENCODED_AUTH:
        auth = cursor.counted()
    elif capabilities & SECURE_CONNECTION:
        auth = cursor.take(cursor.number(1))
    else:
        auth = cursor.terminated()
    database = cursor.rest_until_nul() if capabilities & CONNECT_WITH_DB else b""
    plugin = NATIVE_PASSWORD
    if capabilities & PLUGIN_AUTH and cursor.left:
        plugin = cursor.rest_until_nul()
    attributes = _attributes(cursor) if capabilities & CONNECT_ATTRS and cursor.left else ()
    return Login(capabilities, charset, user, auth, database, plugin, attributes)


def _attributes(cursor: Cursor) -> tuple[tuple[bytes, bytes], ...]:
    """At most 20 of the client's attributes; a list that does not add up is ignored, as the server does."""
    found: list[tuple[bytes, bytes]] = []
    try:
        inner = Cursor(cursor.counted())
        while inner.left and len(found) < 20:
            name = inner.counted()
            found.append((name, inner.counted()))
    except MalformedError:
        return ()
    return tuple(found)
