"""Examples of the core: programs of their own, without Python, that print what they measured."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def built(package: str, name: str) -> Path:
    """The program of an example, built as releases are."""
    build = ["cargo", "build", "--quiet", "--locked", "--release", "--package", package, "--example", name]
    subprocess.run(build, cwd=ROOT, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "examples" / name


def figures_of(package: str, name: str, *arguments: str) -> dict[str, float]:
    """What an example printed as `name value [unit]`, a line each: the values by name."""
    done = subprocess.run([built(package, name), *arguments], check=True, capture_output=True, text=True)
    return {line.split()[0]: float(line.split()[1]) for line in done.stdout.splitlines()}
