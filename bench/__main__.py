"""`make bench`: run every bench, show what it prints, and write docs/benchmarks.md with machine and commands."""

import datetime
import os
import platform
import subprocess
import sys
from pathlib import Path

BENCHES = (
    "startup",
    "fleet",
    "accounting",
    "journal",
    "http",
    "histogram",
    "chain",
    "chain_merge",
    "chain_tenants",
    "chain_http",
    "load",
    "load_sampling",
    "load_memory",
)
PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


def machine() -> str:
    """The processor, the cores, the memory, the kernel and the interpreter, in one line."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kernel = platform.release().partition("-")[0]
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, Linux {kernel}, CPython {platform.python_version()}"


def main() -> int:
    chosen = sys.argv[1:] or BENCHES
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench` on {datetime.datetime.now(datetime.UTC):%Y-%m-%d}: {machine()}.",
        "Other work may have run beside it: read ratios, not digits. MB are millions of bytes.",
    ]
    for name in chosen:
        command = [sys.executable, "-m", f"bench.{name}"]
        print(f"== {name}", flush=True)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        output = (done.stdout + done.stderr).strip()
        print(output, flush=True)
        if done.returncode != 0:
            return done.returncode
        module = (Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8")
        about = module.partition('"""')[2].partition('"""')[0].strip().splitlines()[0]
        lines += ["", f"## {name}", "", about, "", f"`python -m bench.{name}`", "", "```", output, "```"]
    if tuple(chosen) == BENCHES:
        PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
