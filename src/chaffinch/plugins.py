"""What other packages add: entry points by group, found without importing the packages.

The files are read here and not through `importlib.metadata`, which would add 3 MB to the floor of every process.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from chaffinch.errors import InputError

SERVICES, WORKERS = "chaffinch.services", "chaffinch.workers"


def modules(group: str) -> dict[str, str]:
    """Name to module of one entry point group. Raises `InputError` when two packages claim a name."""
    found: dict[str, str] = {}
    for folder in dict.fromkeys(sys.path):
        for file in sorted(Path(folder or ".").glob("*.dist-info/entry_points.txt")):
            for name, module in _entries(file.read_text(encoding="utf-8"), group):
                if found.setdefault(name, module) != module:
                    raise InputError(f"two packages claim {name!r} in {group}: {found[name]} and {module}; remove one")
    return found


def _entries(text: str, group: str) -> Iterator[tuple[str, str]]:
    """Of one `entry_points.txt` (PyPA's entry points specification) the names and modules of a group."""
    section = ""
    for line in text.splitlines():
        stripped = line.partition("#")[0].strip()
        if stripped.startswith("["):
            section = stripped.strip("[] ")
        elif section == group and "=" in stripped:
            name, _, reference = stripped.partition("=")
            yield name.strip(), reference.partition(":")[0].partition("[")[0].strip()
