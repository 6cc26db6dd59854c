"""What the bot sees of Discord, as frozen structs: the same for an event, a page of history and an interaction."""

import msgspec


class Member(msgspec.Struct, frozen=True):
    """Somebody in a guild, as far as a decision about them goes."""

    id: int
    name: str = ""
    roles: frozenset[int] = frozenset()
    permissions: int = 0
    """Discord's bits, in the guild: as their roles say, without what a channel adds or takes."""
    is_bot: bool = False


class Seen(msgspec.Struct, frozen=True):
    """One message of a guild."""

    guild: int
    channel: int
    """Where it stands: a channel or a thread."""
    parent: int
    """The channel that it counts for: that of the thread, or `channel`."""
    id: int
    author: int
    text: str
    time_ms: int
    """When it was written, in milliseconds since 1970."""
    attachments: tuple[str, ...] = ()
    """Their addresses."""
    is_human: bool = True
    """Written by a person: not by a bot or webhook, and no message of Discord's own."""
    mentions: frozenset[int] = frozenset()
    """Users that Discord says are mentioned by it; not those of a role, nor everybody."""
    roles: frozenset[int] | None = None
    """Of the author; None where Discord did not tell, as in a history."""


class Attached(msgspec.Struct, frozen=True):
    """A file that came with a command."""

    id: int
    name: str
    bytes: int
    url: str


class Place(msgspec.Struct, frozen=True):
    """A channel or thread, to read or choose."""

    id: int
    name: str
    parent: int
    """As `Seen.parent`."""
