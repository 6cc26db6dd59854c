"""Streamlined NTRU Prime 761, the encapsulating half: all that a server needs of `sntrup761x25519-sha512`.

From the public specification, "NTRU Prime: round 3" (https://ntruprime.cr.yp.to/nist/ntruprime-20201007.pdf, sections
3 and 4), with
the parameters p = 761, q = 4591, w = 286. A polynomial is a list of p integers, the constant term first.
"""

import random
from collections.abc import Sequence
from hashlib import sha512

P = 761
Q = 4591
WEIGHT = 286

PUBLIC_KEY_BYTES = 1158
CIPHERTEXT_BYTES = 1039
SESSION_KEY_BYTES = 32

_ROUNDED = (Q + 2) // 3
_HALF = (Q - 1) // 2
_LIMB = 3  # bytes: a product's coefficient is at most WEIGHT * (Q - 1) < 2**21
_RADIX_LIMIT = 1 << 14

_system_random = random.SystemRandom()


def encapsulate(public_key: bytes, source: random.Random = _system_random) -> tuple[bytes, bytes]:
    """The session key (32 bytes) and the ciphertext (1039 bytes) for a public key (1158 bytes).

    Raises `ValueError` when the key has another length. A key of that length that encodes no polynomial is read
    modulo q, as the reference does.
    """
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise ValueError("a public key of sntrup761 has 1158 bytes")
    secret = _short(source)
    product = _multiply([value - _HALF for value in decode(public_key, [Q] * P)], secret)
    rounded = [(value - _third(value) + _HALF) // 3 for value in product]
    inputs = _hash(3, _encode_small(secret))
    confirmation = _hash(2, inputs + _hash(4, public_key))
    ciphertext = encode(rounded, [_ROUNDED] * P) + confirmation
    return _hash(1, inputs + ciphertext), ciphertext


def encode(values: Sequence[int], moduli: Sequence[int]) -> bytes:
    """Integers `0 <= values[i] < moduli[i]` as a string of bytes (the specification's Encode)."""
    out = bytearray()
    while len(values) > 1:
        merged, merged_moduli = [], []
        for low in range(0, len(values) - 1, 2):
            value = values[low] + values[low + 1] * moduli[low]
            modulus = moduli[low] * moduli[low + 1]
            while modulus >= _RADIX_LIMIT:
                out.append(value & 255)
                value, modulus = value >> 8, (modulus + 255) >> 8
            merged.append(value)
            merged_moduli.append(modulus)
        if len(values) % 2:
            merged.append(values[-1])
            merged_moduli.append(moduli[-1])
        values, moduli = merged, merged_moduli
    value, modulus = values[0], moduli[0]
    while modulus > 1:
        out.append(value & 255)
        value, modulus = value >> 8, (modulus + 255) >> 8
    return bytes(out)


def decode(data: bytes, moduli: Sequence[int]) -> list[int]:
    """The integers that `encode` made bytes of; other bytes give integers within the moduli too."""
    levels = []
    at = 0
    while len(moduli) > 1:
        bottoms, merged_moduli = [], []
        for low in range(0, len(moduli) - 1, 2):
            modulus, bottom, scale = moduli[low] * moduli[low + 1], 0, 1
            while modulus >= _RADIX_LIMIT:
                bottom += data[at] * scale
                at += 1
                scale, modulus = scale << 8, (modulus + 255) >> 8
            bottoms.append((bottom, scale))
            merged_moduli.append(modulus)
        levels.append((moduli, bottoms))
        moduli = [*merged_moduli, moduli[-1]] if len(moduli) % 2 else merged_moduli
    values = [int.from_bytes(data[at:], "little") % moduli[0]]
    for level_moduli, bottoms in reversed(levels):
        values = _split(values, level_moduli, bottoms)
    return values


def _split(values: list[int], moduli: Sequence[int], bottoms: list[tuple[int, int]]) -> list[int]:
    """One level of `decode` undone: each value becomes the two that were merged into it."""
    out = []
    for pair, (bottom, scale) in enumerate(bottoms):
        whole = bottom + scale * values[pair]
        out.append(whole % moduli[2 * pair])
        out.append(whole // moduli[2 * pair] % moduli[2 * pair + 1])
    return [*out, values[-1]] if len(moduli) % 2 else out


def _short(source: random.Random) -> list[int]:
    """A random polynomial with `WEIGHT` coefficients of -1 or 1, the others 0."""
    out = [0] * P
    signs = source.getrandbits(WEIGHT)
    for at in source.sample(range(P), WEIGHT):
        out[at] = 1 if signs & 1 else -1
        signs >>= 1
    return out


def _multiply(large: Sequence[int], small: Sequence[int]) -> list[int]:
    """Their product modulo x**p - x - 1, coefficients in -2295..2295.

    Kronecker substitution: each polynomial becomes one big integer, so that CPython's own multiplication does the
    work; the small one is split by sign to keep every coefficient of a product positive.
    """
    positive = _packed([value % Q for value in large])
    plus = positive * _packed([int(value == 1) for value in small])
    minus = positive * _packed([int(value == -1) for value in small])
    size = 2 * P * _LIMB
    left, right = plus.to_bytes(size, "little"), minus.to_bytes(size, "little")
    full = [
        int.from_bytes(left[at : at + _LIMB], "little") - int.from_bytes(right[at : at + _LIMB], "little")
        for at in range(0, size - _LIMB, _LIMB)
    ]
    for at in range(2 * P - 2, P - 1, -1):
        full[at - P] += full[at]
        full[at - P + 1] += full[at]
    return [(value + _HALF) % Q - _HALF for value in full[:P]]


def _packed(values: Sequence[int]) -> int:
    return int.from_bytes(b"".join(value.to_bytes(_LIMB, "little") for value in values), "little")


def _third(value: int) -> int:
    """What separates `value` from the nearest multiple of three: -1, 0 or 1."""
    return (value + 1) % 3 - 1


def _encode_small(values: Sequence[int]) -> bytes:
    """Coefficients of -1, 0, 1, four to a byte."""
    padded = [value + 1 for value in values] + [0] * (-len(values) % 4)
    return bytes(
        padded[at] | padded[at + 1] << 2 | padded[at + 2] << 4 | padded[at + 3] << 6 for at in range(0, len(padded), 4)
    )


def _hash(prefix: int, data: bytes) -> bytes:
    return sha512(bytes((prefix,)) + data).digest()[:32]
