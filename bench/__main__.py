"""`make bench`: run every bench, or those that are named, show what they print, and write it to docs/benchmarks.md."""

import datetime
import os
import platform
import subprocess
import sys
from pathlib import Path

BENCHES = (
    "startup",
    "floor",
    "fleet",
    "fleet_times",
    "chaos",
    "storm",
    "filled",
    "accounting",
    "capture",
    "looks",
    "journal",
    "http",
    "histogram",
    "chain",
    "chain_merge",
    "chain_bot",
    "chain_tenants",
    "chain_http",
    "bot",
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


def section(name: str, output: str) -> str:
    """What the page says of a bench."""
    module = (Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8")
    about = module.partition('"""')[2].partition('"""')[0].strip().splitlines()[0]
    today = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    return f"## {name}\n\n{about}\n\n`python -m bench.{name}`, {today}:\n\n```\n{output}\n```\n"


def sections() -> dict[str, str]:
    """Those of the page as it is, by the name of their bench."""
    parts = PAGE.read_text(encoding="utf-8").split("\n## ")[1:] if PAGE.exists() else []
    return {part.partition("\n")[0]: f"## {part.rstrip()}\n" for part in parts}


def write(found: dict[str, str]) -> None:
    """The page: what was measured now in place of what was there, and the rest as it was."""
    told = sections() | found
    head = (
        f"# Benchmarks\n\nWritten by `make bench`, last on {machine()}.\n"
        "Other work may have run beside it: read ratios, not digits. MB are millions of bytes.\n"
    )
    PAGE.write_text("\n".join([head, *(told[name] for name in BENCHES if name in told)]), encoding="utf-8")


def main() -> int:
    found = {}
    for name in sys.argv[1:] or BENCHES:
        command = [sys.executable, "-m", f"bench.{name}"]
        print(f"== {name}", flush=True)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        output = (done.stdout + done.stderr).strip()
        print(output, flush=True)
        if done.returncode != 0:
            return done.returncode
        found[name] = section(name, output)
        write(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
