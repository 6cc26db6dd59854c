"""The numbers that decide what a host is, drawn once from the fleet's key and the host's address."""

import hashlib
import struct
from collections.abc import Sequence
from typing import TypeVar

import msgspec

T = TypeVar("T")

_LAYOUT = struct.Struct("<5I11H22x")
"""How the 64 bytes drawn for a host are used; the rest is left for what later versions draw."""


class Draws(msgspec.Struct, frozen=True, gc=False):
    """One number for each choice. The first five are below 2^32, the others below 2^16."""

    mac: int
    period: int
    phase: int
    serial: int
    options: int
    release: int
    hardware: int
    hostname: int
    staff_count: int
    staff_first: int
    staff_step: int
    breached: int
    weak_account: int
    weak_password: int
    second_weak: int
    second_password: int


def draw(key: bytes, packed: bytes) -> Draws:
    """The numbers of the host with that packed address, in the fleet with that key of 64 bytes (RFC 7693)."""
    return Draws(*_LAYOUT.unpack(hashlib.blake2b(packed, key=key, person=b"persona").digest()))


def pick(choices: Sequence[T], number: int) -> T:
    """The choice that a number stands for."""
    return choices[number % len(choices)]


def base36(number: int, width: int) -> str:
    """The last `width` digits of a number in base 36, capitals."""
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 36)
        digits.append("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit])
    return "".join(reversed(digits))
