"""The guide, `docs/load.md`: its examples run, and print what it says but for the figures."""

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import chaffinch.load
from chaffinch.cli.load import notice
from chaffinch.cli.load import run as command
from chaffinch.load import target
from chaffinch.load.target import parse_model
from tests.load.answering import answering

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "load.md").read_text(encoding="utf-8")

CONSOLE = re.compile(r"^```console\n\$ (.*?)\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"^```python\n(.*?)^```\n(?:\n```\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)

TARGET = "http://127.0.0.1:8080"

TRIES = 3
"""Of a run: on a machine that was busy it rightly says more than the guide, such as what was not sent in time."""


def shape(text: str) -> list[str]:
    """The words of what was printed, without figures and without whether the generator was busy."""
    text = re.sub(r"^generator .*?^memory", "memory", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r" and [\d.]+ s for the last answers", "", text)
    text = re.sub(r"\d[\d,.]*( ?(us|ms|s|B|KB|MB|GB|days)\b)?", "N", text)
    return text.split()


def test_the_commands_do_what_the_guide_says(tmp_path: Path) -> None:
    examples = CONSOLE.findall(PAGE)
    assert len(examples) == PAGE.count("```console") == 5
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "chaffinch"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m chaffinch --state {tmp_path}/state "$@"\n')
    program.chmod(0o755)
    notice.first_time(tmp_path / "state")
    environment = os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    with answering() as url:
        for line, expected in examples:
            for _ in range(TRIES if line.startswith("chaffinch load run") else 1):
                done = subprocess.run(
                    ["bash", "-c", line.replace(TARGET, url)],
                    cwd=tmp_path,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    timeout=60,
                    check=False,
                )
                if shape(done.stdout.decode()) == shape(expected):
                    break
            assert shape(done.stdout.decode()) == shape(expected), line
            assert done.returncode == (2 if expected.startswith("chaffinch: ") else 0), line
        python(url, tmp_path)


def python(url: str, directory: Path) -> None:
    """The Python examples, which read a file that the commands made."""
    page = directory / "page.yaml"
    page.write_text(page.read_text().replace(TARGET, url).replace("30s", "1s"))
    examples = EXAMPLE.findall(PAGE)
    assert len(examples) == PAGE.count("```python") == 2
    scope: dict[str, object] = {}
    with contextlib.chdir(directory):
        for code, expected in examples:
            line = PAGE[: PAGE.index(code)].count("\n")
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile("\n" * line + code.replace(TARGET, url), "docs/load.md", "exec"), scope)
            assert printed.getvalue() == expected


def test_the_models_of_the_table_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rates.csv").write_text("1\n2\n3\n")
    models = re.findall(r"`--model '?([^`']+)'?`", PAGE)
    assert len(models) == 4
    for model in [*models, "ramp:10-500:1m:5m:1m"]:
        assert model in PAGE
        parse_model(model)


def test_the_defaults_and_codes_are_those_of_the_code() -> None:
    assert f"({target.OPEN_USERS:,} by default)" in PAGE
    assert f"({target.DURATION_MS // 1000} s for a\nURL that has neither)" in PAGE
    for code in (command.FAILED, command.CROSSED, 0, 2, f"{command.SIGNALLED + 2}, {command.SIGNALLED + 15}"):
        assert re.search(rf"^\| {code} \|", PAGE, re.MULTILINE)


def test_the_note_points_to_the_page_that_is_there() -> None:
    assert "docs/acceptable-use.md" in notice.TEXT
    assert (DOCS / "acceptable-use.md").exists()
    for name in ("run_scenario", "Runner", "load_file", "load_text"):
        assert name in chaffinch.load.__all__
        assert f"`{name}`" in PAGE
