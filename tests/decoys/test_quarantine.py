"""Uploads on disk: under the name of their hash, once, within a quota that small ones cannot get around."""

import hashlib
from pathlib import Path

from chaffinch.decoys.quarantine import BLOCK_BYTES, FileQuarantine


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
