"""What a group's process holds of its share, and what its parts offer to give up when that runs short."""

import gc
import logging
import resource
import time
from collections.abc import Callable
from functools import partial
from typing import Final, Literal

import msgspec

from chaffinch.metrics import memory
from chaffinch.metrics.guard import Action, Guard, Transition, Watch
from chaffinch.metrics.memory import Limit, Memory
from chaffinch.metrics.registry import Registry

log = logging.getLogger("chaffinch.fleet")

Stage = Literal["shrink_caches", "collapse_earlier", "refuse_sessions"]
"""What is given up, in this order: what can be made anew; single records of what comes often; newcomers."""

SETTING: Final = "fleet.memory"

COLLAPSES: Final = 4
"""How often records may be collapsed earlier, one time after another: as often as decoys can (`MOST_HALVINGS`)."""

COLLAPSE_SECONDS: Final = 2.0
"""Until fewer records show in what is held: the queue to the disk has to be written first."""

BEYOND_BYTES: Final = 16 << 20
"""How far over its share a process may get between two looks: then its allocations fail, so that a worker that takes
memory without end has a `MemoryError` of its own. Stacks of threads, which are mapped and mostly not used, count.
"""

WORTH_BYTES: Final = 256 << 10
"""Freeing less than this is nothing: the next action is taken at once."""


TRIM_SECONDS: Final = 2.0
"""How often, while something is given up, the C library is asked again for what ended sessions left with it. Else it
keeps that, and newcomers are refused long after the last session. The question takes 4 ms where it
finds little; the first after half of a heap was freed here and there took 7 ms of 80 MB, 19 ms of 200 MB.
"""


class Offer(msgspec.Struct, frozen=True):
    """One thing that a part of the process can give up. `do` returns False when there was nothing."""

    do: Callable[[], object]
    undo: Callable[[], object]


class Holdings:
    """The private memory of this process against its share, and the guard that keeps it there.

    Private memory is what the kernel would have back if the process ended. Its exact number costs a walk over all
    pages, which each beat takes; in between, RSS less what was shared then stands for it.

    `native`: native code works here, on files that it maps, of any size. Their pages are the page cache's, which the
    kernel takes back when it wants memory: they count as shared. And an allocation that fails ends native code with
    its process, so there is no brake: the supervisor and the cgroup bound it.
    """

    def __init__(self, share_bytes: int, registry: Registry, *, native: bool = False) -> None:
        self.share_bytes = share_bytes
        self._native = native
        self.last = self.measure()
        """As `measure` found it last."""
        memory.export(registry, lambda: self.last)
        self._offers: dict[Stage, list[Offer]] = {"shrink_caches": [], "collapse_earlier": [], "refuse_sessions": []}
        self._registry = registry
        self._watch: Watch | None = None
        self._trimmed = time.monotonic()
        self.limit_to(share_bytes)

    def offer(self, stage: Stage, do: Callable[[], object], undo: Callable[[], object]) -> None:
        """Something more can be given up at that stage."""
        self._offers[stage].append(Offer(do, undo))

    def measure(self) -> Memory:
        """The exact numbers, for everybody."""
        self.last = memory.read()
        if self._native:
            alone = max(0, self.last.private_bytes - self.last.file_bytes)
            self.last = msgspec.structs.replace(self.last, private_bytes=alone)
        return self.last

    def private_bytes(self) -> int:
        """The private memory now, quickly."""
        return max(0, memory.resident_bytes() - (self.last.rss_bytes - self.last.private_bytes))

    def limit_to(self, share_bytes: int) -> None:
        """Another share from now on; 0 takes the bound away, and gives back what was given up for it."""
        self.share_bytes = share_bytes
        if self._watch is None and share_bytes:
            self._watch = self._begin()
        if self._native:
            return
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        room = max(0, share_bytes - self.private_bytes()) + BEYOND_BYTES
        brake = memory.writable_bytes() + room if share_bytes else hard
        resource.setrlimit(resource.RLIMIT_DATA, (brake if hard < 0 else min(brake, hard), hard))

    @property
    def in_force(self) -> tuple[str, ...]:
        """What is given up now."""
        return self._watch.guard.in_force if self._watch else ()

    def look(self) -> list[Transition]:
        """Let the guard act on what is held now."""
        if self._watch is None:
            return []
        now = time.monotonic()
        if self.in_force and now - self._trimmed >= TRIM_SECONDS:
            self._trimmed = now
            memory.give_back()
        return self._watch.poll()

    @property
    def next_seconds(self) -> float:
        """When to look again."""
        return self._watch.next_s if self._watch else 1.0

    def _begin(self) -> Watch:
        collapse = Action("collapse_earlier", *self._both("collapse_earlier"), lag_s=COLLAPSE_SECONDS)
        actions = [
            Action("shrink_caches", self._shrink, partial(self._undo, "shrink_caches")),
            *[collapse] * COLLAPSES,
            Action("refuse_sessions", *self._both("refuse_sessions"), only_critical=True),
        ]
        guard = Guard(self._bound(), actions)
        return Watch(guard, self._registry, read=self.private_bytes, limit=self._bound)

    def _bound(self) -> Limit:
        return Limit(self.share_bytes, SETTING) if self.share_bytes else memory.limit()

    def _both(self, stage: Stage) -> tuple[Callable[[], object], Callable[[], object]]:
        return partial(self._do, stage), partial(self._undo, stage)

    def _do(self, stage: Stage) -> bool:
        gave = [offer.do() is not False for offer in self._offers[stage]]
        return any(gave)

    def _undo(self, stage: Stage) -> None:
        for offer in self._offers[stage]:
            offer.undo()

    def _shrink(self) -> bool:
        """Caches, then cycles that nobody collected yet, then what the C library keeps of what was freed: before that
        is told to give it back, the guard sees nothing of it. What gave nothing takes its room again.
        """
        began, before = time.monotonic(), self.private_bytes()
        gave = self._do("shrink_caches")
        gc.collect()
        memory.give_back()
        freed = before - self.measure().private_bytes
        log.info("memory.shrunk freed=%d seconds=%.3f", freed, time.monotonic() - began)
        if gave or freed >= WORTH_BYTES:
            return True
        self._undo("shrink_caches")
        return False
