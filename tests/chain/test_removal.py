"""A removed chain is gone at once and whole, also when it was damaged or an earlier removal was cut off."""

import contextlib
import errno
import itertools
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chaffinch.chain import Chain, LockedError, Message, Options, UnknownTenantError, directory_of, remove, tenants_in
from chaffinch.chain.removal import is_there, remove_damaged
from chaffinch.chain.swap import begin, held, settle
from chaffinch.errors import InputError, RunError


def made(state: Path, tenant: str) -> Path:
    with Chain.open(directory_of(state, tenant), write=True, create=Options()) as chain:
        chain.add([Message("some words to learn")])
    return directory_of(state, tenant)


def left(state: Path) -> list[str]:
    """What is beside the lock on moving chains."""
    return sorted(set(os.listdir(state / "chains")) - {".placing"})


def test_all_files_go_and_the_others_stay(tmp_path: Path) -> None:
    made(tmp_path, "a")
    made(tmp_path, "b")
    remove(tmp_path, "a")
    assert tenants_in(tmp_path) == ["b"]
    assert left(tmp_path) == ["b"]
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
        seen.append((os.readlink(f"/proc/self/fd/{descriptor}"), left(tmp_path)))
        original(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    remove(tmp_path, "a")
    assert seen == [(str(tmp_path / "chains"), [".removing-a"])]


def test_a_damaged_one_goes_too(tmp_path: Path) -> None:
    (made(tmp_path, "a") / "manifest.json").write_text("{")
    (tmp_path / "chains" / "b").mkdir()
    remove(tmp_path, "a")
    remove(tmp_path, "b")
    assert left(tmp_path) == []


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
    assert left(tmp_path) == []


def test_what_a_killed_replacement_left_goes_with_it(tmp_path: Path) -> None:
    """Of each state that `train --clean` and an import can leave nothing comes back."""
    chains = tmp_path / "chains"
    for places in (
        ("a", ".a.old"),
        (".a.clean", ".a.old"),
        (".a.old",),
        ("a", ".a.clean"),
        ("a", ".a.clean", ".a.old"),
    ):
        for name in places:
            made(tmp_path, "made").rename(chains / name)
        (chains / ".a.clean.plan").write_text("plan")
        (chains / ".a.import").mkdir()
        made(tmp_path, "made").rename(chains / ".a.import" / "chain")
        remove(tmp_path, "a")
        assert left(tmp_path) == []
        settle(tmp_path, "a")
        assert tenants_in(tmp_path) == []


def test_one_whose_successor_is_being_made_stays(tmp_path: Path) -> None:
    made(tmp_path, "a")
    with held(tmp_path, "a"), Chain.open(begin(tmp_path, "a", b"plan"), write=True, create=Options()):
        with pytest.raises(LockedError, match="is open for writing in process"):
            remove(tmp_path, "a")
        assert left(tmp_path) == [".a.clean", ".a.clean.plan", "a"]


@pytest.mark.parametrize("last", range(10))
def test_it_does_not_come_back_wherever_a_removal_is_cut_off(
    tmp_path: Path, last: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each of its renames and deletions: until it is gone all of it is there, and nothing that settles helps."""
    for name in (".a.old", ".a.clean", "a"):
        made(tmp_path, "made").rename(tmp_path / "chains" / name)
    steps = itertools.count()

    class CutOff(BaseException):
        pass

    def cut_off(original: Callable[..., object]) -> Callable[..., object]:
        def step(*arguments: object, **keywords: object) -> object:
            if next(steps) == last:
                raise CutOff
            return original(*arguments, **keywords)

        return step

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", cut_off(Path.rename))
        patched.setattr(shutil, "rmtree", cut_off(shutil.rmtree))
        with contextlib.suppress(CutOff):
            remove(tmp_path, "a")
    if (tmp_path / "chains" / "a").exists():
        with Chain.open(directory_of(tmp_path, "a")) as chain:
            assert chain.stats().messages == 1
    else:
        settle(tmp_path, "a")
        assert tenants_in(tmp_path) == []
    if is_there(tmp_path, "a"):
        remove(tmp_path, "a")
    assert left(tmp_path) == []


def test_names_that_lead_elsewhere_are_refused(tmp_path: Path) -> None:
    for name in ("..", "a/b", ""):
        with pytest.raises(InputError, match="cannot name a tenant"):
            remove(tmp_path, name)


def test_files_that_cannot_be_removed_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = made(tmp_path, "a")

    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied", str(target))

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(RunError, match=r"cannot be changed \(Permission denied\): make the state writable"):
        remove(tmp_path, "a")
    assert directory.is_dir()


def test_many_removals_at_once(tmp_path: Path) -> None:
    names = [f"t{number}" for number in range(24)]
    for name in names:
        made(tmp_path, name)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda name: remove(tmp_path, name), names))
    assert left(tmp_path) == []


def test_only_a_chain_that_is_damaged_is_removed_for_it_and_not_the_one_anew(tmp_path: Path) -> None:
    chain = made(tmp_path, "a")
    beside = begin(tmp_path, "a", b"anew\n")
    with Chain.open(beside, write=True, create=Options()) as anew:
        anew.add([Message("some words to learn anew")])
    assert not remove_damaged(tmp_path, "none")
    assert not remove_damaged(tmp_path, "a")
    manifest = chain / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:-7])
    with Chain.open(beside, write=True), held(tmp_path, "b"):
        assert remove_damaged(tmp_path, "a")
    assert tenants_in(tmp_path) == []
    assert beside.exists()
    assert not remove_damaged(tmp_path, "a")


def test_a_chain_without_its_manifest_is_damaged_and_one_that_cannot_be_read_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = made(tmp_path, "a")
    (chain / "manifest.json").unlink()
    original = Path.open

    def refuses(path: Path, *mode: str) -> object:
        if path.parent == chain:
            raise OSError(errno.EMFILE, "Too many open files", str(path))
        return original(path, *mode)

    monkeypatch.setattr(Path, "open", refuses)
    with pytest.raises(RunError, match="Too many open files"):
        remove_damaged(tmp_path, "a")
    assert chain.exists()
    monkeypatch.undo()
    assert remove_damaged(tmp_path, "a")
    assert not chain.exists()
