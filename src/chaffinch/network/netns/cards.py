"""The network cards that decoy hosts seem to have: MAC addresses, and which hosts answer under which one.

One card for all hosts, or one for each maker: a host's archetype and system are a range of buckets
(`personas.placement`), and the kernel's filter that knows buckets can tell whose ARP question is whose. A persona draws
one of several makers by a hash, which a filter cannot take: of a range the likeliest maker has the card.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence

import msgspec

from chaffinch.errors import InputError
from chaffinch.network import bpf
from chaffinch.network import filter as packet_filter
from chaffinch.network.plan import EACH, INSIDE, Plan
from chaffinch.personas.placement import Placement, Range

_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
_MAC_PREFIX = re.compile(r"(?:[0-9a-f]{2}:){2}[0-9a-f]{2}")


class Card(msgspec.Struct, frozen=True):
    """One device inside. An empty `mac` is the kernel's to draw."""

    name: str
    mac: str
    questions: bytes = b""
    """Where there are several: the program that passes the ARP questions for its hosts, as the kernel takes it."""


def cards(said: str, plan: Plan, rest: bytes) -> tuple[Card, ...]:
    """The cards for what `network.mac` says; `rest` are the three bytes that fill a prefix up.

    Raises `InputError` for what is no address, no prefix and no vendor.
    """
    makers = vendors(plan.placement)
    if said != EACH:
        return (Card(INSIDE, mac_address(said, makers, rest)),)
    return tuple(
        Card(f"eth{at}", mac_address(makers[vendor][0], makers, _own(rest, vendor)), _questions(plan, ranges))
        for at, (vendor, ranges) in enumerate(likeliest(plan.placement).items())
    )


def _own(rest: bytes, vendor: str) -> bytes:
    return hashlib.blake2b(vendor.encode(), key=rest, digest_size=3).digest()


def vendors(placement: Placement) -> dict[str, tuple[str, ...]]:
    """The MAC prefixes of every maker that a persona may have."""
    machines = (machine for slot in placement.slots for machine in slot.make.hardware)
    return {machine.vendor: machine.prefixes for machine in machines}


def likeliest(placement: Placement) -> dict[str, tuple[Range, ...]]:
    """Makers by name, each with the buckets whose hosts it has most of, in order."""
    found: dict[str, list[Range]] = {}
    for slot in placement.slots:
        maker = max(slot.make.hardware, key=lambda machine: machine.weight).vendor
        found.setdefault(maker, []).append((slot.start, slot.end))
    return {name: tuple(sorted(found[name])) for name in sorted(found)}


def mac_address(said: str, makers: Mapping[str, Sequence[str]], rest: bytes) -> str:
    """The whole address for a whole one, a prefix or the beginning of a maker's name; empty stays empty.

    Raises `InputError` for anything else, and for a group's address.
    """
    text = said.strip().lower().replace("-", ":")
    by_name = {name.lower(): prefixes for name, prefixes in sorted(makers.items())}
    named = next((prefixes for name, prefixes in by_name.items() if text and name.startswith(text)), None)
    if named:
        text = named[0]
    if _MAC_PREFIX.fullmatch(text):
        text = f"{text}:{rest.hex(':')}"
    elif text and not _MAC.fullmatch(text):
        raise InputError(
            f"network.mac is {said!r}, which is no MAC address, no prefix such as 00:1b:21, not {EACH!r} and no "
            f"vendor; there are: {', '.join(sorted(makers))}"
        )
    if text and int(text[:2], 16) & 1:
        raise InputError(f"network.mac is {said!r}, a group's address; the first byte of a device's is even")
    return text


_ASKED = 14 + 24
"""Where the address that is asked for stands in a frame with an ARP packet (RFC 826)."""

_TC_ACT_OK, _TC_ACT_SHOT = 0, 2
"""What a classifier with direct action says of a packet (`linux/pkt_cls.h`)."""


def _questions(plan: Plan, ranges: Sequence[Range]) -> bytes:
    """The listeners' program, which loads the address from an ARP packet and answers in the words of tc-bpf(8)."""
    packed = bytearray()
    for step in packet_filter.program(plan.prefixes, plan.placement.mixer.steps, ranges, plan.excluded):
        operand = step.operand
        if step.code == bpf.LD_WORD:
            operand = _ASKED
        elif step.code == bpf.RET:
            operand = _TC_ACT_OK if operand else _TC_ACT_SHOT
        packed += msgspec.structs.replace(step, operand=operand).pack()
    return bytes(packed)
