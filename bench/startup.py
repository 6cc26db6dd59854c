"""What importing the package and asking for help cost, each in fresh interpreters."""

import statistics
import subprocess
import sys
import time

RUNS = 15

IMPORT = """
import os
def rss():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
before = rss()
import chaffinch
print(rss() - before)
"""

HELP = """
import sys
from chaffinch.cli import main
try:
    main(["--help"])
finally:
    with open("/proc/self/status") as file:
        print(next(line.split()[1] for line in file if line.startswith("VmHWM")), file=sys.stderr)
"""


def main() -> None:
    grown = int(subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True).stdout)
    print(f"import chaffinch: {grown / 1024:.0f} KiB of RSS")
    took, peak = [], 0
    for _ in range(RUNS):
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=True)
        took.append(time.perf_counter() - began)
        peak = int(done.stderr.split()[-1]) * 1024
    print(
        f"chaffinch --help: {statistics.median(took) * 1000:.0f} ms (median of {RUNS}), {peak / 1e6:.1f} MB at its peak"
    )


if __name__ == "__main__":
    main()
