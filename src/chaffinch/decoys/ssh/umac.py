"""UMAC (RFC 4418), the MAC that OpenSSH's client prefers beside a cipher that has none of its own.

asyncssh takes it from libnettle, which it looks for by running a compiler. In Python a kilobyte costs a tenth of a
millisecond; clients that move much data choose a cipher that needs no MAC.
"""

import hmac
import struct
from itertools import islice

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

_BLOCK = 1024
_GROUP = 32
_WORD = 0xFFFFFFFF
_DOUBLE = 0xFFFFFFFFFFFFFFFF
_P36 = (1 << 36) - 5
_P64 = (1 << 64) - 59
_LIMIT64 = (1 << 64) - (1 << 32)
_MASK64 = 0x01FFFFFF01FFFFFF


class Umac:
    """UMAC with one key (16 bytes) and tags of `size` (8 or 16) bytes, in the shape of asyncssh's MACs."""

    def __init__(self, key: bytes, size: int) -> None:
        rounds = size // 4
        self._size = size
        self._pad = Cipher(AES(_derive(key, 0, 16)), ECB()).encryptor()  # noqa: S305  UMAC is built on bare AES
        first = struct.unpack(f">{256 + 4 * (rounds - 1)}I", _derive(key, 1, _BLOCK + (rounds - 1) * 16))
        second = _derive(key, 2, rounds * 24)
        third = struct.unpack(f">{rounds * 8}Q", _derive(key, 3, rounds * 64))
        last = struct.unpack(f">{rounds}I", _derive(key, 4, rounds * 4))
        self._rounds = [
            (
                first[4 * at : 4 * at + 256],
                int.from_bytes(second[24 * at : 24 * at + 8], "big") & _MASK64,
                [word % _P36 for word in third[8 * at : 8 * at + 8]],
                last[at],
            )
            for at in range(rounds)
        ]

    def sign(self, seq: int, packet: bytes) -> bytes:
        """The tag of a packet whose sequence number is the nonce."""
        return bytes(a ^ b for a, b in zip(self._hash(packet), self._nonce(seq), strict=True))

    def verify(self, seq: int, packet: bytes, sig: bytes) -> bool:
        """Whether the tag is that of the packet."""
        return hmac.compare_digest(self.sign(seq, packet), sig)

    def _nonce(self, seq: int) -> bytes:
        """What hides the hash: two tags of 8 bytes share one block of the cipher."""
        if self._size == 16:
            return self._pad.update(struct.pack(">QQ", seq, 0))
        block = self._pad.update(struct.pack(">QQ", seq & ~1, 0))
        return block[8:] if seq & 1 else block[:8]

    def _hash(self, data: bytes) -> bytes:
        parts = [data[at : at + _BLOCK] for at in range(0, len(data), _BLOCK)] or [b""]
        blocks = [(_words(part), 8 * len(part)) for part in parts]
        out = b""
        for key1, key2, key3, key4 in self._rounds:
            sums = [(_compress(words, key1) + bits) & _DOUBLE for words, bits in blocks]
            value = sums[0] if len(sums) == 1 else _polynomial(sums, key2)
            halves = struct.unpack(">8H", value.to_bytes(16, "big"))
            folded = sum(a * b for a, b in zip(halves, key3, strict=True)) % _P36
            out += struct.pack(">I", folded & _WORD ^ key4)
        return out


def _derive(key: bytes, purpose: int, size: int) -> bytes:
    """KDF of RFC 4418, section 3.2.1."""
    blocks = b"".join(struct.pack(">QQ", purpose, at) for at in range(1, -(-size // 16) + 1))
    return Cipher(AES(key), ECB()).encryptor().update(blocks)[:size]  # noqa: S305  as above


def _words(part: bytes) -> tuple[int, ...]:
    """A block as little-endian words, padded with zeros to groups of eight and to one group at least."""
    padded = part + bytes(-len(part) % _GROUP) if part else bytes(_GROUP)
    return struct.unpack(f"<{len(padded) // 4}I", padded)


def _compress(words: tuple[int, ...], key: tuple[int, ...]) -> int:
    """NH of section 5.2.2: each word meets the one four places on."""
    added = [(word + secret) & _WORD for word, secret in zip(words, islice(key, len(words)), strict=True)]
    total = 0
    for at in range(0, len(added), 8):
        a, b, c, d, e, f, g, h = added[at : at + 8]
        total += a * e + b * f + c * g + d * h
    return total & _DOUBLE


def _polynomial(sums: list[int], key: int) -> int:
    """POLY of section 5.3.2 with 64-bit words."""
    value = 1
    for word in sums:
        if word >= _LIMIT64:
            value = (key * value + _P64 - 1) % _P64
            word -= 59  # noqa: PLW2901  as the specification has it
        value = (key * value + word) % _P64
    return value
