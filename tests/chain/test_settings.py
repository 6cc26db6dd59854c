"""The `[chain]` tables: read from files, the environment and flags like all others, though they stand in each other."""

from pathlib import Path

import pytest

from chaffinch import config
from chaffinch.chain import Options
from chaffinch.config import CandidateSettings, ChainSettings, Config, ServeSettings
from chaffinch.errors import InputError


def from_text(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> ChainSettings:
    file = tmp_path / "chaffinch.toml"
    file.write_text(text, encoding="utf-8")
    return config.load(file, {}, environment or {}).chain


def test_tables_within_the_table(tmp_path: Path) -> None:
    text = """
[chain]
threads = 2
memory = "16M"
names = ["Jane Doe", "Project Heron"]
[chain.candidate]
share = 0.25
tenants = ["vip"]
mix = [".:4", "common:1"]
[chain.serve]
port = 0
max_body_bytes = "1M"
"""
    chain = from_text(tmp_path, text)
    assert (chain.threads, chain.memory, chain.names) == (2, 16 << 20, ("Jane Doe", "Project Heron"))
    assert chain.candidate == CandidateSettings(share=0.25, tenants=("vip",), mix=(".:4", "common:1"))
    assert (chain.serve.port, chain.serve.max_body_bytes) == (0, 1 << 20)
    assert from_text(tmp_path, "") == ChainSettings() == Config().chain


def test_the_environment_and_flags_reach_them(tmp_path: Path) -> None:
    variables = {
        "CHAFFINCH_CHAIN_MEMORY": "32M",
        "CHAFFINCH_CHAIN_CANDIDATE_TENANTS": "a, b",
        "CHAFFINCH_CHAIN_SERVE_MAX_BODY_BYTES": "2M",
    }
    chain = from_text(tmp_path, "[chain]\nmemory = 70000\n[chain.serve]\nport = 1\n", variables)
    assert (chain.memory, chain.candidate.tenants) == (32 << 20, ("a", "b"))
    assert chain.serve == ServeSettings(port=1, max_body_bytes=2 << 20)
    assert config.load(None, {"chain.serve.port": "8080"}, {}).chain.serve.port == 8080


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[chain]\nthread = 2\n", ["line 2", "[chain]", "did you mean 'threads'"]),
        ("[chain]\nthreads = 0\n", ["line 2", "chain.threads", "from 1 to 256"]),
        ("[chain]\nmemory = '1K'\n", ["line 2", "chain.memory", "at least"]),
        ("[chain]\n\n[chain.serve]\nprt = 1\n", ["line 4", "[chain.serve]", "did you mean 'port'"]),
        ("[chain.serve]\nmax_body_bytes = 'much'\n", ["line 2", "chain.serve.max_body_bytes", "'much' is not a size"]),
        ("[chain.candidate]\nshare = 1.5\n", ["line 2", "chain.candidate.share", "from 0 to 1"]),
        ("[chain.candidate]\nnovel = 'maybe'\n", ["line 2", "one of 'same', 'on', 'off'"]),
        ("[chain]\nserve = 3\n", ["line 2", "chain.serve"]),
        ("[chain]\norder = 5\n", ["line 2", "chain.order", "from 1 to 4"]),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(tmp_path: Path, text: str, parts: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        from_text(tmp_path, text)
    for part in ["chaffinch.toml", *parts]:
        assert part in str(refused.value)
    assert "\n" not in str(refused.value)


def test_new_chains_are_made_as_those_of_the_core_unless_told() -> None:
    settings, options = ChainSettings(), Options()
    shared = set(ChainSettings.__struct_fields__) & set(Options.__struct_fields__)
    assert len(shared) == 8
    for name in shared:
        assert getattr(settings, name) == getattr(options, name), name
