"""A cgroup for each group's process, where the fleet may make them: the kernel's own bound beside the fleet's.

Version 2 alone, which lets a service manager hand a part of its tree over (`Delegate=memory`). A tree that was not
handed over, or that other processes share, is left as it is: then the guard and the supervisor bound memory alone.
The rules are those of the kernel's `Documentation/admin-guide/cgroup-v2.rst`.
"""

import logging
import os
from pathlib import Path
from typing import Final

from chaffinch.fleet import allowances
from chaffinch.metrics import memory

log = logging.getLogger("chaffinch.fleet")

SLACK_BYTES: Final = 32 << 20
"""Over a group's share: what the kernel holds for its files, and what may be mapped between two looks
(`fleet.holdings`). The page cache is in it, too, but goes when it is needed.
"""


def room(share_bytes: int, sessions: int) -> int:
    """What a cgroup may hold beside its group's share, for at most so many sessions: as many as fit are the kernel's
    to hold sockets for, and it must not kill a group for those.
    """
    fitting = min(sessions, share_bytes // allowances.SESSION_BYTES)
    return SLACK_BYTES + fitting * allowances.KERNEL_BYTES


SUPERVISOR: Final = "_supervisor"
"""Processes may only be in leaves, so the supervisor moves into one of its own. No group can be called so."""


class Cgroups:
    """The directories of this fleet below `root`, its own cgroup."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._counted: dict[str, tuple[int, int]] = {}
        """Of leaves that were still in use when their group's process ended: what `_events` said then."""

    @classmethod
    def open(cls, root: Path | None = None) -> "Cgroups | None":
        """Take this process's cgroup for the fleet; None where that cannot be. `root` is for tests."""
        root = root or own_directory()
        if root is None:
            log.info("cgroup.not_used why=version 2 is not mounted")
            return None
        if why := _why_not(root):
            log.info("cgroup.not_used path=%s why=%s", root, why)
            return None
        found = cls(root)
        try:
            _write(found._leaf(SUPERVISOR) / "cgroup.procs", os.getpid())
            _write(root / "cgroup.subtree_control", "+memory")
        except OSError as error:
            log.info("cgroup.not_used path=%s why=%s", root, error.strerror)
            if (root / SUPERVISOR).exists():
                found.close()
            return None
        log.info("cgroup.used path=%s", root)
        return found

    def enter(self, name: str, share_bytes: int, sessions: int) -> None:
        """In a group's process, before it holds anything: be bounded by the kernel, too. For `sessions` see `room`."""
        try:
            leaf = self._leaf(name)
            self.limit(name, share_bytes, sessions)
            _write(leaf / "memory.oom.group", 1)
            _write(leaf / "cgroup.procs", os.getpid())
        except OSError as error:
            log.warning("cgroup.not_entered group=%s why=%s", name, error.strerror)

    def limit(self, name: str, share_bytes: int, sessions: int) -> None:
        """Bound that group anew; 0 is no bound."""
        most = share_bytes + room(share_bytes, sessions) if share_bytes else "max"
        try:
            _write(self._leaf(name) / "memory.max", most)
        except OSError as error:
            log.warning("cgroup.not_limited group=%s why=%s", name, error.strerror)

    def ended(self, name: str) -> str:
        """After that group's process: take its cgroup away, and say why if the kernel killed it for its memory.

        The next process gets a cgroup anew, which owes nothing for what this one left in memory: a file of a tmpfs is
        its cgroup's as long as it is there.
        """
        leaf = self.root / name
        limit = next(iter(_words(leaf / "memory.max")), "max")
        full, killed = _events(leaf)
        before = self._counted.pop(name, (0, 0))
        try:
            leaf.rmdir()
        except FileNotFoundError:
            return ""  # it never entered
        except OSError:
            self._counted[name] = (full, killed)  # a process of it goes only just now
        if killed <= before[1]:
            return ""
        if full > before[0] and limit.isdecimal():
            return f"the kernel killed it for its memory: its cgroup holds at most {int(limit) / 1e6:.1f} MB"
        return "the kernel killed it for its memory: more was not to be had"

    def close(self) -> None:
        """Leave the tree as it was found. What cannot be undone is the service manager's to remove."""
        try:
            for leaf in self.root.iterdir():
                if leaf.is_dir() and leaf.name != SUPERVISOR:
                    leaf.rmdir()
            _write(self.root / "cgroup.subtree_control", "-memory")
            _write(self.root / "cgroup.procs", os.getpid())
            (self.root / SUPERVISOR).rmdir()
        except OSError as error:
            log.info("cgroup.left path=%s why=%s", self.root, error.strerror)

    def _leaf(self, name: str) -> Path:
        leaf = self.root / name
        leaf.mkdir(exist_ok=True)
        return leaf


def own_directory(proc: str = "/proc") -> Path | None:
    """The directory of this process's cgroup of version 2, if that is mounted."""
    try:
        mounts = memory.parse_mounts(Path(proc, "self/mountinfo").read_text(encoding="utf-8"))
        text = Path(proc, "self/cgroup").read_text(encoding="utf-8")
    except OSError:
        return None
    directories = memory.limit_files(text, (mount for mount in mounts if mount.version == 2))
    return next((Path(folder) for folder, _ in directories), None)


def _why_not(root: Path) -> str:
    """Why that cgroup is not the fleet's to divide; empty where it may be."""
    if "memory" not in _words(root / "cgroup.controllers"):
        return "memory is not counted there"
    if _words(root / "cgroup.procs") != [str(os.getpid())]:
        return "other processes are in it, too"
    return ""


def _events(leaf: Path) -> tuple[int, int]:
    """How often that cgroup was full to its own limit, and how many of its processes the kernel killed for memory."""
    words = _words(leaf / "memory.events")
    counts = dict(zip(words[::2], map(int, words[1::2]), strict=False))
    return counts.get("oom", 0), counts.get("oom_kill", 0)


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except OSError:
        return []


def _write(path: Path, value: int | str) -> None:
    path.write_text(str(value), encoding="ascii")
