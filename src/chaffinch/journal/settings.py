"""What an operator may set about the journal, and what the journal says of itself."""

import msgspec

from chaffinch.config import JournalSettings
from chaffinch.errors import InputError

MIB = 1 << 20

MAX_EVENT_BYTES = MIB
"""An event whose JSON is longer is not kept but counted as lost."""


def checked(settings: JournalSettings) -> JournalSettings:
    """The settings, if they stand within their bounds; else `InputError` names the one that does not.

    A configuration file is checked when it is decoded; this also covers settings that a program made.
    """
    try:
        return msgspec.convert(msgspec.to_builtins(settings), JournalSettings)
    except msgspec.ValidationError as error:
        raise InputError(f"journal settings: {error}") from None


class JournalStats(msgspec.Struct, frozen=True):
    """What the journal holds and what it could not hold.

    `appended`, `lost`, `waiting` and the flush times are this process's.
    """

    appended: int
    lost: int
    waiting: int
    waiting_bytes: int
    full: bool
    segments: int
    bytes: int
    first_seq: int
    last_seq: int
    dropped_segments: int
    dropped_events: int
    dropped_bytes: int
    damaged_segments: int
    damaged_events: int
    commits: int
    commit_ms_last: float
    commit_ms_max: float
