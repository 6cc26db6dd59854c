"""`chaffinch chain generate`: what is asked for, what is repeated, what is refused, beside a writer."""

import gzip
import json
import subprocess
from pathlib import Path

import pytest

from chaffinch.chain.engine import Chain
from chaffinch.chain.results import Message
from tests.cli.chain.calling import DRIVING, Caller, Done, call, command, environment


@pytest.fixture
def talking(chain: Caller) -> Caller:
    chain("train", "office", "--starter", "chat", "--starter", "mail", "--backward")
    return chain


def test_one_message_a_line_and_nothing_that_was_learned(talking: Caller) -> None:
    lines = talking("generate", "office", "-n", "500").out.splitlines()
    assert len(lines) == 500
    assert not set(lines) & set(talking.messages("office"))


def test_a_seed_of_the_generator_repeats_a_run_beyond_one_batch(talking: Caller) -> None:
    first = talking("generate", "office", "-n", "12000", "--rng-seed", "7").out
    assert first == talking("generate", "office", "-n", "12000", "--rng-seed", "7").out
    assert first.startswith(talking("generate", "office", "-n", "9", "--rng-seed", "7").out)
    assert first != talking("generate", "office", "-n", "12000", "--rng-seed", "8").out
    lines = first.splitlines()
    assert lines[:2000] != lines[10_000:]


def test_words_that_are_asked_for_are_there(talking: Caller) -> None:
    def lines(*arguments: str) -> list[str]:
        return talking("generate", "office", "-n", "20", *arguments).out.splitlines()

    assert all(line.startswith("we need") for line in lines("--starting", "we need"))
    assert all("the backup" in line for line in lines("--containing", "the backup"))
    assert all(line.endswith(" tomorrow") for line in lines("--ending", "tomorrow"))
    assert all(8 <= len(line.split()) <= 9 for line in lines("--min-tokens", "8", "--max-tokens", "9"))
    assert all(len(line) <= 30 for line in lines("--max-bytes", "30"))
    assert lines("--seed", "please check the")


def test_json_has_score_tries_and_references(talking: Caller) -> None:
    out = talking("generate", "office", "-n", "5", "--json", "--references", "--min-score", "3").out
    rows = [json.loads(line) for line in out.splitlines()]
    assert len(rows) == 5
    for row in rows:
        assert row["score"] >= 3
        assert row["tries"] >= 1
        assert row["references"][0]["shared"] >= 1
        assert row["references"][0]["text"] in talking.messages("office")
    assert "references" not in json.loads(talking("generate", "office", "--json").out)


def test_chains_are_mixed_by_weight(talking: Caller) -> None:
    talking("train", "shell", "--starter", "shell")
    alone = talking("generate", "office", "-n", "50", "--rng-seed", "1", "--mix", "office=0", "--mix", "shell=1").out
    commands = {text.split()[0] for text in talking.messages("shell")}
    assert all(line.split()[0] in commands for line in alone.splitlines())
    assert talking("generate", "office", "-n", "50", "--mix", "shell=2").out.count("\n") == 50
    assert "is not TENANT=WEIGHT" in talking("generate", "office", "--mix", "shell", code=2).err
    assert "there is no chain 'shel'" in talking("generate", "office", "--mix", "shel=1", code=2).err
    assert "has a weight above 0" in talking("generate", "office", "--mix", "office=0", code=2).err


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("nobody",), 2, "there is no chain 'nobody'"),
        (("ofice",), 2, "did you mean 'office'?"),
        ((".office",), 2, "cannot name a tenant"),
        (("office", "--starting", "zebra quagga"), 1, "cannot say anything new about"),
        (("office", "--starting", "we\x1b[2J"), 1, "1b}[2J"),
        (("office", "--seed", "a", "--starting", "b"), 2, "not both"),
        (("office", "--min-tokens", "9", "--max-tokens", "3"), 2, "--min-tokens 9 is above --max-tokens 3"),
    ],
)
def test_what_cannot_be_said_is_one_sentence(talking: Caller, arguments: tuple[str, ...], code: int, part: str) -> None:
    said = talking("generate", *arguments, code=code)
    assert part in said.err
    assert said.out == ""


def test_fewer_than_were_asked_for_are_counted(chain: Caller, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("a b c\nx b y\n")
    chain("train", "t", tmp_path / "in", "--order", "1")
    counts = set()
    for seed in range(20):
        said = chain("generate", "t", "-n", "3", "--max-tries", "1", "--rng-seed", str(seed), code=None)
        made = len(said.out.splitlines())
        assert set(said.out.splitlines()) <= {"a b y", "x b c"}
        assert said.code == int(made == 0)
        assert (f"made {made} of 3" in said.err) == (0 < made < 3)
        assert ("cannot say anything new" in said.err) == (made == 0)
        counts.add(made)
    assert counts == {0, 1, 2, 3}


def test_it_speaks_while_another_writes(talking: Caller) -> None:
    directory = talking.state / "chains" / "office"
    with Chain.open(directory, write=True) as writer:
        writer.add([Message("zebras zig and zag")])
        done = call(talking.state, "generate", "office", "--copies", "--starting", "zebras")
    assert (done.returncode, done.stdout) == (0, b"zebras zig and zag\n")


def test_a_reader_who_has_seen_enough_is_no_failure(talking: Caller) -> None:
    arguments = command(talking.state, "generate", "office", "-n", "300000")
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline().strip()
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(60) == 0


def test_what_an_archive_brings_does_not_drive_the_terminal(chain: Caller, tmp_path: Path) -> None:
    chain("train", "t", "--starter", "chat")
    chain("export", "t", tmp_path / "archive")
    lines = gzip.decompress((tmp_path / "archive").read_bytes()).decode().splitlines()

    def bring(evil: dict[str, object]) -> Done:
        archive = [lines[0], json.dumps(evil), json.dumps({"messages": 1})]
        (tmp_path / "evil").write_bytes(gzip.compress("".join(line + "\n" for line in archive).encode()))
        return chain("import", "evil", tmp_path / "evil", code=None)

    refused = bring({"tokens": ["\x1b]0;x\x07", "\x9b31m\u202e"]})
    assert "line 2" in refused.err
    assert not DRIVING.search(refused.err)
    assert bring({"id": "e\x1b[2J", "author": "\x1b[2J", "channel": "\x9b2J", "tokens": ["a", "b"]}).code == 0
    for more in ((), ("--json",), ("--references",)):
        out = chain("generate", "evil", "--copies", *more).out
        assert not DRIVING.search(out)
    assert chain("generate", "evil", "--copies").out == "a b\n"
