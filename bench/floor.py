"""What measuring a package of 800 modules takes, beside importing it, and how far two measurements of it differ."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.floor.packages import of_many

from bench.apart import at_most

MODULES = 800
RUNS = 7


def took(command: list[str], folder: Path) -> float:
    """The shortest of some runs, in seconds: what else goes on makes a run longer, never shorter."""
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        of_many(folder, MODULES)
        subprocess.run([sys.executable, "-m", "compileall", "-q", "."], cwd=folder, check=True)
        floor = [sys.executable, "-m", "chaffinch", "floor", "many"]
        own = took([sys.executable, "-c", "import many"], folder)
        whole = took([*floor, "--free", "many.part3"], folder)
        print(f"import of {MODULES} modules: {own * 1000:.0f} ms; `chaffinch floor --free`: {whole * 1000:.0f} ms")
        print(f"of the import's own time: {at_most(whole / own, 3, 'x')}")
        first, second = (
            json.loads(subprocess.run([*floor, "--json"], cwd=folder, check=True, capture_output=True).stdout)
            for _ in range(2)
        )
        theirs = {one["name"]: one["own_bytes"] for one in second["imports"]}
        apart = sum(abs(one["own_bytes"] - theirs[one["name"]]) for one in first["imports"])
        differ = abs(first["bytes"] - second["bytes"]) / first["bytes"]
        print(f"two measurements: the wholes differ by {differ:.2%}")
        print(f"the imports, all differences added up, by {at_most(100 * apart / first['bytes'], 5, '%')}")


if __name__ == "__main__":
    main()
