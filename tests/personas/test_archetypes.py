"""Archetypes and systems as data: what ships is whole, and what is wrong with a file is said in one sentence."""

import os
import re
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaffinch.decoys.http.pages import KINDS
from chaffinch.decoys.registry import BUILT_IN
from chaffinch.errors import InputError
from chaffinch.personas.archetypes import archetypes, load_archetypes
from chaffinch.personas.build import Personas
from chaffinch.personas.datafiles import DATA

NAMES = {
    "workstation", "server", "domain-controller", "linux-server", "web-server", "database-server", "mail-server",
    "file-server", "printer", "iot-device", "industrial-control", "voip", "monitoring", "devops", "first-foothold",
}  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    shutil.copytree(DATA, tmp_path / "data")
    return tmp_path / "data"


def test_all_fifteen_are_there() -> None:
    assert {archetype.name for archetype in archetypes()} == NAMES


def test_they_run_all_the_services_that_ship_and_no_others() -> None:
    assert {rule.name for kind in archetypes() for make in kind.makes for rule in make.services} == set(BUILT_IN)


def test_every_archetype_answers_on_a_large_part_of_its_hosts() -> None:
    for archetype in archetypes():
        weights = sum(make.weight for make in archetype.makes)
        widest = sum(
            make.weight * max((rule.span[1] - rule.span[0] for rule in make.services), default=0)
            for make in archetype.makes
        )
        assert widest / weights >= 0.5, archetype.name


def test_versions_are_given_where_the_product_shows_one() -> None:
    shown = set(BUILT_IN) - {"telnet", "smtp"}
    for make in (make for archetype in archetypes() for make in archetype.makes):
        for rule in make.services:
            for release in make.system.releases:
                assert make.system.version_of(rule.name, release) or rule.name not in shown


def test_windows_claims_the_one_openssh_whose_offer_the_decoy_knows() -> None:
    for make in (make for archetype in archetypes() for make in archetype.makes if make.system.family == "windows"):
        if any(rule.name == "ssh" for rule in make.services):
            assert {make.system.version_of("ssh", release) for release in make.system.releases} == {"8.1"}


def test_pages_are_ones_that_the_http_decoy_has() -> None:
    rules = [rule for archetype in archetypes() for make in archetype.makes for rule in make.services]
    pages = {rule.options["page"] for rule in rules if "page" in rule.options}
    assert pages
    assert pages <= set(KINDS)


def test_windows_names_fit_into_fifteen_characters() -> None:
    for make in (make for archetype in archetypes() for make in archetype.makes if make.system.family == "windows"):
        for pattern in make.hostnames:
            filled = pattern.replace("{SITE}", "FRA8").replace("{number}", "256").replace("{code}", "ABCDEFG")
            assert len(filled) <= 15, pattern


def test_vendor_prefixes_are_those_of_the_registry() -> None:
    registry = Path("/usr/share/nmap/nmap-mac-prefixes")
    if not registry.exists():
        pytest.skip("nmap, whose list of MAC prefixes this compares with, is not installed")
    owners = dict(line.split(" ", 1) for line in registry.read_text().splitlines() if not line.startswith("#"))
    other_names = {"HP": "hewlett", "Lenovo": "lcfc", "Supermicro": "super micro", "Beckhoff": "beckhoff"}
    for archetype in archetypes():
        for machine in (machine for make in archetype.makes for machine in make.hardware):
            for prefix in machine.prefixes:
                owner = owners.get(prefix.replace(":", "").upper(), "").lower()
                assert other_names.get(machine.vendor, machine.vendor.lower()) in owner, (prefix, owner)


def test_loading_is_quick() -> None:
    started = time.process_time()
    load_archetypes(DATA)
    assert time.process_time() - started < 0.2  # 8 ms alone on a core; a bound that a busy machine keeps


WRONG = [
    ("weight = 9", "wieght = 9", r"wieght: 'wieght' is not known; did you mean 'weight'\? allowed: hardware, .*"),
    ("weight = 9", 'weight = "9"', r"weight: Expected int, got str"),
    ("weight = 9", "weight = 0", r"weight: the weight 0 must be 1 or more"),
    ("weight = 9\n", "", r"the file: Object missing required field weight"),
    ("weight = 9", "weight = ", r"is not TOML: .*line 3.*"),
    ('name = "web-server"', 'name = "web"', r"name: 'web' must be the file's name, 'web-server'"),
    ('id = "debian-12"', 'id = "debian-13"', r"systems: 'debian-13' is not known; did you mean 'debian-12'\?.*"),
    ("{site}-web{number}", "{sites}-web{number}", r"hostnames: 'sites' is not known; did you mean 'site'\?.*"),
    ("{site}-web{number}", "{site}-web", r"hostnames: .* needs .*, or hosts share a name"),
    ('"52:54:00"', '"52:54:0"', r"hardware: '52:54:0' is not a MAC prefix such as '00:0c:29'"),
    ("staff = [1, 3]", "staff = [3, 1]", r"users.staff: \[3, 1\] must be two numbers, ascending, from 0 to 12"),
    ("share = 0.25", "share = 25", r"weak.share: 25.* must lie between 0 and 1"),
    ('name = "mysql"', 'name = "mysqld"', r"services\[3\].name: 'mysqld' is not known; did you mean 'mysql'\?.*"),
    ("port = 3306", "prt = 3306", r"services\[3\].prt: 'prt' is not known; did you mean 'port'\?.*"),
    ("port = 3306", "port = 70000", r"services\[3\].port: 70000 must lie between 1 and 65535"),
    ("port = 3306", "port = 22", r"services: two share a port on debian-12; .*"),
    ("port = 3306", "port = 25", r"services: port 25 is mysql, smtp in .*, but one .*"),
    ("span = [0.45, 0.8]", "span = [0.8, 0.45]", r"services\[3\].span: \[0.8, 0.45\] must be two numbers, .*"),
    ("span = [0.45, 0.8]", 'systems = ["windows-11"]', r"services\[3\].systems: 'windows-11' is not known; .*"),
    ("span = [0.45, 0.8]", 'options = { title = "{hostnam}" }', r"services\[3\].options.title: 'hostnam' is .*"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "sentence"), WRONG)
def test_what_is_wrong_with_an_archetype_is_one_sentence(data: Path, right: str, wrong: str, sentence: str) -> None:
    path = data / "archetypes" / "web-server.toml"
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong))
    with pytest.raises(InputError) as caught:
        load_archetypes(data)
    assert re.fullmatch(f"web-server.toml:? {sentence}", str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)


WRONG_SYSTEMS = [
    ('family = "linux"', 'family = "linus"', r"family: 'linus' is not known; did you mean 'linux'\? .*"),
    ("ssh = ", "sshd = ", r"releases\[0\].versions: 'sshd' is not known; did you mean 'ssh'\? .*"),
    ("kernel = ", "kernal = ", r"releases\[0\].kernal: 'kernal' is not known; did you mean 'kernel'\? .*"),
    ("weight = 2", "weight = -2", r"releases\[0\].weight: -2 must be 1 or more"),
    ("[services.redis]\nname", "[services.redis]\nnane", r"services.redis.nane: 'nane' is not known; .*"),
    ('family = "linux"', 'family = "linux"\nstack = { ttl = 0 }', r"stack.ttl: 0 must lie between 1 and 255"),
    ('family = "linux"', 'family = "linux"\nstack = { tll = 1 }', r"stack.tll: 'tll' is not known; did you mean .*"),
    ('family = "linux"', 'family = "linux"\nstack = { scale = 15 }', r"stack.scale: 15 must lie between 0 and 14"),
    ('family = "linux"', 'family = "linux"\nstack = { window = 9 }', r"stack.window: 9 must lie between 2048 and .*"),
    ('family = "linux"', 'family = "linux"\nstack = { window = 5840 }', r"stack.window: 5840 cannot go with .*"),
    ('family = "linux"', 'family = "linux"\nstack = { manner = "windos" }', r"stack.manner: 'windos' is not known; .*"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "sentence"), WRONG_SYSTEMS)
def test_what_is_wrong_with_a_system_is_one_sentence(data: Path, right: str, wrong: str, sentence: str) -> None:
    path = data / "systems" / "debian-12.toml"
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong))
    with pytest.raises(InputError) as caught:
        load_archetypes(data)
    assert re.fullmatch(f"debian-12.toml: {sentence}", str(caught.value)), str(caught.value)


EXAMPLES = 1500 if os.environ.get("CHAFFINCH_TEST_FUZZ") == "long" else 60
FUZZED = [f"archetypes/{name}.toml" for name in ("first-foothold", "iot-device")] + ["systems/debian-12.toml"]


@given(
    st.sampled_from(FUZZED), st.integers(0), st.integers(0, 12), st.text(max_size=6) | st.sampled_from("[]{}=\"'0-,")
)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_changed_anywhere_loads_or_is_refused(data: Path, name: str, at: int, cut: int, put: str) -> None:
    """And what loads makes hosts."""
    path = data / name
    right = path.read_text()
    at %= len(right)
    path.write_text(right[:at] + put + right[at + cut :])
    refused = ""
    try:
        personas = Personas(b"seed", load_archetypes(data))
    except InputError as error:
        refused = str(error)
    else:
        for number in range(200):
            personas.build(number)
    finally:
        path.write_text(right)
    assert "\n" not in refused


def test_an_empty_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it holds no"):
        load_archetypes(tmp_path)
