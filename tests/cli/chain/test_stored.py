"""Forgetting, merging, archives, removing, damage, and what the machine does not let happen."""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaffinch.chain.engine import Chain
from chaffinch.chain.results import Options, Stats
from tests.cli.chain.calling import Caller, call


def ndjson(path: Path, count: int = 100) -> Path:
    """Messages of five authors in two channels, one a day from 2026-01-01 on."""
    rows = [
        {
            "id": f"m{n:03}",
            "author": f"a{n % 5}",
            "channel": f"c{n % 2}",
            "time": 1767225600 + n * 86400,
            "text": f"n {n}",
        }
        for n in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def stored(chain: Caller, tmp_path: Path) -> Caller:
    chain("train", "t", ndjson(tmp_path / "in.ndjson"))
    return chain


def test_an_import_asks_for_the_names_that_an_archive_does_not_tell(chain: Caller, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("ask Quentin about it\n")
    (tmp_path / "names").write_text("Quentin\n")
    (tmp_path / "none").write_text("")
    chain("train", "t", tmp_path / "in", "--guarded", "--names", tmp_path / "names")
    chain("export", "t", tmp_path / "archive")
    assert "--names" in chain("import", "copy", tmp_path / "archive", code=2).err
    chain("import", "without", tmp_path / "archive", "--names", tmp_path / "none")
    chain("import", "copy", tmp_path / "archive", "--names", tmp_path / "names")
    chain("train", "copy", tmp_path / "in")
    assert chain.messages("copy") == ["ask <name> about it"] * 2


def test_forgetting_is_counted_and_merged_away(stored: Caller) -> None:
    said = stored("forget", "t", "--message", "m007").out
    assert "forgot 1 message\n" in said
    assert "until the next merge" in said
    assert stored.json("forget", "t", "--author", "a0")["forgotten"] == 20
    assert stored.json("forget", "t", "--channel", "c1")["forgotten"] == 39
    assert stored.json("stats", "t")["forgotten"] == 60
    done = stored.json("forget", "t", "--before", "2026-01-05", "--merge")
    assert done == {"tenant": "t", "forgotten": 1, "dropped": 61}
    kept = [n for n in range(100) if n != 7 and n % 5 and not n % 2 and n >= 4]
    assert stored.messages("t") == [f"n {n}" for n in kept]
    assert b"m007" not in b"".join(path.read_bytes() for path in (stored.state / "chains" / "t").iterdir())
    assert stored.json("forget", "t", "--author", "nobody")["forgotten"] == 0


def test_a_time_may_have_a_zone(stored: Caller) -> None:
    assert stored.json("forget", "t", "--before", "2026-01-02T01:00:00+02:00")["forgotten"] == 1
    assert stored.json("forget", "t", "--before", "2026-01-03T00:00:00.001Z")["forgotten"] == 2


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ((), "exactly one of --message, --author, --channel and --before"),
        (("--author", "a", "--channel", "c"), "exactly one of"),
        (("--before", "yesterday"), "'yesterday' is no time"),
        (("--message", "~x"), "begins with ~"),
    ],
)
def test_what_to_forget_is_said_once_and_well(stored: Caller, arguments: tuple[str, ...], part: str) -> None:
    assert part in stored("forget", "t", *arguments, code=2).err
    assert len(stored.messages("t")) == 100


def test_a_merge_changes_what_can_be_changed(stored: Caller) -> None:
    before = stored.messages("t")
    assert stored.json("merge", "t", "--backward", "--max-copied-tokens", "3")["segments"] == 1
    options = stored.json("stats", "t")["options"]
    assert (options["backward"], options["max_copied_tokens"]) == (True, 3)
    stored("merge", "t", "--no-backward", "--min-authors", "2", "--support", "messages")
    options = stored.json("stats", "t")["options"]
    assert (options["backward"], options["min_authors"], options["support"]) == (False, 2, "messages")
    assert "segment" in stored("merge", "t", "--whole").out
    assert stored.messages("t") == before


def test_an_archive_brings_the_chain_back(stored: Caller, tmp_path: Path) -> None:
    archive = tmp_path / "t.archive"
    assert stored("export", "t", archive).out == f"wrote 100 messages to {archive}\n"
    assert "is there already" in stored("export", "t", archive, code=2).err
    assert stored("import", "copy", archive).out == "imported 100 messages\n"
    assert stored.messages("copy") == stored.messages("t")
    assert "already" in stored("import", "copy", archive, code=2).err
    assert "is no file" in stored("import", "other", tmp_path / "absent", code=2).err
    archive.write_bytes(archive.read_bytes()[:-30])
    assert "nothing was imported" in stored("import", "other", archive, code=2).err
    assert [row["tenant"] for row in stored.json("list")] == ["copy", "t"]
    left = {path.name for path in (stored.state / "chains").iterdir()}
    assert left == {"t", "copy", ".placing"}


def test_stats_and_list_have_the_numbers(stored: Caller) -> None:
    stats = stored.json("stats", "t")
    assert stats.keys() == {"tenant", *Stats.__struct_fields__}
    assert stats["options"].keys() == set(Options.__struct_fields__)
    assert (stats["tenant"], stats["messages"], stats["tokens"], stats["vocabulary"]) == ("t", 100, 200, 101)
    text = stored("stats", "t").out
    for name in ("messages", "vocabulary", "transitions", "bytes", "order", "guarded"):
        assert any(line.split()[0] == name for line in text.splitlines()), name
    (row,) = stored.json("list")
    assert row == {"tenant": "t", "messages": 100, "bytes": stats["bytes"], "order": 2, "guarded": False}
    assert "TENANT" in stored("list").out


def test_removing_asks_and_is_whole(stored: Caller) -> None:
    done = call(stored.state, "remove", "t")
    assert done.returncode == 2
    assert b"say --yes" in done.stderr
    assert stored("remove", "t", "--yes").out == "removed t\n"
    assert stored.json("list") == []
    assert "there is no chain 't'" in stored("remove", "t", "--yes", code=2).err
    assert [path for path in (stored.state / "chains").iterdir() if path.is_dir()] == []


def test_a_second_writer_is_told_who_is_the_first(stored: Caller, tmp_path: Path) -> None:
    with Chain.open(stored.state / "chains" / "t", write=True):
        for arguments in (
            ("train", "t", "--starter", "chat"),
            ("train", "t", "--starter", "chat", "--clean"),
            ("forget", "t", "--author", "a1"),
            ("merge", "t"),
            ("remove", "t", "--yes"),
        ):
            done = call(stored.state, *arguments)
            assert done.returncode == 1, arguments
            assert done.stderr.count(b"\n") == 1
            assert f"process {os.getpid()}".encode() in done.stderr
        assert stored.json("stats", "t")["messages"] == 100
    assert len(stored.messages("t")) == 100


def damaged(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    if how == "cut":
        data = data[: len(data) // 2]
    else:
        data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["cut", "flipped"])
@pytest.mark.parametrize("suffix", ["segment", "messages"])
def test_damage_is_named_and_the_rest_serves(stored: Caller, tmp_path: Path, how: str, suffix: str) -> None:
    (tmp_path / "more").write_text("".join(f"something else {n} to say\n" for n in range(10)))
    stored("train", "t", tmp_path / "more")
    stored("train", "fine", "--starter", "chat")
    first = min((stored.state / "chains" / "t").glob(f"*.{suffix}"))
    damaged(first, how)
    said = stored("verify", "t", code=1).out
    assert first.name in said or first.stem in said
    rows = stored.json("verify", "--all", code=1)
    assert {row["tenant"]: bool(row["damage"]) for row in rows} == {"fine": False, "t": True}
    assert "something else" in stored("generate", "t", "--copies", "--starting", "something else").out
    if how == "cut":
        assert first.name in " ".join(stored.json("stats", "t")["damage"])
        assert "damage: " in stored("stats", "t").out
        listed = {row["tenant"]: row.get("problem") for row in stored.json("list", code=1)}
        assert listed["fine"] is None
        assert first.name in str(listed["t"])
    stored("train", "t", "--starter", "chat", "--clean")
    assert "all as they were written" in stored("verify", "t").out


def test_a_damaged_manifest_is_named(stored: Caller) -> None:
    damaged(stored.state / "chains" / "t" / "manifest.json", "flipped")
    for arguments in (("generate", "t"), ("stats", "t"), ("merge", "t")):
        assert "manifest.json is damaged" in stored(*arguments, code=1).err
    assert "manifest.json is damaged" in stored("verify", "t", code=1).out
    assert "manifest.json" in stored("list", code=1).out
    assert "--no-guarded" in stored("train", "t", "--starter", "chat", "--clean", code=1).err
    stored("train", "t", "--starter", "chat", "--clean", "--no-guarded")
    assert "all as they were written" in stored("verify", "t").out


def test_what_to_verify_is_named(stored: Caller) -> None:
    assert "name one chain" in stored("verify", code=2).err
    assert "name one chain" in stored("verify", "t", "--all", code=2).err
    assert "there is no chain 'u'" in stored("verify", "u", code=2).err


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB."""
    directory = tmp_path / "state"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(directory)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs root and mounts")
    yield directory
    subprocess.run(["umount", "-l", str(directory)], check=True)


@pytest.mark.root
def test_a_full_disk_loses_nothing(small_disk: Path, chain: Caller, tmp_path: Path) -> None:
    chain("train", "t", "--starter", "chat")
    before = chain.messages("t")
    large = tmp_path / "large"
    large.write_text("".join(f"word{n} and word{n * 7} make {n}\n" for n in range(50_000)))
    for more in ((), ("--clean",)):
        done = call(small_disk, "train", "t", large, *more)
        assert done.returncode == 1
        assert done.stderr.count(b"\n") == 1
        assert b"No space left on device" in done.stderr
        assert chain("generate", "t").out
    done = call(small_disk, "train", "new", large)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert chain.messages("t") == before
    assert "all as they were written" in chain("verify", "t").out
    chain("train", "t", "--starter", "mail")


@contextlib.contextmanager
def read_only(state: Path) -> Iterator[str]:
    """A state that cannot be written, and why: root is stopped by nothing but the file system."""
    if os.geteuid() == 0:
        subprocess.run(["mount", "-o", "remount,ro", str(state)], check=True)
        yield "Read-only file system"
        subprocess.run(["mount", "-o", "remount,rw", str(state)], check=True)
        return
    paths = [state, *state.rglob("*")]
    modes = [path.stat().st_mode for path in paths]
    for path, mode in zip(paths, modes, strict=True):
        path.chmod(mode & ~0o222)
    yield "Permission denied"
    for path, mode in zip(paths, modes, strict=True):
        path.chmod(mode)


def test_a_state_that_cannot_be_written_is_read(request: pytest.FixtureRequest, chain: Caller, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        request.getfixturevalue("small_disk")
    chain("train", "t", "--starter", "chat")
    chain("export", "t", tmp_path / "archive")
    with read_only(chain.state) as why:
        assert chain("generate", "t").out
        assert chain("verify", "t").out
        assert chain("list").out
        assert chain("stats", "t").out
        chain("export", "t", tmp_path / "another")
        for arguments in (
            ("train", "t", "--starter", "mail"),
            ("train", "t", "--starter", "mail", "--clean"),
            ("train", "new", "--starter", "mail"),
            ("forget", "t", "--message", "~1"),
            ("merge", "t"),
            ("import", "new", str(tmp_path / "archive")),
            ("remove", "t", "--yes"),
        ):
            assert why in chain(*arguments, code=1).err
    assert [row["tenant"] for row in chain.json("list")] == ["t"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("generate", "nobody"),
        ("stats", "nobody"),
        ("forget", "nobody", "--author", "a"),
        ("merge", "nobody"),
        ("verify", "nobody"),
        ("export", "nobody", "archive"),
        ("remove", "nobody", "--yes"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_tenant_that_is_not_known_is_not_made(chain: Caller, arguments: tuple[str, ...]) -> None:
    said = chain(*arguments, code=2)
    assert "there is no chain 'nobody'" in said.err
    assert "`chaffinch chain train nobody FILE` makes it" in said.err
    assert not chain.state.exists()
    chain("train", "nobodi", "--starter", "chat")
    assert "did you mean 'nobodi'?" in chain(*arguments, code=2).err
    assert "cannot name a tenant" in chain(arguments[0], "../nobodi", *arguments[2:], code=2).err
    assert [path.name for path in (chain.state / "chains").iterdir()] == ["nobodi"]
    assert not Path("archive").exists()
