"""What a run takes, in bytes, by part, before it starts; and the refusal of one that its bound cannot hold.

`usual` is what a part takes when the target behaves as targets do; `most` when it sends as much as is kept of
everything. A bound below `usual` is refused at the start; from there on the memory guard keeps it.
"""

import math
from collections.abc import Callable
from typing import Final

import msgspec

from chaffinch.errors import InputError
from chaffinch.load.plan import ContainsAssert, HeaderAssert, JsonAssert, MatchesAssert, Plan, Scenario, Step
from chaffinch.load.records import capped, least_of, most_records, used_intervals, used_labels, usual_records

KB: Final = 1 << 10
MB: Final = 1 << 20
GB: Final = 1 << 30

# The process. Measured with CPython 3.11 on x86-64 Linux; `test_budget.py` measures the first one again, and
# `test_budget_measured.py` whole runs.

FLOOR: Final = 24 * MB
"""RSS of a fresh interpreter with what `load run` imports: 21.3 MB for a URL, 23.2 MB with the reader of scenario
files, 0.5 MB more for a report in HTML."""

ENGINE: Final = 2 * MB
"""What the engine's code and tables touch: a run of 10 users added 3.0 MB to the interpreter, 1 MB of it records."""

TLS: Final = 3 * MB // 2
"""The TLS library's code and the authorities: the same run was 1.2 MB larger."""

THREAD: Final = 384 * KB
"""Buffers of 64 KB and 16 KB to read into, 3 KB of events, the stack as far as it is used, the allocator's arena of
that thread (132 KB at its least). Added up; with its records each of 3 more threads took 0.95 MB, computed are 1.1."""

# Users and connections: runs of `load run` with 10, 1,000 and 5,000 users of one `GET /` against nginx on the same
# machine, their peaks (VmHWM) divided. Plain 600 to 715 bytes for a user with its connection, with TLS 9,100 to 9,470,
# HTTP/2 in the clear with one stream 1,060, with 100 streams a connection and TLS 660 to 750.

USER: Final = 544
CONNECTION: Final = 256
"""In the process; what the kernel holds for it is `KERNEL_CONNECTION`."""
TLS_CONNECTION: Final = 9 * KB
HTTP2_CONNECTION: Final = 512
"""More than HTTP/1.1: tables of names and of streams."""
STREAM: Final = 160
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

# What is made of a poll.

POLLED_LABEL: Final = 1 * KB
"""At the end of a run: a label's figures take 1,660 bytes in the engine, as JSON and in Python, after the sheets of its
threads are gone, of which it had 800 bytes (10,000 labels, one thread; more threads give back more)."""

POLLED_INTERVAL: Final = 1536
"""374 bytes of JSON and 1,057 of structs (measured by decoding 20,000 in a fresh interpreter)."""

SERVED: Final = 4 * MB
"""What a control API takes for requests and metrics, and what is left of runs before: 64 MB held four runs of 1,000
labels one after another, which grew by 4 MB in all."""

SERVED_LABEL: Final = 5 * KB
"""Its metrics, which are polled with labels while the run goes on and when it ends, and the last result as JSON: runs
of 10,000 labels, one after another, took up to 46 MB more than one alone."""


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


def budget_of(
    plan: Plan, floor_bytes: int = FLOOR, *, held_bytes: int = 0, to_cap: bool = False, served: bool = False
) -> Budget:
    """What a run takes. `floor_bytes` is what the process holds before it starts, where that is known better, and
    `held_bytes` what scenarios take that were replaced; `to_cap` counts records that have grown to their cap, as those
    of a long run may; `served` what a control API makes of it.
    """
    own, users, connections = plan.percentiles, plan.users, _connections(plan)
    labels, intervals, most = used_labels(plan), used_intervals(plan), most_records(plan)
    secure = _is_secure(plan)
    steps = [step for scenario in plan.scenarios for step in scenario.steps]
    kept, most_kept = _kept(plan.scenarios)
    connection, most_connection = _connection(plan, secure, max(map(_body, steps), default=0))
    parts = (
        Part("Python", 1, floor_bytes),
        Part("the engine", 1, ENGINE + (TLS if secure else 0)),
        Part(_counted(plan.threads, "thread"), plan.threads, THREAD),
        Part(_counted(users, "user"), users, USER + kept, USER + most_kept),
        Part(_counted(connections, "connection"), connections, connection, most_connection),
        Part(f"records of {_counted(labels, 'label')}", 1, most if to_cap else usual_records(plan), most),
        Part("polled labels", 1, labels * POLLED_LABEL, own.labels * POLLED_LABEL),
        Part("the control API", int(served), SERVED),
        Part("labels in its metrics", int(served), labels * SERVED_LABEL, own.labels * SERVED_LABEL),
        Part("polled intervals", 1, intervals * POLLED_INTERVAL, own.intervals * POLLED_INTERVAL),
        *_scenarios(plan),
        Part("scenarios before these", 1, held_bytes),
    )
    return Budget(parts, connections * KERNEL_CONNECTION)


def scenario_bytes(plan: Plan) -> int:
    """What the scenarios of a plan take, which another plan's may replace."""
    return sum(part.bytes for part in _scenarios(plan))


def _scenarios(plan: Plan) -> tuple[Part, ...]:
    steps = [step for scenario in plan.scenarios for step in scenario.steps]
    rows = sum(memoryview(one.data.rows).nbytes for one in plan.scenarios if one.data is not None)
    patterns = sum(_patterns(step) for step in steps)
    bodies = sum(_body(step) for step in steps)
    return (
        # In Python as JSON, in the engine as text with an end for each value; twice more while the engine reads it.
        Part("data rows", rows, 3, 5),
        # The text of a body, the bytes of its request, and once more for what is sent.
        Part("steps", 1, len(steps) * STEP + 3 * bodies),
        Part("patterns", patterns, PATTERN, MOST_PATTERN * plan.threads),
    )


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
        usual += HTTP2_CONNECTION + plan.streams * STREAM
    return usual, usual + MOST_HEAD + body + (TLS_RECORDS if secure else 0)


def _kept(scenarios: tuple[Scenario, ...]) -> tuple[int, int]:
    """Bytes that a user keeps of answers: as a rule, and at the most."""
    steps = [step for scenario in scenarios for step in scenario.steps]
    variables = [_variables(one) for one in scenarios]
    looks = any(map(_looks, steps))
    caches = any(step.cache_ttl_ms is not None for step in steps)
    cookies = any(len(one.steps) > 1 or one.keep_cookies for one in scenarios)
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
    plan: Plan,
    memory: int,
    name: str = "--memory",
    *,
    with_kernel: bool = False,
    floor_bytes: int = FLOOR,
    held_bytes: int = 0,
    served: bool = False,
) -> Budget:
    """The budget of a plan that fits into so many bytes, with as little for its records as it can have; raises
    `InputError` with the arithmetic for one that does not fit.

    `name` says what sets the bound: the option, a cgroup's directory, `RAM`. The latter two count what the kernel holds
    for connections as well: `with_kernel`.
    """
    _check_records(plan)
    budget = budget_of(capped(plan, least_of(plan)), floor_bytes, held_bytes=held_bytes, served=served)
    kernel = budget.kernel_bytes if with_kernel else 0
    needed = budget.bytes + kernel
    if needed <= memory:
        return budget
    parts = budget.sentence() + (f" + {in_megabytes(kernel)} the kernel's sockets" if kernel else "")
    raise InputError(
        f"{name} of {at_most(memory)} cannot hold this run, which takes {at_least(needed)}: {parts}; "
        f"give {at_least(needed)}{_less(plan, budget, needed - memory)}"
    )


def _check_records(plan: Plan) -> None:
    """Raise `InputError` if the owner gives records less than they need."""
    own, least = plan.percentiles, least_of(plan)
    if own.bytes is not None and own.enabled and own.bytes < least:
        raise InputError(
            f"percentiles.memory of {at_most(own.bytes)} cannot hold the records of {_counted(own.labels, 'label')} "
            f"on {_counted(plan.threads, 'thread')} with {_counted(own.intervals, 'interval')}, which need "
            f"{at_least(least)}: give {least}, leave it out, or ask for fewer of them"
        )


def _less(plan: Plan, budget: Budget, excess: int) -> str:
    """What else would help: fewer of what takes the most, if that is more than what is missing."""
    counted = {part.name: part.bytes for part in budget.parts if part.name[0].isdecimal()}
    counted[_counted(used_labels(plan), "label")] = sum(part.bytes for part in budget.parts if "label" in part.name)
    name, largest = max(counted.items(), key=lambda one: one[1])
    return f", or ask for fewer than {name}" if largest > excess else ""


def fitted(plan: Plan, memory: int, floor_bytes: int = FLOOR, *, served: bool = False) -> Plan | None:
    """The plan with as many bytes for percentiles as so much memory leaves them: at most its own, at least what its
    labels and threads need. None if there are too few.

    That these bytes are a cap is what makes the bound hold, so a run begins with the fitted plan.
    """
    smallest = capped(plan, least_of(plan))
    needed = budget_of(smallest, floor_bytes, served=served).bytes
    if needed > memory:
        return None
    left = memory - (needed - usual_records(smallest))
    return capped(plan, max(least_of(plan), min(most_records(plan), left)))


def notes(plan: Plan, memory: int, warning: float = 0.80, floor_bytes: int = FLOOR) -> tuple[str, ...]:
    """What the owner of a run that fits should know of its memory, a sentence each."""
    budget = budget_of(plan, floor_bytes)
    found = []
    if budget.bytes > memory * warning:
        found.append(
            f"this run takes {in_megabytes(budget.bytes)}, over {warning:.0%} of {at_most(memory)}: the memory guard "
            "may give up intervals and resolution"
        )
    # Records are no matter of the target: they have their cap.
    hostile = budget.most_bytes - (most_records(plan) - usual_records(plan))
    if hostile > memory:
        largest = max(budget.parts, key=lambda part: part.most_bytes - part.bytes if part.count > 1 else 0)
        found.append(
            f"a target that sends as much as is kept of everything takes this run to {at_least(hostile)}, over "
            f"{at_most(memory)}: {in_megabytes(largest.most_bytes)} of it {largest.name}"
        )
    return tuple(found)


def lowered(asked: Plan, fitted: Plan, memory: int, name: str) -> tuple[str, ...]:
    """A sentence where a run begins with fewer bytes for its records than its owner gave them."""
    given, left = asked.percentiles.bytes, fitted.percentiles.bytes
    if given is None or left is None or left >= given or not asked.percentiles.enabled:
        return ()
    told = f"percentiles.memory is {at_most(left)} instead of {in_megabytes(given)}"
    return (f"{told}: {name} of {at_most(memory)} leaves no more",)


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
    return _shown(count, round)


def at_least(count: int) -> str:
    """The same, rounded up: what is asked for."""
    return _shown(count, math.ceil)


def at_most(count: int) -> str:
    """The same, rounded down: what there is."""
    return _shown(count, math.floor)


def _shown(count: int, rounded: Callable[[float], int]) -> str:
    unit, name = (GB, "GB") if count >= GB else (MB, "MB")
    return f"{rounded(count * 10 / unit) / 10:,.1f} {name}"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
