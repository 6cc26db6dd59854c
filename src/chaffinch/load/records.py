"""What the records of a run take, in bytes: histograms and counts of its labels, and the intervals that are kept."""

from typing import Final

import msgspec

from chaffinch.load.plan import USUAL_RECORDS, Plan, least_records

KB: Final = 1 << 10

# What records need at least is the engine's to say (`_core.least_record_bytes`, from
# crates/load/src/record/budget.rs), and it counts everything as touched. What runs were seen not to touch of it:

UNTOUCHED_SHEET: Final = 548 * KB
"""Of each sheet, and of the running interval: two thirds of 780 KB of histograms of everything, whose octaves reach
from nanoseconds to days."""

UNTOUCHED_LABEL: Final = 304
"""Of each sheet, for a label: 256 bytes for many statuses, of which it has one as a rule, and 48 for its name while
that is on its way."""

UNTOUCHED_COUNTERS: Final = 128
"""Of a thread's sheet, for a label: half of the least counters; it holds the values of one tick."""

LEAST_COUNTERS: Final = 128
"""Bytes of counters a label and recorder that the least has room for: one octave at full resolution, eight at the
lowest."""

USUAL_COUNTERS: Final = 1 * KB
"""What the two recorders of the whole run take for a label as a rule, each, where there is room: eight octaves of
narrow counters, or four of counters up to 65,535."""

BLOCK: Final = 128
"""Counters of an octave at full resolution; each is 1, 2, 4 or 8 bytes wide, by what it has counted."""

USUAL_OCTAVES: Final = 10
"""Octaves that the latencies of a label touch: the slowest takes a thousand times as long as the fastest."""


def full_records(labels: int, threads: int, intervals: int, values: int, octaves: int = USUAL_OCTAVES) -> int:
    """The bytes with which no label loses resolution, when each has so many values in so many octaves.

    Counters are as wide as if all values of a label fell into one of them, so this is never too little. What exceeds
    the least is shared out in `2 * threads + 2` parts, of which the run's sheet has two, one for each of its recorders.
    """
    counters = octaves * BLOCK * width(values)
    each = max(0, counters - LEAST_COUNTERS) * 65 // 64  # the arena's own tables are a 64th
    return least_records(labels, threads, intervals) + labels * each * (2 * threads + 2)


def width(values: int) -> int:
    """Bytes of a counter that has counted so many."""
    return 1 if values < 1 << 8 else 2 if values < 1 << 16 else 4 if values < 1 << 32 else 8


def least_of(plan: Plan) -> int:
    """What the labels, threads and intervals of a plan need at least."""
    own = plan.percentiles
    return least_records(own.labels, plan.threads, own.intervals)


def most_records(plan: Plan) -> int:
    """What the plan's records may take: their cap."""
    own = plan.percentiles
    if not own.enabled:
        return least_of(plan)
    return max(USUAL_RECORDS, least_of(plan)) if own.bytes is None else own.bytes


def usual_records(plan: Plan) -> int:
    """What they take as a rule, with the labels that its scenarios have and the intervals of its duration."""
    labels, threads = used_labels(plan), plan.threads
    sheets = 2 * threads + 1
    untouched = (sheets + 1) * UNTOUCHED_SHEET + labels * (sheets * UNTOUCHED_LABEL + 2 * threads * UNTOUCHED_COUNTERS)
    base = least_records(labels, threads, used_intervals(plan)) - untouched
    spare = max(0, most_records(plan) - least_of(plan)) // (threads + 1)
    return base + min(2 * labels * (USUAL_COUNTERS - LEAST_COUNTERS), spare)


def used_labels(plan: Plan) -> int:
    """Labels that a run has: one for each scenario and step, or as many as may be where one is a template."""
    found = {one.name for one in plan.scenarios}
    for scenario in plan.scenarios:
        for step in scenario.steps:
            if "$" in (step.label or "").replace("$$", ""):
                return plan.percentiles.labels
            found.add(step.label or f"{scenario.name}/{step.name}")
    return min(len(found), plan.percentiles.labels)


def used_intervals(plan: Plan) -> int:
    """Intervals that are kept: those of its duration, if that is known, and at most as many as may be."""
    own = plan.percentiles
    return own.intervals if plan.duration_ms is None else min(own.intervals, plan.duration_ms // own.interval_ms + 1)


def capped(plan: Plan, count: int) -> Plan:
    """The plan with so many bytes for its records."""
    return msgspec.structs.replace(plan, percentiles=msgspec.structs.replace(plan.percentiles, bytes=count))
