"""Without the packages of the extra `bot` each command says what to install, or does without."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chat.older.made import database
from tests.chat.older.test_database import ONE, ROWS
from tests.chat.test_token import TEXT, stored

WITHOUT = """
import sys
for name in {missing!r}: sys.modules[name] = None
from chaffinch.cli import main
main(sys.argv[1:])
"""


def run(missing: tuple[str, ...], *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT.format(missing=missing), "bot", *map(str, arguments)],
        capture_output=True, text=True, timeout=60, check=False, env=os.environ | environment,
    )  # fmt: skip


@pytest.mark.parametrize("more", [(), ("--setup",)])
def test_without_discord_py(tmp_path: Path, more: tuple[str, ...]) -> None:
    done = run(("discord",), "discord", "--state", tmp_path, *more)
    assert done.returncode == 2
    assert "pip install 'chaffinch[bot]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_json5_only_their_file_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text("{}")
    done = run(("json5",), "discord", "--state", tmp_path, "--older-settings", file)
    assert done.returncode == 2
    assert "json5 is not installed; install it with: pip install 'chaffinch[bot]'" in done.stderr


def test_without_keyring_there_is_none(tmp_path: Path) -> None:
    done = run(("keyring",), "discord", "--state", tmp_path)
    assert done.returncode == 2
    assert "there is no token for the bot" in done.stderr


def test_an_import_needs_none_of_them(tmp_path: Path) -> None:
    path = database(tmp_path / "db.sqlite3", ROWS)
    done = run(
        ("discord", "aiohttp", "json5", "keyring"), "import", path, "--guild", ONE, "--state", tmp_path / "state"
    )
    assert done.returncode == 0, done.stderr


def test_a_fleet_that_is_to_run_it_says_so_before_it_starts(tmp_path: Path) -> None:
    stored(tmp_path / "discord-token", TEXT)
    code = WITHOUT.format(missing=("discord",))
    done = subprocess.run(
        [sys.executable, "-c", code, "up", "--state", str(tmp_path)],
        capture_output=True, text=True, timeout=60, check=False, env=os.environ | {"CHAFFINCH_BOT_ENABLED": "true"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "bot.enabled is on, and discord.py is not installed: pip install 'chaffinch[bot]'" in done.stderr
