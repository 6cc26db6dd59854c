"""Where a group was when it hung or crashed: its own stack, written by the interpreter's fault handler.

The supervisor holds a file in memory for each group, which the group inherits. A fatal signal (SIGSEGV, SIGBUS, SIGFPE,
SIGILL, SIGABRT) writes the stack of every thread there before the process dies, and so does `ASK`, which needs nothing
of the interpreter: a loop that spins or waits for a lock says where.
"""

import faulthandler
import os
import re
import signal
from typing import Final

ASK: Final = signal.SIGUSR2
"""Has a group write down where it is, and go on."""

MOST_BYTES: Final = 16 << 10
"""Read of what a group wrote: a stack is at most 100 lines a thread, of at most 500 characters each."""

_FRAME = re.compile(r'^  File "(?P<file>[^"]*)", line (?P<line>\d+) in (?P<name>.*)$', re.MULTILINE)
_HAD_CONTROL = "Current thread"


class LastWords:
    """What one group left behind. Costs a descriptor, and no memory while nothing was written."""

    def __init__(self, name: str) -> None:
        self._descriptor = os.memfd_create(f"chaffinch {name}")

    def listen(self) -> None:
        """In the group's process: from now on write the stack of every thread when it is time."""
        faulthandler.enable(self._descriptor)
        faulthandler.register(ASK, self._descriptor)

    def take(self) -> str:
        """What was written, and forget it."""
        text = os.pread(self._descriptor, MOST_BYTES, 0).decode(errors="replace")
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return text

    def close(self) -> None:
        os.close(self._descriptor)


def place(text: str) -> str:
    """Of a written stack, the innermost place of the thread that had control, as `file.py:7 in run`; empty if none."""
    _, _, after = text.partition(_HAD_CONTROL)
    found = _FRAME.search(after or text)
    if found is None:
        return ""
    return f"{os.path.basename(found['file'])}:{found['line']} in {found['name']}"
