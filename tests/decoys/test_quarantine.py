"""Uploads on disk: under the name of their hash, once, within a quota that small ones cannot get around."""

import hashlib
from pathlib import Path

import pytest

from chaffinch.decoys.quarantine import BLOCK_BYTES, RECOUNT, FileQuarantine


def test_an_upload_is_kept_once_under_its_hash_and_refused_past_the_quota(tmp_path: Path) -> None:
    quarantine = FileQuarantine(tmp_path, 3 * BLOCK_BYTES)
    name = hashlib.sha256(b"x" * 5000).hexdigest()
    assert quarantine.keep(b"x" * 5000) == quarantine.keep(b"x" * 5000) == (name, True)
    assert quarantine.keep(b"y" * 5000)[1] is False
    assert quarantine.keep(b"y" * BLOCK_BYTES)[1] is True
    assert (tmp_path / name).read_bytes() == b"x" * 5000
    assert (len(list(tmp_path.iterdir())), quarantine.refused) == (2, 1)


def test_uploads_of_a_byte_count_for_what_they_take_on_the_disk(tmp_path: Path) -> None:
    """A quota of bytes alone would let them take every block and inode that there is."""
    for process in range(2):
        quarantine = FileQuarantine(tmp_path, 20 * BLOCK_BYTES)
        for number in range(100):
            quarantine.keep(f"{process} {number}".encode())
        assert len(list(tmp_path.iterdir())) == 20
        assert quarantine.refused == (80 if process == 0 else 100)


def test_a_full_quarantine_is_not_counted_for_every_upload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting takes 5 us a file, a third of a second for all that may be there, and no session goes on meanwhile."""
    counted = []
    monkeypatch.setattr(FileQuarantine, "_count", lambda _: counted.append(1) or 1 << 30)
    quarantine = FileQuarantine(tmp_path, 1 << 30)
    for number in range(10 * RECOUNT):
        assert quarantine.keep(b"%d" % number)[1] is False
    assert len(counted) == 10


def test_room_that_was_made_is_seen(tmp_path: Path) -> None:
    quarantine = FileQuarantine(tmp_path, BLOCK_BYTES)
    name, _ = quarantine.keep(b"first")
    assert quarantine.keep(b"second")[1] is False
    (tmp_path / name).unlink()
    assert any(quarantine.keep(b"%d" % number)[1] for number in range(RECOUNT))
