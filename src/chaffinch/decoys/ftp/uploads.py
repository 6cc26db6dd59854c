"""Files that clients bring: hashed whole, held up to a bound, for all sessions of a process together."""

import hashlib

from chaffinch.decoys.ftp.data import Transfer
from chaffinch.decoys.session import Session
from chaffinch.events import Upload, printable

MAX_BYTES = 8 << 20
"""How much of one upload is kept."""

MAX_HELD = 32 << 20
"""How much all uploads under way may hold in memory; what goes past it is hashed and thrown away."""

_held = 0


async def receive(session: Session, transfer: Transfer, name: str) -> bytes | None:
    """Take an upload to its end and record it: its bytes, or None for one too large to be held. Raises `DataError`."""
    global _held  # noqa: PLW0603
    digest = hashlib.sha256()
    data = bytearray()
    size = 0
    whole = True
    try:
        while piece := await transfer.receive(session):
            digest.update(piece)
            size += len(piece)
            if whole and len(data) + len(piece) <= MAX_BYTES and _held + len(piece) <= MAX_HELD:
                data += piece
                _held += len(piece)
                session.hold(len(data))
            else:
                whole = False
            if session.bytes_in > session.spec.bytes_in:
                break
        sha256, kept = session.quarantine.keep(bytes(data)) if whole else (digest.hexdigest(), False)
        session.record(Upload(name=printable(name, 256), size=size, sha256=sha256, kept=kept, via="ftp"))
        return bytes(data) if whole else None
    finally:
        _held -= len(data)
        session.hold(0)
