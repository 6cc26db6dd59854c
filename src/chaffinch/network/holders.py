"""Who holds a port: for the sentence that says why it could not be bound."""

import os
from pathlib import Path

_TABLES = {"tcp": ("tcp", "tcp6"), "udp": ("udp", "udp6")}
_LISTEN = "0A"


def holder(port: int, transport: str = "tcp") -> str:
    """The process that listens on `port`, as `name (pid 12)`, or an empty text where that cannot be told."""
    inodes = {inode for table in _TABLES[transport] for inode in _inodes(table, port)}
    if not inodes:
        return ""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and _holds(process, wanted):
            return f"{_name(process)} (pid {process.name})"
    return ""


def _inodes(table: str, port: int) -> list[str]:
    try:
        lines = Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return []
    rows = (line.split() for line in lines)
    return [
        row[9]
        for row in rows
        if int(row[1].rpartition(":")[2], 16) == port and (row[3] == _LISTEN or table.startswith("udp"))
    ]


def _holds(process: Path, wanted: set[str]) -> bool:
    try:
        return any(os.readlink(fd) in wanted for fd in (process / "fd").iterdir())
    except OSError:
        return False  # gone meanwhile, or another user's


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text(encoding="utf-8").strip()
    except OSError:
        return "a process"
