"""One measurement in a process of its own: what it took, and what it gives back.

A fresh interpreter calls the function with its arguments and prints what it returns as JSON. Wall time and peak memory
that earlier measurements left behind in this process touch nothing.
"""

import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Figures = dict[str, Any]


class Run(NamedTuple):
    """What a finished process took: wall time, processor time (user and system), and the most RSS it had.

    Linux counts what this process had at the most as the least of that: what is measured is started by a small one.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str


def run(command: Sequence[str], cwd: Path | None = None) -> Run:
    """Run a command to its end. Raises `RuntimeError` with what it said if it fails."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=cwd) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, output)


def command(function: Callable[..., Figures], **arguments: str | int | bool) -> list[str]:
    """The command that calls a function of a module in a fresh interpreter."""
    spec = sys.modules[function.__module__].__spec__
    assert spec is not None, "the measured function stands in a module"
    return [sys.executable, "-m", "bench.apart", spec.name, function.__name__, json.dumps(arguments)]


def apart(function: Callable[..., Figures], **arguments: str | int | bool) -> Figures:
    """What the function returns, with `peak_bytes` and `cpu_seconds` of its whole process."""
    done = run(command(function, **arguments))
    figures: Figures = json.loads(done.output.splitlines()[-1])
    return {"peak_bytes": done.peak_bytes, "cpu_seconds": done.cpu_seconds} | figures


def medians(runs: Sequence[Figures]) -> Figures:
    """The median of each figure over several runs."""
    return {name: statistics.median(one[name] for one in runs) for name in runs[0]}


def percentile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def private_bytes(pid: int | str = "self") -> int:
    """Memory that nobody else maps: pages of files that two processes map are not among it."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("Private_Clean", "Private_Dirty")))


def anonymous_bytes(pid: int | str = "self") -> int:
    """Memory that is no page of a file."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def at_most(value: float, bound: float, unit: str, digits: int = 2) -> str:
    """A figure, the bound that it is to stay under, and whether it does."""
    return _bounded(value, bound, unit, digits, value <= bound)


def at_least(value: float, bound: float, unit: str, digits: int = 0) -> str:
    """A figure, the bound that it is to reach, and whether it does."""
    return _bounded(value, bound, unit, digits, value >= bound)


def _bounded(value: float, bound: float, unit: str, digits: int, held: bool) -> str:
    space = "" if unit[:1] in {"", "x", "/"} else " "
    return f"{value:,.{digits}f}{space}{unit} (bound {bound:,g}{space}{unit}: {'PASS' if held else 'MISS'})"


def main(module: str, function: str, arguments: str) -> None:
    print(json.dumps(getattr(importlib.import_module(module), function)(**json.loads(arguments))))


if __name__ == "__main__":
    main(*sys.argv[1:])
