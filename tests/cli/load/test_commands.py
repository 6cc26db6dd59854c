"""`chaffinch load` itself, and its commands besides `run`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chaffinch.cli import cli
from chaffinch.cli.load import COMMANDS
from chaffinch.load import load_file
from tests.cli.load.calling import Caller, call, environment
from tests.load.running import ran

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
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_help_loads_no_engine() -> None:
    modules = loaded_by("load", "--help")
    assert not {"msgspec", "asyncio", "chaffinch._core", "chaffinch.config", "chaffinch.load"} & modules


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_loads_neither_an_event_loop_nor_yaml_nor_reports(name: str) -> None:
    modules = loaded_by("load", name, "--help")
    assert not {"asyncio", "apsw", "ctypes", "http", "email", "ssl", "yaml"} & modules
    assert (
        not {"chaffinch.load.report.html", "chaffinch.load.importing.har", "chaffinch.load.scenario.reader"} & modules
    )


def test_every_command_is_there_and_says_what_it_does() -> None:
    group = cli.get_command(None, "load")  # type: ignore[arg-type]
    assert group is not None
    for name, short in COMMANDS.items():
        found = group.get_command(None, name)  # type: ignore[attr-defined]
        assert found.name == name
        assert (found.help or "")[0].isupper()
        assert short.endswith(".")


def test_a_command_that_is_not_known_is_guessed(tmp_path: Path) -> None:
    done = call(tmp_path, "comparee")
    assert b"did you mean 'compare'?" in done.stderr
    assert done.returncode == 2


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "a.json", tmp_path / "b.json"
    for path, failed in zip(paths, (0, 500), strict=True):
        path.write_bytes(ran(failed=failed, errors={"timeout": failed} if failed else {}).to_json())
    return paths


def test_compare_shows_what_got_worse(load: Caller, both: tuple[Path, Path]) -> None:
    done = load("compare", *both)
    assert "errors timeout" in done.out
    assert "worse" in done.out
    found = load.json("compare", *both, "--json")
    assert next(one for one in found["changes"] if one["measure"] == "errors")["change"] == "worse"
    load("compare", *both, "--fail-if-worse", code=99)
    load("compare", both[0], both[0], "--fail-if-worse")
    assert "changes up to 20% are noise" in load("compare", *both, "--noise", "20%").out


def test_what_was_imported_runs(load: Caller, server: str, tmp_path: Path) -> None:
    page = tmp_path / "page.yaml"
    done = call(tmp_path, "import", "curl", "-", "-o", page, stdin=f"curl -H 'A: b' {server}/x\n".encode())
    assert done.returncode == 0
    assert done.stdout == b""
    assert f"chaffinch load run {page}".encode() in done.stderr
    assert load_file(page).plan.base_url == server
    assert "passed      5\n" in load("run", page, "-n", "5", "-c", "1").out


def test_har_and_openapi_are_imported(load: Caller, tmp_path: Path) -> None:
    request = {"method": "GET", "url": "http://127.0.0.1:9/a", "headers": [], "queryString": []}
    other = request | {"url": "http://127.0.0.2:9/b"}
    entries = [{"startedDateTime": "2026-01-01T00:00:00Z", "time": 1, "request": one} for one in (request, other)]
    (tmp_path / "a.har").write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}))
    assert 'baseUrl: "http://127.0.0.1:9"' in load("import", "har", tmp_path / "a.har").out
    assert 'baseUrl: "http://127.0.0.2:9"' in load("import", "har", tmp_path / "a.har", "--host", "127.0.0.2").out
    described = {
        "openapi": "3.0.0",
        "info": {"title": "t", "version": "1"},
        "paths": {"/a": {"get": {"responses": {}}}},
    }
    (tmp_path / "api.json").write_text(json.dumps(described))
    made = load("import", "openapi", tmp_path / "api.json", "--base-url", "http://127.0.0.1:9").out
    assert 'path: "/a"' in made


def test_plan_says_what_fits(load: Caller) -> None:
    out = load("plan", "--ram", "2G", "--rate", "1000", "--duration", "1h").out
    assert "It fits into 80% of 2.0 GB" in out
    assert "Users: at most " in out
    found = load.json("plan", "--ram", "2G", "--labels", "100", "--json")
    assert found["fit"]["fits"]
    assert found["proof"] is None
    assert "does not fit" in load("plan", "--ram", "16M", code=1).out


def test_plan_is_proved_by_a_run(tmp_path: Path) -> None:
    given = ("--ram", "512M", "--rate", "500", "--concurrency", "50", "--check", "--seconds", "1", "--json")
    done = call(tmp_path, "plan", *given)
    assert done.returncode == 0, done.stderr
    proof = json.loads(done.stdout)["proof"]
    assert proof["holds"]
    assert proof["measured"]["requests"] == 500
    assert proof["measured"]["peak_bytes"] > proof["computed_bytes"] * 0.4  # all labels at full resolution are computed
    done = call(tmp_path, "plan", *given, "--target", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert b"the target of --check answered nothing" in done.stderr


def test_a_plan_that_just_fits_is_proved_and_one_that_does_not_is_not_tried(tmp_path: Path) -> None:
    """The process that is measured has what a run has, and nothing else: not asyncio, for one."""
    given = ("--labels", "10", "--concurrency", "10", "--duration", "10s", "--check", "--seconds", "1", "--json")
    needed = json.loads(call(tmp_path, "plan", "--ram", "1G", *given).stdout)["fit"]
    least = -(-(needed["process_bytes"] + needed["kernel_bytes"]) * 10 // 8)
    fits = call(tmp_path, "plan", "--ram", str(least + 1), *given)
    assert fits.returncode == 0, fits.stdout
    proof = json.loads(fits.stdout)["proof"]
    assert proof["holds"]
    assert proof["measured"]["peak_bytes"] > 0.75 * proof["computed_bytes"]
    assert "labels" not in proof["sentence"]  # it came to all of them
    too_much = call(tmp_path, "plan", "--ram", str(least - 1000), *given)
    assert too_much.returncode == 1
    said = json.loads(too_much.stdout)
    assert (said["fit"]["fits"], said["proof"]) == (False, None)
    text = call(tmp_path, "plan", "--ram", str(least - 1000), *given[:-1]).stdout.decode()
    assert "0.1 MB too much" in text.replace("\n", " ")
