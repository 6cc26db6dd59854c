"""Messages on their way into a chain: read from a history, or answered before they are learned.

What is deleted or edited meanwhile is noted in every flight of its guild, so that what the flight carries is not
learned after it was unlearned. An edit brings the new text itself.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from chaffinch.chat.seen import Seen


class Flight:
    """From before messages are read until they are learned. What happened meanwhile, by id."""

    __slots__ = ("gone", "gone_channels")

    def __init__(self) -> None:
        self.gone: set[int] = set()
        """Messages that were deleted or edited."""
        self.gone_channels: set[int] = set()
        """Channels and threads that were deleted."""

    def lost(self, seen: Seen) -> bool:
        """Whether a message that was read is not to be learned any more as it was read."""
        return seen.id in self.gone or not self.gone_channels.isdisjoint((seen.channel, seen.parent))


class Flights:
    """The flights of all guilds."""

    def __init__(self) -> None:
        self._of: dict[int, set[Flight]] = {}

    @contextmanager
    def begun(self, guild: int) -> Iterator[Flight]:
        """One more flight, until the block is left."""
        flight = Flight()
        self._of.setdefault(guild, set()).add(flight)
        try:
            yield flight
        finally:
            others = self._of[guild]
            others.discard(flight)
            if not others:
                del self._of[guild]

    def note_messages(self, guild: int, ids: Collection[int]) -> None:
        """These were deleted, or edited."""
        for flight in self._of.get(guild, ()):
            flight.gone.update(ids)

    def note_channel(self, guild: int, channel: int) -> None:
        """This channel or thread was deleted."""
        for flight in self._of.get(guild, ()):
            flight.gone_channels.add(channel)
