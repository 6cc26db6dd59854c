"""`chaffinch chain` itself: its help is light, what is not known is guessed, its server starts and stops."""

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import msgspec
import pytest

from chaffinch.cli import cli
from chaffinch.cli.chain import COMMANDS, shown
from tests.cli.chain.calling import Caller, call, command, environment

LOADED = """
import json, sys
from chaffinch.cli import cli
try:
    cli.main(sys.argv[1:], standalone_mode=False)
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def loaded_by(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], capture_output=True, check=True, timeout=60, env=environment()
    )
    return set(json.loads(done.stderr))


def test_help_loads_no_chain() -> None:
    modules = loaded_by("chain", "--help")
    assert not {"msgspec", "asyncio", "chaffinch._core", "chaffinch.config", "chaffinch.chain"} & modules


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "serve"])
def test_a_command_loads_no_server_and_no_event_loop(name: str) -> None:
    modules = loaded_by("chain", name, "--help")
    assert not {"asyncio", "apsw", "logging", "ctypes", "http", "email", "h11", "chaffinch.chain.tenants"} & modules


def test_every_command_says_the_same_of_itself_in_short() -> None:
    group = cli.get_command(None, "chain")  # type: ignore[arg-type]
    assert group is not None
    for name, short in COMMANDS.items():
        found = group.get_command(None, name)  # type: ignore[attr-defined]
        assert found.name == name
        assert (found.help or "")[0].isupper()
        assert short.endswith(".")


def test_json_is_what_the_page_of_commands_lists(chain: Caller, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"one good line\nbad \xff\n")
    archive = str(tmp_path / "archive")
    calls: dict[str, tuple[str, ...]] = {
        "train": ("t", str(tmp_path / "in"), "--skip-bad", "--starter", "chat"),
        "generate": ("t", "-n", "2", "--references"),
        "stats": ("t",),
        "list": (),
        "forget": ("t", "--message", "~1"),
        "merge": ("t",),
        "verify": ("--all",),
        "export": ("t", archive),
        "import": ("u", archive),
    }
    group = cli.get_command(None, "chain")  # type: ignore[arg-type]
    for name in COMMANDS:
        printed = getattr(group.get_command(None, name).callback, shown.PRINTED, None)  # type: ignore[union-attr]
        assert (printed is not None) == (name in calls)
        if printed is None:
            continue
        out = chain(name, *calls[name], "--json").out
        rows = json.loads(out) if printed.shape == "an array" else [json.loads(line) for line in out.splitlines()]
        assert rows
        for row in rows:
            assert row.keys() <= set(printed.struct.__struct_fields__)
            msgspec.convert(row, printed.struct)
    page = (Path(__file__).parents[3] / "docs" / "commands.md").read_text()
    documented = [part for part in page.split("\n### ") if part.startswith("chain ")]
    assert sum("`--json` prints " in part for part in documented) == len(calls)
    assert "| `messages_per_second` | number |" in page


def test_a_command_that_is_not_known_is_guessed(chain: Caller) -> None:
    assert "did you mean 'generate'?" in call(chain.state, "genrate", "t").stderr.decode()
    assert "there are: train, generate, stats" in call(chain.state, "xyzzy").stderr.decode()
    assert call(chain.state, "xyzzy").returncode == 2


def test_a_state_is_named_anywhere(chain: Caller) -> None:
    chain("train", "t", "--starter", "chat")
    state = ("--state", str(chain.state))
    for arguments in ((*state, "chain", "list"), ("chain", *state, "list"), ("chain", "list", *state)):
        done = subprocess.run(
            [sys.executable, "-m", "chaffinch", *arguments], capture_output=True, check=True, env=environment()
        )
        assert done.stdout.split()[6:8] == [b"t", b"417"]


def test_it_serves_until_it_is_told_to_stop(chain: Caller) -> None:
    chain("train", "t", "--starter", "chat")
    chains = chain.state / "chains"
    (chains / "t").rename(chains / ".t.old")  # as a kill would leave it
    arguments = command(chain.state, "serve", "--port", "0")
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, env=environment(), text=True) as running:
        assert running.stderr is not None
        said = ""
        while (found := re.search(r"serving chains on (http://127\.0\.0\.1:\d+)", said)) is None:
            line = running.stderr.readline()
            assert line, said
            said += line
        with urllib.request.urlopen(f"{found[1]}/openapi.json", timeout=30) as answer:
            assert json.load(answer)["openapi"].startswith("3.")
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 0
    assert (chains / "t").is_dir()


def test_a_server_that_is_not_installed_is_one_sentence(chain: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "chaffinch.chain.http.serve", None)
    assert "pip install 'chaffinch[api]'" in chain("serve", code=1).err


def test_settings_make_new_chains(chain: Caller, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('[chain]\norder = 3\nguarded = true\nnames = ["Quentin"]\n')
    (tmp_path / "in").write_text("ask Quentin about it\n")
    chain("train", "t", tmp_path / "in", "--config", tmp_path / "settings.toml")
    options = chain.json("stats", "t")["options"]
    assert (options["order"], options["guarded"], options["min_authors"]) == (3, True, 3)
    assert "Quentin" not in chain.messages("t")[0]
    chain("train", "u", tmp_path / "in", "--config", tmp_path / "settings.toml", "--order", "1", "--no-guarded")
    options = chain.json("stats", "u")["options"]
    assert (options["order"], options["guarded"], options["min_authors"]) == (1, False, 1)
