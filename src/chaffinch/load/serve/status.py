"""What `/status` answers: the test at this moment, as the terminal view would show it.

Intervals come from the ring that the engine keeps; nothing of them is held here.
"""

from typing import Final

import msgspec

from chaffinch.http.problem import RefusalError
from chaffinch.load import polls
from chaffinch.load.polls import Progress
from chaffinch.load.serve.active import Active
from chaffinch.load.serve.conductor import Conductor
from chaffinch.load.serve.wire import MemoryNow, Status
from chaffinch.metrics import memory
from chaffinch.metrics.guard import LEVELS
from chaffinch.metrics.registry import Registry
from chaffinch.metrics.snapshot import Sample

MOST_INTERVALS: Final = 300
"""Of one answer: the last ones."""


def since_of(found: dict[str, str]) -> int:
    """The interval from which on they are wanted. Raises `RefusalError` 400 for what is no number."""
    text = found.get("since", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        detail = f"the query parameter since is {text[:40]!r}: give the number of an interval, from 0 on"
        raise RefusalError(400, "bad_query", detail)
    return int(text)


def status(conductor: Conductor, registry: Registry, since: int) -> Status:
    """How it goes, with the intervals from number `since` on."""
    test = conductor.running
    progress = None if test is None else _progress(test, since)
    rss = memory.resident_bytes()
    fields = msgspec.structs.asdict(conductor.health())
    if test is None or progress is None:
        return Status(**fields, memory=MemoryNow(rss_bytes=rss, peak_rss_bytes=rss))
    return Status(**fields, about=test.about, progress=progress, memory=_memory(test, registry))


def _progress(test: Active, since: int) -> Progress | None:
    """None once its result is taken: the engine is gone then."""
    length = test.plan.percentiles.interval_ms / 1000
    first = int(test.progress.elapsed_s / length) - MOST_INTERVALS
    polled = test.polled(max(since, first, 0), labels=False)
    if polled is None:
        return None
    found = polls.decode_progress(polled)
    return msgspec.structs.replace(found, intervals=found.intervals[-MOST_INTERVALS:])


def _memory(test: Active, registry: Registry) -> MemoryNow:
    now = test.memory()
    guard = _guard(registry)
    level = int(next((one.value for one in guard.get("memory_guard_state", ())), 0))
    held_to = next((int(one.value) for one in guard.get("memory_guard_bound_bytes", ())), None)
    last = now.guard[-1] if now.guard else None
    return MemoryNow(
        rss_bytes=now.rss_bytes,
        peak_rss_bytes=now.peak_rss_bytes,
        bound_bytes=now.bound_bytes,
        guard=next(name for name, number in LEVELS.items() if number == level),
        guard_bound_bytes=held_to,
        guard_in_force=tuple(dict(one.labels)["action"] for one in guard.get("memory_guard_in_force", ()) if one.value),
        guard_actions=len(now.guard),
        guard_last=last.action if last else "",
        guard_last_at_s=last.at_s if last else None,
    )


def _guard(registry: Registry) -> dict[str, tuple[Sample, ...]]:
    """What the guard shows of itself: it is that of the test that runs."""
    families = registry.snapshot().families
    return {one.name: tuple(one.samples) for one in families if one.name.startswith("memory_guard_")}
