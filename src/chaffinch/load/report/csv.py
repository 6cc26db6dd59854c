"""The intervals of a run as CSV, written while it goes on: one row each, with one write call."""

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from chaffinch.errors import RunError
from chaffinch.load.error_classes import CLASSES
from chaffinch.load.latencies import Percentiles
from chaffinch.load.polls import Interval

_LATENCIES: Final = ("p50", "p90", "p95", "p99", "p999", "max")
_NONE: Final = Percentiles()

COLUMNS: Final = (
    "interval",
    "at_s",
    "seconds",
    "requests",
    "failed",
    "rate",
    "asked_rate",
    "in_flight",
    "bytes_in",
    "bytes_out",
    *(f"{series}_{name}_ms" for series in ("corrected", "uncorrected") for name in _LATENCIES),
    *(f"error_{name}" for name in CLASSES),
    "error_other",
)
"""The heads, in order. A latency or a rate that there was none of is empty."""


def row(interval: Interval) -> str:
    """One interval, with the end of its line."""
    rate = interval.requests / interval.seconds if interval.seconds > 0 else None
    asked = None if interval.asked is None or interval.seconds <= 0 else interval.asked / interval.seconds
    counts = (interval.requests, interval.failed, rate, asked)
    levels = (interval.in_flight, interval.bytes_in, interval.bytes_out)
    latencies = (interval.latency_ms.corrected or _NONE, interval.latency_ms.uncorrected or _NONE)
    other = sum(count for name, count in interval.errors.items() if name not in CLASSES)
    cells = (
        interval.n,
        interval.at_s,
        interval.seconds,
        *counts,
        *levels,
        *(getattr(of, name) for of in latencies for name in _LATENCIES),
        *(interval.errors.get(name, 0) for name in CLASSES),
        other,
    )
    return ",".join(map(_cell, cells)) + "\n"


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.6f}".rstrip("0").rstrip(".")


class IntervalFile:
    """A file of intervals that has whole rows only, up to the last one written, whenever the process is killed.

    It holds nothing back. What a full disk does not take is counted in `lost`, and the next rows are tried again.
    """

    def __init__(self, path: Path) -> None:
        """Begin the file anew. Raises `RunError` where it cannot be opened."""
        self.path = path
        self.written = 0
        """Rows that are in the file."""
        self.lost = 0
        """Rows that could not be written."""
        self._why = ""
        self._told = False
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o666)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise RunError(f"{path} cannot be written ({reason}): name a file that can") from None
        self._cuts = stat.S_ISREG(os.fstat(self._file).st_mode)
        self._size = 0
        self._put(_HEADS)

    def write(self, intervals: Iterable[Interval]) -> str | None:
        """Add intervals. A sentence when one could not be written for the first time, else None."""
        for interval in intervals:
            text = row(interval) if self._size else _HEADS + row(interval)
            if self._put(text):
                self.written += 1
            else:
                self.lost += 1
        if not self._why or self._told:
            return None
        self._told = True
        return f"{self.path} takes no more intervals ({self._why}): those that it lacks are counted"

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put(self, text: str) -> bool:
        """Write all of the text or nothing of it."""
        data = text.encode("ascii")
        try:
            done = os.write(self._file, data)
            while done < len(data):  # a disk that has become full; a pipe that takes less
                done += os.write(self._file, data[done:])
        except OSError as error:
            self._why = error.strerror or str(error)
            self._cut()
            return False
        self._size += len(data)
        return True

    def _cut(self) -> None:
        """Take away the part of a row that was written."""
        if self._cuts:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)


_HEADS: Final = ",".join(COLUMNS) + "\n"
