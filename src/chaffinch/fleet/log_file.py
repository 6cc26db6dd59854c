"""The fleet's own log: one file that all processes append to, bounded in bytes and in lines a second.

Everything is done by descriptors that were opened before the fork: a group may open nothing there itself.
"""

import contextlib
import fcntl
import logging
import os
import select
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

RATE: Final = 100.0
"""Lines a second that one process writes, past `BURST`; the others are counted in place of written."""

BURST: Final = 1000

MOST_LINE: Final = 32 << 10
"""Characters of one line, its traceback with it; the middle of a longer one is left out."""

BEFORE: Final = ".1"
"""What stands behind the name of the file that holds what the log held before it began anew."""


class LogFile(logging.Handler):
    """Appends to `path`. At `most_bytes` the log begins anew, and what it held is kept beside it, once.

    `echo` is a descriptor that gets the lines too, as long as it takes them: nobody waits for a terminal that stands
    still or a pipe that nobody reads.
    """

    def __init__(
        self, path: Path, most_bytes: int, clock: Callable[[], float] = time.monotonic, *, echo: int | None = None
    ) -> None:
        super().__init__()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)
        self._before = os.open(f"{path}{BEFORE}", flags & ~os.O_APPEND, 0o600)
        self._most_bytes = most_bytes
        self._clock = clock
        self._echo = echo
        self._room, self._at = float(BURST), clock()
        self.left_out = 0
        """Lines that were not written, and are not told yet."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, or count it. A disk that takes none is no reason to fail."""
        if not self._may_write():
            self.left_out += 1
            return
        with contextlib.suppress(OSError):
            self._tell_left_out()
            self._write(self.format(record))
            if os.fstat(self._file).st_size >= self._most_bytes:
                self._begin_anew()

    def close(self) -> None:
        """The last word of a process: what it did not write."""
        with contextlib.suppress(OSError):
            self._tell_left_out()
        super().close()

    def _tell_left_out(self) -> None:
        if self.left_out:
            left_out, self.left_out = self.left_out, 0
            self._write(f"log.left_out pid={os.getpid()} lines={left_out} why=they were more than {RATE:g} a second")

    def _may_write(self) -> bool:
        now = self._clock()
        self._room, self._at = min(float(BURST), self._room + (now - self._at) * RATE), now
        if self._room < 1.0:
            return False
        self._room -= 1.0
        return True

    def _write(self, line: str) -> None:
        if len(line) > MOST_LINE:
            line = f"{line[: MOST_LINE // 2]}\n... {len(line) - MOST_LINE} characters ...\n{line[-MOST_LINE // 2 :]}"
        data = f"{line}\n".encode(errors="backslashreplace")
        os.write(self._file, data)
        if self._echo is not None and _takes(self._echo):
            with contextlib.suppress(OSError):
                os.write(self._echo, data[: select.PIPE_BUF])

    def _begin_anew(self) -> None:
        """Move what is there aside. What another process writes at that very moment may be lost with the old half."""
        try:
            fcntl.lockf(self._before, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return  # another process is at it
        try:
            size = os.fstat(self._file).st_size
            if size < self._most_bytes:
                return
            os.ftruncate(self._before, 0)
            os.lseek(self._before, 0, os.SEEK_SET)
            sent = 0
            while sent < size and (more := os.sendfile(self._before, self._file, sent, size - sent)):
                sent += more
            os.ftruncate(self._file, 0)
        finally:
            fcntl.lockf(self._before, fcntl.LOCK_UN)


def _takes(descriptor: int) -> bool:
    """Whether `PIPE_BUF` bytes can be written without waiting (pipe(7))."""
    look = select.poll()
    look.register(descriptor, select.POLLOUT)
    return any(what & select.POLLOUT for _, what in look.poll(0))
