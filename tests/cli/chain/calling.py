"""Calling `chaffinch chain` on a state directory, in this process and in another, and reading what a chain holds."""

import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from chaffinch.chain.engine import Chain
from chaffinch.chain.names import directory_of
from chaffinch.cli import _run

DRIVING = re.compile("[^\n -\x7e\xa0-\u2027\u202f-\u2065\u2070-\U0010ffff]|\x7f")
"""What drives a terminal, or turns the text around it."""


class Done(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


class Caller:
    """Runs commands on one state directory."""

    def __init__(self, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.state = state
        self._capsys = capsys

    def __call__(self, *arguments: str | Path, code: int | None = 0) -> Done:
        """In this process; with no `code` any will do. What fails has to say one sentence."""
        self._capsys.readouterr()
        left = _run(["--state", str(self.state), "chain", *map(str, arguments)])
        out, err = self._capsys.readouterr()
        assert code in (None, left), (left, out, err)
        assert not DRIVING.search(out + err)
        if left and err:
            assert err.count("\n") == 1
            assert err.startswith(("chaffinch: ", "Usage: "))
        return Done(left, out, err)

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", code=code).out)

    def messages(self, tenant: str) -> list[str]:
        """Every message of a chain, in order."""
        return texts(directory_of(self.state, tenant))


def texts(directory: Path) -> list[str]:
    """The text of every message of a chain, in order."""
    return [" ".join(line["tokens"]) for line in exported(directory)]


def exported(directory: Path) -> list[dict[str, Any]]:
    """Every message of a chain as its archive has it."""
    return list(map(json.loads, archived(directory)))


def archived(directory: Path) -> list[str]:
    """The same as lines of JSON: ids, authors, channels, times, tokens."""
    with tempfile.TemporaryDirectory() as away:
        archive = Path(away, "archive")
        with Chain.open(directory) as chain:
            chain.export(archive)
        lines = gzip.decompress(archive.read_bytes()).decode().splitlines()
    assert json.loads(lines[-1]) == {"messages": len(lines) - 2}
    return lines[1:-1]


def command(state: Path, *arguments: str | Path) -> list[str]:
    """The same as a command of another process."""
    return [sys.executable, "-m", "chaffinch", "--state", str(state), "chain", *map(str, arguments)]


def call(state: Path, *arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """In another process, to its end."""
    return subprocess.run(
        command(state, *arguments), input=stdin, capture_output=True, timeout=60, env=environment(), check=False
    )


def environment() -> dict[str, str]:
    """This process's, without what configures a fleet."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CHAFFINCH_")}
