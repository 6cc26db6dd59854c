"""The SSH wire (RFC 4251 section 5, RFC 4253 section 6): strings, name-lists and packets before encryption. Pure
functions over bytes."""

import os

import msgspec

MSG_DISCONNECT = 1
MSG_IGNORE = 2
MSG_UNIMPLEMENTED = 3
MSG_DEBUG = 4
MSG_KEXINIT = 20
MSG_NEWKEYS = 21

DISCONNECT_PROTOCOL_ERROR = 2

_BLOCK = 8
_LEAST_PADDING = 4


class WireError(ValueError):
    """A field runs past the end of its packet, or bytes follow the last field."""


def string(value: bytes) -> bytes:
    """A length of four bytes, then the bytes."""
    return len(value).to_bytes(4, "big") + value


def uint32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def disconnect(text: bytes) -> bytes:
    """The payload of a disconnect for a protocol error, as OpenSSH sends it."""
    return bytes((MSG_DISCONNECT,)) + uint32(DISCONNECT_PROTOCOL_ERROR) + string(text) + string(b"")


def packet(payload: bytes) -> bytes:
    """The payload as a packet without encryption, padded with random bytes."""
    padding = -(5 + len(payload)) % _BLOCK
    padding += _BLOCK if padding < _LEAST_PADDING else 0
    return uint32(1 + len(payload) + padding) + bytes((padding,)) + payload + os.urandom(padding)


class Reader:
    """Takes fields off a payload from left to right. Raises `WireError` where one runs past the end."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise WireError("a field runs past the end of its packet")
        self._at += count
        return self._data[self._at - count : self._at]

    def byte(self) -> int:
        return self.take(1)[0]

    def boolean(self) -> bool:
        return self.byte() != 0

    def uint32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def uint64(self) -> int:
        return int.from_bytes(self.take(8), "big")

    def string(self) -> bytes:
        return self.take(self.uint32())

    def names(self) -> tuple[bytes, ...]:
        """A name-list; an empty one has no names. OpenSSH refuses a list that holds a zero byte."""
        value = self.string()
        if b"\0" in value:
            raise WireError("a name-list holds a zero byte")
        return tuple(value.split(b",")) if value else ()

    def end(self) -> None:
        """Say that nothing may follow."""
        if self._at != len(self._data):
            raise WireError("bytes follow the last field")


class KexInit(msgspec.Struct, frozen=True):
    """The name-lists of a KEXINIT; each pair is client to server, server to client."""

    kex: tuple[bytes, ...]
    host_keys: tuple[bytes, ...]
    ciphers: tuple[tuple[bytes, ...], tuple[bytes, ...]]
    macs: tuple[tuple[bytes, ...], tuple[bytes, ...]]
    compressions: tuple[tuple[bytes, ...], tuple[bytes, ...]]
    first_follows: bool = False

    def encode(self, cookie: bytes) -> bytes:
        """The payload, with `cookie` (16 bytes) in front and no languages."""
        lists = (self.kex, self.host_keys, *self.ciphers, *self.macs, *self.compressions, (), ())
        return b"".join(
            (
                bytes((MSG_KEXINIT,)),
                cookie,
                *(string(b",".join(names)) for names in lists),
                bytes((self.first_follows,)),
                uint32(0),
            )
        )


def parse_kexinit(payload: bytes) -> KexInit:
    """The lists of a KEXINIT payload. Raises `WireError`."""
    fields = Reader(payload)
    fields.take(17)  # the message's number and the cookie
    lists = [fields.names() for _ in range(10)]
    parsed = KexInit(
        kex=lists[0],
        host_keys=lists[1],
        ciphers=(lists[2], lists[3]),
        macs=(lists[4], lists[5]),
        compressions=(lists[6], lists[7]),
        first_follows=fields.boolean(),
    )
    fields.uint32()
    fields.end()
    return parsed
