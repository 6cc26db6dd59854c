"""The messages of a channel in the order of their ids: some generated when they are asked for, the others kept."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chat.discord.generated import Generated
    from tests.chat.discord.messages import Message


class History:
    """Generated messages are not held: what is edited or deleted of them is noted beside."""

    def __init__(self) -> None:
        self.generated: Generated | None = None
        self._kept: dict[int, Message] = {}
        self._ids: list[int] = []
        self._gone: set[int] = set()

    def __len__(self) -> int:
        hidden = sum(1 for kept in self._ids if self._index(kept) is not None)
        return len(self._ids) - hidden - len(self._gone) + (self.generated.count if self.generated else 0)

    def _index(self, message_id: int) -> int | None:
        """Which generated message has that id."""
        return self.generated.index(message_id) if self.generated else None

    def keep(self, message: Message) -> None:
        """Add a message, or put it in the place of the one of its id."""
        if message.id not in self._kept:
            insort(self._ids, message.id)
        self._kept[message.id] = message
        self._gone.discard(message.id)

    def get(self, message_id: int) -> Message | None:
        if message_id in self._kept:
            return self._kept[message_id]
        index = self._index(message_id)
        if index is None or self.generated is None or message_id in self._gone:
            return None
        return self.generated.message(index)

    def remove(self, message_id: int) -> bool:
        """Whether it was there."""
        was_there = self.get(message_id) is not None
        if message_id in self._kept:
            del self._kept[message_id]
            del self._ids[bisect_left(self._ids, message_id)]
        if was_there and self._index(message_id) is not None:
            self._gone.add(message_id)
        return was_there

    def kept(self) -> list[Message]:
        """Those that were not generated, or changed since, in order."""
        return [self._kept[message_id] for message_id in self._ids]

    def last_id(self) -> int | None:
        return next(self._ids_before(None), None)

    def _ids_before(self, before: int | None) -> Iterator[int]:
        """Ids below `before`, falling."""
        place = len(self._ids) if before is None else bisect_left(self._ids, before)
        at = 0 if self.generated is None else self.generated.count_below(before)
        while place or at:
            made = self.generated.id(at - 1) if at and self.generated else -1
            kept = self._ids[place - 1] if place else -1
            if kept >= made:
                place -= 1
                at -= kept == made
                yield kept
            else:
                at -= 1
                if made not in self._gone:
                    yield made

    def _ids_after(self, after: int) -> Iterator[int]:
        """Ids above `after`, rising."""
        place = bisect_right(self._ids, after)
        at = 0 if self.generated is None else self.generated.count_below(after + 1)
        count = 0 if self.generated is None else self.generated.count
        while place < len(self._ids) or at < count:
            made = self.generated.id(at) if at < count and self.generated else None
            kept = self._ids[place] if place < len(self._ids) else None
            if made is None or (kept is not None and kept <= made):
                place += 1
                at += kept == made
                yield kept  # type: ignore[misc]  # one of the two is there
            else:
                at += 1
                if made not in self._gone:
                    yield made

    def page(self, limit: int, *, before: int | None = None, after: int | None = None) -> list[int]:
        """Ids of at most `limit` messages, newest first: the last ones `before`, or the first ones `after`."""
        if after is not None:
            return list(islice(self._ids_after(after), limit))[::-1]
        return list(islice(self._ids_before(before), limit))

    def around(self, limit: int, middle: int) -> list[int]:
        """Ids of about `limit` messages with `middle` among them, newest first."""
        older = list(islice(self._ids_before(middle + 1), limit - limit // 2))
        return self.page(limit // 2, after=middle) + older

    def encoded(self, message_id: int) -> bytes | None:
        """The JSON of a generated message that nothing changed; None of every other."""
        index = None if message_id in self._kept else self._index(message_id)
        return None if index is None or self.generated is None else self.generated.encoded(index)

    def all(self) -> Iterator[Message]:
        """Every message, oldest first."""
        for message_id in self._ids_after(0):
            message = self.get(message_id)
            if message is not None:
                yield message
