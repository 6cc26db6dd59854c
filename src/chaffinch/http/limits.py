"""The bounds of what any peer can make a server hold, or wait for: they follow from the protocol."""

from typing import Final

import msgspec

HEAD_BYTES: Final = 16 << 10
"""Request line and headers together."""


class Bounds(msgspec.Struct, frozen=True):
    """How long a peer may take, in seconds."""

    head_seconds: float = 10.0
    """From a connection's opening, or a request's first byte, to the end of its headers."""
    idle_seconds: float = 30.0
    """Between an answer and the next request."""
    quiet_seconds: float = 10.0
    """How long a body may pause."""
    body_seconds: float = 600.0
    """How long a body may take in all."""
    write_seconds: float = 20.0
    """How long a peer may take nothing of an answer."""
    linger_seconds: float = 2.0
    """How long a peer that is answered before its request was whole is still read, so that it sees its answer."""
    sweep_seconds: float = 1.0
    """How often all this is looked at: so much later a connection may end."""


BOUNDS: Final = Bounds()

HELD_BYTES: Final = 64 << 10
"""A body of which so much waits for its handler is not read on."""

LINGER_BYTES: Final = 1 << 20
"""What is read at most of a peer that lingers."""

LINGERING: Final = 64
"""Such peers at once; a further one is closed at once."""
