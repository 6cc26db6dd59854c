"""Which names tenants can have, and where their chains are."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.chain import Chain, Options, check_tenant, directory_of, tenants_in
from chaffinch.errors import InputError, RunError


@pytest.mark.parametrize("name", ["a", "guild-7", "A.b_c-9", "_", "-", "x" * 64, "0"])
def test_names_that_a_tenant_can_have(name: str) -> None:
    assert check_tenant(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", ".a", "a/b", "a b", "x" * 65, "a\n", "é", "a\0", "\ud800", "a\\b"])
def test_other_names_are_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(InputError, match="cannot name a tenant: use 1 to 64 letters") as refused:
        check_tenant(name)
    assert str(refused.value).isascii()
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 1000


@given(st.text(max_size=80))
def test_a_name_never_leads_out_of_the_state(name: str) -> None:
    state = Path("/somewhere/state")
    try:
        directory = directory_of(state, name)
    except InputError:
        return
    assert Path(os.path.normpath(directory)).parent == state / "chains"


def test_tenants_are_directories_with_a_chain(tmp_path: Path) -> None:
    assert tenants_in(tmp_path) == []
    for tenant in ("b", "a", "c"):
        Chain.open(directory_of(tmp_path, tenant), write=True, create=Options()).close()
    (tmp_path / "chains" / "empty").mkdir()
    (tmp_path / "chains" / "file").write_text("")
    (tmp_path / "chains" / ".removing-a").mkdir()
    (tmp_path / "chains" / ".removing-a" / "manifest.json").write_text("{}")
    assert tenants_in(tmp_path) == ["a", "b", "c"]


def test_a_state_that_cannot_be_read_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(RunError, match="chains cannot be read"):
        tenants_in(tmp_path)
