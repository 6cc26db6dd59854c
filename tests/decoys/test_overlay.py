"""What a source changed: kept for it alone, bounded, forgotten in time; and the merged tree that it sees."""

import errno

import pytest

from chaffinch.decoys.overlay import CHANGE_BYTES, Change, Overlays
from chaffinch.decoys.view import View
from chaffinch.personas.files import FileError, Files
from chaffinch.personas.persona import User
from tests.decoys.harness import memory_of, persona

HOST = persona("ssh")
ROOT, MARY = HOST.users[0], HOST.users[1]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def view(user: User = ROOT, overlays: Overlays | None = None, source: str = "192.0.2.1") -> View:
    return View(Files(HOST), (overlays or Overlays()).of(HOST.address, source), user)


def code(raised: pytest.ExceptionInfo[FileError]) -> str:
    return errno.errorcode[raised.value.errno or 0]


def test_a_revisit_finds_what_it_wrote_and_another_source_does_not() -> None:
    overlays = Overlays()
    view(overlays=overlays).write("/tmp/x", b"mine")
    assert view(overlays=overlays).read("/tmp/x") == b"mine"
    assert not view(overlays=overlays, source="192.0.2.2").exists("/tmp/x")


def test_an_overlay_is_forgotten_after_its_ttl() -> None:
    clock = Clock()
    overlays = Overlays(ttl=60, clock=clock)
    view(overlays=overlays).write("/tmp/x", b"mine")
    clock.now = 61
    assert not view(overlays=overlays).exists("/tmp/x")
    assert overlays.held == 0


def test_the_quota_of_a_source_holds() -> None:
    tree = view(overlays=Overlays(bytes_per_source=4096))
    with pytest.raises(FileError) as raised:
        tree.write("/tmp/x", bytes(5000))
    assert code(raised) == "ENOSPC"
    for number in range(4096 // CHANGE_BYTES - 1):
        tree.write(f"/tmp/{number}", b"")
    with pytest.raises(FileError) as raised:
        tree.write("/tmp/last", b"")
    assert code(raised) == "ENOSPC"


def test_the_oldest_source_goes_when_all_hold_too_much_even_while_it_is_in_use() -> None:
    overlays = Overlays(bytes_per_source=4096, total_bytes=8192)
    views = [view(overlays=overlays, source=f"192.0.2.{n}") for n in range(10)]
    for tree in views:
        tree.write("/tmp/x", bytes(3000))
        assert overlays.held <= 8192
    assert not views[0].exists("/tmp/x")
    assert views[-1].exists("/tmp/x")
    views[0].write("/tmp/y", bytes(3000))
    assert overlays.held <= 8192


def test_rewriting_a_file_counts_once() -> None:
    overlays = Overlays(bytes_per_source=4096)
    tree = view(overlays=overlays)
    for _ in range(50):
        tree.write("/tmp/x", bytes(2000))
    assert overlays.held < 4096
    tree.remove("/tmp/x")
    assert overlays.held == 0


def test_an_overlay_that_was_emptied_is_not_held() -> None:
    """`touch x; rm x` from ever other sources, on ever other hosts."""
    overlays = Overlays(total_bytes=8192)
    for number in range(1000):
        tree = view(overlays=overlays, source=f"source {number}")
        tree.write("/tmp/x", b"")
        tree.remove("/tmp/x")
    assert len(overlays._by_key) == 0
    assert (overlays.held, overlays.forgotten) == (0, 0)
    tree.write("/tmp/y", b"mine")
    assert view(overlays=overlays, source="source 999").read("/tmp/y") == b"mine"


@pytest.mark.parametrize(("made", "left"), [(1, 1), (5, 5), (6, 6), (1500, 1), (1500, 600)])
def test_overlays_count_at_least_what_they_take(made: int, left: int) -> None:
    """However many changes a source takes back: else many sources would hold more than their bound."""
    overlays = Overlays(total_bytes=1 << 30)

    def fill(first: int, last: int) -> None:
        for source in range(first, last):
            own = overlays.of(f"host {source}", f"source {source}")
            for number in range(made):
                own.put(f"/tmp/{number}", Change("file", 0o644, "root", "root", 1 << 31))
            for number in range(left, made):
                own.drop(f"/tmp/{number}")

    fill(0, 1)
    before = overlays.held
    taken = memory_of(lambda: fill(1, 10))
    assert taken < overlays.held - before


def test_names_merge_what_is_there_with_what_changed() -> None:
    tree = view()
    tree.write("/etc/zz", b"")
    tree.remove("/etc/motd")
    names = tree.names("/etc")
    assert "zz" in names
    assert "motd" not in names
    assert "passwd" in names


def test_a_directory_made_anew_is_empty() -> None:
    tree = view()
    for name in tree.names("/etc/cron.d"):
        tree.remove(f"/etc/cron.d/{name}")
    tree.rmdir("/etc/cron.d")
    assert not tree.exists("/etc/cron.d")
    tree.mkdir("/etc/cron.d")
    assert tree.names("/etc/cron.d") == []


def test_renaming_a_directory_takes_its_content_along() -> None:
    tree = view()
    before = tree.names("/etc/ssh")
    tree.rename("/etc/ssh", "/tmp/ssh")
    assert tree.names("/tmp/ssh") == before
    assert not tree.exists("/etc/ssh/sshd_config")
    assert b"PermitRootLogin" in tree.read("/tmp/ssh/sshd_config")


def test_copying_a_program_costs_no_content() -> None:
    overlays = Overlays()
    tree = view(overlays=overlays)
    tree.copy("/bin/bash", "/tmp/sh")
    assert overlays.held < 1024
    assert tree.entry("/tmp/sh").size == len(tree.read("/tmp/sh")) == tree.entry("/bin/bash").size


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (lambda tree: tree.read("/etc/shadow"), "EACCES"),
        (lambda tree: tree.write("/etc/passwd", b""), "EACCES"),
        (lambda tree: tree.write("/etc/new", b""), "EACCES"),
        (lambda tree: tree.names("/root"), "EACCES"),
        (lambda tree: tree.mkdir("/etc/x"), "EACCES"),
        (lambda tree: tree.remove("/etc/passwd"), "EACCES"),
        (lambda tree: tree.chmod("/etc/passwd", 0o777), "EPERM"),
        (lambda tree: tree.chown("/home/mdavis/.bashrc", "root"), "EPERM"),
        (lambda tree: tree.read("/nope"), "ENOENT"),
        (lambda tree: tree.read("/etc/passwd/x"), "ENOTDIR"),
        (lambda tree: tree.read("/etc"), "EISDIR"),
        (lambda tree: tree.write("/tmp", b""), "EISDIR"),
        (lambda tree: tree.mkdir("/tmp"), "EEXIST"),
        (lambda tree: tree.rmdir("/home/mdavis"), "EACCES"),
        (lambda tree: tree.read("/" + "x" * 300), "ENAMETOOLONG"),
    ],
)
def test_an_ordinary_account_is_refused_as_the_system_would(operation: object, expected: str) -> None:
    with pytest.raises(FileError) as raised:
        operation(view(MARY))  # type: ignore[operator]
    assert code(raised) == expected


def test_an_account_may_use_its_home_and_tmp() -> None:
    tree = view(MARY)
    tree.write("/home/mdavis/a", b"1")
    tree.write("/home/mdavis/a", b"2", append=True)
    tree.rename("/home/mdavis/a", "/tmp/b")
    tree.chmod("/tmp/b", 0o700)
    assert (tree.read("/tmp/b"), tree.entry("/tmp/b").mode, tree.entry("/tmp/b").owner) == (b"12", 0o700, "mdavis")


def test_links_are_followed_and_loops_end() -> None:
    tree = view()
    tree.symlink("/etc", "/tmp/e")
    assert tree.read("/tmp/e/hostname") == b"atlas\n"
    tree.symlink("loop", "/tmp/loop")
    with pytest.raises(FileError) as raised:
        tree.read("/tmp/loop")
    assert code(raised) == "ELOOP"
    tree.remove("/tmp/e")
    assert tree.exists("/etc/hostname")
