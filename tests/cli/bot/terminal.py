"""A command on a terminal of its own, driven as its user does: read what it says, answer, see how it ended."""

import os
import pty
import re
import select
import signal
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

WAIT_SECONDS = 20.0


class Terminal:
    """The command as a child of a pseudo-terminal; a context manager that ends it."""

    def __init__(self, code: str, arguments: Sequence[str], environment: dict[str, str]) -> None:
        self.said = ""
        self.code: int | None = None
        self._seen = 0
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.execve(sys.executable, [sys.executable, "-c", code, *arguments], os.environ | environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.code is None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._terminal)

    def until(self, pattern: str) -> str:
        """Wait until it has said that, after what was waited for before; what it said up to there."""
        end = time.monotonic() + WAIT_SECONDS
        while (found := re.compile(pattern).search(self.said, self._seen)) is None:
            if not self._read(end):
                raise AssertionError(f"it did not say {pattern!r}, but: {self.said[self._seen :]!r}")
        before, self._seen = self._seen, found.end()
        return self.said[before : found.end()]

    def answer(self, text: str) -> None:
        """Write a line."""
        os.write(self._terminal, f"{text}\n".encode())

    def ended(self) -> int:
        """Wait for its end; the exit code."""
        end = time.monotonic() + WAIT_SECONDS
        while self._read(end):
            pass
        _, status = os.waitpid(self._pid, 0)
        self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def _read(self, end: float) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._terminal, 4096)
        except OSError:  # its end has been closed
            return False
        self.said += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)
