"""A memory cgroup for what is measured: as much RAM as a machine or container of that size would have, and no swap."""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from chaffinch.metrics import memory


class MemoryGroup:
    """One cgroup, of version 1 or 2, that is empty at first."""

    def __init__(self, folder: Path, version: int) -> None:
        self._folder, self._version = folder, version

    @property
    def name(self) -> str:
        return f"a memory cgroup of version {self._version}"

    def joined(self, command: Sequence[str]) -> list[str]:
        """The command, which joins the group before anything of it is loaded."""
        return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self._folder / "cgroup.procs"), *command]

    def limit(self, bytes_: int) -> None:
        if self._version == 2:
            self._write("memory.max", bytes_)
            with contextlib.suppress(OSError):  # a kernel without swap
                self._write("memory.swap.max", 0)
        else:
            self._write("memory.limit_in_bytes", bytes_)
            self._write("memory.swappiness", 0)

    def peak_bytes(self) -> int | None:
        """The most that it held, the kernel's part with it; None where the kernel does not say."""
        name = "memory.peak" if self._version == 2 else "memory.max_usage_in_bytes"
        try:
            return int((self._folder / name).read_text(encoding="ascii"))
        except OSError:
            return None

    def kills(self) -> int:
        """Processes that were killed because it was full."""
        name = "memory.events" if self._version == 2 else "memory.oom_control"
        lines = (self._folder / name).read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))

    def remove(self) -> None:
        for _ in range(100):  # what was in it may not be gone yet
            with contextlib.suppress(OSError):
                self._folder.rmdir()
                return
            time.sleep(0.05)
        raise RuntimeError(f"{self._folder} is not empty")

    def _write(self, name: str, value: int) -> None:
        (self._folder / name).write_text(str(value), encoding="ascii")


@contextlib.contextmanager
def memory_group(bytes_: int) -> Iterator[MemoryGroup | None]:
    """A group that may hold so much, or None where this process may not make one."""
    made = next(_possible(), None)
    if made is None:
        yield None
        return
    try:
        made.limit(bytes_)
        yield made
    finally:
        made.remove()


def _possible() -> Iterator[MemoryGroup]:
    """Each group that could be made, made: below this process's own (version 1), below the mount (version 2)."""
    mounts = list(memory.parse_mounts(Path("/proc/self/mountinfo").read_text(encoding="utf-8")))
    own = Path("/proc/self/cgroup").read_text(encoding="ascii")
    for mount in mounts:
        above = Path(mount.point)
        if mount.version == 1:
            above = Path(next(memory.limit_files(own, [mount]))[0])
        folder = above / f"chaffinch-bench-{os.getpid()}-{time.monotonic_ns()}"
        with contextlib.suppress(OSError):
            if mount.version == 2:
                (above / "cgroup.subtree_control").write_text("+memory", encoding="ascii")
            folder.mkdir()
            yield MemoryGroup(folder, mount.version)
