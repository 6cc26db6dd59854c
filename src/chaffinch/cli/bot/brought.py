"""What an import says that it did."""

import msgspec


class Brought(msgspec.Struct, frozen=True):
    """What an import did."""

    tenant: str
    files: int
    """Files that were read to the end, or to where the run was stopped."""
    passed_over: int
    """Files of a folder that have no messages."""
    learned: int
    duplicates: int
    """Messages that were known: learned before, here or by the bot."""
    empty: int
    """Messages of which nothing was left to learn."""
    no_room: int
    """Messages for which the vocabulary had no room."""
    left_out: int
    """Messages of bots and the like."""
    resumed: int
    """Records that an earlier run had learned."""
    bad: int
    """Records that could not be read."""
    damaged: int
    """Messages of a database whose text or attachments could not be read."""
    forgotten: int
    """Messages of members who do not want to be learned from."""
    channels: int
    """Channels that are listened to or answered in from now on, as the older bot did."""
    seconds: float
    stopped: bool
    """Whether a signal ended the run before it had read everything."""
