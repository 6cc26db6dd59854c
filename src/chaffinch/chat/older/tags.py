"""What an older bot wrote beside a message: ids as tags, and attachments."""

import hashlib
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from chaffinch.chain.results import Message
from chaffinch.chat.content import learned
from chaffinch.chat.payloads import created_ms

LEAST_ID: Final = 1 << 40
"""Ids of messages are above: a smaller number would be of Discord's first minutes."""


class Places(msgspec.Struct, frozen=True):
    """Where a message stood. A thread has the channel that it belongs to; 0 where there is none, or it is not known."""

    message: int = 0
    channel: int = 0
    thread: int = 0


def places_of(tags: Iterable[object], guild: int) -> Places:
    """From the tags of a message: its id, its thread if it stood in one, its channel and the guild's id, in that order.

    What came from a file or was edited has not all of them; of what is none of that, nothing is taken.
    """
    found = [_id(tag) for tag in tags]
    if found and found[-1] == guild:
        found.pop()
    if not 0 < len(found) <= 3 or 0 in found:
        return Places()
    message, *rest = found
    return Places(message, rest[-1] if rest else 0, rest[0] if len(rest) == 2 else 0)


def message_of(text: str, places: Places, number: int, attachments: tuple[str, ...] = ()) -> Message:
    """The message to learn, the `number`-th of a file. Where its id is not known it gets one, the same each time: so it
    is learned once.
    """
    return Message(
        learned(text, attachments),
        id=str(places.message) if places.message else f"older-{number}-{_digest(text)}",
        channel=str(places.thread or places.channel or ""),
        time_ms=created_ms(places.message) if places.message else None,
        attachments=attachments,
    )


def addresses(custom: Any) -> tuple[str, ...]:
    """The addresses of attachments: of `{"attachments": [...]}`, or of `{"attachment": ...}` of the first releases.

    Raises `ValueError` for what is neither.
    """
    if custom is None:
        return ()
    if isinstance(custom, dict):
        listed = custom.get("attachments", [])
        one = custom.get("attachment")
        found = [*(listed if isinstance(listed, list) else [listed]), *([] if one is None else [one])]
        if all(isinstance(address, str) for address in found):
            return tuple(found)
    raise ValueError("attachments of a form that is not known")


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def _id(tag: object) -> int:
    text = str(tag).strip()
    value = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
    return value if LEAST_ID <= value < 1 << 63 else 0
