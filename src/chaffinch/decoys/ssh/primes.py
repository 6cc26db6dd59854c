"""RSA keys that follow from a seed: a deterministic stream, a sieve, and the test of Miller and Rabin. Pure, and
slow: run it in a thread."""

import functools
import hashlib
import math

EXPONENT = 65537
_SIEVE_LIMIT = 1 << 16
_WINDOW = 1 << 13
_WITNESSES = (2, 3, 5, 7, 11, 13, 17, 19)
"""For random numbers of 1536 bits even one is wrong less often than 2**-128 (Damgard, Landrock, Pomerance: Average
case error
estimates for the strong probable prime test, 1993)."""


def rsa_primes(seed: bytes, bits: int) -> tuple[int, int]:
    """The two primes, the larger first, of the RSA key of `bits` bits that belongs to the seed."""
    first = prime(seed + b"p", bits // 2)
    second = prime(seed + b"q", bits // 2)
    return max(first, second), min(first, second)


def prime(seed: bytes, bits: int) -> int:
    """The prime of exactly `bits` bits that belongs to the seed; its two highest bits are set, so that a product of
    two has 2 * bits."""
    start = int.from_bytes(hashlib.shake_256(seed).digest(bits // 8), "big") | 3 << (bits - 2) | 1
    while True:
        for offset in _unsieved(start):
            candidate = start + 2 * offset
            if math.gcd(candidate - 1, EXPONENT) == 1 and _is_prime(candidate):
                return candidate
        start += 2 * _WINDOW


def _unsieved(start: int) -> list[int]:
    """The offsets k below the window for which no small prime divides start + 2k."""
    composite = bytearray(_WINDOW)
    for small in _small_primes():
        first = (-start * ((small + 1) // 2)) % small  # (small + 1) / 2 is the inverse of 2
        count = len(range(first, _WINDOW, small))
        composite[first::small] = b"\1" * count
    return [offset for offset, marked in enumerate(composite) if not marked]


@functools.cache
def _small_primes() -> tuple[int, ...]:
    """The odd primes below the sieve's limit: 6541 of them."""
    marks = bytearray(b"\1") * _SIEVE_LIMIT
    for number in range(3, math.isqrt(_SIEVE_LIMIT) + 1, 2):
        if marks[number]:
            multiples = slice(number * number, None, 2 * number)
            marks[multiples] = bytes(len(range(number * number, _SIEVE_LIMIT, 2 * number)))
    return tuple(number for number in range(3, _SIEVE_LIMIT, 2) if marks[number])


def _is_prime(candidate: int) -> bool:
    twos = ((candidate - 1) & -(candidate - 1)).bit_length() - 1
    odd = (candidate - 1) >> twos
    return all(_passes(candidate, witness, odd, twos) for witness in _WITNESSES)


def _passes(candidate: int, witness: int, odd: int, twos: int) -> bool:
    value = pow(witness, odd, candidate)
    if value in (1, candidate - 1):
        return True
    for _ in range(twos - 1):
        value = value * value % candidate
        if value == candidate - 1:
            return True
    return False
