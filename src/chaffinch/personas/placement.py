"""Which archetype an address has, and which services it runs: a rule that Python and the kernel evaluate alike.

An address is mixed with the fleet's constants into a bucket from 0 to 65535. Archetypes own half-open ranges of buckets
by weight, each of an archetype's operating systems owns a part of its range by weight, and each service is present on a
span of that part. What a listener asks, "does this address run me?", is thus "does its bucket lie in one of these
ranges?": a few steps of 32-bit unsigned arithmetic, which a classic BPF program on the listening socket can take, too.
"""

import hashlib
import socket
from bisect import bisect_right
from collections.abc import Iterator, Sequence

import msgspec

from chaffinch.errors import InputError
from chaffinch.personas.archetypes import Archetype, Make, ServiceRule
from chaffinch.personas.systems import Stack

BUCKETS = 1 << 16

Step = tuple[str, int]
"""An operation on the 32-bit accumulator, and its constant."""

Range = tuple[int, int]
"""Buckets from the first number up to, not including, the second."""


def address_number(address: str | int) -> int:
    """The IPv4 address as a number. Raises `InputError` for anything else."""
    if isinstance(address, str):
        try:
            return int.from_bytes(socket.inet_pton(socket.AF_INET, address))
        except OSError:
            raise InputError(f"{address!r} is not an IPv4 address such as 127.77.3.9") from None
    if 0 <= address < 1 << 32:
        return address
    raise InputError(f"{address} is not the number of an IPv4 address: it lies outside 0 to {(1 << 32) - 1}")


class Mixer(msgspec.Struct, frozen=True):
    """The steps that turn an address into its bucket, in their order.

    Operations, on an unsigned 32-bit accumulator `a` that begins as the address: `xor`, `add`, `mul` and `and` combine
    it with their constant (modulo 2^32), and `shr_xor` n is `a ^= a >> n`.
    """

    steps: tuple[Step, ...]

    @classmethod
    def of(cls, seed: bytes) -> "Mixer":
        """The mixer of a fleet.

        The shape is that of MurmurHash3's 32-bit finalizer (Austin Appleby, public domain): xor-shift and multiply by
        turns, with the fleet's own constants: xor before, add between, and odd multipliers.
        """
        words = _words(seed)
        mask, offset = next(words), next(words)
        first, second = _multiplier(words), _multiplier(words)
        return cls(
            (
                ("xor", mask),
                ("shr_xor", 16),
                ("mul", first),
                ("shr_xor", 15),
                ("add", offset),
                ("mul", second),
                ("shr_xor", 16),
                ("and", BUCKETS - 1),
            )
        )

    def bucket(self, address: int) -> int:
        """The bucket of an IPv4 address, given as a number."""
        a = address
        for operation, constant in self.steps:
            if operation == "shr_xor":
                a ^= a >> constant
            elif operation == "mul":
                a = a * constant & 0xFFFFFFFF
            elif operation == "xor":
                a ^= constant
            elif operation == "add":
                a = a + constant & 0xFFFFFFFF
            else:
                a &= constant
        return a


def _words(seed: bytes) -> Iterator[int]:
    """32-bit words without end, from the seed alone."""
    key, block = hashlib.blake2b(seed).digest(), 0
    while True:
        digest = hashlib.blake2b(block.to_bytes(4), key=key, person=b"placement").digest()
        for at in range(0, len(digest), 4):
            yield int.from_bytes(digest[at : at + 4])
        block += 1


def _multiplier(words: Iterator[int]) -> int:
    """The next odd word whose bits alternate often enough to spread what it multiplies.

    The test is that of `mixGamma` in Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014),
    which wants 24 changes in 64 bits; here 12 in 32. The two highest bits may not both be clear, so that the address's
    low bits reach the top.
    """
    while True:
        word = next(words) | 1
        if (word ^ word >> 1).bit_count() >= 12 and word >> 30:
            return word


class PlacedService(msgspec.Struct, frozen=True):
    """A service of an archetype and the buckets that run it."""

    rule: ServiceRule
    start: int
    end: int


class Slot(msgspec.Struct, frozen=True):
    """The buckets from `start` to before `end`: hosts of one make of one archetype."""

    archetype: Archetype
    make: Make
    start: int
    end: int
    services: tuple[PlacedService, ...]


class Placement:
    """The fleet's division of buckets. The ranges follow from the order of `archetypes` and from their weights."""

    def __init__(self, mixer: Mixer, archetypes: Sequence[Archetype]) -> None:
        self.mixer = mixer
        self.slots = tuple(_slots(archetypes))
        self._ends = [slot.end for slot in self.slots]

    def slot(self, address: int) -> Slot:
        """The slot that an address falls into."""
        return self.slot_of(self.mixer.bucket(address))

    def slot_of(self, bucket: int) -> Slot:
        """The slot that owns a bucket."""
        return self.slots[bisect_right(self._ends, bucket)]

    def archetype(self, address: int) -> Archetype:
        """What kind of machine the address is."""
        return self.slot(address).archetype

    def serves(self, address: int, service: str | int) -> bool:
        """Whether the address runs the service of that name, or anything on that port."""
        bucket = self.mixer.bucket(address)
        slot = self.slot_of(bucket)
        return any(
            placed.start <= bucket < placed.end and service in (placed.rule.name, placed.rule.port)
            for placed in slot.services
        )

    def ranges(self, service: str | int, stack: Stack | None = None) -> tuple[Range, ...]:
        """The buckets that run the service of that name, or anything on that port, of all hosts or of those with that
        stack: ascending, apart from each other.
        """
        found = sorted(
            (placed.start, placed.end)
            for slot in self.slots
            for placed in slot.services
            if service in (placed.rule.name, placed.rule.port) and stack in (None, slot.make.system.stack)
        )
        return tuple(_merged(found))

    def stacks(self, service: str | int) -> tuple[Stack, ...]:
        """The stacks of the hosts that run the service of that name, or anything on that port, in the order of their
        buckets.
        """
        return tuple(
            dict.fromkeys(
                slot.make.system.stack
                for slot in self.slots
                for placed in slot.services
                if service in (placed.rule.name, placed.rule.port) and placed.start < placed.end
            )
        )


def _slots(archetypes: Sequence[Archetype]) -> Iterator[Slot]:
    shares = _divide(0, BUCKETS, [archetype.weight for archetype in archetypes])
    for archetype, (start, end) in zip(archetypes, shares, strict=True):
        parts = _divide(start, end, [make.weight for make in archetype.makes])
        for make, (low, high) in zip(archetype.makes, parts, strict=True):
            if low < high:
                services = tuple(PlacedService(rule, *_span(low, high, rule)) for rule in make.services)
                yield Slot(archetype, make, low, high, services)


def _span(low: int, high: int, rule: ServiceRule) -> Range:
    start, end = rule.span
    return low + round(start * (high - low)), low + round(end * (high - low))


def _divide(start: int, end: int, weights: Sequence[int]) -> Iterator[Range]:
    """Parts of a range in proportion to the weights, without a gap."""
    total, passed = sum(weights), 0
    for weight in weights:
        low = start + (end - start) * passed // total
        passed += weight
        yield low, start + (end - start) * passed // total


def _merged(ranges: Sequence[Range]) -> Iterator[Range]:
    """Ascending ranges, with those that touch or overlap made one."""
    held: Range | None = None
    for start, end in ranges:
        if start == end:
            continue
        if held is not None and start <= held[1]:
            held = held[0], max(held[1], end)
            continue
        if held is not None:
            yield held
        held = start, end
    if held is not None:
        yield held
