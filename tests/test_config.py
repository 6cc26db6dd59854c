"""Files, environment and flags: what wins, and what is refused in which sentence."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch import config
from chaffinch.cli.init import commented
from chaffinch.config import Config
from chaffinch.errors import InputError


def from_text(tmp_path: Path, text: str, **more: object) -> Config:
    file = tmp_path / "chaffinch.toml"
    file.write_text(text, encoding="utf-8")
    return config.load(file, more.get("flags"), more.get("environment", {}))  # type: ignore[arg-type]


def refusal(tmp_path: Path, text: str = "", **more: object) -> str:
    with pytest.raises(InputError) as refused:
        from_text(tmp_path, text, **more)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_flags_win_over_the_environment_which_wins_over_the_file(tmp_path: Path) -> None:
    text = '[fleet]\nmemory = "64M"\ngroups = "one"\ndrain_seconds = 9\n'
    environment = {"CHAFFINCH_FLEET_MEMORY": "96M", "CHAFFINCH_FLEET_GROUPS": "split"}
    loaded = from_text(tmp_path, text, environment=environment, flags={"fleet.memory": "128M", "fleet.user": None})
    assert (loaded.fleet.memory, loaded.fleet.groups, loaded.fleet.drain_seconds) == (128 << 20, "split", 9.0)
    assert loaded.fleet.user == "nobody"


def test_lists_are_split_at_commas_in_the_environment() -> None:
    loaded = config.load(None, None, {"CHAFFINCH_NETWORK_HOSTS": "127.1.0.0/16, 127.2.0.0/24"})
    assert loaded.network.hosts == ("127.1.0.0/16", "127.2.0.0/24")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('[fleet]\n\nmemry = "1M"\n', ["line 3", "memry", "did you mean 'memory'"]),
        ("[flet]\nx = 1\n", ["line 1", "[flet]", "did you mean 'fleet'"]),
        ('[fleet]\ngroups = "two"\n', ["line 2", "fleet.groups", "one of 'one', 'default', 'split'"]),
        ('[fleet]\nmemory = "lots"\n', ["line 2", "fleet.memory", "'lots' is not a size"]),
        ("[network]\nport_offset = 99999\n", ["line 2", "network.port_offset", "from 0 to 60000"]),
        ("[network]\nhosts = []\n", ["line 2", "network.hosts", "length >= 1"]),
        ("[services.ssh]\nenabld = true\n", ["line 2", "services.ssh", "did you mean 'enabled'"]),
        ("fleet = 3\n", ["line 1", "fleet"]),
        ("x =", ["is not TOML"]),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, text: str, parts: list[str]) -> None:
    said = refusal(tmp_path, text)
    assert "chaffinch.toml" in said
    for part in parts:
        assert part in said


def test_a_wrong_variable_or_flag_is_named(tmp_path: Path) -> None:
    unknown = refusal(tmp_path, environment={"CHAFFINCH_FLEET_MEMRY": "1M"})
    assert "CHAFFINCH_FLEET_MEMRY" in unknown
    assert "did you mean 'CHAFFINCH_FLEET_MEMORY'" in unknown
    assert "CHAFFINCH_NETWORK_PORT_OFFSET" in refusal(tmp_path, environment={"CHAFFINCH_NETWORK_PORT_OFFSET": "x"})
    assert "--port-offset" in refusal(tmp_path, flags={"network.port_offset": "x"})


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        config.load(tmp_path / "none.toml", None, {})


def test_the_commented_file_shows_every_default(tmp_path: Path) -> None:
    text = commented()
    for one in config.settings():
        assert f"\n# {one.key} = " in text
    assert from_text(tmp_path, text) == Config()
    uncommented = "\n".join(
        line[2:] if line.startswith("# ") and " = " in line and not line.endswith(".") else line
        for line in text.replace("# [services.ssh]", "[services.ssh]").splitlines()
    )
    loaded = from_text(tmp_path, uncommented)
    assert loaded.network == Config().network
    assert loaded.journal == Config().journal


def test_what_was_given_is_told_apart_from_what_holds_anyway(tmp_path: Path) -> None:
    file = tmp_path / "chaffinch.toml"
    file.write_text(
        "[decoys]\nsessions = 10000\n[services.ssh]\nenabled = true\n[chain.serve]\nport = 8765\n", encoding="utf-8"
    )
    loaded = config.load(
        file, {"fleet.memory": "128M", "network.hosts": None}, {"CHAFFINCH_JOURNAL_QUEUE_BYTES": "32M"}
    )
    assert loaded.given == (
        "chain.serve.port",
        "decoys.sessions",
        "fleet.memory",
        "journal.queue_bytes",
        "services.ssh.enabled",
    )
    assert config.load(None, None, {}).given == ()
    assert "there is no section [given]" in refusal(tmp_path, "given = ['decoys.sessions']\n")


@given(st.integers(0, 1 << 40), st.sampled_from(["", "K", "k", "M", "MiB", "G", "GB", " m "]))
def test_sizes(number: int, unit: str) -> None:
    power = {"": 0, "k": 1, "m": 2, "g": 3}[unit.strip().lower()[:1]]
    assert config.parse_size(f"{number}{unit}") == number * 1024**power


@given(st.text(max_size=12))
def test_a_size_is_a_number_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert config.parse_size(text) >= 0
