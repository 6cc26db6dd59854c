"""`--profile-memory`: what held the bytes of a run, by part: measured, mapped and computed."""

import contextlib
import os
from collections.abc import Iterable
from typing import Final

from chaffinch.load import budget, figures
from chaffinch.load.plan import Plan
from chaffinch.load.polls import Progress
from chaffinch.load.results import Result
from chaffinch.metrics import memory

_KINDS: Final = ("Python's program", "the core", "other libraries", "heap", "stacks", "other memory", "other files")


class MemoryProfile:
    """Begin it when everything is imported and the engine is not made yet, and give it each poll."""

    def __init__(self) -> None:
        self._before = memory.resident_bytes()
        self._made = 0
        self._mapped: dict[str, int] = {}

    def look(self, poll: Progress) -> None:
        """Take the first poll's RSS as that of an engine that was made, and the maps at the last one."""
        self._made = self._made or memory.resident_bytes()
        if poll.state == "ended":
            with contextlib.suppress(OSError), open("/proc/self/smaps", encoding="utf-8", errors="replace") as file:
                self._mapped = by_kind(file)

    def as_text(self, plan: Plan, result: Result) -> str:
        """The three tables."""
        peak = result.memory.peak_rss_bytes
        histograms = result.histograms.bytes
        rows = [
            ("Python and its modules", self._before),
            ("the engine, when it was made", max(0, self._made - self._before)),
            ("what came while it ran", max(0, peak - max(self._made, self._before))),
            ("at the peak", peak),
            (f"histograms of {figures.counted(result.histograms.labels, 'label')}, in that", histograms),
        ]
        measured = [f"{name:<34}{figures.size(count):>12}" for name, count in rows]
        mapped = [f"{name:<34}{figures.size(self._mapped[name]):>12}" for name in _KINDS if self._mapped.get(name)]
        return "\n".join(
            (
                "memory, measured",
                *measured,
                "",
                "memory at the end, by what is mapped",
                *mapped,
                "",
                "memory, computed before the start",
                budget.table(budget.budget_of(plan)),
                "",
            )
        )


def by_kind(lines: Iterable[str]) -> dict[str, int]:
    """Resident bytes of `smaps` by kind of mapping."""
    found: dict[str, int] = {}
    kind = ""
    for line in lines:
        fields = line.split(maxsplit=5)
        if fields and not fields[0].endswith(":"):
            kind = _kind(fields[5].strip() if len(fields) > 5 else "")
        elif line.startswith("Rss:"):
            found[kind] = found.get(kind, 0) + int(fields[1]) * 1024
    return found


def _kind(path: str) -> str:
    name = os.path.basename(path)
    if path == "[heap]":
        return "heap"
    if path.startswith("[stack"):
        return "stacks"
    if not path or path.startswith(("[", "/memfd:")):
        return "other memory"
    if name.startswith("_core."):
        return "the core"
    if name.startswith(("python", "libpython")):
        return "Python's program"
    return "other libraries" if ".so" in name else "other files"
