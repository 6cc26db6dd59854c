"""The page of metrics of a server: what it counted, what runs, its memory, and the names of other dashboards."""

import asyncio
import os
from typing import Final

import msgspec

from chaffinch import __version__
from chaffinch.load import aliases
from chaffinch.load.loaded import Node
from chaffinch.load.metrics.exposition import Family, render
from chaffinch.load.metrics.families import from_snapshot, gauges, of_run, single, states
from chaffinch.load.metrics.labels import Shown
from chaffinch.load.metrics.reading import Reading
from chaffinch.load.serve.active import Active
from chaffinch.load.serve.conductor import STATES, Conductor
from chaffinch.metrics import memory
from chaffinch.metrics.registry import Registry
from chaffinch.metrics.snapshot import Labels, Snapshot

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Page:
    """What `/metrics` shows. With a namespace the names of the load tester that users come from are there, too."""

    def __init__(self, conductor: Conductor, registry: Registry, node: Node, namespace: str = "") -> None:
        self._conductor = conductor
        self._registry = registry
        self._node = node
        self._namespace = namespace
        self._turn = asyncio.Lock()
        memory.export(registry)
        registry.gauge("process_virtual_memory_bytes", virtual_bytes)

    async def read(self, *, text: bool = False) -> bytes:
        """Everything at one moment: nothing of it is there twice, or missing, when a run ends just then.

        One at a time, and what takes long with many labels on a thread, so that others are answered meanwhile.
        """
        async with self._turn:
            reading = await self._conductor.reading()
            # Nothing is awaited from here until all has been read.
            active = self._conductor.active if reading is not None else None
            snapshot = self._registry.snapshot()
            families = self._now(snapshot, reading)
            around = self._around(snapshot, active) if self._namespace else None
            sums = self._conductor.sums.copy()
            about = self._about(active)

            def rendered() -> bytes:
                if active is not None and reading is not None and not active.is_standby:
                    families.extend(of_run(reading, active.name, active.shown, about))
                if around is not None:
                    shown = active.shown if active is not None else Shown()
                    families.extend(aliases.families(self._namespace, sums, reading, shown, around))
                return render(families, text=text)

            return await asyncio.to_thread(rendered)

    def _now(self, snapshot: Snapshot, reading: Reading | None) -> list[Family]:
        """What there is of the server and of the run, whatever labels it has."""
        conductor = self._conductor
        sender = (("node", self._node.name), ("region", self._node.region), ("version", __version__))
        families = [
            *from_snapshot(snapshot),
            *conductor.sums.families(reading),
            *gauges(reading, conductor.users),
            states("load_state", conductor.state, STATES),
            single("load_info", 1, sender),
        ]
        if conductor.running is not None and conductor.running.time_left_s is not None:
            families.append(single("load_time_left_seconds", conductor.running.time_left_s))
        return families

    @staticmethod
    def _about(active: Active | None) -> Labels:
        if active is None:
            return ()
        return (("name", active.given.about.name), ("model", str(active.plan.model.__struct_config__.tag)))

    def _around(self, snapshot: Snapshot, active: Active | None) -> aliases.Around:
        conductor = self._conductor
        plan = active.plan if active else conductor.loaded.plan if conductor.loaded else None
        return aliases.Around(
            node=msgspec.structs.replace(self._node, tenant=conductor.tenant),
            users_configured=plan.users if plan else 0,
            plan=plan,
            rss_bytes=memory.resident_bytes(),
            virtual_bytes=virtual_bytes(),
            over_warning=_exceeded(snapshot, "warning"),
            over_critical=_exceeded(snapshot, "critical"),
        )


def virtual_bytes() -> int:
    """The memory that this process maps, in RAM or not."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * _PAGE


def _exceeded(snapshot: Snapshot, threshold: str) -> int:
    for family in snapshot.families:
        if family.name == "memory_guard_threshold_exceeded":
            return sum(int(one.value) for one in family.samples if one.labels == (("threshold", threshold),))
    return 0
