"""What a run takes, in bytes, by part, before it starts; and the refusal of one that its bound cannot hold.

`usual` is what a part takes when the target behaves as targets do; `most` when it sends as much as is kept of
everything. A bound below `usual` is refused at the start; from there on the memory guard keeps it.
"""

from typing import Final

import msgspec

from chaffinch.errors import InputError
from chaffinch.load.plan import ContainsAssert, HeaderAssert, JsonAssert, MatchesAssert, Plan, Scenario, Step

KB: Final = 1 << 10
MB: Final = 1 << 20

# The process. Measured with CPython 3.11 on x86-64 Linux; `test_budget.py` measures the first one again.

FLOOR: Final = 30 * MB
"""RSS of a fresh interpreter with what `load run` imports: 28.3 MB with the command line, the core, the scenario
reader, results, asyncio and the metrics page."""

ENGINE: Final = 2 * MB
"""What the engine's code and tables touch: its bare process of 10 users was 4.3 MB, 2 MB of them the C library."""

TLS: Final = 2 * MB
"""The TLS library's code and the authorities: the same process was 1.2 MB larger; the rest is for the authorities."""

THREAD: Final = 384 * KB
"""Buffers of 64 KB and 16 KB to read into, 3 KB of events, the stack as far as it is used, the allocator's arena of
that thread (132 KB at its least). Added up, not measured."""

# Users and connections: `get`, an example of the engine, with 10, 1,000 and 4,000 users of one `GET /` against nginx on
# the same machine, its peak (VmHWM) divided. Plain 633 to 715 bytes for a user with its connection, TLS and HTTP/2 with
# one stream 9,170 to 9,470, HTTP/2 with 100 streams a connection 660 to 750.

USER: Final = 640
CONNECTION: Final = 384
"""In the process; what the kernel holds for it is `KERNEL_CONNECTION`."""
TLS_CONNECTION: Final = 9 * KB
STREAM: Final = 128
"""Each request that an HTTP/2 connection may have under way."""

KERNEL_CONNECTION: Final = 5 * KB
"""What the kernel holds for one, outside of the process: 12,000 idle loopback sockets took 4,881 bytes of slab each."""

# What is kept of answers (crates/load: answer.rs, http1/head.rs, scenario/{look,cookies,cache}.rs).

MOST_BODY: Final = 1 * MB
MOST_HEAD: Final = 64 * KB
MOST_VALUE: Final = 64 * KB
MOST_JAR: Final = 64 * (4096 + 64)
MOST_CACHE: Final = 64 * KB + 64 * 64
TLS_RECORDS: Final = 2 * 18 * KB
"""A record that comes in parts, and what was decrypted of it."""
USUAL_ANSWER: Final = 8 * KB
"""The head and body of an answer that a scenario looks into."""
USUAL_VALUE: Final = 128

STEP: Final = 4 * KB
PATTERN: Final = 64 * KB
MOST_PATTERN: Final = 2 * MB
"""A compiled pattern and its cache, a megabyte each at the most (scenario/inspect.rs)."""

# What Python makes of a poll: 510 bytes of JSON a label, held twice, and 1,567 bytes of structs; of an interval 374
# bytes of JSON and 1,057 of structs (measured by decoding 20,000 of each in a fresh interpreter).

POLLED_LABEL: Final = 3 * KB
POLLED_INTERVAL: Final = 1536

# Records. The formulas are those of crates/load/src/record/budget.rs, which is the authority: `test_budget.py` holds
# figures that it printed. Sizes are of structs on 64-bit machines.

_SERIES: Final = 208
_LINE: Final = 96
_SHEET: Final = 1344
_INTERVAL: Final = 344
_OUTCOMES: Final = 256
_SPAN: Final = 8
_NAME: Final = 32
_HISTOGRAM: Final = 36 * 128 * 8
_FINE_HISTOGRAM: Final = 33 * 1024 * 8
_WHOLE: Final = 2 * _FINE_HISTOGRAM + 4 * _HISTOGRAM + 8 * KB + 480
_FIRST_PAGE: Final = 1024 + 256 * 16 + 40
_REGISTERS: Final = 1024
_LEAST_COUNTERS: Final = 128
"""Counters for which each label has room at least: one octave at full resolution, eight at the lowest."""

BLOCK: Final = 128
"""Counters of an octave at full resolution; each is 1, 2, 4 or 8 bytes wide, by what it has counted."""

USUAL_OCTAVES: Final = 10
"""Octaves that the latencies of a label touch: the slowest takes a thousand times as long as the fastest."""


class Part(msgspec.Struct, frozen=True):
    """A line of the budget: `count` times `each` bytes, or as much as `most_each`."""

    name: str
    count: int
    each: int
    most_each: int = 0
    """0: the same as `each`."""

    @property
    def bytes(self) -> int:
        return self.count * self.each

    @property
    def most_bytes(self) -> int:
        return self.count * max(self.each, self.most_each)


class Budget(msgspec.Struct, frozen=True):
    """The parts of a run's memory, and what the kernel holds for it outside of the process."""

    parts: tuple[Part, ...]
    kernel_bytes: int

    @property
    def bytes(self) -> int:
        """What the process takes as a rule."""
        return sum(part.bytes for part in self.parts)

    @property
    def most_bytes(self) -> int:
        return sum(part.most_bytes for part in self.parts)

    def sentence(self) -> str:
        """The sum, the largest part first: `28.0 MB Python + 3.0 MB records of 2 labels + 0.1 MB others`."""
        parts = sorted((part for part in self.parts if part.bytes >= MB // 10), key=lambda part: -part.bytes)
        shown = [f"{in_megabytes(part.bytes)} {part.name}" for part in parts]
        others = self.bytes - sum(part.bytes for part in parts)
        return " + ".join((*shown, *((f"{in_megabytes(others)} others",) if others >= MB // 10 else ())))


def least_records(labels: int, threads: int, intervals: int) -> int:
    """The fewest bytes in which the engine records that many labels and keeps that many intervals."""
    sheet = _sheet(labels, _least_recorder(labels))
    return (2 * threads + 1) * sheet + (threads + 1) * _names(labels) + _WHOLE + intervals * _INTERVAL


def full_records(labels: int, threads: int, intervals: int, values: int, octaves: int = USUAL_OCTAVES) -> int:
    """The bytes with which no label loses resolution, when each has so many values in so many octaves.

    Counters are as wide as if all values of a label fell into one of them, so this is never too little. What exceeds
    the least is shared out in `2 * threads + 2` parts, of which the run's sheet has two, one for each of its recorders.
    """
    counters = octaves * BLOCK * width(values)
    each = max(0, counters - _LEAST_COUNTERS) * 65 // 64  # the arena's own tables are a 64th
    return least_records(labels, threads, intervals) + labels * each * (2 * threads + 2)


def width(values: int) -> int:
    """Bytes of a counter that has counted so many."""
    return 1 if values < 1 << 8 else 2 if values < 1 << 16 else 4 if values < 1 << 32 else 8


def _sheet(labels: int, recorder: int) -> int:
    return 2 * recorder + (labels + 1) * (_LINE + _OUTCOMES + 16 + _NAME) + _WHOLE + _SHEET


def _least_recorder(labels: int) -> int:
    tables = _HISTOGRAM + _REGISTERS + _table(labels + 1) + _SERIES + 64 + _FIRST_PAGE
    return tables + labels * (_NAME + _SPAN + _SERIES + _LEAST_COUNTERS)


def _names(labels: int) -> int:
    return _table(labels + 1) + (labels + 1) * _SPAN + labels * 2 * _NAME


def _table(names: int) -> int:
    """The open table of a name set: a power of two of four-byte slots, at most half of them taken."""
    return 4 * (1 << (names * 2 - 1).bit_length())


def most_records(plan: Plan) -> int:
    """What the plan's percentiles may take: their cap, or what they need in any case."""
    own = plan.percentiles
    least = least_records(own.labels, plan.threads, own.intervals)
    return max(own.bytes, least) if own.enabled else least


def usual_records(plan: Plan) -> int:
    """The same for the labels that its scenarios have and the intervals of its duration."""
    labels, intervals = used_labels(plan), used_intervals(plan)
    needed = full_records(labels, plan.threads, intervals, (1 << 32) - 1)
    if not plan.percentiles.enabled:
        needed = least_records(labels, plan.threads, intervals)
    return min(needed, most_records(plan))


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


def budget_of(plan: Plan, floor_bytes: int = FLOOR) -> Budget:
    """What a run takes. `floor_bytes` is what the process holds before it starts, where that is known better."""
    own, users, connections = plan.percentiles, plan.users, _connections(plan)
    labels, intervals = used_labels(plan), used_intervals(plan)
    secure = _is_secure(plan)
    steps = [step for scenario in plan.scenarios for step in scenario.steps]
    rows = sum(memoryview(one.data.rows).nbytes for one in plan.scenarios if one.data is not None)
    patterns = sum(_patterns(step) for step in steps)
    bodies = sum(_body(step) for step in steps)
    kept, most_kept = _kept(plan.scenarios)
    connection, most_connection = _connection(plan, secure, max(map(_body, steps), default=0))
    parts = (
        Part("Python", 1, floor_bytes),
        Part("the engine", 1, ENGINE + (TLS if secure else 0)),
        Part(_counted(plan.threads, "thread"), plan.threads, THREAD),
        Part(_counted(users, "user"), users, USER + kept, USER + most_kept),
        Part(_counted(connections, "connection"), connections, connection, most_connection),
        Part(f"records of {_counted(labels, 'label')}", 1, usual_records(plan), most_records(plan)),
        Part("polled labels", 1, labels * POLLED_LABEL, own.labels * POLLED_LABEL),
        Part("polled intervals", 1, intervals * POLLED_INTERVAL, own.intervals * POLLED_INTERVAL),
        # In Python as JSON, in the engine as text with an end for each value; twice more while the engine reads it.
        Part("data rows", rows, 3, 5),
        # The text of a body, the bytes of its request, and once more for what is sent.
        Part("steps", 1, len(steps) * STEP + 3 * bodies),
        Part("patterns", patterns, PATTERN, MOST_PATTERN * plan.threads),
    )
    return Budget(parts, connections * KERNEL_CONNECTION)


def _connections(plan: Plan) -> int:
    """One for each user and origin; with HTTP/2 one for as many users as it has streams."""
    absolute = {_origin(step.path) for one in plan.scenarios for step in one.steps if "://" in step.path}
    sharing = plan.streams if plan.http == "2" else 1
    return min(plan.connections, -(-plan.users // sharing) * len(absolute | {_origin(plan.base_url)}))


def _origin(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}".lower()


def _is_secure(plan: Plan) -> bool:
    paths = (step.path for one in plan.scenarios for step in one.steps)
    return any(url.lower().startswith("https://") for url in (plan.base_url, *paths))


def _connection(plan: Plan, secure: bool, body: int) -> tuple[int, int]:
    usual = TLS_CONNECTION if secure else CONNECTION
    if plan.http == "2":
        usual += plan.streams * STREAM
    return usual, usual + MOST_HEAD + body + (TLS_RECORDS if secure else 0)


def _kept(scenarios: tuple[Scenario, ...]) -> tuple[int, int]:
    """Bytes that a user keeps of answers: as a rule, and at the most."""
    steps = [step for scenario in scenarios for step in scenario.steps]
    variables = [_variables(one) for one in scenarios]
    looks = any(map(_looks, steps))
    caches = any(step.cache_ttl_ms is not None for step in steps)
    cookies = any(len(one.steps) > 1 for one in scenarios)
    usual = max(variables, default=0) * USUAL_VALUE + (USUAL_ANSWER if looks else 0)
    # A text that grows may hold twice what is in it; one more is the value that is being made.
    most = (max(variables, default=0) + 1) * 2 * MOST_VALUE if looks or any(variables) else 0
    most += MOST_BODY + 2 * MOST_HEAD if looks else 0
    most += (MOST_JAR if cookies else 0) + (MOST_CACHE if caches else 0)
    return usual, most


def _variables(scenario: Scenario) -> int:
    columns = scenario.data.columns if scenario.data else ()
    return len({*columns, *(one.name for step in scenario.steps for one in step.extract)})


def _looks(step: Step) -> bool:
    kinds = (JsonAssert, ContainsAssert, MatchesAssert, HeaderAssert)
    return bool(step.extract) or any(isinstance(one, kinds) for one in step.asserts)


def _patterns(step: Step) -> int:
    return sum(hasattr(one, "pattern") for one in step.extract) + sum(hasattr(one, "matches") for one in step.asserts)


def _body(step: Step) -> int:
    return step.body_size or len((step.body or "").encode())


def refuse(
    plan: Plan, memory: int, name: str = "--memory", *, with_kernel: bool = False, floor_bytes: int = FLOOR
) -> Budget:
    """The budget of a plan that fits into so many bytes; raises `InputError` with the arithmetic for one that does not.

    `name` says what sets the bound: the option, a cgroup's directory, `RAM`. The latter two count what the kernel holds
    for connections as well: `with_kernel`.
    """
    budget = budget_of(plan, floor_bytes)
    kernel = budget.kernel_bytes if with_kernel else 0
    needed = budget.bytes + kernel
    if needed <= memory:
        return budget
    smaller = fitted(plan, memory - kernel, floor_bytes)
    if smaller is not None:
        advice = f"or percentiles.memory: {smaller.percentiles.bytes}"
    else:
        largest = max(budget.parts[2:], key=lambda part: part.bytes)
        advice = f"or ask for less than {largest.name}"
    parts = budget.sentence() + (f" + {in_megabytes(kernel)} the kernel's sockets" if kernel else "")
    raise InputError(
        f"{name} of {in_megabytes(memory)} cannot hold this run, which takes {in_megabytes(needed)}: {parts}; "
        f"give {in_megabytes(needed)}, {advice}"
    )


def fitted(plan: Plan, memory: int, floor_bytes: int = FLOOR) -> Plan | None:
    """The plan with as many bytes for percentiles as so much memory leaves them: at most its own, at least what its
    labels and threads need. None if there are too few.

    That these bytes are a cap is what makes the bound hold, so a run under `--memory` begins with the fitted plan.
    """
    own, budget = plan.percentiles, budget_of(plan, floor_bytes)
    left = memory - (budget.bytes - usual_records(plan))
    least = least_records(own.labels, plan.threads, own.intervals)
    if left < least:
        return None
    return msgspec.structs.replace(
        plan, percentiles=msgspec.structs.replace(own, bytes=max(least, min(own.bytes, left)))
    )


def notes(plan: Plan, memory: int, warning: float = 0.80, floor_bytes: int = FLOOR) -> tuple[str, ...]:
    """What the owner of a run that fits should know of its memory, a sentence each."""
    budget = budget_of(plan, floor_bytes)
    found = []
    if budget.bytes > memory * warning:
        found.append(
            f"this run takes {in_megabytes(budget.bytes)}, over {warning:.0%} of {in_megabytes(memory)}: the memory "
            "guard will give up intervals and resolution"
        )
    if budget.most_bytes > memory:
        largest = max(budget.parts, key=lambda part: part.most_bytes - part.bytes)
        found.append(
            f"a target that sends as much as is kept of everything takes this run to "
            f"{in_megabytes(budget.most_bytes)}, over {in_megabytes(memory)}: {in_megabytes(largest.most_bytes)} of it "
            f"{largest.name}"
        )
    return tuple(found)


def table(budget: Budget) -> str:
    """The budget as aligned text, a line a part, with its sum."""
    rows = [(part.name, in_megabytes(part.bytes), in_megabytes(part.most_bytes)) for part in budget.parts if part.count]
    rows.append(("together", in_megabytes(budget.bytes), in_megabytes(budget.most_bytes)))
    rows.append(("the kernel, outside of it", in_megabytes(budget.kernel_bytes), ""))
    return "\n".join(
        f"{name:<28}{usual:>12}{most:>12}".rstrip() for name, usual, most in (("", "usual", "most"), *rows)
    )


def in_megabytes(count: int) -> str:
    """Bytes as `12.3 MB` or `1.2 GB`: powers of 1024, as sizes are read."""
    return f"{count / (1 << 30):,.1f} GB" if count >= 1 << 30 else f"{count / MB:.1f} MB"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
