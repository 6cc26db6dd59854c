"""IPv4 addresses and prefixes as numbers: what the plan, the kernel filter and the persona placement count with."""

import socket
from itertools import pairwise

import msgspec

from chaffinch.errors import InputError


class Prefix(msgspec.Struct, frozen=True, order=True):
    """The addresses `first` to `last`, both in it."""

    first: int
    last: int
    length: int

    def __contains__(self, address: int) -> bool:
        return self.first <= address <= self.last

    def __str__(self) -> str:
        return f"{to_text(self.first)}/{self.length}"

    @property
    def size(self) -> int:
        return self.last - self.first + 1

    @property
    def mask(self) -> int:
        return 0xFFFFFFFF ^ (self.size - 1)


def to_number(text: str) -> int:
    """The number of a dotted IPv4 address. Raises `ValueError` for anything else."""
    try:
        return int.from_bytes(socket.inet_pton(socket.AF_INET, text), "big")
    except OSError:
        raise ValueError(f"{text!r} is not an IPv4 address") from None


def to_text(number: int) -> str:
    """The dotted form of an address."""
    return socket.inet_ntoa(number.to_bytes(4, "big"))


def parse_prefix(text: str) -> Prefix:
    """`127.77.0.0/16`, or one address. Raises `InputError` with what is wrong."""
    base, slash, digits = text.partition("/")
    if ":" in base:
        raise InputError(f"{text} is IPv6, which the fleet does not serve; name IPv4 prefixes such as 127.77.0.0/16")
    try:
        number = to_number(base)
    except ValueError:
        raise InputError(f"{text!r} is not a prefix; write it like 127.77.0.0/16") from None
    length = int(digits) if digits.isascii() and digits.isdecimal() else (32 if not slash else -1)
    if not 8 <= length <= 32:
        raise InputError(f"{text!r} has no usable length; write a number from 8 to 32 after the slash")
    size = 1 << (32 - length)
    if number % size:
        raise InputError(f"{text} is not the start of a /{length}; write {to_text(number - number % size)}/{length}")
    return Prefix(number, number + size - 1, length)


def parse_prefixes(texts: tuple[str, ...]) -> tuple[Prefix, ...]:
    """The prefixes in the order of their addresses. Raises `InputError` where two overlap."""
    prefixes = sorted(parse_prefix(text) for text in texts)
    for left, right in pairwise(prefixes):
        if right.first <= left.last:
            raise InputError(f"the prefixes {left} and {right} overlap; name each address once")
    return tuple(prefixes)
