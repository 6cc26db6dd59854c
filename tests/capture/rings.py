"""A ring that a test fills as the kernel does."""

import mmap
import struct

from chaffinch.capture.ring import BLOCK_BYTES, FRAME_BYTES, Ring

START_OF_DATA = 66
"""Where the kernel puts an Ethernet header in a frame."""


class FilledRing:
    """A ring and its other side: the kernel's, which goes round on its own."""

    def __init__(self, blocks: int = 1) -> None:
        self.memory = mmap.mmap(-1, blocks * BLOCK_BYTES)
        self.page = mmap.mmap(-1, mmap.PAGESIZE)
        self.place = 0
        self.dropped = 0

    def reader(self) -> Ring:
        """Its reader; one that begins anew after another one."""
        return Ring(self.memory, self.page, linked=True)

    @property
    def frames(self) -> int:
        return len(self.memory) // FRAME_BYTES

    def put(self, data: bytes, seconds: int = 1_700_000_000, nanoseconds: int = 5) -> bool:
        """One packet, or False where the next frame is still the reader's."""
        at = self.place * FRAME_BYTES
        if struct.unpack_from("=I", self.memory, at)[0]:
            self.dropped += 1
            return False
        header = struct.pack("=IIHHII", len(data), len(data), START_OF_DATA, 80, seconds, nanoseconds)
        self.memory[at + 4 : at + 4 + len(header)] = header
        self.memory[at + START_OF_DATA : at + START_OF_DATA + len(data)] = data
        self.memory[at] = 1
        self.place = (self.place + 1) % self.frames
        return True
