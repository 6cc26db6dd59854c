"""The scenarios of `deploy/load` fit into the RAM that they are for, and the containers beside them run them."""

import fnmatch
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from click.testing import CliRunner

from chaffinch.cli import cli
from chaffinch.load import budget, capacity, load_file
from chaffinch.load.loaded import Loaded
from chaffinch.load.open_files import OTHER_FILES
from chaffinch.load.plan import Constant
from chaffinch.load.scenario import units
from tests.load.answering import answering

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "deploy" / "load"
SIZES = ("512m", "1g", "2g", "4g", "8g", "16g")
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PAGE = (ROOT / "docs" / "load-memory.md").read_text(encoding="utf-8")
MIB = 1 << 20


def read(size: str) -> Loaded:
    return load_file(FOLDER / f"{size}.yaml")


def requests_s(loaded: Loaded) -> float:
    assert isinstance(loaded.plan.model, Constant)
    return loaded.plan.model.rate * len(loaded.plan.scenarios[0].steps)


def test_each_size_has_a_scenario_and_a_service() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == {*SIZES, "compose"}
    assert list(SERVICES) == [f"load-{size}" for size in SIZES]


@pytest.mark.parametrize("size", SIZES)
def test_a_scenario_stays_within_its_ram_whatever_the_target_sends(size: str) -> None:
    loaded, ram = read(size), units.size(size)
    assert loaded.guard.limit == ram
    found = budget.refuse(loaded.plan, ram, with_kernel=True)
    assert found.most_bytes + found.kernel_bytes <= ram * capacity.SHARE
    assert budget.notes(loaded.plan, ram) == ()
    # It is no smaller than it has to be, either.
    assert found.most_bytes + found.kernel_bytes >= ram * capacity.SHARE * 0.75


@pytest.mark.parametrize("size", SIZES)
def test_a_scenario_gives_its_labels_full_resolution_and_keeps_its_whole_day(size: str) -> None:
    plan = read(size).plan
    own, day_ms = plan.percentiles, plan.duration_ms
    assert day_ms == own.interval_ms * own.intervals == 24 * 3600 * 1000
    values = int(requests_s(read(size)) * day_ms / 1000)
    planned = capacity.plan_of(
        capacity.Asked(1 << 40, values / 86_400, own.labels, plan.users, 86_400.0, threads=1, interval_s=10.0)
    )
    assert own.bytes >= planned.percentiles.bytes


@pytest.mark.parametrize("size", SIZES)
def test_load_plan_accepts_what_a_scenario_asks_for(size: str) -> None:
    loaded = read(size)
    given = (size, requests_s(loaded), loaded.plan.percentiles.labels, loaded.plan.users, "24h")
    options = ("--ram", "--rate", "--labels", "--concurrency", "--duration")
    said = [str(word) for pair in zip(options, given, strict=True) for word in pair]
    done = CliRunner().invoke(cli, ["load", "plan", *said])
    assert done.exit_code == 0, done.output
    assert "It fits into 80% of" in done.output


def test_scenarios_differ_in_their_numbers_alone() -> None:
    texts = [(FOLDER / f"{size}.yaml").read_text(encoding="utf-8") for size in SIZES]
    bare = {re.sub(r"\b\d[\d,]*(\.\d+)?[mg]?( ?[MG]B)?\b", "N", text) for text in texts}
    assert len(bare) == 1


@pytest.mark.parametrize("size", SIZES)
def test_a_scenario_says_its_numbers_and_so_does_the_page(size: str) -> None:
    loaded = read(size)
    head = (FOLDER / f"{size}.yaml").read_text(encoding="utf-8").partition("version:")[0]
    assert f"{loaded.plan.users:,} users, {requests_s(loaded):,.0f} requests a second, a day long" in head
    found = budget.budget_of(loaded.plan)
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| [{size}]"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:4] == [f"{loaded.plan.users:,}", f"{requests_s(loaded):,.0f}", f"{loaded.plan.percentiles.labels:,}"]
    whole = (found.bytes, found.most_bytes + found.kernel_bytes)
    assert cells[5:7] == [f"{count / MIB:,.0f} MiB" for count in whole], "refresh it: python -m bench.load_memory"


@pytest.mark.parametrize("size", SIZES)
def test_a_service_has_the_ram_of_its_scenario_and_no_rights(size: str) -> None:
    service, loaded = SERVICES[f"load-{size}"], read(size)
    assert service["profiles"] == [size]
    assert units.size(service["mem_limit"]) == units.size(service["memswap_limit"]) == loaded.guard.limit
    assert service["ulimits"]["nofile"]["hard"] >= loaded.plan.users + OTHER_FILES
    assert service["cpus"] == loaded.plan.threads
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(volume.endswith(":ro") for volume in service["volumes"])
    assert (FOLDER / service["build"]["context"] / service["build"]["dockerfile"]).resolve().is_file()


@pytest.mark.parametrize("size", SIZES)
def test_the_command_of_a_service_runs(size: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [word.replace("/scenarios", str(FOLDER)) for word in SERVICES[f"load-{size}"]["command"]]
    short = ["--duration", "200ms", "--state", str(tmp_path)]
    with answering() as url:
        monkeypatch.setenv("TARGET_URL", url)
        done = subprocess.run(
            [sys.executable, "-m", "chaffinch", *command, *short],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert url.removesuffix("/") in done.stdout
    assert re.search(r"^requests +[1-9]", done.stdout, re.MULTILINE)


def test_the_image_is_built_from_files_that_there_are() -> None:
    ignored = (FOLDER / "Containerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line[1:] for line in ignored if line.startswith("!")}
    text = (FOLDER / "Containerfile").read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", text, re.MULTILINE)
    sources = {name for line in copied for name in line.split()}
    assert sources == kept
    assert all((ROOT / name).exists() for name in sources)
    named = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for pattern in named["tool"]["maturin"]["include"]:
        assert any(fnmatch.fnmatch(pattern, f"{name}*") for name in kept), pattern
    needed = re.search(r"rust:([\d.]+)-", text)
    assert needed is not None
    assert f'rust-version = "{needed[1]}"' in (ROOT / "Cargo.toml").read_text(encoding="utf-8")


def test_the_image_installs_what_the_load_tester_needs_and_no_more() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["load"]]
    pinned = (ROOT / "requirements" / "load.txt").read_text(encoding="utf-8")
    names = re.findall(r"^([a-z0-9-]+)==", pinned, re.MULTILINE)
    assert names == sorted(re.split(r"[<>=]", one)[0] for one in wanted)
    everything = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    assert all(line in everything for line in pinned.splitlines())
