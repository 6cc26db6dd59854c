"""The ready scenarios of deploy/load, each in the RAM that it is for: the peak of each, and what is refused.

Each runs in a memory cgroup of that size (where this process may make one) against nginx with one worker on core 0, the
generator on core 1: as it stands, against a port that is closed, a target that stops for 5 s, and one whose heads and
bodies make users hold as much as they keep; then one page with as many users as fit, and one with more than fit.
MiB are 1,048,576 bytes. `CHAFFINCH_ROW_SECONDS` (60) is how long a size takes at the most. Ends with the table of
docs/load-memory.md.
"""

import contextlib
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.apart import Figures, at_most
from bench.load import CLIENT_CORE, SERVER_CORE, free_port, wait_for
from bench.memory_group import MemoryGroup, memory_group
from chaffinch.errors import InputError
from chaffinch.load import Options, budget, load_file, plan_for_url
from chaffinch.load.budget import Budget
from chaffinch.load.capacity import SHARE
from chaffinch.load.loaded import Loaded
from chaffinch.load.open_files import OTHER_FILES
from chaffinch.load.plan import Constant, Plan
from chaffinch.metrics.memory import resident_bytes

SCENARIOS = Path(__file__).resolve().parents[1] / "deploy" / "load"
SIZES = ("512m", "1g", "2g", "4g", "8g", "16g")
SECONDS = int(os.environ.get("CHAFFINCH_ROW_SECONDS", "60"))
OTHER_SECONDS = 40
"""Of these, what all but the steady run take."""
SMALL = "/small"
"""Below which the shop has one item, or 32 at the most: what a label takes grows for as long as latencies are new to
it, so that memory is flat only when all labels have seen theirs.
"""
ADDRESSES = [f"127.0.0.{number}" for number in range(1, 9)]
"""Where nginx listens: one address has 28,232 ports for another, among which the kernel looks long for a free one when
half of them are taken, and 4,096 places for connections that were not accepted yet (`net.core.somaxconn`).
"""
MIB = 1 << 20
STOPPED_S = 5
HELD_BODIES = 2 << 30
"""Bodies of 1 MB are held for scenarios whose users together hold no more: a test leaves the machine some memory."""
LATER = 0.4
"""The share of a run, at its end, in which memory is looked at for growth."""

STARTER = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
_, status, usage = os.wait4(child.pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""
"""A small process that starts what is measured: Linux counts what its parent had as the least that a process had."""

NGINX = """
master_process off; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ worker_connections {connections}; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; default_type application/json;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  split_clients "$request_id" $many {{ {many} }}
  split_clients "$request_id-" $few {{ {few} }}
  server {{ {listen}
            location ~ /login$ {{ return 200 '{{"token":"abc123"}}'; }}
            location = /items {{ return 200 '{{"items":[{{"id":"$few-$many"}}]}}'; }}
            location = {small}/items {{ return 200 '{{"items":[{{"id":"0-$few"}}]}}'; }}
            location / {{ return 200 "ok"; }} }}
}}
"""


class Row(NamedTuple):
    """A scenario and the RAM that it is for."""

    name: str
    file: Path
    loaded: Loaded
    ram: int

    @property
    def plan(self) -> Plan:
        return self.loaded.plan

    @property
    def requests_s(self) -> float:
        assert isinstance(self.plan.model, Constant)
        return self.plan.model.rate * len(self.plan.scenarios[0].steps)


class Seen(NamedTuple):
    """What a run was seen to do."""

    code: int
    said: str
    peak_bytes: int
    resident: list[int]
    """RSS twice a second."""
    result: Figures
    group_peak_bytes: int | None
    kills: int


def row_of(name: str) -> Row:
    file = SCENARIOS / f"{name}.yaml"
    loaded = load_file(file)
    assert loaded.guard.limit is not None, f"{file} has no memory.limit"
    return Row(name, file, loaded, loaded.guard.limit)


# Targets --------------------------------------------------------------------------------------------------------------


def shares(parts: int) -> str:
    """So many equal parts for `split_clients`, which knows two decimals; the last one has the rest."""
    each = int(10_000 / parts) / 100
    return " ".join([f"{each:.2f}% {number};" for number in range(parts - 1)] + [f"* {parts - 1};"])


@contextlib.contextmanager
def nginx(labels: int) -> Iterator[tuple[str, int]]:
    """A shop with about so many items, less those labels that are no items; its URL and its process."""
    port, most = free_port(), resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with tempfile.TemporaryDirectory(prefix="chaffinch-bench-") as name:
        folder = Path(name)
        text = NGINX.format(
            folder=folder,
            connections=min(65_536, most) - OTHER_FILES,
            listen=" ".join(f"listen {address}:{port} backlog=4096;" for address in ADDRESSES),
            small=SMALL,
            many=shares(990),
            few=shares(max(1, labels // 1000)),
        )
        (folder / "nginx.conf").write_text(text, encoding="utf-8")
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        server = ["taskset", "-c", str(SERVER_CORE), program, "-c", str(folder / "nginx.conf"), "-p", str(folder)]
        with subprocess.Popen(server, stderr=subprocess.DEVNULL) as process:
            try:
                wait_for(port)
                yield f"http://127.0.0.1:{port}", process.pid
            finally:
                process.send_signal(signal.SIGTERM)


@contextlib.contextmanager
def heavy(body_bytes: int, hold_s: float) -> Iterator[str]:
    """`bench.heavy_answers` in a process of its own; its URL."""
    server = [sys.executable, "-m", "bench.heavy_answers", str(body_bytes), str(hold_s)]
    pinned = ["taskset", "-c", str(SERVER_CORE), *server]
    with subprocess.Popen(pinned, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


def stopping(pid: int, after_s: float) -> threading.Timer:
    """Stop a process once for `STOPPED_S`."""

    def stop() -> None:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(STOPPED_S)
        os.kill(pid, signal.SIGCONT)

    timer = threading.Timer(after_s, stop)
    timer.start()
    return timer


# Runs -----------------------------------------------------------------------------------------------------------------


def run(row: Row, url: str | None, *arguments: str) -> Seen:
    """`chaffinch load run` in a group of the row's size; of its file against `url`, or of what `arguments` say."""
    with tempfile.TemporaryDirectory(prefix="chaffinch-bench-") as name, memory_group(row.ram) as group:
        json_file = Path(name) / "result.json"
        what = ["--from-env", str(row.file)] if url is not None else []
        to = ["--quiet", "--json", str(json_file), "--state", name]
        command = [sys.executable, "-m", "chaffinch", "load", "run", *what, *arguments, *to]
        if group is None and url is None:
            command += ["--memory", str(row.ram)]  # the files say theirs themselves
        pinned = ["taskset", "-c", str(CLIENT_CORE), *command]
        return watched(group.joined(pinned) if group else pinned, url, json_file, group)


def watched(command: Sequence[str], url: str | None, json_file: Path, group: MemoryGroup | None) -> Seen:
    """Run it to its end and look at its RSS twice a second."""
    environment = os.environ | ({} if url is None else {"TARGET_URL": url})
    resident: list[int] = []
    started = [sys.executable, "-I", "-S", "-c", STARTER, *command]
    with subprocess.Popen(
        started, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        while process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                resident.append(resident_bytes(pid))
            time.sleep(0.5)
        printed, said = process.communicate()
    code, kilobytes = map(int, printed.split())
    result: Figures = json.loads(json_file.read_text(encoding="utf-8")) if json_file.exists() else {}
    peaks = (group.peak_bytes(), group.kills()) if group else (None, 0)
    return Seen(code, said, kilobytes * 1024, resident, result, *peaks)


def growth(seen: Seen, seconds: float) -> float | None:
    """Bytes by which RSS grew over the later part of the run, by its slope; None of a run that is too short."""
    while_sending = seen.resident[1 : int(seconds * 2)]
    later = while_sending[int(len(while_sending) * (1 - LATER)) :]
    if len(later) < 16:
        return None
    return statistics.linear_regression(range(len(later)), later).slope * len(later)


def ran(plan: Plan, seconds: float) -> Plan:
    """The plan as it is run here: shorter."""
    return msgspec.structs.replace(plan, duration_ms=int(seconds * 1000))


# What is shown --------------------------------------------------------------------------------------------------------


def told(row: Row, what: str, seen: Seen, computed: int, code: int) -> None:
    """The line of a run: its peak under what was computed, the group's under the RAM, and nothing given up."""
    given_up = len(seen.result.get("memory", {}).get("guard", ()))
    group = ""
    if seen.group_peak_bytes is not None:
        group = f"; {at_most(seen.group_peak_bytes / MIB, row.ram / MIB, 'MiB', 1)} of its group"
    print(
        f"  {what}: {at_most(seen.peak_bytes / MIB, round(computed / MIB, 1), 'MiB', 1)} peak RSS{group}; "
        f"{at_most(given_up, 0, 'given up by the guard', 0)}",
        flush=True,
    )
    assert seen.kills == 0, f"{row.name}, {what}: the kernel killed it"
    assert seen.code == code, f"{row.name}, {what}: exit code {seen.code}\n{seen.said}"


def sent(seen: Seen) -> str:
    """How much of what was asked was sent, and why not all."""
    begun, unsent, asked = (seen.result[name] for name in ("iterations", "unsent", "asked"))
    why = " ".join(seen.result["generator"]["why"])
    assert begun + unsent >= asked * 0.999, "what was due is sent, or counted as not sent"
    assert begun >= asked * 0.999 or why, "a run that sent less says why"
    said = f"; it says: {why}" if why else ""
    return f"{begun / asked:.2%} of what was asked, {unsent:,} counted as not sent{said}"


def steady(row: Row, url: str, seconds: float) -> Seen:
    seen = run(row, url + SMALL, "--duration", f"{seconds:g}s")
    told(row, f"as it stands, {seconds:g} s", seen, budget.budget_of(ran(row.plan, seconds)).bytes, 0)
    grown = growth(seen, seconds)
    flat = "too short for a slope"
    if grown is not None:
        bound = max(1.0, seen.peak_bytes / MIB / 100)
        flat = f"RSS grew by {at_most(grown / MIB, round(bound, 2), 'MiB')} in the last {LATER:.0%}"
    print(f"    {seen.result['requests']:,} requests, {sent(seen)}; {flat}; {seen.result['failed']:,} failed")
    return seen


def labelled(row: Row, url: str, seconds: float) -> Seen:
    """With as many items as there may be labels, drawn at random."""
    seen = run(row, url, "--duration", f"{seconds:g}s")
    used, folded = seen.result["histograms"]["labels"], seen.result["folded"]["labels"]
    computed = budget.budget_of(ran(row.plan, seconds)).bytes
    told(row, f"{used:,} of {row.plan.percentiles.labels:,} labels, {seconds:g} s", seen, computed, 0)
    print(f"    {seen.result['requests']:,} requests, {sent(seen)}; {folded:,} labels folded")
    return seen


def refused(row: Row) -> None:
    seen = run(row, f"http://127.0.0.1:{free_port()}", "--duration", "3s")
    told(row, "a closed port", seen, budget.budget_of(ran(row.plan, 3)).bytes, 1)
    print(f"    {sent(seen)}; errors {seen.result['errors']}")


def stalled(row: Row, url: str, pid: int) -> None:
    timer = stopping(pid, 2)
    seen = run(row, url, "--duration", "8s")
    timer.join()
    told(row, f"stopped for {STOPPED_S} s", seen, budget.budget_of(ran(row.plan, 8)).bytes, 0)
    print(f"    {sent(seen)}; errors {seen.result['errors']}")


def hostile(row: Row) -> None:
    """Heads of 60 KB, and bodies of 1 MB where they are not too many."""
    body = (MIB - (8 << 10)) if row.plan.users * MIB <= HELD_BODIES else 0
    with heavy(body, 1.5) as url:
        seen = run(row, url, "--duration", "5s", "--timeout", "20s")
    what = f"heads of 60 KB{' and bodies of 1 MB' if body else ''}, held by {row.plan.users:,} users"
    told(row, what, seen, budget.budget_of(ran(row.plan, 5)).most_bytes, 0)
    print(f"    {sent(seen)}; errors {seen.result['errors']}")


def page(row: Row, url: str) -> int:
    """One page with as many users as memory holds at the most, or as this process may open files; the former."""

    def takes(users: int) -> Budget:
        return budget.budget_of(plan_for_url(url, Options(concurrency=users, connections=users, duration_ms=3000)))

    most = largest(lambda users: takes(users).most_bytes + takes(users).kernel_bytes <= row.ram * SHARE, 1_000_000, 500)
    # nginx closes idle connections when fewer than a 16th of its own are free.
    files = (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 2 * OTHER_FILES) * 9 // 10
    users = min(most, files // 500 * 500)
    port = url.rpartition(":")[2]
    spread = [option for address in ADDRESSES for option in ("--resolve", f"shop.test:{address}:{port}")]
    count = ("--concurrency", str(users), "--connections", str(users))
    seen = run(row, None, f"http://shop.test:{port}/", *spread, *count, "--duration", "3s")
    told(row, f"one page, {users:,} of {most:,} users", seen, takes(users).bytes, 0)
    connected = seen.result["phases_ms"]["connect"]["count"]
    print(f"    {connected:,} connections, {seen.result['rate']:,.0f} requests/s; errors {seen.result['errors']}")
    return most


def too_much(row: Row, url: str) -> None:
    """Twice as many users, and twice as many labels, as the bound can hold at all."""
    replaced = msgspec.structs.replace

    def holds(plan: Plan) -> bool:
        try:
            budget.refuse(plan, row.ram, with_kernel=True)
        except InputError:
            return False
        return True

    users = 2 * largest(lambda count: holds(replaced(ran(row.plan, 3), users=count)), 1_000_000)
    own = row.plan.percentiles
    labels = 2 * largest(
        lambda count: holds(replaced(ran(row.plan, 3), percentiles=replaced(own, labels=count))), 10_000_000
    )
    for option, count, most in (("--concurrency", users, 1_000_000), ("--labels", labels, 10_000_000)):
        if count > most:
            print(f"  {option} {count:,} would be refused for itself: the most is {most:,}")
            continue
        seen = run(row, url, "--duration", "3s", option, str(count))
        lines = seen.said.splitlines()
        print(f"  {option} {count:,}: exit code {seen.code}: {lines[-1] if lines else ''}", flush=True)
        assert seen.code == 2
        assert " cannot hold " in seen.said


def largest(fits: Callable[[int], bool], most: int, step: int = 1) -> int:
    """The largest multiple of `step` up to `most` that fits; it fits below wherever it fits."""
    low, high = 0, most // step
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle * step) else (low, middle - 1)
    return low * step


def measured(name: str) -> str:
    """All of a size; its line of the table."""
    row = row_of(name)
    seconds = max(5, SECONDS - OTHER_SECONDS)
    whole = budget.budget_of(row.plan)
    most = whole.most_bytes + whole.kernel_bytes
    print(
        f"{name}: {row.plan.users:,} users, {row.requests_s:,.0f} requests/s, {row.plan.percentiles.labels:,} labels; "
        f"whatever the target sends {at_most(most / MIB, round(row.ram * SHARE / MIB), 'MiB', 0)}",
        flush=True,
    )
    with nginx(row.plan.percentiles.labels) as (url, pid):
        seen = max(steady(row, url, seconds), labelled(row, url, 10), key=lambda one: one.peak_bytes)
        refused(row)
        stalled(row, url, pid)
        hostile(row)
        users = page(row, url)
        too_much(row, url)
    cells = (
        f"[{name}](../deploy/load/{name}.yaml)",
        f"{row.plan.users:,}",
        f"{row.requests_s:,.0f}",
        f"{row.plan.percentiles.labels:,}",
        f"{seen.peak_bytes / MIB:,.0f} MiB",
        f"{whole.bytes / MIB:,.0f} MiB",
        f"{most / MIB:,.0f} MiB",
        f"{users:,}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    with memory_group(MIB * 64) as group:
        print(f"each run in {group.name if group else 'no cgroup, which this process may not make: --memory alone'}")
    lines = [measured(name) for name in sys.argv[1:] or SIZES]
    heads = ("RAM", "users", "requests/s", "labels", "seen at the peak", "as a rule", "at the most", "one page: users")
    print("\n".join((f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|", *lines)))


if __name__ == "__main__":
    main()
