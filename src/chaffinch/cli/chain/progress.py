"""How far a training is: a bar on a terminal, and control-C, which ends it after what was read."""

import shutil
import signal
import sys
import time
from types import FrameType, TracebackType
from typing import Self

from chaffinch.cli.chain import shown

REDRAW_SECONDS = 0.1
WIDTH = 24


class Stop:
    """Turns SIGINT and SIGTERM into a question that the training asks; a context manager.

    A second signal ends the process as it would have without this: nothing acknowledged is lost by that either.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, *, gently: bool) -> None:
        self.wanted = False
        self._gently = gently

    def __enter__(self) -> Self:
        # What waits for a stream in the core asks nothing until the next messages come: a signal just ends it.
        self._before = {one: signal.signal(one, self._take if self._gently else signal.SIG_DFL) for one in self.SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one, handler in self._before.items():
            signal.signal(one, handler)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self.wanted = True
        signal.signal(number, signal.SIG_DFL)


class Bar:
    """One line on standard error that is written over; nothing where that is not a terminal."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._shown = sys.stderr.isatty()
        self._began = time.monotonic()
        self._drawn = 0.0

    def draw(self, name: str, records: int, done: int) -> None:
        """Say where it is: the file, messages read by this run, bytes read of all files."""
        now = time.monotonic()
        if not self._shown or now - self._drawn < REDRAW_SECONDS:
            return
        self._drawn = now
        pace = f"{records:,} messages, {records / max(now - self._began, 1e-9):,.0f} a second"
        if self._total:
            share = min(done / self._total, 1.0)
            filled = round(share * WIDTH)
            pace = f"[{'#' * filled}{'.' * (WIDTH - filled)}] {share:4.0%}  {pace}"
        row = f"{shown.line(name)[:32]}  {pace}"[: shutil.get_terminal_size().columns - 1]
        sys.stderr.write(f"\r{row}\x1b[K")
        sys.stderr.flush()

    def clear(self) -> None:
        """Leave the line as it was."""
        if self._shown and self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
