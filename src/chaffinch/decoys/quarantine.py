"""Uploads, kept as plain files under the name of their SHA-256 within a quota. Nothing here is ever executed or
served.
"""

import contextlib
import hashlib
import logging
import os
from pathlib import Path

log = logging.getLogger("chaffinch.decoys")

RECOUNT = 16
"""After so many new uploads, kept or not, the directory is counted again: other processes write to it, too."""

BLOCK_BYTES = 4096
"""A file counts for whole blocks of so many bytes, as the usual file systems store it, and for one at least."""


class FileQuarantine:
    """A directory of uploads. Several processes may share it: a file is written under a name of its own and
    renamed.
    """

    def __init__(self, directory: Path, quota_bytes: int) -> None:
        self._directory = directory
        self.quota_bytes = quota_bytes
        self._used = -1
        self._uncounted = 0
        self.refused = 0

    def keep(self, data: bytes) -> tuple[str, bool]:
        """The data's SHA-256 in hex, and whether its bytes are held now: not past the quota, nor when the disk
        refuses.
        """
        name = hashlib.sha256(data).hexdigest()
        path = self._directory / name
        if path.exists():
            return name, True
        if self._used < 0 or self._uncounted >= RECOUNT:
            self._used, self._uncounted = self._count(), 0
        self._uncounted += 1
        if self._used + _blocks(len(data)) > self.quota_bytes:
            self.refused += 1
            return name, False
        try:
            self._write(path, data)
        except OSError as error:
            self.refused += 1
            log.warning("quarantine.refused sha256=%s why=%s", name, error.strerror)
            return name, False
        self._used += _blocks(len(data))
        return name, True

    def _count(self) -> int:
        """Bytes that the directory's files count for now, by whichever process they were written."""
        total = 0
        for entry in os.scandir(self._directory):
            with contextlib.suppress(FileNotFoundError):  # another process has just renamed it
                total += _blocks(entry.stat().st_size)
        return total

    def _write(self, path: Path, data: bytes) -> None:
        part = path.with_suffix(f".{os.getpid()}.part")
        part.unlink(missing_ok=True)  # left by a process of the same number that was killed
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise


def _blocks(size: int) -> int:
    return max(1, -(-size // BLOCK_BYTES)) * BLOCK_BYTES
