"""What the histograms cost: nanoseconds a record, and bytes for 10,000 labels under a cap of 64 MB.

Measured in Rust, by `crates/histogram/examples/record_cost.rs`: from Python a record costs the call besides.
"""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMAND = (
    "cargo",
    "run",
    "--quiet",
    "--locked",
    "--release",
    "--package",
    "chaffinch-histogram",
    "--example",
    "record_cost",
)


def run() -> dict[str, float]:
    """Build and run the measurement; its figures by name, in the unit that the name ends with."""
    output = subprocess.run(COMMAND, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    figures = {}
    for line in output.splitlines():
        name, value, unit = line.split()
        figures[f"{name}_{unit.lower()}"] = float(value)
    return figures


if __name__ == "__main__":
    for name, value in run().items():
        print(f"{name:<40} {value:>8.1f}")
