"""Where the journals of tests stand: in memory, if the machine has a directory of it with room. A disk takes more time
to flush than the tests for all else, and none of them cuts the power.
"""

import os
import shutil

MEMORY = "/dev/shm"
ROOM = 48 << 20
"""Bytes: ten times what any of these tests takes."""


def place() -> str | None:
    """The directory for `tempfile`; None where it is to choose."""
    if os.access(MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(MEMORY).free > ROOM:
        return MEMORY
    return None
