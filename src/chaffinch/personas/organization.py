"""Whom a fleet pretends to belong to: one domain, its sites, and its staff, all from the seed."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from chaffinch.personas import words

STAFF = 61
"""How many people a fleet has: a prime, so that steps of any size visit all of them."""

ADMINISTRATORS = 11
"""How many of them, the first ones, have accounts on servers; a prime as well."""

SITE_CODES = 32
SITE_NAMES = 256
"""One for each value of an address's third byte: 32 places with eight networks each."""

T = TypeVar("T")


class Person(msgspec.Struct, frozen=True, gc=False):
    """One of the staff, with the login that is theirs on every host."""

    login: str
    full_name: str


class Organization(msgspec.Struct, frozen=True):
    """What a fleet's hosts have in common. `sites` has a name for each value of an address's third byte."""

    domain: str
    sites: tuple[str, ...]
    staff: tuple[Person, ...]

    @property
    def administrators(self) -> tuple[Person, ...]:
        """Those of the staff who have accounts on servers."""
        return self.staff[:ADMINISTRATORS]


def organization(seed: bytes) -> Organization:
    """The organization of the fleet with that seed."""
    draws = _draws(seed)
    return Organization(domain=_domain(draws), sites=_sites(draws), staff=_staff(draws))


def _draws(seed: bytes) -> Iterator[int]:
    """Numbers below 2^32 without end, from the seed alone."""
    key, block = hashlib.blake2b(seed).digest(), 0
    while True:
        digest = hashlib.blake2b(block.to_bytes(4), key=key, person=b"organization").digest()
        for at in range(0, len(digest), 4):
            yield int.from_bytes(digest[at : at + 4])
        block += 1


def _one(draws: Iterator[int], choices: Sequence[T]) -> T:
    return choices[next(draws) % len(choices)]


def _shuffled(draws: Iterator[int], items: Sequence[T]) -> list[T]:
    """The items in an order of the fleet's own (Fisher and Yates)."""
    order = list(items)
    for last in range(len(order) - 1, 0, -1):
        other = next(draws) % (last + 1)
        order[last], order[other] = order[other], order[last]
    return order


def _domain(draws: Iterator[int]) -> str:
    name, trade = _one(draws, words.COMPANY_NAMES), _one(draws, words.COMPANY_TRADES)
    joint = _one(draws, ("", "-"))
    pattern = _one(draws, words.DOMAIN_PATTERNS)
    return pattern.format(name=f"{name}{joint}{trade}", short=f"{name[:4]}{trade[:3]}")


def _sites(draws: Iterator[int]) -> tuple[str, ...]:
    codes = _shuffled(draws, words.SITES)[:SITE_CODES]
    networks = range(1, SITE_NAMES // SITE_CODES + 1)
    return tuple(_shuffled(draws, [f"{code}{network}" for code in codes for network in networks]))


def _staff(draws: Iterator[int]) -> tuple[Person, ...]:
    """People who differ in their logins, all of them formed by one rule."""
    pattern = _one(draws, words.LOGIN_PATTERNS)
    people: dict[str, Person] = {}
    while len(people) < STAFF:
        first, last = _one(draws, words.FIRST_NAMES), _one(draws, words.LAST_NAMES)
        lower = {"first": first.lower(), "last": last.lower(), "f": first[0].lower(), "l": last[0].lower()}
        login = pattern.format(**lower)
        people.setdefault(login, Person(login, f"{first} {last}"))
    return tuple(people.values())
