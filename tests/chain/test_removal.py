"""A removed chain is gone at once and whole, also when it was damaged or an earlier removal was cut off."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chaffinch.chain import Chain, LockedError, Message, Options, UnknownTenantError, directory_of, remove, tenants_in
from chaffinch.errors import InputError, RunError


def made(state: Path, tenant: str) -> Path:
    with Chain.open(directory_of(state, tenant), write=True, create=Options()) as chain:
        chain.add([Message("some words to learn")])
    return directory_of(state, tenant)


def test_all_files_go_and_the_others_stay(tmp_path: Path) -> None:
    made(tmp_path, "a")
    made(tmp_path, "b")
    remove(tmp_path, "a")
    assert tenants_in(tmp_path) == ["b"]
    assert os.listdir(tmp_path / "chains") == ["b"]
    with pytest.raises(UnknownTenantError, match="nothing was removed"):
        remove(tmp_path, "a")
    made(tmp_path, "a")
    assert tenants_in(tmp_path) == ["a", "b"]


def test_a_power_cut_does_not_bring_it_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it has another name, and before its files go, that is on the disk."""
    made(tmp_path, "a")
    seen: list[tuple[str, list[str]]] = []
    original = os.fsync

    def fsync(descriptor: int) -> None:
        seen.append((os.readlink(f"/proc/self/fd/{descriptor}"), os.listdir(tmp_path / "chains")))
        original(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    remove(tmp_path, "a")
    assert seen == [(str(tmp_path / "chains"), [".removing-a"])]


def test_a_damaged_one_goes_too(tmp_path: Path) -> None:
    (made(tmp_path, "a") / "manifest.json").write_text("{")
    (tmp_path / "chains" / "b").mkdir()
    remove(tmp_path, "a")
    remove(tmp_path, "b")
    assert os.listdir(tmp_path / "chains") == []


def test_one_that_is_written_stays(tmp_path: Path) -> None:
    with Chain.open(directory_of(tmp_path, "a"), write=True, create=Options()), pytest.raises(LockedError):
        remove(tmp_path, "a")
    assert tenants_in(tmp_path) == ["a"]


def test_who_reads_it_goes_on(tmp_path: Path) -> None:
    made(tmp_path, "a")
    with Chain.open(directory_of(tmp_path, "a")) as reader:
        remove(tmp_path, "a")
        assert reader.generate(novel=False) == ["some words to learn"]


def test_what_a_cut_off_removal_left_is_swept_by_the_next(tmp_path: Path) -> None:
    made(tmp_path, "a").rename(tmp_path / "chains" / ".removing-a")
    made(tmp_path, "b").rename(tmp_path / "chains" / ".removing-b")
    made(tmp_path, "a")
    remove(tmp_path, "a")
    assert os.listdir(tmp_path / "chains") == []


def test_names_that_lead_elsewhere_are_refused(tmp_path: Path) -> None:
    for name in ("..", "a/b", ""):
        with pytest.raises(InputError, match="cannot name a tenant"):
            remove(tmp_path, name)


def test_files_that_cannot_be_removed_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = made(tmp_path, "a")

    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied", str(target))

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(RunError, match=r"chains/a cannot be removed \(Permission denied\): remove it by hand"):
        remove(tmp_path, "a")
    assert directory.is_dir()


def test_many_removals_at_once(tmp_path: Path) -> None:
    names = [f"t{number}" for number in range(24)]
    for name in names:
        made(tmp_path, name)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda name: remove(tmp_path, name), names))
    assert os.listdir(tmp_path / "chains") == []
