"""`chaffinch chain train`: every format and compression, what is bad, what is resumed, what is refused."""

import gzip
import json
import lzma
import os
import pty
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.chain.calling import DRIVING, Caller, call, command, environment, exported

TEXTS = ["lunch at twelve?", "the soup again", "no soup for me today"]

DISCORD = {
    "guild": {"id": "700", "name": "Garden club"},
    "channel": {"id": "800", "name": "roses"},
    "messages": [
        {
            "id": str(number),
            "type": "Default",
            "timestamp": "2024-05-17T09:30:00+00:00",
            "content": text,
            "author": {"id": "10", "name": "ann", "isBot": text == "beep"},
            "attachments": [],
        }
        for number, text in enumerate([*TEXTS, "beep"])
    ],
}

MBOX = "".join(
    f"From a@office.example Fri May 17 09:30:00 2024\nFrom: a@office.example\nMessage-ID: <{number}@office.example>\n"
    f"Subject: x\n\n{text}\n\n"
    for number, text in enumerate(TEXTS)
)

FORMATS = {
    "lines": "\n".join(TEXTS),
    "json": json.dumps([{"message": text} for text in TEXTS]),
    "ndjson": "".join(json.dumps({"text": text, "author": "ann"}) + "\n" for text in TEXTS),
    "discord": json.dumps(DISCORD),
    "mbox": MBOX,
}


def zstd(data: bytes) -> bytes:
    if shutil.which("zstd") is None:
        pytest.skip("needs the program zstd")
    return subprocess.run(["zstd", "-c"], input=data, capture_output=True, check=True).stdout


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("packed", [bytes, gzip.compress, lzma.compress, zstd], ids=["plain", "gz", "xz", "zst"])
def test_every_format_is_found_out_and_unpacked(
    chain: Caller, tmp_path: Path, form: str, packed: Callable[[bytes], bytes]
) -> None:
    file = tmp_path / "messages"
    file.write_bytes(packed(FORMATS[form].encode()))
    done = chain.json("train", "t", file)
    assert (done["learned"], done["left_out"], done["bad"]) == (3, int(form == "discord"), 0)
    assert chain.messages("t") == TEXTS
    assert chain.json("train", "u", file, "--format", form)["learned"] == 3
    assert chain.json("train", "t", file)["resumed"] == 3


def test_a_bad_record_is_named_and_nothing_is_changed(chain: Caller, tmp_path: Path) -> None:
    file = tmp_path / "chat.ndjson"
    file.write_text('{"text": "good"}\n{"text": 5}\n{"text": "good too"}\n')
    said = chain("train", "t", file, code=2)
    assert "chat.ndjson, line 2: " in said.err
    assert "--skip-bad" in said.err
    assert said.out == ""
    assert chain.json("list") == []
    assert not (chain.state / "chains" / "t").exists()
    done = chain.json("train", "t", file, "--skip-bad")
    assert (done["learned"], done["bad"], done["first_bad"][0]["line"]) == (2, 1, 2)
    before = exported(chain.state / "chains" / "t")
    other = tmp_path / "other.ndjson"
    other.write_text('{"text": "better"}\nnot json\n')
    chain("train", "t", other, code=2)
    assert exported(chain.state / "chains" / "t") == before


def test_files_before_a_bad_one_are_learned_and_said(chain: Caller, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("good\n")
    (tmp_path / "b.txt").write_bytes(b"bad \xff\n")
    said = chain("train", "t", tmp_path / "a.txt", tmp_path / "b.txt", code=2)
    assert "learned 1 message of 1 file" in said.out
    assert "b.txt, line 1: byte " in said.err
    assert "is not UTF-8" in said.err
    assert chain.messages("t") == ["good"]


def test_a_directory_is_read_whole_and_in_order(chain: Caller, tmp_path: Path) -> None:
    root = tmp_path / "in"
    (root / "b").mkdir(parents=True)
    for name in ("c.txt", "b/2.txt", "b/1.txt", "a.txt", ".hidden"):
        (root / name).write_text(f"from {name}\n")
    (root / "b" / "loop").symlink_to(root)
    assert chain.json("train", "t", root)["files"] == 4
    assert chain.messages("t") == ["from a.txt", "from b/1.txt", "from b/2.txt", "from c.txt"]


def test_a_file_that_grew_is_read_on_and_another_is_refused(chain: Caller, tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    file.write_text("one\n")
    chain("train", "t", file)
    file.write_text("one\ntwo\n")
    done = chain.json("train", "t", file)
    assert (done["resumed"], done["learned"]) == (1, 1)
    file.write_text("eins\nzwei\ndrei\n")
    assert "--clean" in chain("train", "t", file, code=2).err
    assert chain.messages("t") == ["one", "two"]


def test_standard_input_is_learned_each_time(chain: Caller) -> None:
    for _ in range(2):
        done = call(chain.state, "train", "t", "-", stdin=b"hello from a pipe\n")
        assert done.returncode == 0, done.stderr
        assert done.stderr == b""
    assert chain.messages("t") == ["hello from a pipe"] * 2


def test_an_empty_file_is_no_error(chain: Caller, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    done = chain.json("train", "t", tmp_path / "empty")
    assert (done["records"], done["learned"]) == (0, 0)
    assert "cannot say anything new" in chain("generate", "t", code=1).err


def test_a_message_of_10_mb_is_cut_and_counted(chain: Caller, tmp_path: Path) -> None:
    (tmp_path / "long").write_text("word " * 2_000_000 + "\n" + "x" * 10_000_000 + "\n")
    said = chain("train", "t", tmp_path / "long").out
    assert "1 cut: 1,999,000 tokens at the end dropped" in said
    assert "1 too long as a token: shortened" in said
    assert [len(text) for text in chain.messages("t")] == [1000 * 5 - 1, 255]


def test_what_is_not_there_is_one_sentence(chain: Caller, tmp_path: Path) -> None:
    assert "absent.txt cannot be read" in chain("train", "t", tmp_path / "absent.txt", code=2).err
    assert "name a file to learn, or a starter corpus" in chain("train", "t", code=2).err
    assert "cannot name a tenant" in chain("train", "../t", "--starter", "chat", code=2).err
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04" + bytes(40))
    assert "zip archive" in chain("train", "t", tmp_path / "a.zip", code=2).err
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"hello\n" * 100_000)[:-40])
    assert "truncated" in chain("train", "t", tmp_path / "cut.gz", code=2).err
    assert chain.json("list") == []


@pytest.mark.parametrize("name", ["chat", "mail", "tickets", "wiki", "shell"])
def test_a_starter_corpus_makes_a_chain_that_talks(chain: Caller, name: str) -> None:
    done = chain.json("train", "t", "--starter", name)
    assert done["learned"] > 300
    assert chain.json("train", "t", "--starter", name)["resumed"] == done["records"]
    assert len(chain("generate", "t", "-n", "20").out.splitlines()) == 20


def test_options_of_a_chain_that_is_there_have_to_agree(chain: Caller) -> None:
    chain("train", "t", "--starter", "chat", "--order", "3")
    chain("train", "t", "--starter", "mail", "--order", "3", "--tokens", "words")
    for option, hint in ((("--order", "2"), "--order"), (("--tokens", "segments"), "--tokens"), (("--guarded",), "")):
        said = chain("train", "t", "--starter", "wiki", *option, code=2).err
        assert hint in said
        assert "train a new one with --clean" in said
    assert "chaffinch chain merge --backward" in chain("train", "t", "--starter", "wiki", "--backward", code=2).err
    assert "guarded chain" in chain("train", "t", "--starter", "wiki", "--names", os.devnull, code=2).err


def test_a_guarded_chain_counts_by_kind_what_it_replaced(chain: Caller, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("mail ann@corp.example now\nask Quentin about 10.1.2.3\n")
    (tmp_path / "names").write_text("Quentin\n\n")
    done = chain.json("train", "t", tmp_path / "in", "--guarded", "--names", tmp_path / "names")
    assert done["replaced"] == sum(done["replaced_by_kind"].values()) == 3
    assert "name" in done["replaced_by_kind"]
    stats = chain.json("stats", "t")
    assert (stats["options"]["guarded"], stats["options"]["min_authors"]) == (True, 3)
    assert not any("Quentin" in text or "@" in text for text in chain.messages("t"))


def test_names_are_kept_with_the_chain(chain: Caller, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("ask Quentin about it\n")
    (tmp_path / "more").write_text("Quentin knows, or Odalys\n")
    (tmp_path / "names").write_text("Quentin\n")
    (tmp_path / "others").write_text("Odalys\n")
    chain("train", "t", tmp_path / "in", "--guarded", "--names", tmp_path / "names")
    chain("train", "t", tmp_path / "more", "--names", tmp_path / "others")
    assert chain.messages("t") == ["ask <name> about it", "<name> knows, or <name>"]
    chain("train", "t", tmp_path / "in", tmp_path / "more", "--clean")
    assert chain.messages("t") == ["ask <name> about it", "<name> knows, or <name>"]


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("今日はいい天気ですね\n明日も\n", "segments"),
        ('[{"message": "今日はいい天気ですね"}]', "segments"),
        ("hello there, this is 日本\n", "words"),
        ("안녕하세요 여러분\n", "words"),
        ("123\n", "words"),
    ],
)
def test_tokens_follow_the_script(chain: Caller, tmp_path: Path, text: str, mode: str) -> None:
    for name, packed in (("plain", text.encode()), ("xz", lzma.compress(text.encode()))):
        (tmp_path / name).write_bytes(packed)
        chain("train", name, tmp_path / name)
        assert chain.json("stats", name)["options"]["mode"] == mode


def test_no_control_character_reaches_the_terminal(chain: Caller, tmp_path: Path) -> None:
    said = "".join(f"a{chr(code)}b c{chr(code)} d\n" for code in [*range(32), *range(127, 160), 0x202E] if code != 10)
    (tmp_path / "in").write_text(said)
    chain("train", "t", tmp_path / "in", "--format", "lines")
    out = chain("generate", "t", "-n", "50", "--copies", "--references").out
    assert out
    assert not DRIVING.search(out)


def test_clean_keeps_the_options_and_replaces_the_rest(chain: Caller) -> None:
    chain("train", "t", "--starter", "chat", "--guarded", "--order", "3")
    chain("train", "t", "--starter", "shell", "--clean", "--order", "1")
    stats = chain.json("stats", "t")
    assert (stats["options"]["guarded"], stats["options"]["order"]) == (True, 1)
    assert chain.json("train", "t", "--starter", "shell")["resumed"] == stats["messages"]
    chain("train", "t", "--starter", "shell", "--clean", "--no-guarded")
    assert chain.json("stats", "t")["options"]["guarded"] is False
    left = {path.name for path in (chain.state / "chains").iterdir()}
    assert left == {"t", ".placing"}


def test_a_bar_on_a_terminal_and_control_c(chain: Caller, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("".join(f"message {number} of many\n" for number in range(600_000)))
    ours, theirs = pty.openpty()
    arguments = command(chain.state, "train", "t", tmp_path / "in")
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=theirs, env=environment()) as running:
        os.close(theirs)
        shown = os.read(ours, 4096)
        running.send_signal(signal.SIGINT)
        assert running.stdout is not None
        out = running.stdout.read().decode()
        assert running.wait(30) == 130
    shown += os.read(ours, 65536)
    os.close(ours)
    assert b"messages, " in shown
    assert b"[#" in shown or b"[." in shown
    assert b"the same command goes on after" in shown
    assert "learned" in out
    stopped_at = chain.json("stats", "t")["messages"]
    assert 0 < stopped_at < 600_000
    done = chain.json("train", "t", tmp_path / "in")
    assert (done["resumed"], done["learned"]) == (stopped_at, 600_000 - stopped_at)


def test_a_chain_that_is_made_has_the_tenants_configuration(chain: Caller, tmp_path: Path) -> None:
    """The candidate's order for who is on it, with flags over it; a chain that is there keeps what it has."""
    (tmp_path / "config.toml").write_text(
        '[chain]\norder = 1\nguarded = true\nmin_authors = 1\n[chain.candidate]\ntenants = ["on", "flag"]\norder = 3\n'
    )

    def made(tenant: str, *arguments: str) -> tuple[int, bool, int]:
        chain("train", tenant, "--starter", "chat", "--config", tmp_path / "config.toml", *arguments)
        has = chain.json("stats", tenant)["options"]
        return has["order"], has["guarded"], has["min_authors"]

    assert made("off") == (1, True, 3)
    assert made("on") == (3, True, 3)
    assert made("flag", "--order", "2", "--no-guarded") == (2, False, 1)
    assert made("off", "--clean", "--no-guarded") == (1, False, 3)
    assert made("off", "--clean", "--guarded", "--min-authors", "1") == (1, True, 1)
    assert made("flag", "--clean", "--guarded") == (2, True, 3)


def test_segments_are_as_large_as_the_configuration_says(chain: Caller, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("".join(f"message {n} of {n % 97} and one\n" for n in range(20_000)))
    (tmp_path / "small.toml").write_text("[chain]\nsegment_memory = '1M'\n")
    small = ("--config", str(tmp_path / "small.toml"))

    def segments() -> int:
        return int(chain.json("stats", "t")["segments"])

    chain("train", "t", str(tmp_path / "in"), *small)
    chain("merge", "t", "--whole", *small)
    parts = segments()
    assert parts >= 140_000 // (1_048_576 // 20)
    chain("merge", "t", "--whole")
    assert segments() == 1
    chain("forget", "t", "--message", "~1", "--merge", *small)
    assert segments() == parts
    chain("train", "t", str(tmp_path / "in"), "--clean", *small)
    assert segments() > 1
