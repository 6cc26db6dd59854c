"""The phases of a connection, and the ways between them."""

import enum
from typing import Final


class Phase(enum.Enum):
    """Where a connection stands; `MOVES` are the ways from here."""

    WAITING = "waiting"
    """For the first byte of a request."""
    HEARING = "hearing"
    """The head of a request comes."""
    ANSWERING = "answering"
    """A task answers it; its body may still come."""
    ANSWERED = "answered"
    """The next request waits until the peer has taken the answer."""
    LEAVING = "leaving"
    """The peer has been answered, and is read a little so that it sees that; what it sends cannot be followed."""
    GONE = "gone"


MOVES: Final = {
    Phase.WAITING: {Phase.HEARING, Phase.LEAVING, Phase.GONE},
    Phase.HEARING: {Phase.ANSWERING, Phase.LEAVING, Phase.GONE},
    Phase.ANSWERING: {Phase.ANSWERED, Phase.LEAVING, Phase.GONE},
    Phase.ANSWERED: {Phase.WAITING, Phase.HEARING, Phase.GONE},
    Phase.LEAVING: {Phase.GONE},
    Phase.GONE: set(),
}
