"""What is not what it should be: wrong files, damage everywhere, newer versions, no room. Nothing is lost."""

import bz2
import gzip
import io
import json
import lzma
import os
import random
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from chaffinch.chain.engine import Chain
from chaffinch.chain.results import Message
from tests.cli.chain.calling import Caller, archived, call, command, environment

LINES = b"".join(b"hello there my friend %d\n" % number for number in range(20_000))


def zipped(data: bytes) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        archive.writestr("chat.txt", data)
    return into.getvalue()


def zstd(data: bytes) -> bytes:
    if shutil.which("zstd") is None:
        pytest.skip("needs the program zstd")
    return subprocess.run(["zstd", "-c"], input=data, capture_output=True, check=True).stdout


def greedy_xz() -> bytes:
    """An xz file that asks for a dictionary of 4 GiB."""
    data = bytearray(lzma.compress(b"hello there\n"))
    header = data[12 : 12 + 4 * (data[12] + 1)]
    header[header.index(b"\x21\x01") + 2] = 40
    header[-4:] = zlib.crc32(header[:-4]).to_bytes(4, "little")
    data[12 : 12 + len(header)] = header
    return bytes(data)


WRONG = {
    "an xz of 4 GiB": (greedy_xz(), "needs 4096 MiB to decompress"),
    "zip": (zipped(LINES), "is a zip archive: unpack it first"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(60), "is a 7z archive: unpack it first"),
    "bzip2": (bz2.compress(LINES), "is compressed with bzip2: unpack it first"),
    "utf-16": ("hello there\n".encode("utf-16"), "is UTF-16 text: convert it first"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(100), "line 1: byte 1 of the message is not UTF-8"),
    "program": (Path(sys.executable).read_bytes()[:100_000], "line 1: byte"),
    "gzip in gzip": (gzip.compress(gzip.compress(LINES)), "not UTF-8"),
    "latin 1": ("good\nna\xefve\n".encode("latin-1"), "line 2: byte 3 of the message is not UTF-8"),
    "latin 1 in JSON": (b'{"text": "good"}\n{"text": "na\xefve"}\n', "line 2: byte 13 of the message is not UTF-8"),
    "17 MB in a line": (b"good\n" + b"word " * 3_400_000 + b"\n", "line 2: the message is longer than 16 MiB"),
}

HOSTILE = {
    "nested": (b'{"text": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "expected a string"),
    "open": (b'{"a":' * 200_000, "line 1: "),
    "a number": (b'{"text": 1e999999}', "number out of range"),
    "not a number": (b'{"text": NaN}', "line 1: "),
    "half a character": (b'{"text": "\\ud800 lone"}', "line 1: "),
    "an escape": (b'{"text": "\\q"}', "invalid escape"),
    "twice": (b'{"text": "one", "text": "two"}', '"text" is given twice'),
    "no text": (b'{"name": "ann"}', "no text"),
    "an id": (b'{"id": 1.5, "text": "hi"}', 'as "id"'),
    "a time": (b'{"time": 1e300, "text": "hi"}', 'as "time"'),
    "attachments": (b'{"attachments": 5, "text": "hi"}', 'as "attachments"'),
    "cut": (b'[{"text": "good"}, {"text": "ba', "it is truncated"),
    "more": (b'[{"text": "good"}] more', "the end of the file should stand here"),
    "Discord": (b'{"guild": {}, "channel": {}, "messages": 5}', "the [ of the messages should stand here"),
}


@pytest.fixture
def fed(chain: Caller, tmp_path: Path) -> Caller:
    """A chain `t` with two files learned and one message added: segments and a log."""
    for number in range(2):
        file = tmp_path / f"{number}.txt"
        file.write_text("".join(f"message {line} of {number} that is {line % 7}\n" for line in range(300)))
        chain("train", "t", file)
    with Chain.open(chain.state / "chains" / "t", write=True) as writer:
        for number in range(20):
            writer.add([Message(f"added {number} at last", id=f"m{number}")])
    return chain


def holds(chain: Caller) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (chain.state / "chains" / "t").iterdir() if path.name != "lock"}


@pytest.mark.parametrize("kind", [*WRONG, *HOSTILE])
def test_a_file_that_is_not_what_it_should_be_changes_nothing(fed: Caller, tmp_path: Path, kind: str) -> None:
    data, sentence = (WRONG | HOSTILE)[kind]
    file = tmp_path / "file"
    file.write_bytes(data)
    before = archived(fed.state / "chains" / "t")
    for tenant in ("t", "new"):
        for more in ((), ("--clean",)):
            said = fed("train", tenant, file, *more, code=2)
            assert sentence in said.err
            assert str(file) in said.err
            assert said.out == ""
    assert archived(fed.state / "chains" / "t") == before
    assert {row["tenant"] for row in fed.json("list")} == {"t"}
    assert {path.name for path in (fed.state / "chains").iterdir()} - {".placing"} == {"t"}


def test_good_lines_are_kept_between_bad_ones(chain: Caller, tmp_path: Path) -> None:
    bad = [data for data, _ in HOSTILE.values() if b"\n" not in data and not data.startswith(b"[")]
    rows = [b'{"text": "good %d"}\n%s\n' % (number, data) for number, data in enumerate(bad)]
    file = tmp_path / "rows.ndjson"
    file.write_bytes(b"".join(rows) + b'{"text": "last"}')
    done = chain.json("train", "t", file, "--skip-bad", "--format", "ndjson")
    assert (done["learned"], done["bad"]) == (len(bad) + 1, len(bad))
    assert [one["line"] for one in done["first_bad"]] == list(range(2, 2 * len(bad) + 1, 2))
    assert chain.messages("t") == [*(f"good {number}" for number in range(len(bad))), "last"]
    chain("train", "u", file, "--skip-bad", "--format", "ndjson")
    said = chain("train", "v", file, "--skip-bad", "--format", "ndjson").out
    assert f"{len(bad)} bad, passed over:\n  {file}, line 2: " in said


def test_bad_records_are_counted_beyond_those_that_are_named(chain: Caller, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"bad \xff\n" * 15 + b"good\n")
    said = chain("train", "t", tmp_path / "a", tmp_path / "b", "--skip-bad").out
    assert "30 bad, passed over:\n" in said
    assert said.count("is not UTF-8") == 20
    assert said.endswith("  and 10 more\n")


@pytest.mark.parametrize("packed", [gzip.compress, lzma.compress, zstd], ids=["gz", "xz", "zst"])
@pytest.mark.parametrize("how", ["cut", "flipped", "no more than its head"])
def test_damaged_compression_is_named_and_learns_nothing(
    chain: Caller, tmp_path: Path, packed: Callable[[bytes], bytes], how: str
) -> None:
    data = bytearray(packed(LINES))
    if how == "flipped":
        data[len(data) // 2] ^= 0x55
    file = tmp_path / "file"
    file.write_bytes(data if how == "flipped" else data[:-40] if how == "cut" else data[:6])
    said = chain("train", "t", file, code=2)
    assert f"{file} is damaged: " in said.err
    assert "again" in said.err
    assert ("truncated" in said.err) == (how != "flipped")
    assert chain.json("list") == []
    file.write_bytes(packed(LINES))
    assert chain.json("train", "t", file)["learned"] == 20_000


@pytest.mark.parametrize("packed", [bytes, gzip.compress, lzma.compress, zstd], ids=["plain", "gz", "xz", "zst"])
@pytest.mark.parametrize("form", ["auto", "lines", "ndjson", "mbox"])
def test_an_empty_file_of_any_kind_is_no_error(
    chain: Caller, tmp_path: Path, packed: Callable[[bytes], bytes], form: str
) -> None:
    (tmp_path / "file").write_bytes(packed(b""))
    done = chain.json("train", "t", tmp_path / "file", "--format", form)
    assert (done["files"], done["records"], done["learned"]) == (1, 0, 0)


def test_what_is_no_file_is_one_sentence(chain: Caller, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "empty has no files" in chain("train", "t", tmp_path / "empty", code=2).err
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert "cannot be read (No such file or directory)" in chain("train", "t", tmp_path / "dangling", code=2).err
    (tmp_path / "in").write_text("hello\n")
    assert "cannot be read" in chain("train", "t", tmp_path / "in" / "deeper", code=2).err
    assert "is not UTF-8" in _with_names(chain, tmp_path, b"\xff")
    assert "cannot be read" in chain("train", "t", tmp_path / "in", "--guarded", "--names", tmp_path, code=2).err
    (tmp_path / "archive").write_text("no archive\n")
    assert "archive" in chain("import", "t", tmp_path / "archive", code=2).err
    (tmp_path / "file").write_text("")
    done = call(tmp_path / "file", "train", "t", tmp_path / "in")
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert chain.json("list") == []


def _with_names(chain: Caller, tmp_path: Path, names: bytes) -> str:
    (tmp_path / "names").write_bytes(names)
    return chain("train", "t", tmp_path / "in", "--guarded", "--names", tmp_path / "names", code=2).err


def test_a_name_that_is_no_text_can_be_learned_from(chain: Caller, tmp_path: Path) -> None:
    for name, text in ((b"na\xffme\x1b[2J\n", b"good\n"), (b"nb\xffme\x1b[2J\n", b"bad \xff\n")):
        (tmp_path / os.fsdecode(name)).write_bytes(text)
    good, bad = sorted(tmp_path.glob("n?*me*"))
    assert chain.json("train", "t", good)["learned"] == 1
    assert chain.json("train", "t", good)["resumed"] == 1
    assert "line 1: byte 5" in chain("train", "t", bad, code=2).err
    assert "line 1: byte 5" in chain("train", "t", bad, "--skip-bad").out
    assert chain.json("train", "u", bad, "--skip-bad")["bad"] == 1


def test_a_terminal_of_another_time_shows_what_it_can(chain: Caller, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("na\xefve caf\xe9 \U0001f600\n")
    chain("train", "t", tmp_path / "in")
    for coding, text in (("ascii", rb"na\xefve caf\xe9 \U0001f600"), ("latin-1", b"na\xefve caf\xe9 \\U0001f600")):
        done = subprocess.run(
            command(chain.state, "generate", "t", "--copies"),
            capture_output=True,
            env=environment() | {"PYTHONIOENCODING": coding},
            check=True,
            timeout=60,
        )
        assert done.stdout == text + b"\n"


def newer(manifest: bytes) -> bytes:
    """The manifest of a version to come, with the checksum that it has to have."""
    text = manifest.replace(b'"format": 1', b'"format": 9').replace(b'"format":1', b'"format":9')
    blank = re.sub(rb'("checksum": ?")[0-9a-f]{8}', rb"\g<1>00000000", text, count=1)
    assert blank != manifest
    return re.sub(rb'("checksum": ?")0{8}', rb"\g<1>%08x" % zlib.crc32(blank), blank, count=1)


def test_a_newer_version_is_refused_in_a_sentence_and_left_alone(fed: Caller, tmp_path: Path) -> None:
    manifest = fed.state / "chains" / "t" / "manifest.json"
    manifest.write_bytes(newer(manifest.read_bytes()))
    before = holds(fed)
    (tmp_path / "in").write_text("hello\n")
    for arguments in (
        ("generate", "t"),
        ("stats", "t"),
        ("train", "t", tmp_path / "in"),
        ("train", "t", tmp_path / "in", "--clean"),
        ("forget", "t", "--message", "m1"),
        ("merge", "t"),
        ("export", "t", tmp_path / "archive"),
    ):
        said = fed(*arguments, code=1)
        assert "newer" in said.err or "version" in said.err
        assert "upgrade" in said.err
    for listing in (("list",), ("verify", "--all"), ("verify", "t")):
        assert "upgrade" in fed(*listing, code=1).out
    assert holds(fed) == before
    assert not (tmp_path / "archive").exists()


def test_a_newer_archive_is_refused_in_a_sentence(fed: Caller, tmp_path: Path) -> None:
    fed("export", "t", tmp_path / "archive")
    text = gzip.decompress((tmp_path / "archive").read_bytes())
    newer = text.replace(b'"chaffinch_chain":1', b'"chaffinch_chain":9')
    assert newer != text
    (tmp_path / "newer").write_bytes(gzip.compress(newer))
    assert "the archive has version 9" in fed("import", "u", tmp_path / "newer", code=2).err
    assert [row["tenant"] for row in fed.json("list")] == ["t"]


def test_no_flipped_bit_passes_for_what_was_written(fed: Caller) -> None:
    rng = random.Random(7)
    directory = fed.state / "chains" / "t"
    before, files = archived(directory), holds(fed)
    assert {Path(name).suffix for name in files} == {".json", ".log", ".messages", ".segment"}
    noticed = 0
    for name, data in sorted(files.items()) * 8:
        flipped = bytearray(data)
        flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        (directory / name).write_bytes(flipped)
        verified = fed("verify", "t", code=None)
        noticed += verified.code
        if verified.code == 0:
            # Only the end of a log can look like a write that a crash cut off; it was never acknowledged then.
            assert name.endswith(".log")
            found = archived(directory)
            assert found == before[: len(found)]
        else:
            assert name in verified.out or name.split(".")[0] in verified.out
        fed("generate", "t", "--copies", code=None)
        fed("stats", "t", code=None)
        fed("list", code=None)
        (directory / name).write_bytes(data)
    assert noticed >= 6 * len(files)
    assert archived(directory) == before


LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, resource.RLIM_INFINITY))
from chaffinch.cli import main
main()
"""
"""A command of which no file may grow beyond 3 kB: as on a full disk, for whoever is not root too."""


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "t", "LARGE"),
        ("train", "t", "LARGE", "--clean"),
        ("train", "new", "LARGE"),
        ("merge", "t", "--whole", "--backward"),
        ("export", "t", "EXPORTED"),
        ("import", "new", "ARCHIVE"),
    ],
    ids=" ".join,
)
def test_a_write_that_is_refused_loses_nothing(fed: Caller, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    before = archived(fed.state / "chains" / "t")
    places = {name: str(tmp_path / name.lower()) for name in ("LARGE", "EXPORTED", "ARCHIVE")}
    Path(places["LARGE"]).write_bytes(LINES)
    fed("train", "large", places["LARGE"])
    fed("export", "large", places["ARCHIVE"])
    fed("remove", "large", "--yes")
    given = [places.get(one, one) for one in arguments]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, "--state", str(fed.state), "chain", *given],
        capture_output=True,
        env=environment(),
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr.count(b"\n"), done.stdout) == (1, 1, b""), done.stderr
    assert b"File too large" in done.stderr
    assert archived(fed.state / "chains" / "t") == before
    assert "all as they were written" in fed("verify", "t").out
    assert [row["tenant"] for row in fed.json("list")] == ["t"]
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"0.txt", "1.txt", "archive", "large"}
    fed(*given)
    assert len(archived(fed.state / "chains" / given[1])) in (len(before), 20_000, len(before) + 20_000)


def test_a_million_identical_messages(chain: Caller, tmp_path: Path) -> None:
    (tmp_path / "same").write_text("all the same\n" * 1_000_000)
    assert chain.json("train", "t", tmp_path / "same")["learned"] == 1_000_000
    stats = chain.json("stats", "t")
    assert (stats["messages"], stats["vocabulary"]) == (1_000_000, 3)
    assert "cannot say anything new" in chain("generate", "t", code=1).err
    assert chain("generate", "t", "--copies").out == "all the same\n"


def test_a_damaged_archive_makes_no_chain(fed: Caller, tmp_path: Path) -> None:
    rng = random.Random(7)
    fed("export", "t", tmp_path / "archive")
    whole = (tmp_path / "archive").read_bytes()
    refused = 0
    for number in range(40):
        data = bytearray(whole)
        if number % 2:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        else:
            del data[rng.randrange(len(data)) :]
        (tmp_path / "damaged").write_bytes(data)
        said = fed("import", "u", tmp_path / "damaged", code=None)
        if said.code == 0:  # a bit of the head that says nothing, such as the time
            assert fed.messages("u") == fed.messages("t")
            fed("remove", "u", "--yes")
            continue
        refused += 1
        assert {path.name for path in (fed.state / "chains").iterdir()} - {".placing"} == {"t"}
    assert refused > 30


def test_json_that_is_printed_can_be_read_whatever_was_learned(chain: Caller, tmp_path: Path) -> None:
    texts = ['say "hi" \\ there', "a\u2028b\u202ec", "\u0085 x", "\ufeffy", "\U0001f600 \u0301"]
    (tmp_path / "in").write_text(
        "".join(json.dumps({"text": text, "author": f"\x00\x1b{text}"}) + "\n" for text in texts)
    )
    chain("train", "t", tmp_path / "in")
    for line in chain("generate", "t", "-n", "20", "--copies", "--references", "--json").out.splitlines():
        assert json.loads(line).keys() == {"text", "score", "tries", "references"}
