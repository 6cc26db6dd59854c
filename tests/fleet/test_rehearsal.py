"""What is rehearsed before the fork leaves nothing behind."""

import os
import threading
from pathlib import Path

from chaffinch.config import Config
from chaffinch.fleet import assemble
from chaffinch.fleet.rehearsal import rehearse


def descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))


def test_nothing_stays(tmp_path: Path) -> None:
    described = assemble.describe(Config(), b"test")
    parts = assemble.Parts(Config(), tmp_path, described.plan, described.personas, ())
    rehearse(parts)
    before, threads = descriptors(), threading.active_count()
    rehearse(parts)
    assert descriptors() == before
    assert threading.active_count() == threads
    assert list(tmp_path.iterdir()) == []
