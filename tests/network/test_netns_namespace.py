"""The namespace as the supervisor has it, where none can be made."""

import os
from pathlib import Path

import pytest

from chaffinch.errors import InputError, RunError
from chaffinch.network.netns import namespace


def test_without_pyroute2_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(namespace.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'chaffinch\[netns\]'"):
        namespace.refuse_impossible()


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(InputError, match="needs root"):
        namespace.refuse_impossible()


def test_a_builder_that_fails_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespace, "BUILDER", "chaffinch.nonesuch")
    with pytest.raises(RunError, match=r"No module named chaffinch\.nonesuch") as failed:
        namespace.check()
    assert "\n" not in str(failed.value)


def test_nothing_is_taken_away_where_nothing_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespace, "DIRECTORY", tmp_path)
    monkeypatch.setattr(namespace, "BUILDER", "chaffinch.nonesuch")
    assert not namespace.remove("chaffinch-0000000000")
    (tmp_path / "file").touch()
    assert not namespace.is_namespace(tmp_path / "file")


def test_the_builder_is_asked_again_after_it_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows what it did before it was killed: then the same ports are no reason to leave it out."""
    asked: list[object] = []
    fault = [RunError("it was killed")]

    def ask(*about: object) -> None:
        asked.append(about)
        if fault:
            raise fault.pop()

    monkeypatch.setattr(namespace, "_ask", ask)
    one = namespace.Namespace(tmp_path, permitted=(53, 69))
    try:
        one.permit((69, 53))
        assert asked == []
        with pytest.raises(RunError):
            one.permit((53, 69, 7172))
        for _ in range(2):
            one.permit((53, 69))
            assert len(asked) == 2
    finally:
        one.close()
