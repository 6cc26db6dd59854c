"""Memory readings, against the kernel's own files and against files as other machines have them."""

import mmap
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from chaffinch.metrics import memory
from chaffinch.metrics.registry import Registry

V1_UNLIMITED = "9223372036854771712\n"


def test_this_process_is_read() -> None:
    now = memory.read()
    assert now.rss_bytes >= now.pss_bytes >= now.private_bytes > 1 << 20
    assert abs(memory.resident_bytes() - now.rss_bytes) < 8 << 20
    assert memory.read(os.getpid()).rss_bytes == pytest.approx(now.rss_bytes, rel=0.1)


def test_another_process_is_read_and_one_that_ended_is_said_to_be_gone() -> None:
    script = "print('ready', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.readline() == b"ready\n"
        assert memory.read(child.pid).rss_bytes > 1 << 20
        child.communicate(b"\n")
    for read in (memory.read, memory.resident_bytes, memory.limit):
        with pytest.raises(ProcessLookupError):
            read(child.pid)


def test_allocating_shows() -> None:
    before = memory.read().private_bytes
    # From the kernel: an allocator may have as much lying about, which is counted already.
    with mmap.mmap(-1, 16 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        held.write(os.urandom(1 << 20) * 16)
        assert memory.read().private_bytes - before > 15 << 20


def test_the_limit_of_this_process_is_at_most_the_ram() -> None:
    found = memory.limit()
    total = memory.parse_kib(Path("/proc/meminfo").read_text(), "MemTotal")
    assert 0 < found.bytes <= total
    assert memory.limit_bytes() == found.bytes


def test_the_ram_is_known_where_only_processes_are_shown(tmp_path: Path) -> None:
    proc = machine(tmp_path, "0::/\n", "", {})
    (Path(proc) / "meminfo").unlink()
    total = memory.parse_kib(Path("/proc/meminfo").read_text(), "MemTotal")
    assert memory.limit(proc=proc) == memory.Limit(total, "RAM")


def machine(root: Path, cgroup: str, mountinfo: str, files: dict[str, str]) -> str:
    """A `/proc` with these files, and cgroup directories under `root`; `@` in texts stands for `root`."""
    proc = root / "proc"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text("MemTotal:       24683624 kB\nMemFree:        100 kB\n")
    (proc / "self/cgroup").write_text(cgroup)
    (proc / "self/mountinfo").write_text(mountinfo.replace("@", str(root)))
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return str(proc)


V2 = "35 24 0:30 / @/cg rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "30 24 0:25 / @/cg/cpu rw - cgroup cgroup rw,cpu\n"
    "33 24 0:28 / @/cg/memory rw - cgroup cgroup rw,memory\n"
    "35 24 0:30 / @/cg/unified rw - cgroup2 cgroup2 rw\n"
)


def test_version_2_every_level_counts(tmp_path: Path) -> None:
    files = {"cg/a.slice/memory.max": "67108864\n", "cg/a.slice/b.service/memory.max": "max\n"}
    proc = machine(tmp_path, "0::/a.slice/b.service\n", V2, files)
    assert memory.limit(proc=proc) == memory.Limit(64 << 20, f"{tmp_path}/cg/a.slice")


def test_a_limit_that_changes_is_seen(tmp_path: Path) -> None:
    proc = machine(tmp_path, "0::/a.slice\n", V2, {"cg/a.slice/memory.max": "67108864\n"})
    assert memory.limit(proc=proc).bytes == 64 << 20
    (tmp_path / "cg/a.slice/memory.max").write_text("33554432\n")
    assert memory.limit(proc=proc) == memory.Limit(32 << 20, f"{tmp_path}/cg/a.slice")
    (tmp_path / "cg/a.slice/memory.max").write_text("max\n")
    assert memory.limit(proc=proc).source == "RAM"


FREED = """
import ctypes
from chaffinch.metrics import memory
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
held = [libc.malloc(1000) for _ in range(20_000)]
for one in held:
    ctypes.memset(one, 1, 1000)
last = libc.malloc(1000)  # what lies above keeps the rest in the heap
for one in held:
    libc.free(one)
before = memory.resident_bytes()
print(memory.give_back(), before - memory.resident_bytes())
"""


def test_what_was_freed_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True, timeout=60)
    gave, freed = done.stdout.split()
    assert gave == "True"
    assert int(freed) > 15_000_000


ON_THREADS = """
import threading
from chaffinch.metrics import memory
memory.keep_little()
bytes(20 << 20)
def work():
    held = [b"x" * (100_000 + number) for number in range(300)]
    held.clear()
    ended.release(), stay.wait()
ended, stay = threading.Semaphore(0), threading.Event()
before = memory.read().private_bytes
threads = [threading.Thread(target=work) for _ in range(3)]
for one in threads:
    one.start()
for one in threads:
    ended.acquire()
memory.give_back()
print(memory.read().private_bytes - before)
stay.set()
"""


def test_threads_keep_little_of_what_they_freed() -> None:
    """Each of three held 30 MB, and lives on, as those of a pool do."""
    done = subprocess.run([sys.executable, "-c", ON_THREADS], capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) < 15_000_000


def test_version_1_beside_an_empty_version_2(tmp_path: Path) -> None:
    files = {
        "cg/memory/memory.limit_in_bytes": V1_UNLIMITED,
        "cg/memory/box/memory.limit_in_bytes": "536870912\n",
    }
    proc = machine(tmp_path, "4:memory:/box\n1:cpu:/\n0::/\n", V1, files)
    assert memory.limit(proc=proc) == memory.Limit(512 << 20, f"{tmp_path}/cg/memory/box")


def test_a_container_sees_its_own_group_at_the_mount(tmp_path: Path) -> None:
    mountinfo = "33 24 0:28 /docker/abc @/cg/memory ro - cgroup cgroup rw,memory\n"
    proc = machine(tmp_path, "4:memory:/docker/abc\n", mountinfo, {"cg/memory/memory.limit_in_bytes": "1048576\n"})
    assert memory.limit(proc=proc) == memory.Limit(1 << 20, f"{tmp_path}/cg/memory")


def test_without_a_limit_it_is_the_ram(tmp_path: Path) -> None:
    proc = machine(tmp_path, "4:memory:/\n", V1, {"cg/memory/memory.limit_in_bytes": V1_UNLIMITED})
    assert memory.limit(proc=proc) == memory.Limit(24683624 * 1024, "RAM")


def test_the_gauges_are_those_of_this_process() -> None:
    registry = Registry("back")
    memory.export(registry)
    snapshot = registry.snapshot()
    assert snapshot.total("process_resident_memory_bytes") >= snapshot.total("process_proportional_memory_bytes")
    assert snapshot.total("process_private_memory_bytes") > 1 << 20
    assert snapshot.total("process_memory_limit_bytes") == memory.limit_bytes()


def test_the_limit_is_read_again_after_a_while_and_not_at_each_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(memory, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(memory, "limit_bytes", lambda: int(now * 10))
    registry = Registry()
    memory.export(registry)
    seen = []
    while now < 20:
        seen.append(registry.snapshot().total("process_memory_limit_bytes"))
        now += 9.9 if len(seen) % 2 else 0.1
    assert seen == [0, 0, 100, 100]
