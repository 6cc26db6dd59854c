"""Exit codes: what a command declares is what its help and the documents say."""

import re
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from click.testing import CliRunner

from chaffinch.cli import cli, main
from chaffinch.cli.exits import COLUMNS, EVERYWHERE, EXITS, exits
from chaffinch.cli.load import run
from chaffinch.errors import ChaffinchError, InputError
from tests.chat.older.made import Row, database

DOCS = Path(__file__).parents[2] / "docs"


def test_what_errors_end_with_is_what_every_command_says() -> None:
    assert {ChaffinchError.exit_code, InputError.exit_code} < EVERYWHERE.keys()
    assert "130 stopped by Ctrl-C" in (DOCS / "commands.md").read_text(encoding="utf-8")


def test_an_error_drives_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "\u202efdp.sqlite3"
    with closing(apsw.Connection(str(database(path, [Row(5, "hello there", 6, 7)])))) as db:
        db.execute("update markov_input_data set markovId = ?", ("\x1b]0;title\x07",))
    with pytest.raises(SystemExit) as ended:
        main(["bot", "import", str(path), "--guild", "1", "--state", str(tmp_path / "state")])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "\\u202efdp.sqlite3 has no messages" in said
    assert "\\x1b]0;title\\x07 (1 message" in said
    assert not set(said) & {"\x1b", "\x07", "\u202e"}


def test_help_ends_with_what_was_declared_each_code_on_a_line_of_its_own() -> None:
    @exits({1: "word " * 40, 0: "good"})
    def command() -> None:
        """Does it."""

    assert getattr(command, EXITS) == {1: "word " * 40, 0: "good"}
    first, _, told = (command.__doc__ or "").partition("\n\n\b\nExit codes:\n")
    assert first == "Does it."
    assert max(map(len, told.splitlines())) <= COLUMNS
    assert [line[:7] for line in told.splitlines()[:2]] == ["  0    ", "  1    "]


def test_a_runs_exit_codes_are_those_of_its_help_and_of_the_guide() -> None:
    help_ = CliRunner().invoke(cli, ["load", "run", "--help"]).output
    codes = re.findall(r"^ {4}(\d+) ", help_, re.MULTILINE)
    assert list(map(int, codes)) == sorted(run.EXITS) == [0, 1, 2, 99, 130, 143]
    guide = (DOCS / "load.md").read_text(encoding="utf-8").partition("## Exit codes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([\d, ]+) \|", guide, re.MULTILINE)
    assert [int(code) for row in rows for code in row.split(", ")] == sorted(run.EXITS)
    assert "| [load run](#load-run) | 0, 1, 2, 99, 130, 143 |" in (DOCS / "commands.md").read_text(encoding="utf-8")
