"""`chaffinch floor` as a user calls it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from chaffinch.cli.floor import command
from chaffinch.decoys.registry import BUILT_IN
from chaffinch.fleet import workers
from tests.floor.packages import written


def floor(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "chaffinch", "floor", *arguments],
        capture_output=True, text=True, timeout=60, check=False, cwd=cwd,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("json",), 0),
        (("json", "--budget", "1G", "--forbid", "sqlite3"), 0),
        (("json", "--budget", "1M"), 1),
        (("asyncio", "--forbid", "ssl"), 1),
    ],
)
def test_exit_codes_are_for_ci(arguments: tuple[str, ...], code: int) -> None:
    done = floor(*arguments)
    assert done.returncode == code, done.stderr
    assert done.stderr == ""
    assert ("CROSSED" in done.stdout or "FORBIDDEN" in done.stdout) == (code == 1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "name one thing to measure"),
        (("json", "--code", "pass"), "name one thing to measure"),
        (("no-module",), "'no-module' is no module's name"),
        (("nowhere_at_all",), "No module named 'nowhere_at_all'"),
        (("json", "--budget", "lots"), "--budget: 'lots' is not a size"),
        (("json", "--budget", "0"), "--budget has to be more than nothing"),
        (("json", "--free", "numpy"), "--free numpy: it is not imported"),
        (("--code", "import ("), "--code is no Python"),
        (("--command", "fly"), "chaffinch has no command 'fly'"),
        (("--command", "chain fly"), "'fly' is unknown; there are: "),
        (("--command", "status now"), "it has no commands below it"),
        (("--command", ""), "--command names no command"),
        (("--worker", "nobody"), "the fleet has no worker 'nobody'; there are: decoy-ftp"),
        (("json", "--python", "/nowhere"), "cannot run /nowhere"),
    ],
)
def test_bad_input_is_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    done = floor(*arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_package_where_we_stand_is_found_and_its_lines_are_short(tmp_path: Path) -> None:
    written(tmp_path, {"shop/__init__.py": "from shop import cart\n", "shop/cart.py": "\nimport decimal\n"})
    done = floor("shop", "--free", "decimal", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"^ +[\d.]+ [KM]B, [\d.]+ ms, \d+ modules: shop/__init__.py:1 imports shop.cart$", done.stdout, re.M
    )
    assert "Fewest statements to defer to free decimal: 1;" in done.stdout


def test_json_has_all_that_the_text_says() -> None:
    said = json.loads(floor("asyncio", "--json", "--own", "asyncio", "--free", "ssl").stdout)
    assert said["bytes"] == said["entry_bytes"] + sum(one["own_bytes"] for one in said["imports"])
    assert said["freeing"][0]["package"] == "ssl"
    assert {"rss_bytes", "private_bytes", "anonymous_bytes", "pss_bytes"} == said["after"].keys()


def test_pictures_are_whole_and_load_nothing(tmp_path: Path) -> None:
    done = floor("asyncio", "--svg", "a.svg", "--html", "a.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    picture = ET.fromstring((tmp_path / "a.svg").read_text(encoding="utf-8"))
    titles = [one.text or "" for one in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert any(title.startswith("asyncio.base_events: ") for title in titles)
    for box in picture.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(box.get("x", "0")) + float(box.get("width", "0")) <= 1200.1
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert set(re.findall(r"https?://[^\"' ]+", page)) == {"http://www.w3.org/2000/svg"}
    refused = floor("json", "--svg", "nowhere/a.svg", cwd=tmp_path)
    assert refused.returncode == 2
    assert "cannot write nowhere/a.svg" in refused.stderr


def test_names_cannot_drive_a_terminal_or_a_page(tmp_path: Path) -> None:
    written(tmp_path, {"app.py": "__import__('\\x1b[31m<b>')\n", "\x1b[31m<b>.py": "import json\n"})
    done = floor("app", "--html", "a.html", "--least", "0", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert r"\x1b[31m<b>" in done.stdout
    assert "<b>" not in (tmp_path / "a.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("arguments", [("--command", "status"), ("--command", "chain train"), ("--command", "load")])
def test_our_commands(arguments: tuple[str, ...]) -> None:
    done = floor(*arguments)
    assert done.returncode == 0, done.stderr
    assert "chaffinch.cli" in done.stdout


@pytest.mark.parametrize("worker", ["sessions", "decoy-redis"])
def test_our_workers(worker: str) -> None:
    module = next(row.module for row in workers.table(BUILT_IN) if row.name == worker)
    done = floor("--worker", worker, "--json")
    assert done.returncode == 0, done.stderr
    names = {one["name"] for one in json.loads(done.stdout)["imports"]}
    assert module in names
    assert not {name for name in names if name.startswith("chaffinch.decoys.") and "mysql" in name}


def test_the_guide_names_every_option() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "floor.md").read_text(encoding="utf-8")
    for option in command.params:
        if option.name not in ("state", "config", "modules"):
            assert f"`{option.opts[0]}" in guide, option.opts
