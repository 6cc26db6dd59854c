"""Calling `chaffinch load` on a state directory, in this process and in another."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from chaffinch.cli import _run

DRIVING = re.compile("[^\n -\x7e\xa0-\u2027\u202f-\u2065\u2070-\U0010ffff]|\x7f")
"""What drives a terminal, or turns the text around it."""


class Done(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


class Caller:
    """Runs commands on one state directory, in which the first run's note was already said."""

    def __init__(self, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.state = state
        self._capsys = capsys

    def __call__(self, *arguments: str | Path, code: int = 0) -> Done:
        """In this process. Nothing that it prints drives a terminal."""
        self._capsys.readouterr()
        left = _run(["--state", str(self.state), "load", *map(str, arguments)])
        out, err = self._capsys.readouterr()
        assert code == left, (left, out, err)
        assert not DRIVING.search(out + err)
        return Done(left, out, err)

    def refused(self, *arguments: str | Path, code: int = 2) -> str:
        """What a command says that refuses its input: one sentence, and nothing else."""
        done = self(*arguments, code=code)
        assert done.out == ""
        assert done.err.startswith(("chaffinch: ", "Usage: "))
        assert done.err.endswith("\n")
        if done.err.startswith("chaffinch: "):
            assert done.err.count("\n") == 1
        return done.err.removeprefix("chaffinch: ").rstrip("\n")

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        return json.loads(self(*arguments, code=code).out)


def command(state: Path, *arguments: str | Path) -> list[str]:
    """The same as a command of another process."""
    return [sys.executable, "-m", "chaffinch", "--state", str(state), "load", *map(str, arguments)]


def call(state: Path, *arguments: str | Path, stdin: bytes = b"", **more: Any) -> subprocess.CompletedProcess[bytes]:
    """In another process, to its end."""
    return subprocess.run(
        command(state, *arguments),
        input=stdin,
        stdout=more.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        timeout=60,
        env=environment(**more),
        check=False,
    )


def environment(**more: str) -> dict[str, str]:
    """This process's, without what configures a fleet or a run."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CHAFFINCH_", "TARGET_"))}
    return kept | more
