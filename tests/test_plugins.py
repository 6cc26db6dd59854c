"""Entry points of other packages: found by name, refused when two claim one."""

import sys
from pathlib import Path

import pytest

from chaffinch import plugins
from chaffinch.errors import InputError


def install(folder: Path, package: str, text: str) -> None:
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text(text, encoding="utf-8")


def test_names_of_a_group_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "[console_scripts]\nx = y:z\n\n[chaffinch.services]\ngopher = decoy_gopher  # old\nfinger= a.b:serve [extra]\n"
    )
    install(tmp_path, "one", text)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path), str(tmp_path)])
    found = plugins.modules(plugins.SERVICES)
    assert found == {"gopher": "decoy_gopher", "finger": "a.b"}
    assert plugins.modules(plugins.WORKERS) == {}


def test_two_packages_for_one_name_are_both_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "one", "[chaffinch.workers]\nx = first\n")
    install(tmp_path, "two", "[chaffinch.workers]\nx = second\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(InputError, match="first and second"):
        plugins.modules(plugins.WORKERS)
