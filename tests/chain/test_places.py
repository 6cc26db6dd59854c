"""The locks: nobody opens what is being moved, nobody moves what is being opened, and each has its turn."""

import fcntl
import os
import threading
import time
from pathlib import Path

import pytest

from chaffinch.chain import Chain, LockedError, Options, places
from chaffinch.chain.places import held, moving, still
from chaffinch.errors import RunError


def test_openers_share_and_a_mover_waits_for_all_of_them(tmp_path: Path) -> None:
    moved = threading.Event()

    def move() -> None:
        with moving(places.places(tmp_path, "t")):
            moved.set()

    (tmp_path / "chains").mkdir()
    mover = threading.Thread(target=move)
    with still(tmp_path, "t"), still(tmp_path, "other"):
        mover.start()
        assert not moved.wait(0.2)
    mover.join(10)
    assert moved.is_set()


def test_openers_without_a_gap_do_not_keep_a_mover_waiting(tmp_path: Path) -> None:
    at, stop = places.places(tmp_path, "t"), threading.Event()
    with moving(at):
        pass  # the lock of the turn is there from the first on
    inside = [0, 0]

    def overlap(number: int) -> None:
        """One of two that are never both outside, as far as they can help it."""
        while not stop.is_set():
            with still(tmp_path, "t"):
                inside[number] += 1
                until = time.monotonic() + 0.2
                seen = inside[1 - number]
                while inside[1 - number] == seen and time.monotonic() < until and not stop.is_set():
                    time.sleep(0)

    openers = [threading.Thread(target=overlap, args=(number,)) for number in range(2)]
    for opener in openers:
        opener.start()
    try:
        for turn in range(3):
            while min(inside) <= 3 * turn:
                time.sleep(0.001)
            began = time.monotonic()
            with moving(at):
                assert time.monotonic() - began < 2
    finally:
        stop.set()
        for opener in openers:
            opener.join()


def test_looking_leaves_nothing_behind(tmp_path: Path) -> None:
    with still(tmp_path, "t"):
        pass
    assert os.listdir(tmp_path) == []


def test_the_writers_lock_is_the_cores(tmp_path: Path) -> None:
    with held(tmp_path / "t"):
        assert os.listdir(tmp_path) == []  # no chain, no lock
    with Chain.open(tmp_path / "t", write=True, create=Options()) as chain:
        with pytest.raises(LockedError, match=f"open for writing in process {os.getpid()}: stop that first"):
            held(tmp_path / "t").__enter__()
        assert chain.is_writer
    (tmp_path / "t" / "lock").unlink()  # as in a copy
    with held(tmp_path / "t"), pytest.raises(LockedError):
        Chain.open(tmp_path / "t", write=True)
    Chain.open(tmp_path / "t", write=True).close()
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="file/lock cannot be changed"):
        held(tmp_path / "file").__enter__()


def test_the_lock_of_a_chain_that_was_moved_away_is_not_its_successors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("t", "next"):
        Chain.open(tmp_path / name, write=True, create=Options()).close()
    original = fcntl.flock

    def flock(file: object, operation: int) -> None:
        if (tmp_path / "next").exists():
            (tmp_path / "t").rename(tmp_path / "old")
            (tmp_path / "next").rename(tmp_path / "t")
        original(file, operation)  # type: ignore[arg-type]

    monkeypatch.setattr(fcntl, "flock", flock)
    with held(tmp_path / "t"), pytest.raises(LockedError):
        Chain.open(tmp_path / "t", write=True)


def test_two_that_throw_the_same_away(tmp_path: Path) -> None:
    for number in range(20):
        gone = tmp_path / str(number)
        for file in range(50):
            (gone / str(file)).mkdir(parents=True)
        both = [threading.Thread(target=places.throw_away, args=(gone,)) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join()
        assert not gone.exists()
