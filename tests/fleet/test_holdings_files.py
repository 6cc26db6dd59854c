"""A process of native code: pages of files that it maps are not what it holds, and no brake ends it."""

import mmap
import os
import resource
from pathlib import Path

import pytest

from chaffinch.fleet.holdings import Holdings
from chaffinch.metrics.registry import Registry

SIZE = 32 << 20


def test_pages_of_mapped_files_are_not_held(tmp_path: Path) -> None:
    path = tmp_path / "segment"
    path.write_bytes(b"x" * SIZE)
    with path.open("r+b") as file:
        file.flush()
        os.fsync(file.fileno())  # until then its pages are to be written, and not clean
        before = {kind: Holdings(0, Registry("test"), native=kind) for kind in (True, False)}
        begun = {kind: one.private_bytes() for kind, one in before.items()}
        with mmap.mmap(file.fileno(), SIZE, access=mmap.ACCESS_READ) as mapped:
            assert sum(mapped[at] for at in range(0, SIZE, 4096)) > 0
            held = bytearray(b"y" * (8 << 20))
            for one in before.values():
                one.measure()
            grown = {kind: one.private_bytes() - begun[kind] for kind, one in before.items()}
            assert 7 << 20 < grown[True] < 16 << 20, grown
            assert grown[False] >= SIZE, grown
            assert held


def test_no_brake_ends_native_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot catch an allocation that fails."""
    limits: list[object] = []
    monkeypatch.setattr(resource, "setrlimit", lambda *given: limits.append(given))
    Holdings(100_000_000, Registry("test"), native=True).limit_to(90_000_000)
    assert limits == []
    Holdings(100_000_000, Registry("test"))
    assert len(limits) == 1
