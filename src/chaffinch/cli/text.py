"""How listings look: aligned columns, times, sizes."""

import sys
import time
from collections.abc import Iterable, Sequence

import msgspec

FULL = "the disk of the state directory is FULL: events wait in memory until there is room"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their heads, each column as wide as what is in it."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    for row in (heads, *cells):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def json_array(rows: Iterable[msgspec.Struct]) -> None:
    """Print rows as one JSON array, each as it comes: a listing of a whole /16 is never held."""
    encode = msgspec.json.Encoder().encode
    sys.stdout.write("[")
    for number, row in enumerate(rows):
        sys.stdout.write((",\n" if number else "") + encode(row).decode())
    sys.stdout.write("]\n")


def size(count: int) -> str:
    """Bytes as `12.3 MB` (powers of 1024, as the settings read them)."""
    value, unit = float(count), "B"
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1024 or unit == "GB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def ago(since: float) -> str:
    """How long it is since that second of the epoch: `42s`, `3m10s`, `5h02m`, `12d`."""
    seconds = max(0, int(time.time() - since))
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02d}s"
    if seconds < 86400:
        return f"{seconds // 3600}h{seconds % 3600 // 60:02d}m"
    return f"{seconds // 86400}d"


def moment(nanoseconds: int) -> str:
    """Nanoseconds since the epoch as RFC 3339 in UTC, with milliseconds."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest // 1_000_000:03d}Z"


def on_terminal() -> bool:
    """Whether somebody looks at what is printed."""
    return sys.stdout.isatty()
