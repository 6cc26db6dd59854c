"""Kill -9 before every single thing that a command does to the files of a chain besides the core: whole or absent."""

import fcntl
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chaffinch.chain import swap
from chaffinch.errors import RunError
from tests.cli.chain.calling import Caller, archived, command, environment, texts

DYING = """
import os, signal, sys
left = sys.argv.pop(1)
left, last = (int(left), "") if left.isdecimal() else (1 << 30, left)
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "shutil.rmtree", "fcntl.flock"}
def look(event, arguments):
    global left
    if event in CHANGES or event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        left -= 1
        if left < 0 or event == last:
            os.kill(os.getpid(), signal.SIGKILL)
from chaffinch.cli import main
sys.addaudithook(look)
main()
"""

MOST_STEPS = 200


def at_every_step(before: Path, arguments: tuple[str, ...], check: Callable[[Caller], None], chain: Caller) -> int:
    """Run a command on a copy of a state again and again, killed one step later each time, until it is not."""
    for step in range(MOST_STEPS):
        shutil.rmtree(chain.state, ignore_errors=True)
        shutil.copytree(before, chain.state)
        done = subprocess.run(
            [sys.executable, "-B", "-c", DYING, str(step), "--state", str(chain.state), "chain", *arguments],
            capture_output=True,
            timeout=60,
            env=environment(),
            check=False,
        )
        check(chain)
        if done.returncode != -signal.SIGKILL:
            return step
    raise AssertionError(f"not done after {MOST_STEPS} steps")


@pytest.fixture
def before(chain: Caller, tmp_path: Path) -> Path:
    """A state with one chain, which a reader of the test changes copies of."""
    chain("train", "t", "--starter", "chat")
    chain.state.rename(tmp_path / "before")
    return tmp_path / "before"


def left(chain: Caller) -> set[str]:
    return {path.name for path in (chain.state / "chains").iterdir()}


def test_a_clean_is_whole_or_absent_at_every_step(chain: Caller, before: Path, tmp_path: Path) -> None:
    old = archived(before / "chains" / "t")
    chain("train", "t", "--starter", "shell")
    new = archived(chain.state / "chains" / "t")
    again = ("train", "t", "--starter", "shell", "--clean")
    seen = set()

    def check(chain: Caller) -> None:
        assert chain("generate", "t").out  # the first that looks settles it
        found = archived(chain.state / "chains" / "t")
        assert found in (old, new)
        seen.add(found == new)
        assert [row["tenant"] for row in chain.json("list")] == ["t"]
        chain("verify", "--all")
        chain(*again)
        assert archived(chain.state / "chains" / "t") == new
        assert left(chain) == {"t", ".placing"}

    assert at_every_step(before, again, check, chain) > 12
    assert seen == {False, True}


def test_an_import_is_whole_or_absent_at_every_step(chain: Caller, before: Path, tmp_path: Path) -> None:
    whole = archived(before / "chains" / "t")
    shutil.copytree(before, chain.state)
    chain("export", "t", tmp_path / "archive")
    chain("remove", "t", "--yes")
    empty = tmp_path / "empty"
    chain.state.rename(empty)

    def check(chain: Caller) -> None:
        if chain.json("list") == []:
            chain("import", "t", tmp_path / "archive")
        assert archived(chain.state / "chains" / "t") == whole
        assert left(chain) - {".t.import"} == {"t", ".placing"}
        chain("remove", "t", "--yes")
        assert left(chain) == {".placing"}

    assert at_every_step(empty, ("import", "t", str(tmp_path / "archive")), check, chain) > 4


def test_a_removal_that_was_killed_can_be_done_again(chain: Caller, before: Path) -> None:
    whole = archived(before / "chains" / "t")

    def check(chain: Caller) -> None:
        if chain.json("list"):
            assert archived(chain.state / "chains" / "t") == whole
            chain("remove", "t", "--yes")
        elif left(chain) - {".placing"}:
            chain("remove", "t", "--yes")
        assert left(chain) <= {".placing"}

    assert at_every_step(before, ("remove", "t", "--yes"), check, chain) > 5


def test_a_first_training_that_fails_leaves_nothing_whenever_it_dies(chain: Caller, tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"good\nbad \xff\n")
    (tmp_path / "good").write_bytes(b"good enough\n")
    (tmp_path / "nothing" / "chains").mkdir(parents=True)

    def check(chain: Caller) -> None:
        assert all(row["messages"] == 0 for row in chain.json("list"))
        chain("train", "t", tmp_path / "bad", code=2)
        chain("train", "t", tmp_path / "good")
        assert chain.messages("t") == ["good enough"]

    assert at_every_step(tmp_path / "nothing", ("train", "t", str(tmp_path / "bad")), check, chain) > 4


def test_an_export_is_whole_or_absent_at_every_step(chain: Caller, before: Path, tmp_path: Path) -> None:
    archive = tmp_path / "away" / "archive"
    archive.parent.mkdir()

    def check(chain: Caller) -> None:
        if not archive.exists():
            chain("export", "t", archive)
        chain("import", "copy", archive)
        assert chain.messages("copy") == chain.messages("t")
        assert [path.name for path in archive.parent.iterdir()] == ["archive"]
        assert archive.stat().st_mode & 0o777 == 0o600
        archive.unlink()

    assert at_every_step(before, ("export", "t", str(archive)), check, chain) >= 1


def test_a_killed_clean_is_gone_on_with_if_it_is_the_same(chain: Caller, before: Path, tmp_path: Path) -> None:
    shutil.copytree(before, chain.state)
    file = tmp_path / "in"

    def killed_when_all_was_read(text: str) -> None:
        file.write_text(f"{text}\n")
        arguments = ("--state", str(chain.state), "chain", "train", "t", str(file), "--clean")
        run = [sys.executable, "-B", "-c", DYING, "os.rename", *arguments]
        done = subprocess.run(run, capture_output=True, env=environment(), check=False, timeout=60)
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert texts(chain.state / "chains" / ".t.clean") == [text]
        assert len(chain.messages("t")) > 300

    killed_when_all_was_read("one two")
    done = chain.json("train", "t", file, "--clean")
    assert (done["resumed"], done["learned"]) == (1, 0)
    assert chain.messages("t") == ["one two"]
    chain("train", "t", "--starter", "chat")
    for text, after, *more in (("six", "ten"), ("red", "red", "--order", "1"), ("sea", "sea", "--skip-bad")):
        killed_when_all_was_read(text)
        file.write_text(f"{after}\n")
        done = chain.json("train", "t", file, "--clean", *more)
        assert (done["resumed"], done["learned"]) == (0, 1)
        assert chain.messages("t") == [after]
        assert left(chain) == {"t", ".placing"}
        chain("train", "t", "--starter", "chat")


def test_a_clean_that_cannot_be_learned_leaves_nothing_behind(chain: Caller, before: Path, tmp_path: Path) -> None:
    shutil.copytree(before, chain.state)
    old = archived(chain.state / "chains" / "t")
    (tmp_path / "good").write_text("good\n")
    (tmp_path / "bad").write_bytes(b"bad \xff\n")
    said = chain("train", "t", tmp_path / "good", tmp_path / "bad", "--clean", code=2)
    assert "not UTF-8" in said.err
    assert said.out == ""
    assert archived(chain.state / "chains" / "t") == old
    assert left(chain) <= {"t", ".placing"}


def test_what_nobody_can_decide_is_named(chain: Caller, before: Path) -> None:
    shutil.copytree(before, chain.state)
    chain("train", "fine", "--starter", "mail")
    chains = chain.state / "chains"
    for name in (".t.old", ".t.clean"):
        shutil.copytree(chains / "t", chains / name)
    (chains / ".no tenant.old").mkdir()
    said = chain("list")
    assert ".t.old is the chain before it" in said.err
    assert "fine" in said.out
    assert ".t.clean the one that was to follow" in chain("train", "t", "--starter", "mail", code=1).err
    assert chain("generate", "t").out
    shutil.rmtree(chains / ".t.clean")
    chain("train", "t", "--starter", "mail")
    assert not (chains / ".t.old").exists()


def test_two_imports_at_once_do_not_mix(chain: Caller, before: Path, tmp_path: Path) -> None:
    shutil.copytree(before, chain.state)
    chain("export", "t", tmp_path / "archive")
    with swap.importing(chain.state, "new"):
        assert "another process imports" in chain("import", "new", tmp_path / "archive", code=1).err
        assert "another process imports" in chain("remove", "new", "--yes", code=1).err
    chain("import", "new", tmp_path / "archive")
    assert chain.messages("new") == chain.messages("t")


def test_a_reader_never_opens_half_of_each(chain: Caller, before: Path) -> None:
    shutil.copytree(before, chain.state)
    chain("train", "t", "--starter", "shell", "--clean")
    arguments = command(chain.state, "generate", "t")
    with open(chain.state / "chains" / ".placing", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, env=environment()) as running:
            with pytest.raises(subprocess.TimeoutExpired):
                running.wait(1)
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert running.wait(60) == 0


def test_a_chain_that_came_meanwhile_is_not_replaced(chain: Caller, before: Path) -> None:
    shutil.copytree(before, chain.state)
    swap.begin(chain.state, "new", b"plan")
    with swap.held(chain.state, "new") as there:
        assert not there
        chain("train", "new", "--starter", "chat")
        with pytest.raises(RunError, match="was made meanwhile: give the same command again"):
            swap.replace(chain.state, "new", there=there)
    assert chain.messages("new") == chain.messages("t")
