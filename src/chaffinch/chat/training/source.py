"""Where a history is read from, as the training asks for it; `history` is Discord, tests have others."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import msgspec

from chaffinch.chat.seen import Place
from chaffinch.errors import PeerError

Raw: TypeAlias = Mapping[str, Any]
"""A message as Discord's REST API gives it."""

PAGE = 100
"""Messages of a page: the most that Discord gives, and 400 is what it answers to one more."""


class RefusedError(PeerError):
    """Discord gives this to nobody like us: it is passed over. `reason` is the status, such as "403"."""

    def __init__(self, status: int) -> None:
        super().__init__(f"refused with {status}")
        self.reason = str(status)


class FaultError(PeerError):
    """It did not work this time: it is asked for again. `reason` is a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Room(msgspec.Struct, frozen=True):
    """A channel of a guild."""

    id: int
    name: str
    is_forum: bool = False
    """It has posts, which are threads, and no messages of its own."""


class Archived(msgspec.Struct, frozen=True):
    """A page of a channel's archived threads."""

    threads: tuple[Place, ...]
    before: str = ""
    """What to ask for the next page with; empty: there is none."""


class History(Protocol):
    """Each call raises `RefusedError` for what Discord does not give, and `FaultError` for what may yet succeed."""

    async def rooms(self, guild: int) -> list[Room]:
        """The guild's channels."""
        ...

    async def page(self, channel: int, before: int) -> Sequence[Raw]:
        """The 100 messages of a channel or thread below an id, the newest first; fewer: there are no more."""
        ...

    async def active(self, guild: int) -> list[Place]:
        """The guild's threads that are not archived."""
        ...

    async def archived(self, channel: int, *, private: bool, before: str = "") -> Archived:
        """A channel's archived threads: the public ones, or the private ones that the bot may see."""
        ...

    async def members(self, guild: int, users: Collection[int]) -> Mapping[int, frozenset[int] | None]:
        """The roles of up to 100 members at once, None of who is none. Raises nothing: whom there was no answer of is
        not among them, and is looked up by `roles`.
        """
        ...

    async def roles(self, guild: int, user: int) -> frozenset[int] | None:
        """A member's roles; None of who is no member."""
        ...
