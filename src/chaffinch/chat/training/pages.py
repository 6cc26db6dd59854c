"""A page of history as Discord gives it: what was seen on it, and where the next one lies. Pure."""

from collections.abc import Sequence

import msgspec

from chaffinch.chat.book.book import Cursor
from chaffinch.chat.payloads import created_ms, seen_of
from chaffinch.chat.seen import Seen
from chaffinch.chat.training.source import PAGE, FaultError, Raw


class Read(msgspec.Struct, frozen=True):
    """A page that was fetched."""

    cursor: Cursor
    """Once its messages are learned."""
    seens: Sequence[Seen] = ()
    unreadable: int = 0
    """Messages that are not what Discord's messages look like: counted, and shown with the result."""


def read_page(raw: Sequence[Raw], guild: int, cursor: Cursor, oldest_ms: int = 0) -> Read:
    """The page below a cursor; what is older than `oldest_ms` is left out, and nothing older is asked for.

    Raises `FaultError` for what cannot be that page: then it is asked for again.
    """
    try:
        ids = [int(one["id"]) for one in raw]
    except (KeyError, TypeError, ValueError):
        raise FaultError("a page that cannot be read") from None
    if ids and max(ids) >= cursor.before:
        raise FaultError("another page than was asked for")
    read = [seen_of(dict(one), guild=guild, parent=cursor.parent) for one in raw]
    seens = [seen for seen in read if seen is not None and seen.channel == cursor.channel]
    before = min(ids, default=cursor.before)
    after = msgspec.structs.replace(cursor, before=before, done=len(ids) < PAGE or created_ms(before) < oldest_ms)
    return Read(after, [seen for seen in seens if seen.time_ms >= oldest_ms], len(ids) - len(seens))
