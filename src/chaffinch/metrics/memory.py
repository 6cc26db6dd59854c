"""What a process holds in memory, and how much it may hold. Linux: `/proc` and cgroups of version 1 and 2."""

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from chaffinch.metrics.registry import Registry

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")

NO_LIMIT: Final = 1 << 60
"""From here on a cgroup's limit is none: version 1 writes the largest number of pages that it can count."""

RAM: Final = "RAM"
"""What sets a limit that no cgroup sets."""

KEPT_BYTES: Final = 1 << 20
"""What a thread may keep of what it freed at the end of its arena, and from which size on an allocation is its own
mapping, which goes when it is freed."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt(3), as `malloc.h` numbers them."""

LIMIT_SHOWN_SECONDS: Final = 10.0
"""How long a limit is shown before it is read again: it seldom changes, and all levels of all cgroups are read."""


class Memory(msgspec.Struct, frozen=True, gc=False):
    """Bytes of one process.

    `rss_bytes` is all that it maps and that is in RAM; `pss_bytes` counts shared pages by share, so that it can be
    summed over processes; `private_bytes` is what would be free if it ended.
    """

    rss_bytes: int
    pss_bytes: int
    private_bytes: int
    swap_bytes: int = 0
    file_bytes: int = 0
    """Of `pss_bytes`, pages of mapped files, the page cache's; 0 where the kernel (before 5.4) does not say."""


class Limit(msgspec.Struct, frozen=True, gc=False):
    """The least that bounds a process, and what sets it: a cgroup's directory, or `RAM`."""

    bytes: int
    source: str


def read(pid: int | None = None, proc: str = "/proc") -> Memory:
    """The memory of a process, this one by default.

    Raises `ProcessLookupError` when there is none, and `PermissionError` when its map may not be read: only root and
    itself may read that of a process that is not dumpable. `resident_bytes` works for every process.
    """
    return parse_rollup(_text(f"{proc}/{pid or 'self'}/smaps_rollup"))


def resident_bytes(pid: int | None = None, proc: str = "/proc") -> int:
    """The RSS alone, which costs the kernel nothing to tell. Raises `ProcessLookupError`."""
    return parse_statm(_text(f"{proc}/{pid or 'self'}/statm"), _PAGE)


def peak_bytes() -> int:
    """The most that this process ever held; 0 where that cannot be read."""
    try:
        return parse_kib(_text("/proc/self/status"), "VmHWM")
    except OSError:
        return 0


def writable_bytes() -> int:
    """What this process has mapped to write to alone, in RAM or not: what `RLIMIT_DATA` bounds (getrlimit(2))."""
    return parse_kib(_text("/proc/self/status"), "VmData")


def limit(pid: int | None = None, proc: str = "/proc") -> Limit:
    """What bounds the memory of a process: the least of its cgroups' limits and the machine's RAM."""
    found = [Limit(_ram(proc), RAM)]
    mounts = list(parse_mounts(_text(f"{proc}/self/mountinfo")))
    for folder, name in limit_files(_text(f"{proc}/{pid or 'self'}/cgroup"), mounts):
        try:
            value = parse_limit(_text(f"{folder}/{name}"))
        except OSError:
            continue  # this level sets no limit, or is not shown inside a container
        if value is not None:
            found.append(Limit(value, folder))
    return min(found, key=lambda one: one.bytes)


def _ram(proc: str) -> int:
    """The machine's memory; from the C library where the mount shows processes alone (`subset=pid`, proc(5))."""
    try:
        return parse_kib(_text(f"{proc}/meminfo"), "MemTotal")
    except ProcessLookupError:
        return os.sysconf("SC_PHYS_PAGES") * _PAGE


def limit_bytes(pid: int | None = None, proc: str = "/proc") -> int:
    """The bytes of `limit`."""
    return limit(pid, proc).bytes


def give_back() -> bool:
    """Have the C library give memory that was freed back to the system; whether it had any."""
    from chaffinch import _core  # 1.6 MB, which those who hold much have already

    return _core.give_back_memory()


def keep_little() -> None:
    """Have the C library keep little of what threads free: for who takes much memory now and then, on many threads.

    By itself it raises both thresholds with each large block that is freed, up to 64 MiB for every thread, and
    `give_back` gives back the end of the main thread's arena alone. Another library than the GNU one is left as it is.
    """
    import ctypes

    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)


def export(registry: "Registry", reading: Callable[[], Memory] = read) -> None:
    """Show the memory of this process as metrics. `reading` is for who has read it anyway."""
    registry.gauges("memory", _Gauges(reading))


class _Gauges:
    """What a snapshot shows. Of the limit it shows one that was read up to `LIMIT_SHOWN_SECONDS` ago."""

    def __init__(self, reading: Callable[[], Memory]) -> None:
        self._reading = reading
        self._limit_bytes = 0
        self._limit_until = -math.inf

    def __call__(self) -> dict[str, int]:
        now = time.monotonic()
        if now >= self._limit_until:
            self._limit_bytes, self._limit_until = limit_bytes(), now + LIMIT_SHOWN_SECONDS
        held = self._reading()
        return {
            "process_resident_memory_bytes": held.rss_bytes,
            "process_proportional_memory_bytes": held.pss_bytes,
            "process_private_memory_bytes": held.private_bytes,
            "process_memory_limit_bytes": self._limit_bytes,
        }


def parse_rollup(text: str) -> Memory:
    """The sums of `smaps_rollup`."""
    return Memory(
        rss_bytes=parse_kib(text, "Rss"),
        pss_bytes=parse_kib(text, "Pss"),
        private_bytes=parse_kib(text, "Private_Clean") + parse_kib(text, "Private_Dirty"),
        swap_bytes=parse_kib(text, "Swap"),
        file_bytes=parse_kib(text, "Pss_File"),
    )


def parse_statm(text: str, page: int) -> int:
    """The second number of `statm`, which counts pages, in bytes."""
    return int(text.split()[1]) * page


def parse_kib(text: str, name: str) -> int:
    """The line `name:  123 kB`, in bytes; 0 when there is none."""
    for line in text.splitlines():
        label, _, value = line.partition(":")
        if label == name:
            return int(value.split()[0]) * 1024
    return 0


def parse_limit(text: str) -> int | None:
    """A cgroup's limit in bytes; none for `max` and for the number by which version 1 says the same."""
    value = text.strip()
    if not value.isdecimal() or int(value) >= NO_LIMIT:
        return None
    return int(value)


class Mount(msgspec.Struct, frozen=True, gc=False):
    """A mounted cgroup hierarchy that can hold memory limits: where it is, which group it shows, and its version."""

    point: str
    root: str
    version: int


def parse_mounts(text: str) -> Iterator[Mount]:
    """The cgroup hierarchies in `mountinfo`: that of version 2, and that of version 1 with the memory controller."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if kind[:1] == ["cgroup2"]:
            yield Mount(fields[4], fields[3], 2)
        elif kind[:1] == ["cgroup"] and "memory" in kind[-1].split(","):
            yield Mount(fields[4], fields[3], 1)


def limit_files(text: str, mounts: Iterable[Mount]) -> Iterator[tuple[str, str]]:
    """Directory and name of each file that may limit a process whose `cgroup` file is `text`, its own group first.

    A limit holds for everything below it, so every level up to the mount counts.
    """
    paths = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            paths[2] = path
        elif "memory" in controllers.split(","):
            paths[1] = path
    for mount in mounts:
        if mount.version not in paths:
            continue
        path = paths[mount.version]
        root = mount.root.rstrip("/")
        inside = path.removeprefix(root) if path == root or path.startswith(root + "/") else ""
        for folder in _upwards(mount.point, inside.strip("/")):
            yield folder, "memory.max" if mount.version == 2 else "memory.limit_in_bytes"


def _upwards(point: str, inside: str) -> Iterator[str]:
    while inside:
        yield f"{point}/{inside}"
        inside = inside.rpartition("/")[0]
    yield point


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="surrogateescape") as file:
            return file.read()
    except FileNotFoundError as error:
        raise ProcessLookupError(error.errno, error.strerror, path) from None
