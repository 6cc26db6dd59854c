"""The ring that the kernel writes packets to, as its one reader sees it.

A frame belongs to the kernel or to the reader, by its status word; both go round in the same order. Where the reader
stands outlives it: a worker that starts again, also in another process, goes on where the last one was. Layout:
`struct tpacket2_hdr` of `linux/if_packet.h`, and Linux `Documentation/networking/packet_mmap.rst`.
"""

import mmap
import struct
from collections.abc import Iterator

FRAME_BYTES = 256
"""Of one packet: the kernel's header, at most 80 bytes, and what the filter keeps of it."""
BLOCK_BYTES = 64 << 10
"""What the kernel allocates at once."""

_USER = 1
"""`TP_STATUS_USER`: the frame is the reader's."""
_header = struct.Struct("@8xIHxxII").unpack_from
"""Kept bytes, where they begin in the frame, seconds and nanoseconds."""
_DROPPED, _TOLD, _PLACE = 0, 1, 2
"""The words of the page that the supervisor and the reader share."""


class Ring:
    """A ring of frames in shared memory. `linked`: packets begin with an Ethernet header."""

    def __init__(self, memory: mmap.mmap, page: mmap.mmap, linked: bool) -> None:
        self.linked = linked
        self._memory = memory
        self._bytes = memoryview(memory)
        self._status = self._bytes.cast("I")
        self._page = page
        self._words = memoryview(page).cast("Q")
        self.frames = len(memory) // FRAME_BYTES

    def read(self, most: int) -> Iterator[tuple[memoryview, int]]:
        """At most so many packets in their order, each with the time at which it came (ns since the epoch).

        A packet's bytes are the reader's until it asks for the next one.
        """
        words, status, data = self._words, self._status, self._bytes
        for _ in range(most):
            at = words[_PLACE] * FRAME_BYTES
            if not status[at >> 2] & _USER:
                return
            length, start, seconds, nanoseconds = _header(data, at)
            try:
                yield data[at + start : at + start + length], seconds * 1_000_000_000 + nanoseconds
            finally:  # a packet that made its reader fail is not read again
                words[_PLACE] = (words[_PLACE] + 1) % self.frames  # first: a reader waits at a frame of the kernel's
                status[at >> 2] = 0

    def add_dropped(self, count: int) -> None:
        """The supervisor says what the kernel had no room for."""
        self._words[_DROPPED] += count

    def dropped(self) -> int:
        """How many packets found no room since this was last asked, by whichever reader."""
        total = self._words[_DROPPED]
        count, self._words[_TOLD] = total - self._words[_TOLD], total
        return count

    def waiting(self) -> int:
        """How many packets nobody has read yet."""
        return sum(1 for frame in range(self.frames) if self._status[frame * FRAME_BYTES >> 2] & _USER)

    def close(self) -> None:
        """Give the memory back."""
        for view in (self._status, self._words, self._bytes):
            view.release()
        self._memory.close()
        self._page.close()
