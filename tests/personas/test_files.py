"""The file tree: the same on every visit, consistent with its persona, never ahead of the clock."""

import time

import msgspec
import pytest

from chaffinch.personas.files import Files, elf_header
from chaffinch.personas.persona import OperatingSystem
from tests.decoys.harness import persona

EMBEDDED = OperatingSystem("embedded-linux", "embedded", "Linux", "3.10", "3.10.14", "armv7l")
HOSTS = [persona(), msgspec.structs.replace(persona("telnet"), os=EMBEDDED)]


def paths(files: Files, directory: str = "/") -> list[str]:
    found = []
    for name in files.names(directory):
        path = f"{directory.rstrip('/')}/{name}"
        entry = files.entry(path)
        assert entry is not None, path
        found.append(path)
        if entry.kind == "dir":
            found += paths(files, path)
    return found


@pytest.mark.parametrize("host", HOSTS, ids=["debian", "embedded"])
def test_every_entry_is_sound(host: object) -> None:
    now = time.time()
    files = Files(host, lambda: now)  # type: ignore[arg-type]
    every = paths(files)
    assert len(every) > 100
    for path in every:
        entry = files.entry(path)
        assert entry is not None
        assert entry.name == path.rpartition("/")[2]
        assert 1_500_000_000 < entry.mtime <= now, path
        if entry.kind == "file" and not path.startswith("/proc") and entry.size < 100_000:
            assert entry.size == len(files.read(path)), path
        above = files.entry(path.rpartition("/")[0] or "/")
        assert above is not None, path
        assert above.kind == "dir", path


@pytest.mark.parametrize("host", HOSTS, ids=["debian", "embedded"])
def test_links_lead_somewhere_or_to_the_kernel(host: object) -> None:
    files = Files(host)  # type: ignore[arg-type]
    for name in ("/bin/sh", "/bin/ls", "/proc/mounts"):
        at = name
        for _ in range(5):
            head, _, last = at.rpartition("/")
            entry = files.entry(at) or files.entry(f"/usr{head}/{last}")
            assert entry is not None, name
            if entry.kind != "link":
                break
            at = entry.target if entry.target.startswith("/") else f"{head}/{entry.target}"


def test_the_tree_is_the_same_on_every_visit_and_differs_between_hosts() -> None:
    first, again = Files(persona(), lambda: 1.8e9), Files(persona(), lambda: 1.8e9)
    other = Files(persona(address="127.77.3.10"), lambda: 1.8e9)
    for path in ("/etc/shadow", "/etc/fstab", "/home/mdavis/.bash_history", "/etc/machine-id"):
        assert first.read(path) == again.read(path)
        assert first.read(path) != other.read(path)
    assert [first.entry(path) for path in paths(first)] == [again.entry(path) for path in paths(again)]


def test_files_say_what_the_persona_says() -> None:
    files = Files(persona())
    assert files.read("/etc/hostname") == b"atlas\n"
    assert b"mdavis:x:1000:1000:Mary Davis,,,:/home/mdavis:/bin/bash\n" in files.read("/etc/passwd")
    assert b"letmein" not in files.read("/etc/shadow")
    assert b"6.1.0-28-amd64" in files.read("/proc/version")
    assert b"atlas.corp.example" in files.read("/etc/hosts")
    assert files.names("/home") == ("backup", "mdavis")
    assert files.entry("/etc/nginx/nginx.conf") is not None
    assert Files(persona("ssh")).entry("/etc/nginx/nginx.conf") is None


def test_uptime_agrees_with_the_persona() -> None:
    host = persona()
    up = float(Files(host, lambda: 1.8e9).read("/proc/uptime").split()[0])
    assert up == pytest.approx(1.8e9 - host.booted(1.8e9), abs=0.1)


def test_memory_adds_up() -> None:
    rows = dict(line.split(":") for line in Files(persona()).read("/proc/meminfo").decode().splitlines())
    kib = {name: int(value.split()[0]) for name, value in rows.items()}
    assert 0 < kib["MemFree"] < kib["MemAvailable"] < kib["MemTotal"]


def test_programs_begin_with_the_header_of_their_machine() -> None:
    assert Files(HOSTS[0]).read("/usr/bin/echo").startswith(elf_header("x86_64"))
    assert Files(HOSTS[1]).read("/bin/busybox")[18:20] == b"\x28\x00"


def test_what_is_not_there_reads_empty() -> None:
    files = Files(persona())
    assert files.entry("/nope") is None
    assert files.read("/nope") == files.read("/etc") == b""
    assert files.names("/etc/passwd") == ()
