"""Files that a client brings: held in memory within bounds while they come, then kept aside and shown in the host's
tree."""

import errno

import msgspec

from chaffinch.decoys.session import Session
from chaffinch.decoys.view import View
from chaffinch.events import Upload, printable
from chaffinch.personas.files import FileError

FILE_BYTES = 8 << 20
"""The longest file that fits on a decoy's disk."""

SESSION_BYTES = 12 << 20
"""What one session may have open at once, half uploaded or being read."""

SHOWN_BYTES = 128 << 10
"""How much of a file a visitor can read back; its size is shown whole."""


class Room:
    """How many bytes of files one session holds, over all its channels."""

    __slots__ = ("_session", "held")

    def __init__(self, session: Session) -> None:
        self._session = session
        self.held = 0

    def take(self, more: int) -> None:
        """So many bytes are held more, or less."""
        self.held += more
        self._session.hold_more(more)


class Uploads:
    """The uploads on one channel. `via`, below, is how they come: `scp`, `sftp`, `exec`."""

    __slots__ = ("_room", "_session", "_view")

    def __init__(self, session: Session, view: View, room: Room) -> None:
        self._session = session
        self._view = view
        self._room = room

    def resize(self, data: bytearray, size: int) -> None:
        """Make `data` `size` bytes long. Raises `FileError(ENOSPC)` past a bound."""
        more = size - len(data)
        if more > 0 and (size > FILE_BYTES or self._room.held + more > SESSION_BYTES):
            raise FileError(errno.ENOSPC, "")
        self._room.take(more)
        if more < 0:
            del data[size:]
        else:
            data += bytes(more)

    def add(self, data: bytearray, more: bytes) -> None:
        """Put bytes behind `data`; raises as `resize`."""
        at = len(data)
        self.resize(data, at + len(more))
        data[at:] = more

    def keep(self, path: str, data: bytearray, via: str) -> None:
        """A file is whole: record it, keep it, show it."""
        content = bytes(data)
        self.drop(data)
        self.record(path, content, via)
        self._view.write(path, content[:SHOWN_BYTES])
        if len(content) > SHOWN_BYTES:
            where = self._view.locate(path)[0]
            change = self._view.overlay.get(where)
            if change is not None:
                self._view.overlay.put(where, msgspec.structs.replace(change, size=len(content)))

    def record(self, name: str, content: bytes, via: str) -> None:
        """Keep what came aside, if anything did."""
        if content:
            sha256, kept = self._session.quarantine.keep(content)
            self._session.record(Upload(printable(name, 1024), len(content), sha256, kept, via))

    def drop(self, data: bytearray) -> None:
        """Give the memory of a file back."""
        self._room.take(-len(data))
        data.clear()
