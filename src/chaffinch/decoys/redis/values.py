"""Values of a client's database by their type, and the numbers in a request: what the data commands stand on."""

import math
from typing import TypeVar

from chaffinch.decoys.redis.client import Client
from chaffinch.decoys.redis.protocol import integer_of
from chaffinch.decoys.redis.store import WRONG_TYPE, CommandError, Hash, SortedSet, Value

T = TypeVar("T", bytes, "list[bytes]", "set[bytes]", Hash, SortedSet)

NOT_AN_INTEGER = b"ERR value is not an integer or out of range"
NOT_A_FLOAT = b"ERR value is not a valid float"
SYNTAX = b"ERR syntax error"
TOO_LONG = b"ERR string exceeds maximum allowed size (proto-max-bulk-len)"


def value(client: Client, key: bytes) -> Value | None:
    """What is at `key`, of any type, or None."""
    return client.store.get(client.database, key)


def typed(client: Client, key: bytes, kind: type[T]) -> T | None:
    """What is at `key`, or None. Raises `CommandError` when it is of another type."""
    found = client.store.get(client.database, key)
    if found is None:
        return None
    if type(found) is not kind:
        raise CommandError(WRONG_TYPE)
    return found


def made(client: Client, key: bytes, kind: type[T]) -> T:
    """The collection at `key`, made if there is none."""
    found = typed(client, key, kind)
    if found is None:
        found = kind()
        client.store.put(client.database, key, found)
    return found


def integer_in(text: bytes, problem: bytes = NOT_AN_INTEGER) -> int:
    """A 64-bit integer of a request. Raises `CommandError`."""
    number = integer_of(text)
    if number is None:
        raise CommandError(problem)
    return number


def float_in(text: bytes, problem: bytes = NOT_A_FLOAT) -> float:
    """A number of a request. Raises `CommandError`."""
    try:
        number = (
            float(text) if text and not text[:1].isspace() and not text[-1:].isspace() and b"_" not in text else None
        )
    except ValueError:
        number = None
    if number is None or math.isnan(number):
        raise CommandError(problem)
    return number


def span(start: int, stop: int, size: int) -> tuple[int, int]:
    """First and past-the-last index of an inclusive range with negative ends, as GETRANGE, LRANGE and ZRANGE count."""
    start = max(0, start + size) if start < 0 else start
    stop = stop + size if stop < 0 else stop
    return start, max(start, min(stop, size - 1) + 1)
